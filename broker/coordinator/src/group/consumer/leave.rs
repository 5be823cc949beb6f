//! Members that leave, are found dead, or do not give up in time what they must.

use super::super::GroupError;
use super::super::request::{Reply, RequestId};
use super::super::state::{Group, Kind};
use super::super::timers::TimerKind;
use super::super::turn::Turn;
use super::changes::Changes;
use super::request::{ConsumerBeat, ConsumerHeartbeat, LEAVE_STATIC_EPOCH, Refused};
use super::state::ConsumerGroup;
use crate::schema::consumer_group::{ConsumerRecord, CurrentAssignment, MemberState};
use crate::{Assignment, InstanceId, MemberId};

impl Group {
    /// Handles a ConsumerGroupHeartbeat of one who leaves.
    pub(in crate::group) fn consumer_leave(
        &mut self,
        turn: &mut Turn<'_>,
        request: RequestId,
        beat: &ConsumerHeartbeat,
    ) {
        let Kind::Consumer(group) = &mut self.kind else {
            turn.reply(request, Reply::Consumer(Err(GroupError::GroupIdNotFound.into())));
            return;
        };
        let id = match group.leaver(beat) {
            Ok(id) => id,
            Err(refused) => {
                turn.reply(request, Reply::Consumer(Err(refused)));
                return;
            }
        };
        let answer =
            ConsumerBeat { member: beat.member.clone(), epoch: beat.epoch, interval_ms: 0, assignment: None };
        let reply = (request, Reply::Consumer(Ok(answer)));
        if beat.epoch == LEAVE_STATIC_EPOCH {
            let mut changes = Changes::default();
            group.leave_for_a_while(&mut changes, &id);
            group.write(turn, changes, None, Some(reply));
        } else {
            self.fence(turn, &id, Some(reply));
        }
    }

    /// Takes a member out. A group of which only classic members are left becomes a classic group, where it may
    /// (`consumerGroupFenceMember`).
    pub(super) fn fence(&mut self, turn: &mut Turn<'_>, id: &MemberId, reply: Option<(RequestId, Reply)>) {
        let Kind::Consumer(group) = &mut self.kind else { return };
        group.stop_timers(turn, id);
        if group.may_become_classic(turn, id) {
            self.become_classic_group(turn, id, reply);
            return;
        }
        let mut changes = Changes::default();
        group.remove(turn, &mut changes, &[id]);
        group.write(turn, changes, None, reply);
    }

    /// A member of a consumer group has not been heard of for too long, or not done in time what it had to.
    pub(in crate::group) fn consumer_timer_fired(&mut self, turn: &mut Turn<'_>, kind: &TimerKind) {
        let (id, reason) = match kind {
            TimerKind::Session(id) => (id, "its session expired"),
            TimerKind::Revocation(id) => (id, "it did not give up its partitions in time"),
            TimerKind::Rejoin(id) => (id, "it did not join again in time"),
            TimerKind::Collect(id) => (id, "it did not ask for its assignment in time"),
            TimerKind::Join | TimerKind::Sync | TimerKind::Pending(_) => return,
        };
        let Kind::Consumer(group) = &self.kind else { return };
        if group.member(id).is_some() {
            tracing::info!(group = %self.id, member = %id, reason, "member fenced");
            self.fence(turn, id, None);
        }
    }
}

impl ConsumerGroup {
    /// The member that a leaver is.
    fn leaver(&self, beat: &ConsumerHeartbeat) -> Result<MemberId, Refused> {
        self.check_not_lost()?;
        Ok(self.identify(&beat.member, beat.instance.as_ref())?)
    }

    /// The member behind a claimed identity.
    ///
    /// # Errors
    /// There is no such member, or another has taken the instance id over.
    pub(super) fn identify(
        &self,
        id: &MemberId,
        instance: Option<&InstanceId>,
    ) -> Result<MemberId, GroupError> {
        match instance {
            None if self.member(id).is_some() => Ok(id.clone()),
            None => Err(GroupError::UnknownMemberId),
            Some(instance) => match self.of_instance(instance) {
                None => Err(GroupError::UnknownMemberId),
                Some(known) if known != id => Err(GroupError::FencedInstanceId),
                Some(known) => Ok(known.clone()),
            },
        }
    }

    /// A static member keeps its partitions until it comes back or its session expires.
    fn leave_for_a_while(&mut self, changes: &mut Changes, id: &MemberId) {
        let current = CurrentAssignment {
            epoch: LEAVE_STATIC_EPOCH,
            revoking: Assignment::new(),
            ..(*self.current(id)).clone()
        };
        self.change(changes, ConsumerRecord::Current(id.clone(), Some(current.into())));
    }

    /// Takes members out, and raises the group epoch.
    pub(super) fn remove(&mut self, turn: &mut Turn<'_>, changes: &mut Changes, ids: &[&MemberId]) {
        for id in ids {
            self.remove_records(changes, id);
        }
        self.note_topics(turn, changes);
        self.raise_epoch(changes);
    }

    /// The tombstones of one member.
    pub(super) fn remove_records(&mut self, changes: &mut Changes, id: &MemberId) {
        self.change(changes, ConsumerRecord::Current(id.clone(), None));
        self.change(changes, ConsumerRecord::Target(id.clone(), None));
        self.change(changes, ConsumerRecord::Member(id.clone(), None));
    }

    pub(super) fn stop_timers(&self, turn: &mut Turn<'_>, id: &MemberId) {
        for kind in [TimerKind::Session, TimerKind::Revocation, TimerKind::Rejoin, TimerKind::Collect] {
            turn.stop_timer(&self.id, kind(id.clone()));
        }
    }

    /// The sessions of all members start anew: the group was read from the log, or a change was taken back.
    pub(in crate::group) fn start_sessions(&self, turn: &mut Turn<'_>) {
        for (id, about) in self.members() {
            let timeout_ms = match &about.classic {
                Some(classic) => classic.session_timeout_ms,
                None => turn.config.consumer.session_timeout_ms,
            };
            turn.start_timer(&self.id, TimerKind::Session(id.clone()), timeout_ms);
            if about.classic.is_none() && self.current(id).state == MemberState::UnrevokedPartitions {
                turn.start_timer(&self.id, TimerKind::Revocation(id.clone()), about.rebalance_timeout_ms);
            }
        }
    }

    /// The group is no longer this broker's, or is deleted.
    pub(in crate::group) fn stop_all_timers(&self, turn: &mut Turn<'_>) {
        self.members().for_each(|(id, _)| self.stop_timers(turn, id));
    }
}
