//! A group's requests, timers and outcomes, handed to the protocol that its members follow.

use gregor_model::Offset;

use super::request::{AppendId, Claim, DescribedGroup, Join, Joined, Leaver, Reply, RequestId, Sync};
use super::state::{Group, Kind};
use super::timers::TimerKind;
use super::turn::{Turn, Waiting};
use super::{AppendFailure, GroupError};

impl Group {
    /// JoinGroup. A consumer group without members becomes a classic group for one who joins it anew.
    pub(super) fn join(&mut self, turn: &mut Turn<'_>, request: RequestId, join: &Join) {
        if self.is_empty() && join.member.is_empty() {
            self.restart_as_classic(turn);
        }
        match &mut self.kind {
            Kind::Classic(classic) => classic.join(turn, request, join),
            Kind::Consumer(group) if group.size() == 0 => {
                let refused = Joined::refused(join.member.clone(), GroupError::UnknownMemberId);
                turn.reply(request, Reply::Join(refused));
            }
            Kind::Consumer(group) => group.classic_join(turn, request, join),
        }
    }

    /// SyncGroup.
    pub(super) fn sync(&mut self, turn: &mut Turn<'_>, request: RequestId, sync: Sync) {
        match &mut self.kind {
            Kind::Classic(classic) => classic.sync(turn, request, sync),
            Kind::Consumer(group) => group.classic_sync(turn, request, &sync),
        }
    }

    /// Heartbeat.
    ///
    /// # Errors
    /// The claim does not hold, or the member must join again.
    pub(super) fn heartbeat(&mut self, turn: &mut Turn<'_>, claim: &Claim) -> Result<(), GroupError> {
        match &mut self.kind {
            Kind::Classic(classic) => classic.heartbeat(turn, claim),
            Kind::Consumer(group) => group.classic_heartbeat(turn, claim),
        }
    }

    /// LeaveGroup: one result per leaver.
    pub(super) fn leave(&mut self, turn: &mut Turn<'_>, leavers: &[Leaver]) -> Vec<Result<(), GroupError>> {
        match &mut self.kind {
            Kind::Classic(classic) => leavers.iter().map(|leaver| classic.leave(turn, leaver)).collect(),
            Kind::Consumer(group) => group.classic_leave(turn, leavers),
        }
    }

    /// DescribeGroups, which knows classic groups only.
    pub(super) fn describe(&self) -> Option<DescribedGroup> {
        match &self.kind {
            Kind::Classic(classic) => Some(classic.describe()),
            Kind::Consumer(_) => None,
        }
    }

    /// The group was read from the log, or is again what it was before a change: sessions start, and a classic group that
    /// is too large now must rebalance.
    pub(super) fn loaded(&mut self, turn: &mut Turn<'_>) {
        match &mut self.kind {
            Kind::Classic(classic) => {
                classic.resume(turn);
                if classic.members.len() > turn.config.group_size_max {
                    classic.maybe_rebalance(turn);
                }
            }
            Kind::Consumer(group) => group.start_sessions(turn),
        }
    }

    /// A timer of the group is due.
    pub(super) fn timer_fired(&mut self, turn: &mut Turn<'_>, kind: &TimerKind) {
        match &mut self.kind {
            Kind::Classic(classic) => match kind {
                TimerKind::Join => classic.join_timer_fired(turn),
                TimerKind::Sync => classic.sync_timer_fired(turn),
                TimerKind::Session(member) => classic.session_timer_fired(turn, member),
                TimerKind::Pending(member) => classic.pending_timer_fired(turn, member),
                TimerKind::Revocation(_) | TimerKind::Rejoin(_) | TimerKind::Collect(_) => {}
            },
            Kind::Consumer(_) => self.consumer_timer_fired(turn, kind),
        }
    }

    /// An append of the group is committed, its batch beginning at the offset given; or it failed.
    pub(super) fn appended(
        &mut self,
        turn: &mut Turn<'_>,
        append: AppendId,
        waiting: Waiting,
        outcome: Result<Offset, AppendFailure>,
    ) {
        let failure = outcome.err().map(AppendFailure::of_group);
        match (waiting, &mut self.kind) {
            (Waiting::Assignment { generation, assignments }, Kind::Classic(classic)) => {
                classic.assigned(turn, generation, assignments, failure);
            }
            (Waiting::Replacement(swap), Kind::Classic(classic)) => classic.replaced(turn, *swap, failure),
            (Waiting::Commit(pending), _) => {
                self.committed(turn, append, pending, outcome.map_err(AppendFailure::of_commit));
            }
            (Waiting::Consumer(write), _) => self.consumer_written(turn, append, *write, outcome),
            // A consumer joined meanwhile: classic members are to join again.
            (Waiting::Assignment { .. }, Kind::Consumer(_)) => {}
            (Waiting::Replacement(swap), Kind::Consumer(_)) => {
                let refused = Joined::refused("", GroupError::RebalanceInProgress);
                turn.reply(swap.request, Reply::Join(refused));
            }
            (Waiting::Nothing, _) => {
                if let Err(failure) = outcome {
                    tracing::warn!(group = %self.id, ?failure, "a group's record could not be written");
                }
            }
        }
    }
}
