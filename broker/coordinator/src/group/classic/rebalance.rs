//! The join phase of a group: how it begins, how long it waits, how it ends.

use super::super::GroupError;
use super::super::request::{Batch, Joined, Reply, Synced};
use super::super::timers::TimerKind;
use super::super::turn::{Turn, Waiting};
use super::state::{ClassicGroup, ClassicState};
use crate::MemberId;
use crate::schema::group::encode_group_key;

/// What the join phase waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::group) enum JoinPhase {
    /// A group that was empty waits for more members, whatever happens (`InitialDelayedJoin`); times in ms.
    Initial { delay_ms: i32, remaining_ms: i32 },
    /// All members must join, or the time is up (`DelayedJoin`).
    Members,
}

impl ClassicGroup {
    /// Starts a rebalance when the state allows one.
    pub(in crate::group) fn maybe_rebalance(&mut self, turn: &mut Turn<'_>) {
        if self.can_rebalance() {
            self.prepare_rebalance(turn);
        }
    }

    pub(in crate::group) fn prepare_rebalance(&mut self, turn: &mut Turn<'_>) {
        if self.state == ClassicState::CompletingRebalance {
            self.drop_assignments(turn, GroupError::RebalanceInProgress);
        }
        self.pending_sync.clear();
        turn.stop_timer(&self.id, TimerKind::Sync);
        let timeout_ms = self.rebalance_timeout_ms();
        if self.state == ClassicState::Empty {
            let delay_ms = turn.config.initial_rebalance_delay_ms;
            let remaining_ms = timeout_ms.saturating_sub(delay_ms).max(0);
            self.join_phase = Some(JoinPhase::Initial { delay_ms, remaining_ms });
            turn.start_timer(&self.id, TimerKind::Join, delay_ms);
        } else {
            self.join_phase = Some(JoinPhase::Members);
            turn.start_timer(&self.id, TimerKind::Join, timeout_ms);
        }
        self.transition(ClassicState::PreparingRebalance, turn.now);
        self.try_complete_join(turn);
    }

    /// Clears what the leader assigned and tells those who wait for it why (`resetAndPropagateAssignmentError`).
    pub(in crate::group) fn drop_assignments(&mut self, turn: &mut Turn<'_>, error: GroupError) {
        for member in self.members.values_mut() {
            member.assignment.clear();
            if let Some(request) = member.parked_sync.take() {
                turn.reply(request, Reply::Sync(Synced::refused(error)));
                turn.timers.set(
                    &self.id,
                    TimerKind::Session(member.id.clone()),
                    turn.now + i64::from(member.session_timeout_ms),
                );
            }
        }
    }

    /// Ends the join phase when nobody is missing.
    pub(in crate::group) fn try_complete_join(&mut self, turn: &mut Turn<'_>) {
        let all_joined = self.pending_members.is_empty()
            && self.members.values().all(|member| member.parked_join.is_some());
        if self.state == ClassicState::PreparingRebalance
            && self.join_phase == Some(JoinPhase::Members)
            && all_joined
        {
            self.complete_join(turn);
        }
    }

    /// The join timer fired.
    pub(in crate::group) fn join_timer_fired(&mut self, turn: &mut Turn<'_>) {
        if self.state != ClassicState::PreparingRebalance {
            return;
        }
        match self.join_phase {
            Some(JoinPhase::Initial { delay_ms, remaining_ms })
                if self.new_member_added && remaining_ms > 0 =>
            {
                self.new_member_added = false;
                let next_ms = turn.config.initial_rebalance_delay_ms.min(remaining_ms);
                let remaining_ms = (remaining_ms - delay_ms).max(0);
                self.join_phase = Some(JoinPhase::Initial { delay_ms: next_ms, remaining_ms });
                turn.start_timer(&self.id, TimerKind::Join, next_ms);
            }
            _ => self.complete_join(turn),
        }
    }

    /// Everyone who is to be in the next generation is in (`onCompleteJoin`).
    fn complete_join(&mut self, turn: &mut Turn<'_>) {
        self.join_phase = None;
        turn.stop_timer(&self.id, TimerKind::Join);
        self.remove_absent(turn);
        if !self.elect_joined_leader() && !self.members.is_empty() {
            // Static members alone are left, and none has rejoined: their sessions decide.
            self.join_phase = Some(JoinPhase::Members);
            turn.start_timer(&self.id, TimerKind::Join, self.rebalance_timeout_ms());
            return;
        }
        self.generation = self.generation.wrapping_add(1);
        if self.members.is_empty() {
            self.become_empty(turn);
        } else {
            self.protocol = self.select_protocol();
            self.recompute_subscribed();
            self.transition(ClassicState::CompletingRebalance, turn.now);
            self.answer_joins(turn);
            turn.start_timer(&self.id, TimerKind::Sync, self.rebalance_timeout_ms());
        }
    }

    /// Dynamic members that did not join are out; static ones stay until their session ends.
    fn remove_absent(&mut self, turn: &mut Turn<'_>) {
        let absent: Vec<MemberId> = self
            .members
            .values()
            .filter(|member| member.parked_join.is_none() && member.instance.is_none())
            .map(|member| member.id.clone())
            .collect();
        for id in absent {
            if let Some(member) = self.take_member(&id)
                && let Some(request) = member.parked_sync
            {
                turn.reply(request, Reply::Sync(Synced::refused(GroupError::UnknownMemberId)));
            }
            turn.stop_timer(&self.id, TimerKind::Session(id));
        }
    }

    /// Makes a member that has joined the leader, unless the leader has (`maybeElectNewJoinedLeader`).
    fn elect_joined_leader(&mut self) -> bool {
        let Some(leader) = self.leader.as_ref().and_then(|leader| self.members.get(leader)) else {
            return false;
        };
        if leader.parked_join.is_some() {
            return true;
        }
        let joined = self.members.values().find(|member| member.parked_join.is_some());
        match joined.map(|member| member.id.clone()) {
            Some(id) => {
                self.leader = Some(id);
                true
            }
            None => false,
        }
    }

    fn become_empty(&mut self, turn: &mut Turn<'_>) {
        self.protocol = None;
        self.recompute_subscribed();
        self.transition(ClassicState::Empty, turn.now);
        let value = self.to_value(|_| bytes::Bytes::new());
        turn.append(&self.id, Batch::of_group(encode_group_key(&self.id), value.encode()), Waiting::Nothing);
    }

    fn answer_joins(&mut self, turn: &mut Turn<'_>) {
        let leader = self.leader_or_empty();
        let mut all = self.joined_members();
        for member in self.members.values_mut() {
            if let Some(request) = member.parked_join.take() {
                let joined = Joined {
                    error: None,
                    member: member.id.clone(),
                    generation: self.generation,
                    protocol_type: self.protocol_type.clone(),
                    protocol: self.protocol.clone(),
                    leader: leader.clone(),
                    skip_assignment: false,
                    members: if member.id == leader { std::mem::take(&mut all) } else { Vec::new() },
                };
                turn.reply(request, Reply::Join(joined));
            }
            member.is_new = false;
            self.pending_sync.insert(member.id.clone());
            let kind = TimerKind::Session(member.id.clone());
            turn.timers.set(&self.id, kind, turn.now + i64::from(member.session_timeout_ms));
        }
    }

    /// Restarts the timer that finds a silent member dead.
    pub(in crate::group) fn heard_of(&self, turn: &mut Turn<'_>, member: &MemberId) {
        if let Some(member) = self.members.get(member) {
            turn.start_timer(&self.id, TimerKind::Session(member.id.clone()), member.session_timeout_ms);
        }
    }

    /// A member has not been heard of for too long.
    pub(in crate::group) fn session_timer_fired(&mut self, turn: &mut Turn<'_>, id: &MemberId) {
        let Some(member) = self.members.get(id) else { return };
        if member.is_waiting() && !member.is_new {
            return;
        }
        self.remove_and_rebalance(turn, id);
    }

    /// Takes a member out, answers what it waits for, and lets the others go on without it.
    pub(in crate::group) fn remove_and_rebalance(&mut self, turn: &mut Turn<'_>, id: &MemberId) {
        turn.stop_timer(&self.id, TimerKind::Session(id.clone()));
        let Some(member) = self.take_member(id) else { return };
        if let Some(request) = member.parked_join {
            turn.reply(request, Reply::Join(Joined::refused("", GroupError::UnknownMemberId)));
        }
        if let Some(request) = member.parked_sync {
            turn.reply(request, Reply::Sync(Synced::refused(GroupError::UnknownMemberId)));
        }
        match self.state {
            ClassicState::Stable | ClassicState::CompletingRebalance => self.prepare_rebalance(turn),
            ClassicState::PreparingRebalance => self.try_complete_join(turn),
            ClassicState::Empty | ClassicState::Dead => {}
        }
    }

    /// An id that was given out has not been used.
    pub(in crate::group) fn pending_timer_fired(&mut self, turn: &mut Turn<'_>, id: &MemberId) {
        if self.pending_members.remove(id) {
            self.try_complete_join(turn);
        }
    }

    /// Some members have never asked for their assignment (`DelayedSync`).
    pub(in crate::group) fn sync_timer_fired(&mut self, turn: &mut Turn<'_>) {
        if !matches!(self.state, ClassicState::CompletingRebalance | ClassicState::Stable) {
            return;
        }
        let missing: Vec<MemberId> = self.pending_sync.drain().collect();
        if missing.is_empty() {
            return;
        }
        for id in &missing {
            turn.stop_timer(&self.id, TimerKind::Session(id.clone()));
            if let Some(request) = self.take_member(id).and_then(|member| member.parked_join) {
                turn.reply(request, Reply::Join(Joined::refused("", GroupError::UnknownMemberId)));
            }
        }
        self.prepare_rebalance(turn);
    }

    /// Sessions start anew, and a rebalance that was under way has all its time again: the group was read from the log,
    /// or is again what it was before a change that failed.
    pub(in crate::group) fn resume(&mut self, turn: &mut Turn<'_>) {
        self.members.keys().for_each(|member| self.heard_of(turn, member));
        match self.state {
            ClassicState::PreparingRebalance => {
                self.join_phase = Some(JoinPhase::Members);
                turn.start_timer(&self.id, TimerKind::Join, self.rebalance_timeout_ms());
            }
            ClassicState::CompletingRebalance => self.prepare_rebalance(turn),
            ClassicState::Empty | ClassicState::Stable | ClassicState::Dead => {}
        }
    }

    /// The group becomes a consumer group: whoever waits is to join again.
    pub(in crate::group) fn dissolve(&mut self, turn: &mut Turn<'_>, error: GroupError) {
        for kind in [TimerKind::Join, TimerKind::Sync] {
            turn.stop_timer(&self.id, kind);
        }
        for id in std::mem::take(&mut self.pending_members) {
            turn.stop_timer(&self.id, TimerKind::Pending(id));
        }
        for (id, member) in &mut self.members {
            if let Some(request) = member.parked_join.take() {
                turn.reply(request, Reply::Join(Joined::refused(id.clone(), error)));
            }
            if let Some(request) = member.parked_sync.take() {
                turn.reply(request, Reply::Sync(Synced::refused(error)));
            }
        }
    }

    /// The group is no longer this broker's, or is deleted: whoever waits is told.
    pub(in crate::group) fn die(&mut self, turn: &mut Turn<'_>, error: GroupError) {
        self.transition(ClassicState::Dead, turn.now);
        self.dissolve(turn, error);
        for (id, _) in std::mem::take(&mut self.members) {
            turn.stop_timer(&self.id, TimerKind::Session(id));
        }
    }
}
