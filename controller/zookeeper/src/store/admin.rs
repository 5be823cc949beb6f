//! Deletion markers, the legacy admin nodes, notifications, producer ids and features.

use gregor_model::{BrokerId, TopicName, TopicPartition, ZnodeVersion};
use tracing::error;

use super::{Fence, FencedError, Result, Store};
use crate::client::{CreateMode, Write};
use crate::error::ZooKeeperError;
use crate::schema::admin::{self, Reassignments};
use crate::schema::feature::{self, Features};
use crate::schema::notification;
use crate::schema::producer_id::{self, ProducerIdBlock};
use crate::schema::{DecodeError, sequence};

/// A child of a notification parent, by the number ZooKeeper gave it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NumberedChild {
    /// Its number.
    pub number: i64,
    /// Its name.
    pub name: String,
}

impl NumberedChild {
    /// Those of these children that carry a number behind the prefix, in the order they were created.
    pub fn in_order(children: &[String], prefix: &str) -> Vec<NumberedChild> {
        let numbered = |name: &String| {
            sequence::parse(name, prefix).map(|number| NumberedChild { number, name: name.clone() })
        };
        let mut numbered: Vec<NumberedChild> = children.iter().filter_map(numbered).collect();
        numbered.sort();
        numbered
    }
}

/// Notifications read: the children found (unreadable ones too), and what the readable ones say.
pub type ChangeReader<T> = (Vec<String>, Vec<T>);

impl Store {
    /// Topics marked for deletion.
    pub async fn deletion_markers(&self) -> Result<Vec<TopicName>> {
        let children = self.session.children(admin::DELETE_TOPICS_PATH).await?;
        Ok(children.iter().map(|name| TopicName::new(name)).collect())
    }

    /// Marks a topic for deletion; `false` when it was marked already.
    pub async fn mark_for_deletion(&self, topic: &TopicName) -> Result<bool> {
        match self.session.create(&admin::delete_topic_path(topic), b"", CreateMode::Persistent).await {
            Ok(_) => Ok(true),
            Err(ZooKeeperError::NodeExists) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Content of the legacy reassignment node: `None` when absent, empty when unreadable.
    pub async fn reassignments(&self) -> Result<Option<Reassignments>> {
        let node = self.session.find(admin::REASSIGN_PARTITIONS_PATH).await?;
        Ok(node.map(|node| readable(admin::decode_reassignments(&node.data))))
    }

    /// Replaces or creates the legacy reassignment node, fenced.
    pub async fn set_reassignments(
        &self,
        fence: Fence,
        partitions: &[(TopicPartition, Vec<BrokerId>)],
    ) -> Result<(), FencedError> {
        let (path, data) = (admin::REASSIGN_PARTITIONS_PATH, admin::encode_reassignments(partitions));
        let set = Write::Set { path: path.to_owned(), data: data.clone(), version: None };
        match self.write_fenced(fence, vec![set]).await {
            Err(FencedError::ZooKeeper(ZooKeeperError::NoNode)) => {}
            result => return result.map(|_| ()),
        }
        let create = Write::Create { path: path.to_owned(), data, mode: CreateMode::Persistent };
        self.write_fenced(fence, vec![create]).await.map(|_| ())
    }

    /// Content of the legacy preferred election node: `None` when absent, empty when unreadable.
    pub async fn preferred_election(&self) -> Result<Option<Vec<TopicPartition>>> {
        let node = self.session.find(admin::PREFERRED_ELECTION_PATH).await?;
        Ok(node.map(|node| readable(admin::decode_preferred_election(&node.data))))
    }

    /// ISR change notifications: children, and the partitions they list.
    pub async fn isr_changes(&self) -> Result<ChangeReader<TopicPartition>> {
        let (names, lists) =
            self.notifications(notification::ISR_CHANGE_PATH, notification::decode_isr_change).await?;
        Ok((names, lists.into_iter().flatten().collect()))
    }

    /// Tells the controller that a leader changed the ISRs of these partitions (`propagateIsrChanges`).
    pub async fn notify_isr_changes(&self, partitions: &[TopicPartition]) -> Result<()> {
        let data = notification::encode_isr_change(partitions);
        let mode = CreateMode::PersistentSequential;
        self.session.create(notification::ISR_CHANGE_PREFIX, &data, mode).await.map(|_| ())
    }

    /// Log directory notifications: children, and the brokers they name.
    pub async fn log_dir_events(&self) -> Result<ChangeReader<BrokerId>> {
        self.notifications(notification::LOG_DIR_EVENT_PATH, notification::decode_log_dir_event).await
    }

    /// Tells the controller that a log directory of this broker failed (`propagateLogDirEvent`).
    pub async fn notify_log_dir_failure(&self, broker: BrokerId) -> Result<()> {
        let data = notification::encode_log_dir_failure(broker);
        let mode = CreateMode::PersistentSequential;
        self.session.create(notification::LOG_DIR_EVENT_PREFIX, &data, mode).await.map(|_| ())
    }

    async fn notifications<T>(
        &self,
        parent: &str,
        decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<ChangeReader<T>> {
        let mut names = self.session.children(parent).await?;
        names.sort_unstable();
        let nodes = self.read_all(names.iter().map(|name| format!("{parent}/{name}")).collect()).await?;
        let decoded = nodes.into_iter().flatten().filter_map(|node| {
            decode(&node.data).inspect_err(|error| error!(%error, "unreadable notification")).ok()
        });
        Ok((names, decoded.collect()))
    }

    /// Deletes children of a notification parent, fenced; one that is gone is fine.
    pub async fn delete_notifications(
        &self,
        fence: Fence,
        parent: &str,
        names: &[String],
    ) -> Result<(), FencedError> {
        self.delete_all(fence, names.iter().map(|name| format!("{parent}/{name}")).collect()).await
    }

    /// The latest block of producer ids and the node's version; `None` when there is no node.
    pub async fn producer_id_block(&self) -> Result<Option<(Option<ProducerIdBlock>, ZnodeVersion)>> {
        match self.session.find(producer_id::PATH).await? {
            None => Ok(None),
            Some(node) => Ok(Some((producer_id::decode(&node.data)?, node.stat.version))),
        }
    }

    /// Hands out a block if the node still has that version (`None`: if there is no node); `false` when it has not.
    pub async fn set_producer_id_block(
        &self,
        block: &ProducerIdBlock,
        expected: Option<ZnodeVersion>,
    ) -> Result<bool> {
        let data = producer_id::encode(block);
        let result = match expected {
            Some(version) => self.session.set(producer_id::PATH, &data, Some(version)).await.map(|_| ()),
            None => self.session.create(producer_id::PATH, &data, CreateMode::Persistent).await.map(|_| ()),
        };
        match result {
            Ok(()) => Ok(true),
            Err(ZooKeeperError::BadVersion | ZooKeeperError::NodeExists | ZooKeeperError::NoNode) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// The finalized features and the node's version, which is their epoch; `None` when there is no node.
    pub async fn features(&self) -> Result<Option<(Features, ZnodeVersion)>> {
        match self.session.find(feature::PATH).await? {
            None => Ok(None),
            Some(node) => Ok(Some((feature::decode(&node.data)?, node.stat.version))),
        }
    }

    /// Replaces the finalized features whatever their version, or creates the node; the new version.
    pub async fn set_features(&self, features: &Features) -> Result<ZnodeVersion> {
        let data = feature::encode(features);
        loop {
            match self.session.set(feature::PATH, &data, None).await {
                Ok(stat) => return Ok(stat.version),
                Err(ZooKeeperError::NoNode) => {}
                Err(error) => return Err(error),
            }
            match self.session.create(feature::PATH, &data, CreateMode::Persistent).await {
                Ok(created) => return Ok(created.stat.version),
                Err(ZooKeeperError::NodeExists) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// What an unreadable legacy node counts as: nothing asked for.
fn readable<T>(decoded: Result<Vec<T>, DecodeError>) -> Vec<T> {
    decoded.unwrap_or_else(|error| {
        error!(%error, "unreadable request of an administrator");
        Vec::new()
    })
}
