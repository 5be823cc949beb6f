//! Why a topic was not created or deleted; the texts are Kafka's.

use gregor_config::topic::TopicConfigError;
use gregor_controller_machine::PlacementError;
use gregor_model::{BrokerId, InvalidTopicName, TopicName};
use gregor_zookeeper::ZooKeeperError;
use gregor_zookeeper::store::TopicWriteError;

use super::assignment::Assignment;

/// Why a topic was not created.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CreateTopicError {
    /// TOPIC_ALREADY_EXISTS.
    #[error("Topic '{0}' already exists.")]
    Exists(TopicName),
    /// TOPIC_ALREADY_EXISTS.
    #[error("Topic '{0}' is marked for deletion.")]
    MarkedForDeletion(TopicName),
    /// INVALID_CONFIG.
    #[error("Null value not supported for topic configs: {}", .0.join(","))]
    NullConfigs(Vec<String>),
    /// INVALID_REQUEST.
    #[error(
        "Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be used at the same time."
    )]
    CountsAndAssignments,
    /// INVALID_PARTITIONS.
    #[error("Number of partitions {wanted} is larger than the {max} that fit into ZooKeeper.")]
    TooManyPartitions {
        /// Asked for.
        wanted: i32,
        /// The limit.
        max: i32,
    },
    /// The code of the placement error.
    #[error(transparent)]
    Placement(#[from] PlacementError),
    /// INVALID_TOPIC_EXCEPTION.
    #[error(transparent)]
    Name(#[from] InvalidTopicName),
    /// INVALID_TOPIC_EXCEPTION.
    #[error("Topic '{name}' collides with existing topics: {}", names(existing))]
    Collides {
        /// The new name.
        name: TopicName,
        /// Those with the same metric name.
        existing: Vec<TopicName>,
    },
    /// INVALID_REPLICA_ASSIGNMENT.
    #[error("All partitions should have the same number of replicas")]
    UnequalReplicas,
    /// INVALID_REPLICA_ASSIGNMENT.
    #[error("Duplicate replica assignment found: {}", scala_map(.0))]
    DuplicateReplica(Assignment),
    /// INVALID_REPLICA_ASSIGNMENT.
    #[error("partitions should be a consecutive 0-based integer sequence")]
    PartitionGaps,
    /// INVALID_CONFIG.
    #[error(transparent)]
    Config(#[from] TopicConfigError),
    /// UNKNOWN_SERVER_ERROR.
    #[error("{0}")]
    ZooKeeper(#[from] ZooKeeperError),
}

impl From<TopicWriteError> for CreateTopicError {
    fn from(error: TopicWriteError) -> CreateTopicError {
        match error {
            TopicWriteError::Exists(name) | TopicWriteError::Missing(name) => CreateTopicError::Exists(name),
            TopicWriteError::ZooKeeper(error) => CreateTopicError::ZooKeeper(error),
        }
    }
}

/// Why a topic was not marked for deletion.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteTopicError {
    /// UNKNOWN_TOPIC_OR_PARTITION.
    #[error("Topic `{0}` to delete does not exist")]
    Unknown(TopicName),
    /// UNKNOWN_SERVER_ERROR.
    #[error("{0}")]
    ZooKeeper(#[from] ZooKeeperError),
}

/// As Scala prints the map of replicas by partition.
fn scala_map(assignment: &Assignment) -> String {
    let entry = |(partition, replicas): (&i32, &Vec<BrokerId>)| {
        let replicas: Vec<String> = replicas.iter().map(ToString::to_string).collect();
        format!("{partition} -> ArrayBuffer({})", replicas.join(", "))
    };
    format!("HashMap({})", assignment.iter().map(entry).collect::<Vec<_>>().join(", "))
}

fn names(names: &[TopicName]) -> String {
    names.iter().map(TopicName::as_str).collect::<Vec<_>>().join(", ")
}
