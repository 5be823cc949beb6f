//! One immutable view of the cluster. Topics are shared between successive snapshots, so that an update copies only
//! what it changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gregor_model::{
    BrokerId, EndPoint, LeaderEpoch, ListenerName, PartitionEpoch, TopicId, TopicName, TopicPartition,
};

/// A broker that the controller counts as alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliveBroker {
    /// `broker.id`.
    pub id: BrokerId,
    /// One address per listener.
    pub endpoints: Vec<EndPoint>,
    /// `broker.rack`.
    pub rack: Option<String>,
}

impl AliveBroker {
    /// Where the broker is reached on that listener (`Broker.getNode`).
    pub fn endpoint(&self, listener: &ListenerName) -> Option<&EndPoint> {
        self.endpoints.iter().find(|endpoint| endpoint.listener == *listener)
    }
}

/// What the controller said of one partition (`UpdateMetadataPartitionState`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// The leader, if there is one.
    pub leader: Option<BrokerId>,
    /// The leader's epoch.
    pub leader_epoch: LeaderEpoch,
    /// The in-sync replicas.
    pub isr: Vec<BrokerId>,
    /// The version of the state znode.
    pub partition_epoch: PartitionEpoch,
    /// All replicas.
    pub replicas: Vec<BrokerId>,
    /// Replicas on dead brokers or failed disks.
    pub offline_replicas: Vec<BrokerId>,
}

/// A topic with its partitions; never without partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicMetadata {
    /// The topic's id, when it has one.
    pub id: Option<TopicId>,
    /// By partition index.
    pub partitions: BTreeMap<i32, PartitionMetadata>,
}

/// What is known at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataSnapshot {
    /// How many updates made this snapshot.
    pub(super) version: u64,
    pub(super) controller: Option<BrokerId>,
    pub(super) brokers: Arc<BTreeMap<BrokerId, AliveBroker>>,
    pub(super) topics: HashMap<TopicName, Arc<TopicMetadata>>,
    pub(super) names_by_id: HashMap<TopicId, TopicName>,
}

impl MetadataSnapshot {
    /// Differs between any two snapshots of one broker.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The active controller, as last told.
    pub fn controller(&self) -> Option<BrokerId> {
        self.controller
    }

    /// All brokers alive, by id.
    pub fn brokers(&self) -> impl Iterator<Item = &AliveBroker> {
        self.brokers.values()
    }

    /// Whether the broker is alive.
    pub fn is_alive(&self, id: BrokerId) -> bool {
        self.brokers.contains_key(&id)
    }

    /// The broker, if alive.
    pub fn broker(&self, id: BrokerId) -> Option<&AliveBroker> {
        self.brokers.get(&id)
    }

    /// Where a live broker is reached on that listener (`getAliveBrokerNode`).
    pub fn endpoint(&self, id: BrokerId, listener: &ListenerName) -> Option<&EndPoint> {
        self.brokers.get(&id)?.endpoint(listener)
    }

    /// The names of all topics, in no order.
    pub fn topic_names(&self) -> impl Iterator<Item = &TopicName> {
        self.topics.keys()
    }

    /// How many topics there are.
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// The topic, if it exists.
    pub fn topic(&self, name: &str) -> Option<&TopicMetadata> {
        self.topics.get(name).map(Arc::as_ref)
    }

    /// The topic with that id.
    pub fn topic_name(&self, id: TopicId) -> Option<&TopicName> {
        self.names_by_id.get(&id)
    }

    /// The id of that topic, when it exists and has one.
    pub fn topic_id(&self, name: &str) -> Option<TopicId> {
        self.topics.get(name)?.id
    }

    /// The partition, if it exists.
    pub fn partition(&self, topic: &str, partition: i32) -> Option<&PartitionMetadata> {
        self.topics.get(topic)?.partitions.get(&partition)
    }

    /// Whether the partition exists.
    pub fn contains(&self, partition: &TopicPartition) -> bool {
        self.partition(partition.topic.as_str(), partition.partition).is_some()
    }
}
