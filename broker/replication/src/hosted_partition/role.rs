//! Becoming leader or follower, stopping, going offline (`Partition.makeLeader`, `makeFollower`, `delete`, `markOffline`).

use std::sync::Arc;

use gregor_log::{LogError, LogManager, PartitionLog};
use gregor_model::{BrokerId, Timestamp, TopicId};
use parking_lot::Mutex;

use super::{HostedPartition, Role, State};
use crate::partition::leader::{LeaderState, Leadership};
use crate::purgatory::WaitOutcome;
use crate::shared::Shared;

/// What LeaderAndIsr decides for this partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoleDecision {
    /// Who leads; `None`: nobody.
    pub(crate) leader: Option<BrokerId>,
    /// The term, the ISR, the assignment.
    pub(crate) leadership: Leadership,
    /// The topic's id, if it has one.
    pub(crate) topic_id: Option<TopicId>,
    /// No log can exist yet.
    pub(crate) is_new: bool,
}

impl State {
    /// An older partition state than ours changes nothing: AlterPartition answers may overtake LeaderAndIsr.
    fn is_outdated(&self, decision: &RoleDecision) -> bool {
        let known = match &self.role {
            Role::Leader(leader) => Some(leader.lock().partition_epoch()),
            Role::None | Role::Follower => self.partition_epoch,
        };
        known.is_some_and(|known| decision.leadership.partition_epoch < known)
    }

    fn adopt(&mut self, decision: &RoleDecision) {
        self.leader = decision.leader;
        self.leader_epoch = Some(decision.leadership.leader_epoch);
        self.partition_epoch = Some(decision.leadership.partition_epoch);
        self.adding.clone_from(&decision.leadership.assignment.adding);
    }
}

impl HostedPartition {
    /// Gets or creates the log (`createLogIfNotExists`). Done for a follower even if its leader is down, so that its high watermark stays in the checkpoint.
    pub(crate) fn ensure_log(
        &self,
        logs: &LogManager,
        decision: &RoleDecision,
        now: Timestamp,
    ) -> Result<Arc<PartitionLog>, LogError> {
        self.attach_log(&mut self.state.write(), logs, decision, now)
    }

    fn attach_log(
        &self,
        state: &mut State,
        logs: &LogManager,
        decision: &RoleDecision,
        now: Timestamp,
    ) -> Result<Arc<PartitionLog>, LogError> {
        if let Some(log) = &state.log {
            return Ok(Arc::clone(log));
        }
        let log = logs.get_or_create(&self.partition, decision.topic_id, decision.is_new, now)?;
        if let (None, Some(id)) = (log.topic_id(), decision.topic_id) {
            log.assign_topic_id(id)?;
        }
        if let Some(checkpointed) = logs.checkpointed_high_watermark(&self.partition)
            && checkpointed > log.high_watermark()
        {
            log.set_high_watermark(checkpointed);
        }
        state.log = Some(Arc::clone(&log));
        Ok(log)
    }

    /// Begins or renews leadership. Returns whether this broker did not lead before.
    pub(crate) fn make_leader(
        &self,
        cx: &Shared,
        logs: &LogManager,
        decision: &RoleDecision,
        now: Timestamp,
    ) -> Result<bool, LogError> {
        let mut state = self.state.write();
        if state.is_outdated(decision) {
            tracing::info!(partition = %self.partition, "ignoring a leadership older than what is known");
            return Ok(false);
        }
        let log = self.attach_log(&mut state, logs, decision, now)?;
        let log_end = log.log_end_offset();
        let leadership = decision.leadership.clone();
        if state.leader_epoch.is_none_or(|known| leadership.leader_epoch > known) {
            // Before any record: followers that know a later epoch than any of our records must find where to truncate.
            log.assign_epoch_start(leadership.leader_epoch, log_end)?;
        }
        let followers = cx.followers(now);
        let is_new = match &state.role {
            Role::Leader(leader) => {
                leader.lock().renew(leadership, log_end, &followers);
                false
            }
            Role::None | Role::Follower => {
                let leader = LeaderState::elect(cx.config.broker_id, leadership, log_end, &followers);
                state.role = Role::Leader(Mutex::new(leader));
                true
            }
        };
        state.adopt(decision);
        let moved = match &state.role {
            Role::Leader(leader) => Self::advance_high_watermark(cx, &log, &leader.lock(), now),
            Role::None | Role::Follower => None,
        };
        drop(state);
        self.wake_high_watermark(&log, moved);
        if is_new {
            self.fetch_waits.wake_all();
        }
        Ok(is_new)
    }

    /// Begins or renews following. Returns the log to fetch for when the term is new, else `None`: nothing to do.
    pub(crate) fn make_follower(
        &self,
        logs: &LogManager,
        decision: &RoleDecision,
        now: Timestamp,
    ) -> Result<Option<Arc<PartitionLog>>, LogError> {
        let mut state = self.state.write();
        if state.is_outdated(decision) {
            tracing::info!(partition = %self.partition, "ignoring a leadership older than what is known");
            return Ok(None);
        }
        // Without a log the term is not used up: the controller may announce it again.
        let log = self.attach_log(&mut state, logs, decision, now)?;
        let is_new_term = state.leader_epoch.is_none_or(|known| decision.leadership.leader_epoch > known);
        state.role = Role::Follower;
        state.adopt(decision);
        drop(state);
        self.release_waiters(WaitOutcome::NotLeader);
        Ok(is_new_term.then_some(log))
    }

    /// Gives the log the id its topic has, when it had none.
    pub(crate) fn assign_topic_id(&self, id: TopicId) -> Result<(), LogError> {
        match &self.state.read().log {
            Some(log) => log.assign_topic_id(id),
            None => Ok(()),
        }
    }

    /// Ends whatever role this is: after it nothing is appended or read here, and whoever waits is told why.
    pub(crate) fn retire(&self, outcome: WaitOutcome) {
        *self.state.write() = State::default();
        self.release_waiters(outcome);
    }

    /// Lets all waiting requests go without changing the role: the broker is shutting down.
    pub(crate) fn release_waiters(&self, outcome: WaitOutcome) {
        self.high_watermark_waits.complete_all(outcome);
        self.low_watermark_waits.complete_all(outcome);
        self.fetch_waits.wake_all();
    }
}
