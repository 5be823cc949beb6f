//! What the shell does for the controller.
//!
//! Effects are performed in the order of the list. A list holds at most one [`Effect::Store`], and it is the last
//! entry unless [`Effect::Resigned`] follows; the machine sends nothing that depends on a write before the write's
//! outcome came back. Sends are only handed to the broker's channel, never awaited.

use std::sync::Arc;

use gregor_model::{BrokerEndpoints, BrokerId, TopicName, TopicPartition};

use crate::control::ControlRequest;
use crate::operation::{Operation, OperationId, StoreFailure};
use crate::request::{Reply, RequestId};

/// Timers of the active controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The next check of `auto.leader.rebalance.enable`.
    AutoLeaderRebalance,
}

/// Something an operator should find in the log; nothing else is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Notice {
    /// No leader could be elected, or the state could not be written.
    #[error("partition {partition} got no new leader: {reason}")]
    ElectionFailed {
        /// The partition.
        partition: TopicPartition,
        /// Why.
        reason: String,
    },
    /// A partition or replica was asked to take a state it cannot take from where it is.
    #[error("{subject} cannot go from {from} to {to}")]
    InvalidTransition {
        /// Partition, or partition and replica.
        subject: String,
        /// Present state.
        from: &'static str,
        /// Wanted state.
        to: &'static str,
    },
    /// A ZooKeeper operation failed and the event that needed it was given up.
    #[error("gave up {event}: {failure}")]
    EventAbandoned {
        /// Name of the event.
        event: &'static str,
        /// What failed.
        failure: StoreFailure,
    },
    /// A replica could not be moved because its partition's state could not be written.
    #[error("replica {replica} of {partition} could not be taken out of the ISR: {reason}")]
    IsrRemovalFailed {
        /// The partition.
        partition: TopicPartition,
        /// The replica.
        replica: BrokerId,
        /// Why.
        reason: String,
    },
    /// Broker left out because it does not support the finalized features.
    #[error("broker {0} does not support the finalized features and is ignored")]
    IncompatibleBroker(BrokerId),
    /// A broker's process is gone although its session has not expired.
    #[error("broker {0} refuses connections and counts as gone until it answers or its session ends")]
    BrokerRefuses(BrokerId),
    /// It answers again, still registered as before.
    #[error("broker {0} answers again")]
    BrokerAnswers(BrokerId),
    /// A topic's deletion has to wait.
    #[error("deletion of topic {topic} waits: {reason}")]
    DeletionWaits {
        /// The topic.
        topic: TopicName,
        /// Why.
        reason: &'static str,
    },
    /// A reassignment could not be started or carried on.
    #[error("reassignment of {partition} failed: {reason}")]
    ReassignmentFailed {
        /// The partition.
        partition: TopicPartition,
        /// Why.
        reason: String,
    },
}

/// An output of [`crate::Controller::apply`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Do this in ZooKeeper and give [`crate::Event::Completed`] with the same id (or [`crate::Event::Lost`]).
    Store {
        /// Names the operation.
        id: OperationId,
        /// What to do.
        operation: Operation,
    },
    /// Open a channel (queue and connection) to this broker; it is the only one with its id.
    AddBroker(Arc<BrokerEndpoints>),
    /// Close the channel and discard its queue, the request in flight included.
    RemoveBroker(BrokerId),
    /// Append to the broker's channel. The broker has one: `AddBroker` came before.
    Send {
        /// To whom.
        broker: BrokerId,
        /// What.
        request: ControlRequest,
    },
    /// Answer a request; each request gets exactly one.
    Reply {
        /// Which request.
        request: RequestId,
        /// The answer.
        reply: Reply,
    },
    /// Give [`crate::Event::TimerFired`] after this delay. Replaces an earlier timer of the same name.
    StartTimer {
        /// Which timer.
        timer: Timer,
        /// From now, in milliseconds.
        delay_ms: i64,
    },
    /// The failover is complete: this controller is fully in charge (start delegation-token expiry and the like).
    Active,
    /// This controller gave up its office: stop all channels (queues are discarded), timers and watches of the term.
    Resigned,
    /// After [`Effect::Resigned`]: this controller cannot go on (an error during failover). If `/controller` still
    /// names this broker, delete it, fenced with the ended term's epoch, so that someone is elected anew
    /// (`triggerControllerMove`).
    TriggerMove,
    /// Write to the log.
    Log(Notice),
}
