//! The in-sync replicas of one partition and the one change that may be under way (`PartitionState` and its subclasses, KIP-497).
//!
//! Owner: the leader state of the partition. Invariant: while a change is pending, the *maximal* ISR is what binds the leader:
//! a pending expansion counts at once, a pending shrink not before the controller confirmed it. So whatever
//! the controller decides, no record is committed with fewer replicas than its ISR has.

use gregor_model::{BrokerId, LeaderAndIsr, LeaderEpoch, PartitionEpoch};

/// A change of the ISR that the controller is asked to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsrProposal {
    /// The ISR wanted, always listed in the same order when sent again: the controller compares ordered lists.
    pub isr: Vec<BrokerId>,
    /// The term in which it is proposed.
    pub leader_epoch: LeaderEpoch,
    /// The partition state it is based on.
    pub partition_epoch: PartitionEpoch,
}

/// Why the controller did not make a change (partition errors of AlterPartition).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IsrRefusal {
    /// INELIGIBLE_REPLICA: a member is not live.
    #[error("a proposed member of the ISR is not eligible")]
    IneligibleReplica,
    /// OPERATION_NOT_ATTEMPTED: not tried; also a second proposal while one is queued.
    #[error("the change was not attempted")]
    NotAttempted,
    /// UNKNOWN_TOPIC_OR_PARTITION.
    #[error("the controller does not know the partition")]
    UnknownTopicOrPartition,
    /// UNKNOWN_TOPIC_ID.
    #[error("the controller does not know the topic id")]
    UnknownTopicId,
    /// FENCED_LEADER_EPOCH: there is a newer leader.
    #[error("the leader epoch is fenced")]
    FencedLeaderEpoch,
    /// INVALID_UPDATE_VERSION: the partition state changed meanwhile.
    #[error("the partition epoch is out of date")]
    InvalidUpdateVersion,
    /// INVALID_REQUEST.
    #[error("the controller calls the change invalid")]
    InvalidRequest,
    /// NEW_LEADER_ELECTED: accepted, and a new leader with it.
    #[error("a new leader was elected")]
    NewLeaderElected,
    /// Anything else, by its code on the wire; worth another try.
    #[error("error code {0}")]
    Other(i16),
}

/// The controller's answer to a proposal.
pub type IsrAnswer = Result<LeaderAndIsr, IsrRefusal>;

/// What a leader does with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IsrReaction {
    /// The returned ISR is the committed one now: the high watermark may move.
    Committed,
    /// Back to the last committed ISR; a later fetch or tick may propose again.
    Reverted,
    /// The controller knows better: stay as we are until its LeaderAndIsr arrives.
    AwaitLeaderAndIsr,
    /// Ask again.
    Resubmit(IsrProposal),
    /// The answer is to an earlier proposal, or of another term.
    Stale,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct PendingChange {
    proposal: IsrProposal,
    joining: Option<BrokerId>,
}

/// The committed ISR, and the change under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Isr {
    committed: Vec<BrokerId>,
    pending: Option<PendingChange>,
}

impl Isr {
    /// An ISR as the controller announced it; whatever was pending is void.
    pub fn committed(members: Vec<BrokerId>) -> Isr {
        Isr { committed: members, pending: None }
    }

    /// The members the controller last confirmed.
    pub fn members(&self) -> &[BrokerId] {
        &self.committed
    }

    /// Whether `replica` is in the committed ISR.
    pub fn contains(&self, replica: BrokerId) -> bool {
        self.committed.contains(&replica)
    }

    /// Whether `replica` is in the maximal ISR: committed, or about to join.
    pub fn contains_maximal(&self, replica: BrokerId) -> bool {
        self.contains(replica) || self.joining() == Some(replica)
    }

    /// How many the maximal ISR has.
    pub fn maximal_len(&self) -> usize {
        self.committed.len() + usize::from(self.joining().is_some())
    }

    /// Whether a change waits for the controller.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// The replica that waits to be let in.
    pub fn joining(&self) -> Option<BrokerId> {
        self.pending.as_ref().and_then(|pending| pending.joining)
    }

    /// Proposes to add `replica` (`Partition.prepareIsrExpand`); `None` when a change is under way or it is a member already.
    pub fn propose_expand(
        &mut self,
        replica: BrokerId,
        leader_epoch: LeaderEpoch,
        partition_epoch: PartitionEpoch,
    ) -> Option<IsrProposal> {
        if self.is_pending() || self.contains(replica) {
            return None;
        }
        let mut isr = self.committed.clone();
        isr.push(replica);
        Some(self.propose(isr, Some(replica), leader_epoch, partition_epoch))
    }

    /// Proposes to remove `lagging` (`Partition.prepareIsrShrink`); `None` when a change is under way or none is a member.
    pub fn propose_shrink(
        &mut self,
        lagging: &[BrokerId],
        leader_epoch: LeaderEpoch,
        partition_epoch: PartitionEpoch,
    ) -> Option<IsrProposal> {
        if self.is_pending() || !lagging.iter().any(|replica| self.contains(*replica)) {
            return None;
        }
        let isr = self.committed.iter().copied().filter(|member| !lagging.contains(member)).collect();
        Some(self.propose(isr, None, leader_epoch, partition_epoch))
    }

    fn propose(
        &mut self,
        isr: Vec<BrokerId>,
        joining: Option<BrokerId>,
        leader_epoch: LeaderEpoch,
        partition_epoch: PartitionEpoch,
    ) -> IsrProposal {
        let proposal = IsrProposal { isr, leader_epoch, partition_epoch };
        self.pending = Some(PendingChange { proposal: proposal.clone(), joining });
        proposal
    }

    /// Takes in the answer to `asked` (`Partition.submitAlterPartition`). `leader_epoch` and `partition_epoch` are the
    /// leader's own, the latter raised when the answer commits.
    pub fn on_answer(
        &mut self,
        asked: &IsrProposal,
        answer: IsrAnswer,
        leader_epoch: LeaderEpoch,
        partition_epoch: &mut PartitionEpoch,
    ) -> IsrReaction {
        if self.pending.as_ref().is_none_or(|pending| pending.proposal != *asked) {
            return IsrReaction::Stale;
        }
        match answer {
            Ok(state) if state.leader_epoch != leader_epoch || state.partition_epoch < *partition_epoch => {
                IsrReaction::Stale
            }
            Ok(state) => {
                self.committed = state.isr;
                self.pending = None;
                *partition_epoch = state.partition_epoch;
                IsrReaction::Committed
            }
            Err(IsrRefusal::IneligibleReplica | IsrRefusal::NotAttempted) => {
                self.pending = None;
                IsrReaction::Reverted
            }
            Err(
                IsrRefusal::UnknownTopicOrPartition
                | IsrRefusal::UnknownTopicId
                | IsrRefusal::FencedLeaderEpoch
                | IsrRefusal::InvalidUpdateVersion
                | IsrRefusal::InvalidRequest
                | IsrRefusal::NewLeaderElected,
            ) => IsrReaction::AwaitLeaderAndIsr,
            Err(IsrRefusal::Other(_)) => IsrReaction::Resubmit(asked.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use gregor_model::LeaderRecoveryState;

    use super::*;

    const EPOCH: LeaderEpoch = LeaderEpoch(4);
    const STATE: PartitionEpoch = PartitionEpoch(9);

    fn ids(ids: &[i32]) -> Vec<BrokerId> {
        ids.iter().copied().map(BrokerId).collect()
    }

    fn answer(leader_epoch: i32, partition_epoch: i32, isr: &[i32]) -> IsrAnswer {
        Ok(LeaderAndIsr {
            leader: Some(BrokerId(1)),
            leader_epoch: LeaderEpoch(leader_epoch),
            isr: ids(isr),
            recovery: LeaderRecoveryState::Recovered,
            partition_epoch: PartitionEpoch(partition_epoch),
        })
    }

    #[test]
    fn an_expansion_counts_at_once_and_a_shrink_only_when_confirmed() {
        let mut isr = Isr::committed(ids(&[1, 2]));
        isr.propose_expand(BrokerId(3), EPOCH, STATE).unwrap();
        assert!(isr.contains_maximal(BrokerId(3)) && !isr.contains(BrokerId(3)));
        assert_eq!((isr.members().len(), isr.maximal_len()), (2, 3));
        assert_eq!(isr.propose_shrink(&ids(&[2]), EPOCH, STATE), None, "one change at a time");

        let mut isr = Isr::committed(ids(&[1, 2]));
        let proposal = isr.propose_shrink(&ids(&[2]), EPOCH, STATE).unwrap();
        assert_eq!(proposal.isr, ids(&[1]));
        assert!(isr.contains_maximal(BrokerId(2)));
        assert_eq!(isr.maximal_len(), 2);
    }

    #[track_caller]
    fn check(answer: IsrAnswer, reaction: IsrReaction, members: &[i32], pending: bool, state: i32) {
        let mut isr = Isr::committed(ids(&[1, 2]));
        let asked = isr.propose_expand(BrokerId(3), EPOCH, STATE).unwrap();
        let mut partition_epoch = STATE;
        assert_eq!(isr.on_answer(&asked, answer, EPOCH, &mut partition_epoch), reaction);
        assert_eq!(isr.members(), ids(members));
        assert_eq!(isr.is_pending(), pending);
        assert_eq!(partition_epoch, PartitionEpoch(state));
    }

    #[test]
    fn answers() {
        use IsrReaction::{AwaitLeaderAndIsr, Committed, Reverted, Stale};
        check(answer(4, 10, &[1, 2, 3]), Committed, &[1, 2, 3], false, 10);
        check(answer(4, 9, &[1, 2]), Committed, &[1, 2], false, 9);
        check(answer(5, 10, &[1, 2, 3]), Stale, &[1, 2], true, 9);
        check(answer(4, 8, &[1, 2, 3]), Stale, &[1, 2], true, 9);
        check(Err(IsrRefusal::IneligibleReplica), Reverted, &[1, 2], false, 9);
        check(Err(IsrRefusal::NotAttempted), Reverted, &[1, 2], false, 9);
        for refusal in [
            IsrRefusal::UnknownTopicOrPartition,
            IsrRefusal::UnknownTopicId,
            IsrRefusal::FencedLeaderEpoch,
            IsrRefusal::InvalidUpdateVersion,
            IsrRefusal::InvalidRequest,
            IsrRefusal::NewLeaderElected,
        ] {
            check(Err(refusal), AwaitLeaderAndIsr, &[1, 2], true, 9);
        }
        let again = IsrProposal { isr: ids(&[1, 2, 3]), leader_epoch: EPOCH, partition_epoch: STATE };
        check(Err(IsrRefusal::Other(-1)), IsrReaction::Resubmit(again), &[1, 2], true, 9);
    }

    #[test]
    fn an_answer_to_what_is_no_longer_asked_changes_nothing() {
        let mut isr = Isr::committed(ids(&[1, 2]));
        let asked = isr.propose_expand(BrokerId(3), EPOCH, STATE).unwrap();
        let mut isr = Isr::committed(ids(&[1])); // a LeaderAndIsr came first
        let mut partition_epoch = PartitionEpoch(12);
        let reaction = isr.on_answer(&asked, answer(4, 13, &[1, 2, 3]), EPOCH, &mut partition_epoch);
        assert_eq!(reaction, IsrReaction::Stale);
        assert_eq!(isr.members(), ids(&[1]));
    }
}
