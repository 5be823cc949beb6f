//! What the controller reads from and writes to ZooKeeper, as values. Encoding and paths belong to the `zookeeper`
//! crate; these types hold exactly what the znodes mean and nothing of how they are written.

use std::collections::BTreeMap;
use std::sync::Arc;

use gregor_model::{
    BrokerEndpoints, BrokerId, ControllerEpoch, LeaderAndIsr, ProducerId, ReplicaAssignment, TopicId,
    TopicName, TopicPartition, ZnodeVersion,
};

/// Content of a partition's state znode with the epoch of the controller that decided it
/// (`LeaderIsrAndControllerEpoch`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderIsrAndControllerEpoch {
    /// Leader, ISR and epochs; `partition_epoch` is the znode's version.
    pub leader_and_isr: LeaderAndIsr,
    /// Epoch of the controller that made this decision.
    pub controller_epoch: ControllerEpoch,
}

/// Versions of a feature that a broker supports, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    /// Lowest supported version.
    pub min: i16,
    /// Highest supported version.
    pub max: i16,
}

/// Features a broker supports, from its registration. Brokers in ZooKeeper mode support none.
pub type SupportedFeatures = BTreeMap<String, VersionRange>;

/// Finalized features with their maximum version level, from `/feature`.
pub type FinalizedFeatures = BTreeMap<String, i16>;

/// A broker's registration, `/brokers/ids/<id>`; the broker epoch inside is the znode's czxid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerRegistration {
    /// Id, epoch, addresses and rack.
    pub broker: Arc<BrokerEndpoints>,
    /// Supported features.
    pub features: SupportedFeatures,
}

/// A topic's znode, `/brokers/topics/<topic>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicNode {
    /// The topic.
    pub name: TopicName,
    /// Its id; `None` for a topic made before topic ids.
    pub id: Option<TopicId>,
    /// Replicas per partition.
    pub partitions: BTreeMap<i32, Arc<ReplicaAssignment>>,
}

/// `/feature`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureNode {
    /// `status` is 1.
    pub enabled: bool,
    /// Whether the node is already in the form that this broker's inter-broker protocol version writes (version 2).
    pub current_form: bool,
    /// Finalized features.
    pub features: FinalizedFeatures,
}

/// `/latest_producer_id_block`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdBlock {
    /// The broker it was given to.
    pub broker: BrokerId,
    /// First id.
    pub first: ProducerId,
    /// Last id, inclusive.
    pub last: ProducerId,
}

/// Everything a new controller needs (`KafkaController.onControllerFailover` steps 1 to 11, and the two legacy admin
/// nodes), read after all watches were set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// `/feature`, or `None` when absent.
    pub features: Option<FeatureNode>,
    /// Names of the children of `/isr_change_notification`, listed before any partition state was read.
    pub isr_changes: Vec<String>,
    /// Names of the children of `/log_dir_event_notification`, listed before any partition state was read.
    pub log_dir_events: Vec<String>,
    /// All registered brokers.
    pub brokers: Vec<BrokerRegistration>,
    /// All topics.
    pub topics: Vec<TopicNode>,
    /// Every partition state that exists.
    pub states: Vec<(TopicPartition, LeaderIsrAndControllerEpoch)>,
    /// Children of `/admin/delete_topics`.
    pub deletions: Vec<TopicName>,
    /// Content of `/admin/reassign_partitions`; `None` when the node is absent, and an empty list when it cannot be parsed.
    pub reassignments: Option<Vec<(TopicPartition, Vec<BrokerId>)>>,
    /// Content of `/admin/preferred_replica_election`; empty when absent.
    pub preferred_elections: Vec<TopicPartition>,
}

/// A value read together with the version of its znode.
pub type Versioned<T> = (T, ZnodeVersion);
