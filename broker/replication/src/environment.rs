//! What replication needs from its broker, stated as traits: the server supplies them, tests and simulation their own.

use async_trait::async_trait;
use gregor_model::{BrokerEpoch, BrokerId, EndPoint, Timestamp, TopicName, TopicPartition};
use kafka_protocol::messages::{
    AlterPartitionRequest, AlterPartitionResponse, FetchRequest, FetchResponse, ListOffsetsRequest,
    ListOffsetsResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
};

/// What the broker knows of the cluster and of itself. Called on hot paths: answers come from memory, without waiting.
pub trait ReplicaEnvironment: Send + Sync + 'static {
    /// The time. A simulation has its own.
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// The epoch of this broker's registration; `None` before the first one.
    fn broker_epoch(&self) -> Option<BrokerEpoch>;

    /// Whether the broker is registered, by the last UpdateMetadata (`ZkMetadataCache.hasAliveBroker`).
    fn is_alive(&self, broker: BrokerId) -> bool;

    /// Where to reach a live broker on the inter-broker listener.
    fn endpoint(&self, broker: BrokerId) -> Option<EndPoint>;

    /// `broker.rack` of a live broker.
    fn rack(&self, broker: BrokerId) -> Option<String>;

    /// Whether the metadata cache has the partition: then one that is not here is NOT_LEADER_OR_FOLLOWER, not unknown.
    fn knows_partition(&self, partition: &TopicPartition) -> bool;

    /// `leader.replication.throttled.replicas` and `follower.replication.throttled.replicas` of a topic.
    fn throttled_replicas(&self, topic: &TopicName) -> (ThrottledReplicas, ThrottledReplicas);
}

/// Which replicas of a topic are throttled, as the topic config says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ThrottledReplicas {
    /// None: the config is not set.
    #[default]
    None,
    /// `*`.
    All,
    /// `partition:broker,...`: the partitions listed for this broker.
    Partitions(Vec<i32>),
}

impl ThrottledReplicas {
    /// Reads the config value for one broker; entries that are not `partition:broker` were refused when it was set.
    pub fn parse(value: &str, broker: BrokerId) -> ThrottledReplicas {
        match value.trim() {
            "" => ThrottledReplicas::None,
            "*" => ThrottledReplicas::All,
            list => {
                let partitions = list.split(',').filter_map(|entry| {
                    let (partition, replica) = entry.trim().split_once(':')?;
                    (replica.trim().parse() == Ok(broker.0)).then(|| partition.trim().parse().ok())?
                });
                ThrottledReplicas::Partitions(partitions.collect())
            }
        }
    }

    /// Whether that partition is throttled.
    pub fn contains(&self, partition: i32) -> bool {
        match self {
            ThrottledReplicas::None => false,
            ThrottledReplicas::All => true,
            ThrottledReplicas::Partitions(partitions) => partitions.contains(&partition),
        }
    }
}

/// Where ISR changes are approved: the controller, through the broker's channel to it.
#[async_trait]
pub trait IsrAuthority: Send + Sync + 'static {
    /// Sends the request to the controller and waits for its answer, for as long as it takes to find one: NOT_CONTROLLER, at the
    /// top or on any partition, and lost connections are retried inside. `by_name` asks for version 1 or lower,
    /// as a topic has no id; the request carries both names and ids. Returns the answer with the version it came in.
    async fn alter_partition(
        &self,
        request: AlterPartitionRequest,
        by_name: bool,
    ) -> Result<(AlterPartitionResponse, i16), AuthorityError>;
}

/// No answer can be had from the controller just now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no answer from the controller: {0}")]
pub struct AuthorityError(pub String);

/// A connection to one leader, as a fetcher uses it (`LeaderEndPoint`). Requests of a fetcher are sent one at a time.
#[async_trait]
pub trait LeaderEndpoint: Send + Sync + 'static {
    /// Sends a Fetch of that version.
    async fn fetch(&self, request: FetchRequest, version: i16) -> Result<FetchResponse, LeaderUnreachable>;

    /// Sends a ListOffsets.
    async fn list_offsets(
        &self,
        request: ListOffsetsRequest,
        version: i16,
    ) -> Result<ListOffsetsResponse, LeaderUnreachable>;

    /// Sends an OffsetForLeaderEpoch.
    async fn offset_for_leader_epoch(
        &self,
        request: OffsetForLeaderEpochRequest,
        version: i16,
    ) -> Result<OffsetForLeaderEpochResponse, LeaderUnreachable>;
}

/// Opens connections to leaders; `crate::WireLeaders` does so over the network.
#[async_trait]
pub trait LeaderEndpoints: Send + Sync + 'static {
    /// Connects to a leader under that client id.
    async fn connect(
        &self,
        leader: BrokerId,
        endpoint: &EndPoint,
        client_id: &str,
    ) -> Result<Box<dyn LeaderEndpoint>, LeaderUnreachable>;
}

/// The leader cannot be reached, or what it said cannot be understood; the connection is of no more use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("leader unreachable: {0}")]
pub struct LeaderUnreachable(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttled_replicas_of_one_broker() {
        let parse = |value| ThrottledReplicas::parse(value, BrokerId(2));
        assert_eq!(parse(""), ThrottledReplicas::None);
        assert_eq!(parse("*"), ThrottledReplicas::All);
        assert_eq!(parse("0:1,0:2,3:2, 4:2"), ThrottledReplicas::Partitions(vec![0, 3, 4]));
        assert!(parse("5:2").contains(5));
        assert!(!parse("5:1").contains(5));
    }
}
