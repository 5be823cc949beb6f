//! What happens to the controller.
//!
//! The shell may give events at any time: the machine finishes the event in hand first and keeps newer ones in order
//! (`ControllerEventManager`'s queue; see `Controller::queued` for back pressure). Watch events carry no content: the
//! machine asks for a read when their turn comes, so several that wait may be given once. [`Event::Completed`] and
//! [`Event::Lost`] are taken at once, whatever is queued.

use gregor_model::{BrokerEpoch, BrokerId, ControllerEpoch, TopicName, TopicPartition};

use crate::effect::Timer;
use crate::operation::{OperationId, Outcome};
use crate::request::{
    AllocateProducerIdsRequest, AlterPartitionRequest, AlterReassignmentsRequest, ControlledShutdownRequest,
    ElectLeadersRequest, ListReassignmentsRequest, RequestId, UpdateFeaturesRequest,
};

/// Why this broker stopped being the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossReason {
    /// The ZooKeeper session expired.
    SessionExpired,
    /// `/controller` names another broker or is gone, or a fenced write found another `/controller_epoch`.
    ControllerMoved,
    /// This broker shuts down.
    Shutdown,
}

/// A partition-level answer to LeaderAndIsr or StopReplica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaAnswer {
    /// NONE.
    Done,
    /// KAFKA_STORAGE_ERROR: the replica's log directory is offline.
    StorageError,
    /// Any other code.
    Failed,
}

/// An input of [`crate::Controller::apply`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// This broker created `/controller` and raised `/controller_epoch` to this. Channels of an earlier term are gone.
    Elected {
        /// The new epoch.
        controller_epoch: ControllerEpoch,
    },
    /// This broker is not the controller any more, or must not act as one. Taken at once: the event in hand is
    /// abandoned, queued requests are answered as Kafka answers pre-empted ones, and [`crate::Effect::Resigned`] is
    /// given. No effect when not active.
    Lost(LossReason),
    /// The outcome of [`crate::Effect::Store`]. Outcomes of an earlier term are ignored.
    Completed {
        /// Which operation.
        id: OperationId,
        /// What came out.
        outcome: Outcome,
    },
    /// A timer started by [`crate::Effect::StartTimer`] in this term ran out.
    TimerFired(Timer),

    /// Children of `/brokers/ids` changed.
    BrokersChanged,
    /// Data of `/brokers/ids/<id>` changed.
    BrokerModified(BrokerId),
    /// A broker that this controller was connected to has been refusing connections for a while: its process is gone, and
    /// its session will expire. May be given again and again while it lasts.
    BrokerRefuses(BrokerId, BrokerEpoch),
    /// A connection to that broker was made after it had refused some.
    BrokerAnswers(BrokerId, BrokerEpoch),
    /// Children of `/brokers/topics` changed.
    TopicsChanged,
    /// Data of `/brokers/topics/<topic>` changed (also by this controller's own writes).
    PartitionsChanged(TopicName),
    /// Children of `/admin/delete_topics` changed.
    DeletionsRequested,
    /// `/admin/reassign_partitions` was created.
    ReassignmentsRequested,
    /// `/admin/preferred_replica_election` was created.
    PreferredElectionRequested,
    /// Children of `/isr_change_notification` changed.
    IsrChangesNotified,
    /// Children of `/log_dir_event_notification` changed.
    LogDirsFailed,
    /// `unclean.leader.election.enable` became true: for one topic, or as the default of this broker (`None`).
    UncleanElectionEnabled(Option<TopicName>),

    /// AlterPartition (56).
    AlterPartition(RequestId, AlterPartitionRequest),
    /// ControlledShutdown (7).
    ControlledShutdown(RequestId, ControlledShutdownRequest),
    /// ElectLeaders (43).
    ElectLeaders(RequestId, ElectLeadersRequest),
    /// AlterPartitionReassignments (45).
    AlterReassignments(RequestId, AlterReassignmentsRequest),
    /// ListPartitionReassignments (46).
    ListReassignments(RequestId, ListReassignmentsRequest),
    /// AllocateProducerIds (67).
    AllocateProducerIds(RequestId, AllocateProducerIdsRequest),
    /// UpdateFeatures (57).
    UpdateFeatures(RequestId, UpdateFeaturesRequest),

    /// A broker answered a LeaderAndIsr without a top-level error (with one: log it, give no event).
    LeaderAndIsrAnswered {
        /// Who answered.
        broker: BrokerId,
        /// The broker epoch that the request carried.
        broker_epoch: BrokerEpoch,
        /// Answers; those that are [`ReplicaAnswer::Failed`] may be left out.
        partitions: Vec<(TopicPartition, ReplicaAnswer)>,
    },
    /// A broker answered a StopReplica.
    StopReplicaAnswered {
        /// Who answered.
        broker: BrokerId,
        /// The broker epoch that the request carried.
        broker_epoch: BrokerEpoch,
        /// The partitions that the answer lists and that the request sent with `delete`; on a top-level error all of
        /// them [`ReplicaAnswer::Failed`]. Give no event when there is none.
        partitions: Vec<(TopicPartition, ReplicaAnswer)>,
    },
}
