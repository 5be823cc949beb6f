//! What an idempotent producer sends is in the log once and in its order, and a producer is never told that a sequence is missing
//! whose predecessor was acknowledged.

use gregor_model::{LeaderEpoch, Offset, TopicPartition};

use super::{Checker, Known};
use crate::log::{Batch, Sequence};

impl Known {
    /// Notes where a committed batch stands in its producer's sequences, or tells what is wrong with that.
    pub(super) fn place(&mut self, batch: &Batch) -> Option<String> {
        let Sequence { producer, base } = batch.payload.sequence?;
        let at = batch.base;
        match self.sequences.insert((producer, base), at) {
            Some(other) if other != at => {
                return Some(format!("{batch:?} is at {other:?} as well"));
            }
            _ => {}
        }
        let before = self.sequences.range((producer, i32::MIN)..(producer, base)).next_back();
        let after = self.sequences.range((producer, base + 1)..=(producer, i32::MAX)).next();
        let misplaced =
            before.filter(|(_, offset)| **offset > at).or(after.filter(|(_, offset)| **offset < at));
        misplaced.map(|((_, sequence), offset)| {
            format!("{batch:?} stands on the wrong side of sequence {sequence} at {offset:?}")
        })
    }
}

impl Checker {
    pub(super) fn check_placement(&mut self, partition: &TopicPartition, batch: &Batch) {
        let Some(known) = self.partitions.get_mut(partition) else { return };
        if let Some(problem) = known.place(batch) {
            self.violated("idempotent producers", || format!("{partition}: {problem}"));
        }
    }

    /// The leader of that term refused a batch, the one after the last that it, or one before it, acknowledged. It may do so if
    /// what comes before the batch, or the batch itself, was in the log and deleted on request: a restart, and a follower that
    /// begins anew, do not read what lies below the log start offset; so the producer's first batch that comes again is taken
    /// for its first, and the one that should be next is not (seed 56729).
    pub fn on_sequence_lost(&mut self, partition: &TopicPartition, epoch: LeaderEpoch, refused: Sequence) {
        let Some(known) = self.partitions.get(partition) else { return };
        let before = (refused.producer, i32::MIN)..(refused.producer, refused.base);
        let kept = known.sequences.range(before).next_back().map(|((_, base), _)| *base);
        let was_deleted = known
            .deleted_sequences
            .get(&refused.producer)
            .is_some_and(|last| kept.is_none_or(|kept| *last > kept));
        let is_promised = !known.forked
            && !was_deleted
            && known.absolved_before == LeaderEpoch(0)
            && known.tainted.is_empty();
        if is_promised && !self.deleted.contains(&partition.topic) {
            self.violated("idempotent producers", || {
                format!(
                    "the leader of {partition} in epoch {} lacks a sequence that was acknowledged",
                    epoch.0
                )
            });
        }
    }

    /// Whether nothing was deleted at or above that offset.
    pub(super) fn is_kept(&self, partition: &TopicPartition, offset: Offset) -> bool {
        self.partitions.get(partition).is_none_or(|known| offset >= known.deleted_below)
    }
}
