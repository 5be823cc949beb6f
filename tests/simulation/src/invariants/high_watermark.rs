//! The high watermark never retreats for a consumer: what one has read is there when it is read again, and no leader's log ends
//! before it.

use gregor_model::{LeaderEpoch, Offset, TopicPartition};

use super::Checker;
use crate::log::Batch;

const NAME: &str = "the high watermark never retreats for consumers";

impl Checker {
    /// A consumer read these batches.
    pub fn on_consumed(&mut self, partition: &TopicPartition, epoch: LeaderEpoch, batches: &[Batch]) {
        let Some(known) = self.partitions.get(partition) else { return };
        if known.forked || epoch < known.absolved_before {
            return;
        }
        // What is not known to be committed is so by being read: an absolved loss may turn out to be none.
        for batch in batches {
            self.commit(partition, *batch, |other| {
                format!("a consumer of {partition} was given {batch:?}, but committed is {other:?}")
            });
        }
    }

    /// A consumer that had read up to `position` is told that the leader's log does not reach there.
    pub fn on_out_of_range(&mut self, partition: &TopicPartition, epoch: LeaderEpoch, position: Offset) {
        let Some(known) = self.partitions.get(partition) else { return };
        let is_current = known.leaders.keys().next_back().is_some_and(|last| *last == epoch);
        if is_current && !known.forked && known.absolved_before == LeaderEpoch(0) {
            self.violated(NAME, || {
                format!("a consumer of {partition} stands at {position:?}, beyond the log of the leader of epoch {}", epoch.0)
            });
        }
    }
}
