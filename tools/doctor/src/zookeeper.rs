//! Reads what ZooKeeper says of topics and partitions; changes nothing there.

use std::sync::Arc;

use async_trait::async_trait;
use gregor_model::{TopicName, TopicPartition};
use gregor_zookeeper::client::published::PublishedConnector;
use gregor_zookeeper::client::{Client, Connector};
use gregor_zookeeper::schema::partition::PartitionState;
use gregor_zookeeper::schema::{admin, cluster, partition, topic};
use gregor_zookeeper::{ConnectError, InvalidConnectString, Session, SessionConfig, ZooKeeperError};

use crate::cluster::{ClusterNodes, StateNode, TopicNode};

/// Why ZooKeeper cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The connect string.
    #[error(transparent)]
    Invalid(#[from] InvalidConnectString),
    /// No server answers.
    #[error(transparent)]
    Unreachable(#[from] ConnectError),
}

/// Connects as brokers do, but for the chroot, which has to be there.
///
/// # Errors
/// A connect string that is none, or nobody answers.
pub async fn connect(connect: &str) -> Result<Session, LookError> {
    let config = SessionConfig::new(connect.parse()?);
    let connector = PublishedConnector::new(config.connect.clone(), config.session_timeout, false);
    Ok(Session::connect_with(&config, Arc::new(LookingConnector(connector))).await?)
}

/// Makes nothing.
struct LookingConnector(PublishedConnector);

#[async_trait]
impl Connector for LookingConnector {
    async fn connect(&self) -> Result<Arc<dyn Client>, ZooKeeperError> {
        self.0.connect().await
    }

    async fn reattach(&self, previous: &dyn Client) -> Result<Arc<dyn Client>, ZooKeeperError> {
        self.0.reattach(previous).await
    }

    async fn create_chroot(&self) -> Result<(), ZooKeeperError> {
        Ok(())
    }
}

/// States of partitions are read so many at a time.
const READS_AT_ONCE: usize = 500;

/// Reads everything that [`crate::compare`] looks at.
///
/// # Errors
/// ZooKeeper's.
pub async fn read(session: &Session) -> Result<ClusterNodes, ZooKeeperError> {
    let mut nodes = ClusterNodes::default();
    if let Some(node) = session.find(cluster::ID_PATH).await? {
        match cluster::decode(&node.data) {
            Ok(id) => nodes.cluster_id = Some(id.as_str().to_owned()),
            Err(error) => nodes.broken.push((cluster::ID_PATH.to_owned(), error.to_string())),
        }
    }
    let deleting = children(session, admin::DELETE_TOPICS_PATH).await?;
    nodes.deleting = deleting.iter().map(|name| TopicName::new(name)).collect();
    for name in children(session, topic::PARENT).await? {
        read_topic(session, &TopicName::new(&name), &mut nodes).await?;
    }
    Ok(nodes)
}

/// The children of a znode that may not be there.
async fn children(session: &Session, path: &str) -> Result<Vec<String>, ZooKeeperError> {
    match session.children(path).await {
        Err(ZooKeeperError::NoNode) => Ok(Vec::new()),
        children => children,
    }
}

async fn read_topic(
    session: &Session,
    name: &TopicName,
    nodes: &mut ClusterNodes,
) -> Result<(), ZooKeeperError> {
    let path = topic::path(name);
    let Some(node) = session.find(&path).await? else { return Ok(()) };
    let assignment = match topic::decode(&node.data) {
        Ok(assignment) => assignment,
        Err(error) => {
            nodes.broken.push((path, error.to_string()));
            nodes.unreadable.push(name.clone());
            return Ok(());
        }
    };
    let replicas =
        assignment.partitions.iter().map(|(number, replicas)| (*number, replicas.replicas.clone()));
    let read = TopicNode { id: assignment.topic_id, replicas: replicas.collect() };
    let partitions: Vec<TopicPartition> =
        read.replicas.keys().map(|number| TopicPartition::new(name.clone(), *number)).collect();
    nodes.topics.insert(name.clone(), read);
    for partitions in partitions.chunks(READS_AT_ONCE) {
        let paths: Vec<String> = partitions.iter().map(partition::state_path).collect();
        let states = session.read_many(&paths).await?;
        for ((partition, path), node) in partitions.iter().zip(paths).zip(states) {
            let Some(node) = node else { continue };
            match partition::decode(&node.data, node.stat.version) {
                Ok(PartitionState { leadership, .. }) => {
                    let state = StateNode { leader: leadership.leader, isr: leadership.isr };
                    nodes.states.insert(partition.clone(), state);
                }
                Err(error) => nodes.broken.push((path, error.to_string())),
            }
        }
    }
    Ok(())
}
