//! SyncGroup: the leader hands in the assignment, everyone takes theirs. And Heartbeat, which only shows life.

use std::collections::HashMap;

use bytes::Bytes;

use super::super::GroupError;
use super::super::request::{Batch, Claim, Reply, RequestId, Sync, Synced};
use super::super::turn::{Turn, Waiting};
use super::state::{ClassicGroup, ClassicState};
use crate::MemberId;
use crate::schema::group::encode_group_key;

impl ClassicGroup {
    /// Whether the claim is that of a member of the current generation.
    fn check_claim(&self, claim: &Claim) -> Result<(), GroupError> {
        if self.state == ClassicState::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        self.check_member(&claim.member, claim.instance.as_ref())?;
        if claim.generation == self.generation { Ok(()) } else { Err(GroupError::IllegalGeneration) }
    }

    fn check_sync(&self, sync: &Sync) -> Result<(), GroupError> {
        self.check_claim(&sync.claim)?;
        let matches = |given: &Option<_>, ours: &Option<_>| given.is_none() || given == ours;
        if matches(&sync.protocol_type, &self.protocol_type) && matches(&sync.protocol, &self.protocol) {
            Ok(())
        } else {
            Err(GroupError::InconsistentGroupProtocol)
        }
    }

    /// Handles a SyncGroup that has passed the gate.
    pub(in crate::group) fn sync(&mut self, turn: &mut Turn<'_>, request: RequestId, sync: Sync) {
        let refusal = self.check_sync(&sync).err().or(match self.state {
            ClassicState::Empty | ClassicState::Dead => Some(GroupError::UnknownMemberId),
            ClassicState::PreparingRebalance => Some(GroupError::RebalanceInProgress),
            ClassicState::CompletingRebalance | ClassicState::Stable => None,
        });
        if let Some(error) = refusal {
            turn.reply(request, Reply::Sync(Synced::refused(error)));
            return;
        }
        let id = sync.claim.member.clone();
        self.pending_sync.remove(&id);
        let leads = self.is_leader(&id);
        let Some(member) = self.members.get_mut(&id) else { return };
        if self.state == ClassicState::Stable {
            let assignment = member.assignment.clone();
            turn.reply(request, Reply::Sync(self.synced(assignment)));
            self.heard_of(turn, &id);
            return;
        }
        if let Some(before) = member.parked_sync.replace(request) {
            turn.reply(before, Reply::Sync(Synced::refused(GroupError::RebalanceInProgress)));
        }
        if leads {
            self.store_assignment(turn, sync.assignments);
        }
    }

    fn synced(&self, assignment: Bytes) -> Synced {
        Synced {
            error: None,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment,
        }
    }

    /// The leader's assignment goes into the log before anyone sees it; ids that are not members' are left out.
    fn store_assignment(&mut self, turn: &mut Turn<'_>, given: Vec<(MemberId, Bytes)>) {
        let assignments: HashMap<MemberId, Bytes> =
            given.into_iter().filter(|(id, _)| self.members.contains_key(id)).collect();
        let value = self.to_value(|member| assignments.get(&member.id).cloned().unwrap_or_default());
        let batch = Batch::of_group(encode_group_key(&self.id), value.encode());
        turn.append(&self.id, batch, Waiting::Assignment { generation: self.generation, assignments });
    }

    /// The assignment is in the log, or could not be written.
    pub(in crate::group) fn assigned(
        &mut self,
        turn: &mut Turn<'_>,
        generation: i32,
        mut assignments: HashMap<MemberId, Bytes>,
        failure: Option<GroupError>,
    ) {
        if self.state != ClassicState::CompletingRebalance || self.generation != generation {
            return;
        }
        if let Some(error) = failure {
            self.drop_assignments(turn, error);
            self.maybe_rebalance(turn);
            return;
        }
        let mut waiting = Vec::new();
        for member in self.members.values_mut() {
            member.assignment = assignments.remove(&member.id).unwrap_or_default();
            if let Some(request) = member.parked_sync.take() {
                waiting.push((member.id.clone(), request, member.assignment.clone()));
            }
        }
        self.transition(ClassicState::Stable, turn.now);
        for (id, request, assignment) in waiting {
            turn.reply(request, Reply::Sync(self.synced(assignment)));
            self.heard_of(turn, &id);
        }
    }

    /// Handles a Heartbeat that has passed the gate.
    ///
    /// # Errors
    /// The claim does not hold, or the member must join again.
    pub(in crate::group) fn heartbeat(
        &mut self,
        turn: &mut Turn<'_>,
        claim: &Claim,
    ) -> Result<(), GroupError> {
        self.check_claim(claim)?;
        match self.state {
            ClassicState::Empty | ClassicState::Dead => Err(GroupError::UnknownMemberId),
            ClassicState::PreparingRebalance => {
                self.heard_of(turn, &claim.member);
                Err(GroupError::RebalanceInProgress)
            }
            ClassicState::CompletingRebalance | ClassicState::Stable => {
                self.heard_of(turn, &claim.member);
                Ok(())
            }
        }
    }
}
