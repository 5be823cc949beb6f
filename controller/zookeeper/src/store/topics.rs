//! Topics, their partitions, and partition states.

use gregor_model::{TopicName, TopicPartition, ZnodeVersion};
use tracing::error;

use super::{Fence, FencedError, Result, Store, WriteUnit};
use crate::client::{CreateMode, Node, Write, Written};
use crate::error::ZooKeeperError;
use crate::schema::partition::{self, PartitionState};
use crate::schema::topic::{self, TopicAssignment};
use crate::schema::{admin, config};

/// A topic's node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTopic {
    /// The topic.
    pub name: TopicName,
    /// Its id and assignment.
    pub assignment: TopicAssignment,
    /// The node's version.
    pub version: ZnodeVersion,
    /// The transaction that last changed the node.
    pub mzxid: i64,
}

/// Why a topic's node was not created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicWriteError {
    /// There is one.
    #[error("Topic '{0}' already exists.")]
    Exists(TopicName),
    /// There is none.
    #[error("topic '{0}' does not exist")]
    Missing(TopicName),
    /// ZooKeeper failed.
    #[error(transparent)]
    ZooKeeper(#[from] ZooKeeperError),
}

impl Store {
    /// The names of all topics, unordered.
    pub async fn topic_names(&self) -> Result<Vec<TopicName>> {
        let children = self.session.children(topic::PARENT).await?;
        Ok(children.iter().map(|name| TopicName::new(name)).collect())
    }

    /// The nodes of these topics; those that do not exist, or cannot be read (a line in the log says so), are left out.
    pub async fn topics(&self, names: &[TopicName]) -> Result<Vec<StoredTopic>> {
        let nodes = self.read_all(names.iter().map(topic::path).collect()).await?;
        let mut topics = Vec::with_capacity(nodes.len());
        for (name, node) in names.iter().zip(nodes) {
            let Some(Node { data, stat }) = node else { continue };
            match topic::decode(&data) {
                Ok(assignment) => {
                    let (version, mzxid) = (stat.version, stat.mzxid);
                    topics.push(StoredTopic { name: name.clone(), assignment, version, mzxid });
                }
                Err(error) => error!(topic = %name, %error, "unreadable topic"),
            }
        }
        Ok(topics)
    }

    /// One topic's node; unreadable is an error.
    pub async fn topic(&self, name: &TopicName) -> Result<Option<StoredTopic>> {
        let Some(node) = self.session.find(&topic::path(name)).await? else { return Ok(None) };
        let assignment = topic::decode(&node.data)?;
        let (version, mzxid) = (node.stat.version, node.stat.mzxid);
        Ok(Some(StoredTopic { name: name.clone(), assignment, version, mzxid }))
    }

    /// Whether a topic's node exists (`topicExists`).
    pub async fn topic_exists(&self, name: &TopicName) -> Result<bool> {
        Ok(self.session.exists(&topic::path(name)).await?.is_some())
    }

    /// Whether a topic is marked for deletion (`isTopicMarkedForDeletion`).
    pub async fn is_marked_for_deletion(&self, name: &TopicName) -> Result<bool> {
        Ok(self.session.exists(&admin::delete_topic_path(name)).await?.is_some())
    }

    /// Creates a topic's node (`createTopicAssignment`); its config node must have been written before.
    pub async fn create_topic(
        &self,
        name: &TopicName,
        assignment: &TopicAssignment,
    ) -> Result<(), TopicWriteError> {
        let data = topic::encode(assignment);
        match self.session.create(&topic::path(name), &data, CreateMode::Persistent).await {
            Ok(_) => Ok(()),
            Err(ZooKeeperError::NodeExists) => Err(TopicWriteError::Exists(name.clone())),
            Err(error) => Err(error.into()),
        }
    }

    /// Replaces a topic's node whatever its version, unfenced: CreatePartitions (`setTopicAssignment`).
    pub async fn replace_topic(
        &self,
        name: &TopicName,
        assignment: &TopicAssignment,
    ) -> Result<(), TopicWriteError> {
        match self.session.set(&topic::path(name), &topic::encode(assignment), None).await {
            Ok(_) => Ok(()),
            Err(ZooKeeperError::NoNode) => Err(TopicWriteError::Missing(name.clone())),
            Err(error) => Err(error.into()),
        }
    }

    /// Replaces the nodes of topics, fenced, whatever their versions.
    pub async fn set_topics(
        &self,
        fence: Fence,
        topics: &[(TopicName, TopicAssignment)],
    ) -> Result<Vec<Result<()>>, FencedError> {
        let unit = |(name, assignment): &(TopicName, TopicAssignment)| {
            let data = topic::encode(assignment);
            WriteUnit::new(Write::Set { path: topic::path(name), data, version: None })
        };
        let written = self.write_each(Some(fence), topics.iter().map(unit).collect()).await?;
        Ok(written.into_iter().map(|result| result.map(|_| ())).collect())
    }

    /// The states of partitions, in their order; `None` for one that has none or an unreadable one (a line in the log
    /// says so).
    pub async fn partition_states(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Option<PartitionState>>> {
        let nodes = self.read_all(partitions.iter().map(partition::state_path).collect()).await?;
        let decode = |(partition, node): (&TopicPartition, Option<Node>)| {
            let Node { data, stat } = node?;
            partition::decode(&data, stat.version)
                .inspect_err(|error| error!(%partition, %error, "unreadable partition state"))
                .ok()
        };
        Ok(partitions.iter().zip(nodes).map(decode).collect())
    }

    /// Creates the states of new partitions, and the containers above them, fenced.
    pub async fn create_partition_states(
        &self,
        fence: Fence,
        states: &[(TopicPartition, PartitionState)],
    ) -> Result<Vec<Result<()>>, FencedError> {
        let unit = |(partition, state): &(TopicPartition, PartitionState)| WriteUnit {
            containers: vec![partition::container_path(&partition.topic), partition::path(partition)],
            write: Write::Create {
                path: partition::state_path(partition),
                data: partition::encode(&state.leadership, state.controller_epoch),
                mode: CreateMode::Persistent,
            },
        };
        let written = self.write_each(Some(fence), states.iter().map(unit).collect()).await?;
        Ok(written.into_iter().map(|result| result.map(|_| ())).collect())
    }

    /// Replaces the states of partitions that have the expected versions, fenced. Each result is the new version.
    pub async fn set_partition_states(
        &self,
        fence: Fence,
        states: &[(TopicPartition, PartitionState, ZnodeVersion)],
    ) -> Result<Vec<Result<ZnodeVersion>>, FencedError> {
        self.replace_partition_states(Some(fence), states).await
    }

    /// The same by a leader, whom nothing fences but the versions (`ReplicationUtils.updateLeaderAndIsr`).
    pub async fn set_partition_states_as_leader(
        &self,
        states: &[(TopicPartition, PartitionState, ZnodeVersion)],
    ) -> Result<Vec<Result<ZnodeVersion>>> {
        self.replace_partition_states(None, states).await.map_err(|error| match error {
            FencedError::ZooKeeper(error) => error,
            FencedError::ControllerMoved => ZooKeeperError::BadVersion,
        })
    }

    async fn replace_partition_states(
        &self,
        fence: Option<Fence>,
        states: &[(TopicPartition, PartitionState, ZnodeVersion)],
    ) -> Result<Vec<Result<ZnodeVersion>>, FencedError> {
        let unit = |(partition, state, expected): &(TopicPartition, PartitionState, ZnodeVersion)| {
            WriteUnit::new(Write::Set {
                path: partition::state_path(partition),
                data: partition::encode(&state.leadership, state.controller_epoch),
                version: Some(*expected),
            })
        };
        let written = self.write_each(fence, states.iter().map(unit).collect()).await?;
        let version = |(written, (_, _, expected)): (Result<Written>, &(_, _, ZnodeVersion))| match written? {
            Written::Set(stat) => Ok(stat.version),
            Written::Checked | Written::Created | Written::Deleted => Ok(expected.next()),
        };
        Ok(written.into_iter().zip(states).map(version).collect())
    }

    /// The partitions that exist below a topic's node (not those its assignment names).
    pub async fn created_partitions(&self, name: &TopicName) -> Result<Vec<i32>> {
        match self.session.children(&partition::container_path(name)).await {
            Err(ZooKeeperError::NoNode) => Ok(Vec::new()),
            result => Ok(result?.iter().filter_map(|child| child.parse().ok()).collect()),
        }
    }

    /// Removes all of a topic, fenced: its node and everything below, its configs, its deletion marker.
    pub async fn delete_topic(&self, fence: Fence, name: &TopicName) -> Result<(), FencedError> {
        let partitions = self.created_partitions(name).await?;
        let paths: Vec<TopicPartition> =
            partitions.iter().map(|index| TopicPartition::new(name.clone(), *index)).collect();
        self.delete_all(fence, paths.iter().map(partition::state_path).collect()).await?;
        self.delete_all(fence, paths.iter().map(partition::path).collect()).await?;
        // One after the other: each is the parent of the one before, and the marker must go last.
        for path in [
            partition::container_path(name),
            topic::path(name),
            config::Entity::topic(name).path(),
            admin::delete_topic_path(name),
        ] {
            self.delete_all(fence, vec![path]).await?;
        }
        Ok(())
    }

    /// Deletes znodes whatever their versions, fenced; one that does not exist is fine.
    pub async fn delete_all(&self, fence: Fence, paths: Vec<String>) -> Result<(), FencedError> {
        let units =
            paths.into_iter().map(|path| WriteUnit::new(Write::Delete { path, version: None })).collect();
        for result in self.write_each(Some(fence), units).await? {
            match result {
                Ok(_) | Err(ZooKeeperError::NoNode) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
