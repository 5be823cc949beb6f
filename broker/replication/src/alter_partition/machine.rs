//! Which ISR proposals wait for the controller, and when they are sent (`DefaultAlterPartitionManager`).
//!
//! Pure. Owner: the AlterPartition task. Invariants: one request is in flight at a time and carries all that waits; each partition has at
//! most one proposal; a proposal leaves only with its own answer; a clock that is set back lengthens no pause.

use std::collections::HashMap;

use gregor_model::{Timestamp, TopicId, TopicPartition};

use crate::partition::isr::{IsrAnswer, IsrProposal};

/// How long to wait after an answer that was no answer, in milliseconds.
pub const RETRY_MS: i64 = 50;

/// One partition's wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsrChange {
    /// The partition.
    pub partition: TopicPartition,
    /// Its topic's id, if it has one.
    pub topic_id: Option<TopicId>,
    /// The ISR wanted.
    pub proposal: IsrProposal,
}

/// There is a proposal of this partition already; it must be answered first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a proposal for this partition is already waiting")]
pub struct AlreadyProposed;

/// What came back for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answers per partition; those missing are sent again.
    Answered(HashMap<TopicPartition, IsrAnswer>),
    /// An error for the whole request, or none at all: everything is sent again a little later.
    Failed,
}

/// The queue of proposals.
#[derive(Clone, Debug, Default)]
pub struct AlterPartitionMachine {
    waiting: HashMap<TopicPartition, IsrChange>,
    in_flight: bool,
    not_before: Option<Timestamp>,
}

impl AlterPartitionMachine {
    /// Takes a proposal in.
    pub fn submit(&mut self, change: IsrChange) -> Result<(), AlreadyProposed> {
        if self.waiting.contains_key(&change.partition) {
            return Err(AlreadyProposed);
        }
        self.waiting.insert(change.partition.clone(), change);
        Ok(())
    }

    /// What to send now, in partition order; empty when a request is in flight, nothing waits, or it is too early to try again.
    pub fn next_request(&mut self, now: Timestamp) -> Vec<IsrChange> {
        // A pause that is longer than a pause can be began before the clock was set back.
        let is_early = self.not_before.is_some_and(|at| now < at && at - now <= RETRY_MS);
        if self.in_flight || self.waiting.is_empty() || is_early {
            return Vec::new();
        }
        self.in_flight = true;
        self.not_before = None;
        let mut changes: Vec<IsrChange> = self.waiting.values().cloned().collect();
        changes.sort_by(|a, b| a.partition.cmp(&b.partition));
        changes
    }

    /// When to call [`AlterPartitionMachine::next_request`] again although nothing new was submitted.
    pub fn retry_at(&self) -> Option<Timestamp> {
        self.not_before.filter(|_| !self.in_flight && !self.waiting.is_empty())
    }

    /// Takes in what came back for `sent`; returns the answers to hand to the partitions.
    pub fn on_outcome(
        &mut self,
        sent: &[IsrChange],
        outcome: Outcome,
        now: Timestamp,
    ) -> Vec<(IsrChange, IsrAnswer)> {
        self.in_flight = false;
        match outcome {
            Outcome::Failed => {
                self.not_before = Some(now + RETRY_MS);
                Vec::new()
            }
            Outcome::Answered(mut answers) => sent
                .iter()
                .filter_map(|change| {
                    let answer = answers.remove(&change.partition)?;
                    self.waiting.remove(&change.partition);
                    Some((change.clone(), answer))
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use gregor_model::{BrokerId, LeaderEpoch, PartitionEpoch};

    use super::*;
    use crate::partition::isr::IsrRefusal;

    fn change(partition: i32) -> IsrChange {
        IsrChange {
            partition: TopicPartition::new("t", partition),
            topic_id: None,
            proposal: IsrProposal {
                isr: vec![BrokerId(1)],
                leader_epoch: LeaderEpoch(3),
                partition_epoch: PartitionEpoch(7),
            },
        }
    }

    fn answers(partitions: &[i32]) -> Outcome {
        let refusal = Err(IsrRefusal::NotAttempted);
        Outcome::Answered(
            partitions.iter().map(|p| (TopicPartition::new("t", *p), refusal.clone())).collect(),
        )
    }

    #[test]
    fn one_request_in_flight_carries_all_that_waits() {
        let mut machine = AlterPartitionMachine::default();
        assert!(machine.next_request(Timestamp(0)).is_empty());
        machine.submit(change(1)).unwrap();
        machine.submit(change(0)).unwrap();
        assert_eq!(machine.submit(change(0)), Err(AlreadyProposed));
        let sent = machine.next_request(Timestamp(0));
        assert_eq!(sent, [change(0), change(1)]);
        machine.submit(change(2)).unwrap();
        assert!(machine.next_request(Timestamp(0)).is_empty(), "one at a time");
        assert_eq!(machine.submit(change(1)), Err(AlreadyProposed), "even while in flight");

        let delivered = machine.on_outcome(&sent, answers(&[1, 0]), Timestamp(5));
        assert_eq!(
            delivered.iter().map(|(change, _)| change.partition.partition).collect::<Vec<_>>(),
            [0, 1]
        );
        assert_eq!(machine.next_request(Timestamp(5)), [change(2)]);
    }

    #[test]
    fn a_failed_request_is_sent_again_after_a_while() {
        let mut machine = AlterPartitionMachine::default();
        machine.submit(change(0)).unwrap();
        let sent = machine.next_request(Timestamp(0));
        assert!(machine.on_outcome(&sent, Outcome::Failed, Timestamp(100)).is_empty());
        assert!(machine.next_request(Timestamp(149)).is_empty());
        assert_eq!(machine.retry_at(), Some(Timestamp(150)));
        assert_eq!(machine.next_request(Timestamp(150)), sent);
    }

    #[test]
    fn a_clock_set_back_does_not_lengthen_the_pause() {
        let mut machine = AlterPartitionMachine::default();
        machine.submit(change(0)).unwrap();
        let sent = machine.next_request(Timestamp(3_600_000));
        machine.on_outcome(&sent, Outcome::Failed, Timestamp(3_600_000));
        assert_eq!(machine.next_request(Timestamp(0)), sent);
    }

    #[test]
    fn a_partition_without_an_answer_is_sent_again() {
        let mut machine = AlterPartitionMachine::default();
        machine.submit(change(0)).unwrap();
        machine.submit(change(1)).unwrap();
        let sent = machine.next_request(Timestamp(0));
        assert_eq!(machine.on_outcome(&sent, answers(&[1]), Timestamp(0)).len(), 1);
        assert_eq!(machine.next_request(Timestamp(0)), [change(0)]);
    }
}
