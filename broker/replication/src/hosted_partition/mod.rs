//! One partition as this broker hosts it: its log, its role and who waits for it (`Partition`).
//!
//! The rules are [`crate::partition`]'s; this shell holds the locks. `state` is written only when the role changes; appends and
//! fetches read it, so no append can slip past a change of role. Inside it, the leader's state has its own short mutex. Order:
//! `state`, leader, log, waits. Nothing here awaits.

mod append;
mod follower;
mod future;
mod isr_change;
mod queries;
mod read;
mod role;

use std::sync::Arc;

use gregor_log::PartitionLog;
use gregor_metrics::TopicMetrics;
use gregor_model::{BrokerId, LeaderEpoch, Offset, PartitionEpoch, Timestamp, TopicId, TopicPartition};
use parking_lot::{Mutex, RwLock};

pub(crate) use append::{Appended, LeaderAppend};
pub(crate) use follower::{FollowerAppend, FollowerError, FollowerPosition};
pub use future::MoveRefusal;
pub(crate) use future::{MoveError, MoveStep};
pub(crate) use read::{ReadResult, ReadSpec};
pub(crate) use role::RoleDecision;

use crate::error::PartitionError;
use crate::metrics::Traffic;
use crate::partition::leader::{Followers, LeaderState};
use crate::partition::leader_epoch_check;
use crate::purgatory::{FetchWaits, OffsetWaits, WaitOutcome};
use crate::shared::Shared;

/// A partition hosted here and not offline.
pub(crate) struct HostedPartition {
    /// What is counted of it.
    pub(crate) traffic: Traffic,
    partition: TopicPartition,
    state: RwLock<State>,
    /// Produce requests that wait for the high watermark.
    pub(crate) high_watermark_waits: OffsetWaits,
    /// DeleteRecords requests that wait for the low watermark.
    pub(crate) low_watermark_waits: OffsetWaits,
    /// Fetches that wait for bytes.
    pub(crate) fetch_waits: FetchWaits,
}

#[derive(Default)]
struct State {
    log: Option<Arc<PartitionLog>>,
    /// The copy that is to take the log's place, in another directory.
    future: Option<Arc<future::FutureReplica>>,
    leader: Option<BrokerId>,
    leader_epoch: Option<LeaderEpoch>,
    partition_epoch: Option<PartitionEpoch>,
    /// Replicas that a reassignment adds, as the controller last told.
    adding: Vec<BrokerId>,
    role: Role,
}

#[derive(Default)]
enum Role {
    /// No LeaderAndIsr yet, or stopped.
    #[default]
    None,
    Leader(Mutex<LeaderState>),
    Follower,
}

/// A rise of the high watermark, and what it means to those who wait for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HighWatermarkMove {
    high_watermark: Offset,
    outcome: WaitOutcome,
}

impl State {
    fn check_epoch(
        &self,
        partition: &TopicPartition,
        requested: Option<LeaderEpoch>,
        needs_leader: bool,
    ) -> Result<(), PartitionError> {
        let is_leader = matches!(self.role, Role::Leader(_));
        leader_epoch_check::check(requested, self.leader_epoch, is_leader, needs_leader)
            .map_err(|error| PartitionError::of_epoch(partition, error))
    }

    /// Where DeleteRecords is done on every live replica, and on the copy that is being made here.
    fn low_watermark(
        &self,
        log: &PartitionLog,
        leader: &LeaderState,
        followers: &impl Followers,
    ) -> Option<Offset> {
        let copied = self.future.as_ref().map(|future| future.log_start_offset());
        let log_start = log.log_start_offset();
        leader.low_watermark(copied.map_or(log_start, |copied| copied.min(log_start)), followers)
    }

    fn log(&self, partition: &TopicPartition) -> Result<&Arc<PartitionLog>, PartitionError> {
        self.log.as_ref().ok_or_else(|| PartitionError::NotLeaderOrFollower(partition.clone()))
    }

    fn leading(
        &self,
        partition: &TopicPartition,
    ) -> Result<(&Arc<PartitionLog>, &Mutex<LeaderState>), PartitionError> {
        match &self.role {
            Role::Leader(leader) => Ok((self.log(partition)?, leader)),
            Role::None | Role::Follower => Err(PartitionError::NotLeaderOrFollower(partition.clone())),
        }
    }
}

impl HostedPartition {
    /// A partition without role or log.
    pub(crate) fn new(partition: TopicPartition, topics: &TopicMetrics) -> HostedPartition {
        HostedPartition {
            traffic: Traffic::of(topics, &partition.topic),
            partition,
            state: RwLock::new(State::default()),
            high_watermark_waits: OffsetWaits::default(),
            low_watermark_waits: OffsetWaits::default(),
            fetch_waits: FetchWaits::default(),
        }
    }

    /// The term last heard of.
    pub(crate) fn leader_epoch(&self) -> Option<LeaderEpoch> {
        self.state.read().leader_epoch
    }

    /// The id the log has.
    pub(crate) fn topic_id(&self) -> Option<TopicId> {
        self.state.read().log.as_ref().and_then(|log| log.topic_id())
    }

    /// The log, whatever the role.
    pub(crate) fn log(&self) -> Result<Arc<PartitionLog>, PartitionError> {
        self.state.read().log(&self.partition).cloned()
    }

    /// The log and the term, where this broker leads.
    pub(crate) fn leader_log(&self) -> Result<(Arc<PartitionLog>, LeaderEpoch), PartitionError> {
        let state = self.state.read();
        let (log, leader) = state.leading(&self.partition)?;
        Ok((Arc::clone(log), leader.lock().leader_epoch()))
    }

    /// Raises the high watermark as far as the leader's rules allow. The caller wakes with what comes back, locks released.
    fn advance_high_watermark(
        cx: &Shared,
        log: &PartitionLog,
        leader: &LeaderState,
        now: Timestamp,
    ) -> Option<HighWatermarkMove> {
        let min_isr = min_insync_replicas(log);
        let lag_max = cx.config.replica_lag_time_max_ms;
        let candidate = leader.high_watermark(log.log_end_offset(), min_isr, lag_max, &cx.followers(now))?;
        let high_watermark = log.maybe_increment_high_watermark(candidate)?;
        Some(HighWatermarkMove { high_watermark, outcome: reached(leader, min_isr) })
    }

    /// Lets go those whom a rise of the high watermark was awaited by.
    fn wake_high_watermark(&self, log: &PartitionLog, moved: Option<HighWatermarkMove>) {
        if let Some(moved) = moved {
            self.high_watermark_waits.complete_through(moved.high_watermark, moved.outcome);
            self.fetch_waits.on_progress(|| log.offsets());
        }
    }
}

/// What reaching an offset is worth with the replicas now in sync.
fn reached(leader: &LeaderState, min_isr: usize) -> WaitOutcome {
    if leader.has_min_isr_after_append(min_isr) {
        WaitOutcome::Reached
    } else {
        WaitOutcome::ReachedWithTooFew
    }
}

/// `min.insync.replicas` of the topic; the config's validator keeps it at 1 or more.
fn min_insync_replicas(log: &PartitionLog) -> usize {
    usize::try_from(log.config().min_insync_replicas).unwrap_or(0)
}
