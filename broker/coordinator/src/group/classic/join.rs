//! JoinGroup: how a member comes in, comes back, or is turned away.

use super::super::GroupError;
use super::super::request::{Batch, Join, Joined, Reply, RequestId};
use super::super::timers::TimerKind;
use super::super::turn::{Replacement, Turn, Waiting};
use super::member::Member;
use super::state::{ClassicGroup, ClassicState};
use crate::MemberId;
use crate::schema::group::encode_group_key;

/// How long a member that waits for its first round is kept, in ms (`NewMemberJoinTimeoutMs`).
const NEW_MEMBER_TIMEOUT_MS: i32 = 300_000;

/// How many ids may be given out and not used: without a bound, who asks and never joins would take all memory.
const PENDING_MEMBERS_MAX: usize = 10_000;

impl ClassicGroup {
    /// Handles a JoinGroup that has passed the gate.
    pub(in crate::group) fn join(&mut self, turn: &mut Turn<'_>, request: RequestId, join: &Join) {
        if !self.has_room(turn, &join.member) {
            self.remove_and_rebalance(turn, &join.member);
            turn.reply(request, Reply::Join(Joined::refused("", GroupError::GroupMaxSizeReached)));
        } else if join.member.is_empty() {
            self.join_new(turn, request, join);
        } else {
            self.join_known(turn, request, join);
        }
        self.try_complete_join(turn);
    }

    /// `acceptJoiningMember`: ids that were only given out do not count.
    fn has_room(&self, turn: &Turn<'_>, member: &MemberId) -> bool {
        let size_max = turn.config.group_size_max;
        match self.state {
            ClassicState::Empty | ClassicState::Dead => true,
            ClassicState::PreparingRebalance => {
                let waits = self.members.get(member).is_some_and(|member| member.parked_join.is_some());
                waits
                    || self.members.values().filter(|member| member.parked_join.is_some()).count() < size_max
            }
            ClassicState::CompletingRebalance | ClassicState::Stable => {
                self.members.contains_key(member) || self.members.len() < size_max
            }
        }
    }

    fn join_new(&mut self, turn: &mut Turn<'_>, request: RequestId, join: &Join) {
        if self.state == ClassicState::Dead {
            turn.reply(request, Reply::Join(Joined::refused("", GroupError::CoordinatorNotAvailable)));
            return;
        }
        if !self.supports(&join.protocol_type, &join.protocols) {
            turn.reply(request, Reply::Join(Joined::refused("", GroupError::InconsistentGroupProtocol)));
            return;
        }
        let uuid = uuid::Builder::from_random_bytes(join.random).into_uuid();
        let prefix = join.instance.as_ref().map_or(&*join.client_id, |instance| instance.as_str());
        let id = MemberId::from(format!("{prefix}-{uuid}"));
        match join.instance.as_ref().map(|instance| self.static_members.get(instance).cloned()) {
            Some(Some(old)) => self.replace_static(turn, request, join, &old, id),
            Some(None) => self.add_member(turn, request, join, id),
            None if join.member_id_required && self.pending_members.len() >= PENDING_MEMBERS_MAX => {
                turn.reply(request, Reply::Join(Joined::refused("", GroupError::GroupMaxSizeReached)));
            }
            None if join.member_id_required => {
                self.pending_members.insert(id.clone());
                turn.start_timer(&self.id, TimerKind::Pending(id.clone()), join.session_timeout_ms);
                turn.reply(request, Reply::Join(Joined::refused(id, GroupError::MemberIdRequired)));
            }
            None => self.add_member(turn, request, join, id),
        }
    }

    fn join_known(&mut self, turn: &mut Turn<'_>, request: RequestId, join: &Join) {
        let refusal = if self.state == ClassicState::Dead {
            Some(GroupError::CoordinatorNotAvailable)
        } else if !self.supports(&join.protocol_type, &join.protocols) {
            Some(GroupError::InconsistentGroupProtocol)
        } else if self.pending_members.contains(&join.member) {
            if join.instance.is_none() {
                self.add_member(turn, request, join, join.member.clone());
                return;
            }
            Some(GroupError::UnknownServerError)
        } else {
            self.check_member(&join.member, join.instance.as_ref()).err()
        };
        match refusal {
            Some(error) => {
                turn.reply(request, Reply::Join(Joined::refused(join.member.clone(), error)));
            }
            None => self.rejoin(turn, request, join),
        }
    }

    /// A member of the group joins again.
    fn rejoin(&mut self, turn: &mut Turn<'_>, request: RequestId, join: &Join) {
        let Some(member) = self.members.get(&join.member) else { return };
        let unchanged = member.protocols == join.protocols;
        let leads = self.is_leader(&join.member);
        match self.state {
            ClassicState::PreparingRebalance => self.park_join(turn, request, join),
            ClassicState::CompletingRebalance if unchanged => self.answer_current(turn, request, join, leads),
            ClassicState::Stable if unchanged && !leads => self.answer_current(turn, request, join, false),
            ClassicState::CompletingRebalance | ClassicState::Stable => {
                self.park_join(turn, request, join);
                self.maybe_rebalance(turn);
            }
            ClassicState::Empty | ClassicState::Dead => {
                let refused = Joined::refused(join.member.clone(), GroupError::UnknownMemberId);
                turn.reply(request, Reply::Join(refused));
            }
        }
    }

    /// The answer was lost, or the member missed nothing: it is told how things stand.
    fn answer_current(&mut self, turn: &mut Turn<'_>, request: RequestId, join: &Join, with_members: bool) {
        let joined = Joined {
            error: None,
            member: join.member.clone(),
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader_or_empty(),
            skip_assignment: false,
            members: if with_members { self.joined_members() } else { Vec::new() },
        };
        turn.reply(request, Reply::Join(joined));
    }

    /// Notes what the member says now, and lets it wait for the round to complete.
    fn park_join(&mut self, turn: &mut Turn<'_>, request: RequestId, join: &Join) {
        let Some(member) = self.members.get_mut(&join.member) else { return };
        member.protocols.clone_from(&join.protocols);
        member.rebalance_timeout_ms = join.rebalance_timeout_ms;
        member.session_timeout_ms = join.session_timeout_ms;
        // A repeated request takes the place of the one before it, whose connection is gone.
        if let Some(before) = member.parked_join.replace(request) {
            let refused = Joined::refused(join.member.clone(), GroupError::RebalanceInProgress);
            turn.reply(before, Reply::Join(refused));
        }
    }

    fn add_member(&mut self, turn: &mut Turn<'_>, request: RequestId, join: &Join, id: MemberId) {
        if self.state == ClassicState::PreparingRebalance && self.generation == 0 {
            self.new_member_added = true;
        }
        turn.stop_timer(&self.id, TimerKind::Pending(id.clone()));
        let mut member = Member::new(id.clone(), join);
        member.parked_join = Some(request);
        self.insert_member(member, &join.protocol_type);
        turn.start_timer(&self.id, TimerKind::Session(id), NEW_MEMBER_TIMEOUT_MS);
        self.maybe_rebalance(turn);
    }

    /// A static member comes back without its member id (`updateStaticMemberAndRebalance`).
    fn replace_static(
        &mut self,
        turn: &mut Turn<'_>,
        request: RequestId,
        join: &Join,
        old: &MemberId,
        new: MemberId,
    ) {
        let old_leader = self.leader_or_empty();
        let Some(member) = self.members.get_mut(old) else { return };
        let (old_rebalance_timeout_ms, old_session_timeout_ms) =
            (member.rebalance_timeout_ms, member.session_timeout_ms);
        if let Some(parked) = member.parked_join.take() {
            turn.reply(parked, Reply::Join(Joined::refused(old.clone(), GroupError::FencedInstanceId)));
        }
        if let Some(parked) = member.parked_sync.take() {
            let refused = super::super::request::Synced::refused(GroupError::FencedInstanceId);
            turn.reply(parked, Reply::Sync(refused));
        }
        self.rename_member(old, &new);
        turn.stop_timer(&self.id, TimerKind::Session(old.clone()));
        let mut renamed = join.clone();
        renamed.member = new.clone();
        self.park_join(turn, request, &renamed);
        self.heard_of(turn, &new);
        match self.state {
            ClassicState::Stable if self.select_protocol() == self.protocol => {
                if let Some(member) = self.members.get_mut(&new) {
                    member.parked_join = None;
                }
                let replacement = Replacement {
                    request,
                    old: old.clone(),
                    new,
                    old_leader,
                    old_rebalance_timeout_ms,
                    old_session_timeout_ms,
                    skip_assignment_known: join.skip_assignment_known,
                };
                let value = self.to_value(|member| member.assignment.clone());
                let batch = Batch::of_group(encode_group_key(&self.id), value.encode());
                turn.append(&self.id, batch, Waiting::Replacement(Box::new(replacement)));
            }
            ClassicState::Stable | ClassicState::CompletingRebalance => self.maybe_rebalance(turn),
            ClassicState::PreparingRebalance | ClassicState::Empty | ClassicState::Dead => {}
        }
    }

    /// The record of a static member's new id is written, or could not be.
    pub(in crate::group) fn replaced(
        &mut self,
        turn: &mut Turn<'_>,
        swap: Replacement,
        failure: Option<GroupError>,
    ) {
        let mut joined = Joined {
            error: failure,
            member: swap.new.clone(),
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: swap.old_leader,
            skip_assignment: false,
            members: Vec::new(),
        };
        if failure.is_some() {
            joined.member = MemberId::from("");
            turn.stop_timer(&self.id, TimerKind::Session(swap.new.clone()));
            self.rename_member(&swap.new, &swap.old);
            if let Some(member) = self.members.get_mut(&swap.old) {
                member.rebalance_timeout_ms = swap.old_rebalance_timeout_ms;
                member.session_timeout_ms = swap.old_session_timeout_ms;
            }
            self.heard_of(turn, &swap.old);
        } else if swap.skip_assignment_known {
            // From version 9 a returning leader may be told that it leads, since it is also told not to assign.
            joined.leader = self.leader_or_empty();
            if self.is_leader(&swap.new) {
                joined.members = self.joined_members();
                joined.skip_assignment = true;
            }
        }
        turn.reply(swap.request, Reply::Join(joined));
    }
}
