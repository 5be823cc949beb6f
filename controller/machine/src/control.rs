//! Requests to brokers: LeaderAndIsr, UpdateMetadata and StopReplica in the words of the model. The shell adds its
//! own broker id as controller id, `isKRaftController` false, `Type` 0, and endpoints by listener, and picks versions.
//!
//! Everything large is shared by reference count: one UpdateMetadata content serves all brokers, so the shell can
//! encode its body once (only the header fields before it differ per broker).

use std::sync::Arc;

use gregor_model::{
    BrokerEndpoints, BrokerEpoch, BrokerId, ControllerEpoch, LeaderEpoch, ReplicaAssignment, TopicId,
    TopicName,
};

use crate::znode::LeaderIsrAndControllerEpoch;

/// Shared leadership information of one partition.
pub type Leadership = Arc<LeaderIsrAndControllerEpoch>;

/// A request to one broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlRequest {
    /// LeaderAndIsr (4).
    LeaderAndIsr(LeaderAndIsrRequest),
    /// UpdateMetadata (6).
    UpdateMetadata(UpdateMetadataRequest),
    /// StopReplica (5).
    StopReplica(StopReplicaRequest),
}

/// LeaderAndIsr: what the receiver is to lead and to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderAndIsrRequest {
    /// Epoch of the sending controller.
    pub controller_epoch: ControllerEpoch,
    /// Broker epoch of the receiver.
    pub broker_epoch: BrokerEpoch,
    /// Partitions by topic.
    pub topics: Vec<LeaderAndIsrTopic>,
    /// Live brokers that lead any of these partitions, by id.
    pub live_leaders: Vec<Arc<BrokerEndpoints>>,
}

/// Partitions of one topic in a LeaderAndIsr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderAndIsrTopic {
    /// The topic.
    pub name: TopicName,
    /// Its id.
    pub id: Option<TopicId>,
    /// The partitions, by index.
    pub partitions: Vec<LeaderAndIsrPartition>,
}

/// One partition in a LeaderAndIsr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderAndIsrPartition {
    /// Index.
    pub partition: i32,
    /// Leader, ISR, epochs, and the epoch of the controller that decided (the entry's `ControllerEpoch`).
    pub leadership: Leadership,
    /// `Replicas`, `AddingReplicas`, `RemovingReplicas`.
    pub assignment: Arc<ReplicaAssignment>,
    /// No log can exist yet on the receiver.
    pub is_new: bool,
}

/// UpdateMetadata: what the receiver's metadata cache is to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateMetadataRequest {
    /// Epoch of the sending controller.
    pub controller_epoch: ControllerEpoch,
    /// Broker epoch of the receiver.
    pub broker_epoch: BrokerEpoch,
    /// The same for all receivers of one batch.
    pub content: Arc<UpdateMetadataContent>,
}

/// The part of UpdateMetadata that does not depend on the receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateMetadataContent {
    /// Partitions by topic; may be empty.
    pub topics: Vec<UpdateMetadataTopic>,
    /// All live or shutting-down brokers, always complete, by id.
    pub live_brokers: Vec<Arc<BrokerEndpoints>>,
}

/// Partitions of one topic in an UpdateMetadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateMetadataTopic {
    /// The topic.
    pub name: TopicName,
    /// Its id.
    pub id: Option<TopicId>,
    /// The partitions, by index.
    pub partitions: Vec<UpdateMetadataPartition>,
}

/// One partition in an UpdateMetadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateMetadataPartition {
    /// Index.
    pub partition: i32,
    /// Leader, ISR and epochs. When `deleting`, only its ISR and controller epoch go on the wire.
    pub leadership: Leadership,
    /// The topic is being deleted: the wire's Leader is -2, LeaderEpoch 0, ZkVersion 0.
    pub deleting: bool,
    /// `Replicas`.
    pub assignment: Arc<ReplicaAssignment>,
    /// `OfflineReplicas`.
    pub offline_replicas: Vec<BrokerId>,
}

/// StopReplica: what the receiver is to stop, and perhaps delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopReplicaRequest {
    /// Epoch of the sending controller.
    pub controller_epoch: ControllerEpoch,
    /// Broker epoch of the receiver.
    pub broker_epoch: BrokerEpoch,
    /// Partitions by topic.
    pub topics: Vec<StopReplicaTopic>,
}

/// Partitions of one topic in a StopReplica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopReplicaTopic {
    /// The topic.
    pub name: TopicName,
    /// The partitions, by index.
    pub partitions: Vec<StopReplicaPartition>,
}

/// One partition in a StopReplica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopReplicaPartition {
    /// Index.
    pub partition: i32,
    /// The topic is queued for deletion: the wire's LeaderEpoch is -2 whatever `leader_epoch` says.
    pub deleting: bool,
    /// Leader epoch; `None` is the wire's -1 ("unknown").
    pub leader_epoch: Option<LeaderEpoch>,
    /// Delete the log, too.
    pub delete: bool,
}
