//! Requests that brokers and clients send to the controller, their answers, and the errors of each. Which Kafka code an
//! error has is said in its comment; the mapping itself is the server's.

use std::sync::Arc;

use gregor_model::{
    BrokerEpoch, BrokerId, LeaderAndIsr, LeaderEpoch, LeaderRecoveryState, PartitionEpoch, ProducerId,
    ReplicaAssignment, TopicId, TopicName, TopicPartition,
};

/// Names a request to the controller; chosen by the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// NOT_CONTROLLER (41): this broker is not the active controller, or stopped being it before the request was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("This is not the correct controller for this cluster.")]
pub struct NotController;

/// How AlterPartition names a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicRef {
    /// By name (v0 and v1).
    Name(TopicName),
    /// By id (v2 and later); `None` is the zero UUID.
    Id(Option<TopicId>),
}

/// AlterPartition (56). A recovery state other than 0 and 1 is the shell's to refuse (-1 at top level).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterPartitionRequest {
    /// The sender, which becomes leader in what is written.
    pub broker: BrokerId,
    /// Its broker epoch, which must equal ours.
    pub broker_epoch: BrokerEpoch,
    /// Proposals.
    pub partitions: Vec<AlterPartitionItem>,
}

/// One proposed ISR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterPartitionItem {
    /// The topic.
    pub topic: TopicRef,
    /// Partition index.
    pub partition: i32,
    /// The leader's epoch.
    pub leader_epoch: LeaderEpoch,
    /// The new ISR, in the order it is to be stored.
    pub isr: Vec<BrokerId>,
    /// The new recovery state.
    pub recovery: LeaderRecoveryState,
    /// Version of the state that the proposal is based on.
    pub partition_epoch: PartitionEpoch,
}

/// Why a whole AlterPartition is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlterPartitionTopError {
    /// NOT_CONTROLLER (41).
    #[error("This is not the correct controller for this cluster.")]
    NotController,
    /// STALE_BROKER_EPOCH (77): sender unknown, or its epoch is not the cached one.
    #[error("the sender's broker epoch is not the one that is registered")]
    StaleBrokerEpoch,
    /// UNKNOWN_SERVER_ERROR (-1).
    #[error("the partition states could not be written")]
    Failed,
}

/// Why one proposal is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlterPartitionError {
    /// UNKNOWN_TOPIC_ID (100).
    #[error("no topic has this id")]
    UnknownTopicId,
    /// UNKNOWN_TOPIC_OR_PARTITION (3).
    #[error("the partition has no leadership information")]
    UnknownTopicOrPartition,
    /// NOT_CONTROLLER (41): the leader knows a newer epoch than we do.
    #[error("the leader knows of a newer controller")]
    NotController,
    /// FENCED_LEADER_EPOCH (74).
    #[error("the leader epoch is older than the current one")]
    FencedLeaderEpoch,
    /// INVALID_UPDATE_VERSION (95).
    #[error("the partition epoch is not the current one")]
    InvalidUpdateVersion,
    /// INVALID_REQUEST (42).
    #[error("the recovery state does not allow this change")]
    InvalidRequest,
    /// INELIGIBLE_REPLICA (107); OPERATION_NOT_ATTEMPTED (55) in v0 and v1.
    #[error("a proposed ISR member is not alive")]
    IneligibleReplica,
    /// UNKNOWN_SERVER_ERROR (-1).
    #[error("the partition state could not be written")]
    Failed,
}

/// ControlledShutdown (7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlledShutdownRequest {
    /// Who shuts down.
    pub broker: BrokerId,
    /// Its broker epoch; `None` is -1.
    pub broker_epoch: Option<BrokerEpoch>,
}

/// Why a ControlledShutdown is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlledShutdownError {
    /// STALE_CONTROLLER_EPOCH (11), not 41.
    #[error("This is not the correct controller for this cluster.")]
    NotController,
    /// STALE_BROKER_EPOCH (77).
    #[error("the sender has registered again since")]
    StaleBrokerEpoch,
    /// BROKER_NOT_AVAILABLE (8): unknown broker, no epoch given.
    #[error("no such broker")]
    BrokerNotAvailable,
    /// UNKNOWN_SERVER_ERROR (-1): unknown broker with an epoch, or a failure on the way.
    #[error("the controlled shutdown failed")]
    Failed,
}

/// Which election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElectionType {
    /// 0.
    Preferred,
    /// 1.
    Unclean,
}

/// ElectLeaders (43).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElectLeadersRequest {
    /// Which election.
    pub election: ElectionType,
    /// Which partitions; `None` is all, and then results that are [`ElectLeadersError::NotNeeded`] are left out.
    pub partitions: Option<Vec<TopicPartition>>,
}

/// Why one election did not take place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElectLeadersError {
    /// UNKNOWN_TOPIC_OR_PARTITION (3).
    #[error("The partition does not exist.")]
    UnknownTopicOrPartition,
    /// INVALID_TOPIC_EXCEPTION (17).
    #[error("The topic is being deleted")]
    TopicBeingDeleted,
    /// ELECTION_NOT_NEEDED (84).
    #[error("Leader election not needed for topic partition.")]
    NotNeeded,
    /// PREFERRED_LEADER_NOT_AVAILABLE (80).
    #[error("{0}")]
    PreferredLeaderNotAvailable(String),
    /// ELIGIBLE_LEADERS_NOT_AVAILABLE (83).
    #[error("{0}")]
    EligibleLeadersNotAvailable(String),
}

/// AlterPartitionReassignments (45): the target replicas, `None` to cancel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterReassignmentsRequest {
    /// Targets; brokers may be negative, as they came.
    pub partitions: Vec<(TopicPartition, Option<Vec<BrokerId>>)>,
}

/// Why one reassignment is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReassignmentError {
    /// INVALID_REPLICA_ASSIGNMENT (39).
    #[error("{0}")]
    InvalidReplicaAssignment(String),
    /// NO_REASSIGNMENT_IN_PROGRESS (85).
    #[error("No partition reassignment is in progress.")]
    NoReassignmentInProgress,
    /// UNKNOWN_TOPIC_OR_PARTITION (3).
    #[error("The partition does not exist.")]
    UnknownTopicOrPartition,
    /// UNKNOWN_SERVER_ERROR (-1).
    #[error("the reassignment could not be started")]
    Failed,
}

/// ListPartitionReassignments (46): `None` lists all that are being reassigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListReassignmentsRequest {
    /// Which partitions.
    pub partitions: Option<Vec<TopicPartition>>,
}

/// AllocateProducerIds (67).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllocateProducerIdsRequest {
    /// The sender.
    pub broker: BrokerId,
    /// Its broker epoch, which must equal ours.
    pub broker_epoch: BrokerEpoch,
}

/// A block of producer ids: `length` ids from `first`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIds {
    /// First id.
    pub first: ProducerId,
    /// How many.
    pub length: i32,
}

/// Why no producer ids were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllocateProducerIdsError {
    /// NOT_CONTROLLER (41).
    #[error("This is not the correct controller for this cluster.")]
    NotController,
    /// BROKER_ID_NOT_REGISTERED (102).
    #[error("no such broker")]
    BrokerIdNotRegistered,
    /// STALE_BROKER_EPOCH (77).
    #[error("the sender's broker epoch is not the one that is registered")]
    StaleBrokerEpoch,
    /// UNKNOWN_SERVER_ERROR (-1): the ids are exhausted, or the block could not be read or written.
    #[error("no producer ids could be allocated")]
    Failed,
}

/// UpdateFeatures (57). The shell checks authorization and the inter-broker protocol version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateFeaturesRequest {
    /// Updates.
    pub updates: Vec<FeatureUpdate>,
}

/// One change of a finalized feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureUpdate {
    /// The feature.
    pub name: String,
    /// New maximum version level; below 1 deletes.
    pub max_version_level: i16,
    /// Which way the level may go.
    pub upgrade_type: UpgradeType,
}

/// Which way a feature's level may go (`FeatureUpdate.UpgradeType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpgradeType {
    /// None of the others.
    Unknown,
    /// Up only.
    Upgrade,
    /// Down, if nothing is lost.
    SafeDowngrade,
    /// Down, whatever is lost.
    UnsafeDowngrade,
}

/// Why a feature was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeatureUpdateError {
    /// INVALID_REQUEST (42).
    #[error("{0}")]
    InvalidRequest(String),
    /// FEATURE_UPDATE_FAILED (96).
    #[error("Unable to update finalized features due to an unexpected server error.")]
    Failed,
}

/// Per feature, in the order of the request.
pub type FeatureUpdateResult = (String, Result<(), FeatureUpdateError>);

/// What became of each partition of a request.
pub type PerPartition<T, E> = Vec<(TopicPartition, Result<T, E>)>;

/// Answers. Lists keep the order of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To AlterPartition: the state as it is now, or the error, per item.
    AlterPartition(Result<Vec<Result<LeaderAndIsr, AlterPartitionError>>, AlterPartitionTopError>),
    /// To ControlledShutdown: partitions that the broker still leads.
    ControlledShutdown(Result<Vec<TopicPartition>, ControlledShutdownError>),
    /// To ElectLeaders: the leader elected, or the error, per partition. Successful ones are to be awaited in the
    /// metadata cache before the client is answered. On the wire NOT_CONTROLLER stands on every partition.
    ElectLeaders(Result<PerPartition<BrokerId, ElectLeadersError>, NotController>),
    /// To AlterPartitionReassignments: accepted or not, per partition.
    AlterReassignments(Result<PerPartition<(), ReassignmentError>, NotController>),
    /// To ListPartitionReassignments.
    ListReassignments(Result<Vec<(TopicPartition, Arc<ReplicaAssignment>)>, NotController>),
    /// To AllocateProducerIds.
    AllocateProducerIds(Result<ProducerIds, AllocateProducerIdsError>),
    /// To UpdateFeatures.
    UpdateFeatures(Result<Vec<FeatureUpdateResult>, NotController>),
}
