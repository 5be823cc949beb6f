//! ConsumerGroupHeartbeat and ConsumerGroupDescribe, free of wire versions.

use std::sync::Arc;

use gregor_model::TopicName;

use super::super::GroupError;
use crate::{Assignment, GroupId, InstanceId, MemberId};

/// The epoch of one who joins.
pub const JOIN_EPOCH: i32 = 0;
/// The epoch of one who leaves.
pub const LEAVE_EPOCH: i32 = -1;
/// The epoch of a static member that leaves for a while.
pub const LEAVE_STATIC_EPOCH: i32 = -2;

/// ConsumerGroupHeartbeat. What is `None` has not changed since the last one.
#[derive(Clone, Debug)]
pub struct ConsumerHeartbeat {
    /// The group.
    pub group: GroupId,
    /// Empty for a member that leaves the choice of its id to the coordinator.
    pub member: MemberId,
    /// The member's epoch, or one of [`JOIN_EPOCH`], [`LEAVE_EPOCH`] and [`LEAVE_STATIC_EPOCH`].
    pub epoch: i32,
    /// `group.instance.id`.
    pub instance: Option<InstanceId>,
    /// `client.rack`.
    pub rack: Option<Arc<str>>,
    /// How long the member may take to give partitions up, in ms.
    pub rebalance_timeout_ms: Option<i32>,
    /// The topics it subscribes to.
    pub topics: Option<Vec<TopicName>>,
    /// The assignor it wants.
    pub assignor: Option<Arc<str>>,
    /// What it owns.
    pub owned: Option<Assignment>,
    /// The client's `client.id`.
    pub client_id: Arc<str>,
    /// `/` and the client's address.
    pub client_host: Arc<str>,
    /// Random bytes for the id of a new member.
    pub random: [u8; 16],
}

/// What a member is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerBeat {
    /// Its id.
    pub member: MemberId,
    /// The epoch of its next heartbeat.
    pub epoch: i32,
    /// When that is due, in ms; 0 for one who leaves.
    pub interval_ms: i32,
    /// What it is to own from now on, where that has changed or everything was asked for.
    pub assignment: Option<Arc<Assignment>>,
}

/// Why a heartbeat was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// The code.
    pub error: GroupError,
    /// What the client is told besides.
    pub reason: String,
}

impl Refused {
    pub(super) fn new(error: GroupError, reason: impl Into<String>) -> Refused {
        Refused { error, reason: reason.into() }
    }
}

impl From<GroupError> for Refused {
    fn from(error: GroupError) -> Refused {
        Refused { error, reason: error.to_string() }
    }
}

/// A consumer group as ConsumerGroupDescribe tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedConsumerGroup {
    /// The state's name.
    pub state: &'static str,
    /// The group epoch.
    pub epoch: i32,
    /// The epoch of the target assignment.
    pub target_epoch: i32,
    /// The assignor in use.
    pub assignor: &'static str,
    /// The members.
    pub members: Vec<DescribedConsumer>,
}

/// A member of a consumer group as ConsumerGroupDescribe tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedConsumer {
    /// Its id.
    pub member: MemberId,
    /// `group.instance.id`.
    pub instance: Option<InstanceId>,
    /// The client's rack.
    pub rack: Option<Arc<str>>,
    /// Its epoch.
    pub epoch: i32,
    /// The client's `client.id`.
    pub client_id: Arc<str>,
    /// `/` and the client's address.
    pub client_host: Arc<str>,
    /// The topics it subscribes to.
    pub topics: Vec<TopicName>,
    /// A pattern of topics.
    pub regex: Option<Arc<str>>,
    /// What it owns.
    pub assigned: Arc<Assignment>,
    /// What it is to own in the end.
    pub target: Arc<Assignment>,
}

impl ConsumerHeartbeat {
    /// What can be said of a heartbeat without knowing its group (`throwIfConsumerGroupHeartbeatRequestIsInvalid`).
    ///
    /// # Errors
    /// The request contradicts itself.
    pub(in crate::group) fn check(&self) -> Result<(), Refused> {
        let invalid = |reason: &str| Err(Refused::new(GroupError::InvalidRequest, reason));
        let blank = |text: &str| text.trim().is_empty();
        if blank(self.group.as_str()) {
            return invalid("GroupId can't be empty.");
        }
        if self.instance.as_ref().is_some_and(|instance| blank(instance.as_str())) {
            return invalid("InstanceId can't be empty.");
        }
        if self.rack.as_deref().is_some_and(blank) {
            return invalid("RackId can't be empty.");
        }
        // What becomes part of a record's key must fit its length field.
        if self.member.as_str().len() > i16::MAX as usize {
            return invalid("MemberId is too long.");
        }
        match self.epoch {
            JOIN_EPOCH => match (self.rebalance_timeout_ms, &self.owned, &self.topics) {
                (None, ..) => invalid("RebalanceTimeoutMs must be provided in first request."),
                (_, Some(owned), Some(topics)) if owned.is_empty() && !topics.is_empty() => Ok(()),
                (_, Some(owned), _) if owned.is_empty() => {
                    invalid("SubscribedTopicNames must be set in first request.")
                }
                _ => invalid("TopicPartitions must be empty when (re-)joining."),
            },
            LEAVE_STATIC_EPOCH if self.instance.is_none() => invalid("InstanceId can't be null."),
            LEAVE_STATIC_EPOCH.. if blank(self.member.as_str()) => invalid("MemberId can't be empty."),
            LEAVE_STATIC_EPOCH.. => Ok(()),
            _ => invalid("MemberEpoch is invalid."),
        }
    }

    /// Whether everything is told, so that everything is asked for.
    pub(super) fn is_full(&self) -> bool {
        self.epoch == JOIN_EPOCH
            || (self.rebalance_timeout_ms.is_some() && self.topics.is_some() && self.owned.is_some())
    }
}
