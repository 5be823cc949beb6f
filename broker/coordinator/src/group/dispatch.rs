//! A group's requests, timers and outcomes, handed to the protocol that its members follow.

use gregor_model::Offset;

use super::request::{AppendId, Claim, DescribedGroup, Join, Leaver, RequestId, Sync};
use super::state::{Group, Kind};
use super::timers::TimerKind;
use super::turn::{Turn, Waiting};
use super::{AppendFailure, GroupError};
use crate::MemberId;

impl Group {
    /// JoinGroup.
    pub(super) fn join(&mut self, turn: &mut Turn<'_>, request: RequestId, join: &Join) {
        match &mut self.kind {
            Kind::Classic(classic) => classic.join(turn, request, join),
        }
    }

    /// SyncGroup.
    pub(super) fn sync(&mut self, turn: &mut Turn<'_>, request: RequestId, sync: Sync) {
        match &mut self.kind {
            Kind::Classic(classic) => classic.sync(turn, request, sync),
        }
    }

    /// Heartbeat.
    ///
    /// # Errors
    /// The claim does not hold, or the member must join again.
    pub(super) fn heartbeat(&mut self, turn: &mut Turn<'_>, claim: &Claim) -> Result<(), GroupError> {
        match &mut self.kind {
            Kind::Classic(classic) => classic.heartbeat(turn, claim),
        }
    }

    /// LeaveGroup: one result per leaver.
    pub(super) fn leave(&mut self, turn: &mut Turn<'_>, leavers: &[Leaver]) -> Vec<Result<(), GroupError>> {
        match &mut self.kind {
            Kind::Classic(classic) => leavers.iter().map(|leaver| classic.leave(turn, leaver)).collect(),
        }
    }

    /// DescribeGroups.
    pub(super) fn describe(&self) -> DescribedGroup {
        match &self.kind {
            Kind::Classic(classic) => classic.describe(),
        }
    }

    /// The group was read from the log: sessions start, and a group that is too large now must rebalance.
    pub(super) fn loaded(&mut self, turn: &mut Turn<'_>) {
        match &mut self.kind {
            Kind::Classic(classic) => {
                let members: Vec<MemberId> = classic.members.keys().cloned().collect();
                members.iter().for_each(|member| classic.heard_of(turn, member));
                if members.len() > turn.config.group_size_max {
                    classic.maybe_rebalance(turn);
                }
            }
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
            },
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
            (Waiting::Nothing, _) => {
                if let Err(failure) = outcome {
                    tracing::warn!(group = %self.id, ?failure, "a group's record could not be written");
                }
            }
        }
    }
}
