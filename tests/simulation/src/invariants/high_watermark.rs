//! The high watermark never retreats for a consumer: what one has read is there when it is read again, and no leader's log ends
//! before it. And it never passes what each member of the ISR has, though a member it counts on may be elected next.

use gregor_model::{BrokerId, LeaderEpoch, Offset, TopicPartition};

use super::Checker;
use super::acknowledged_records::log_of;
use crate::log::{Batch, Disk};

/// A leader raised the high watermark in that term; the batch is the last below it.
pub(super) type Raised = (TopicPartition, LeaderEpoch, Batch);

const NAME: &str = "the high watermark never retreats for consumers";

impl Checker {
    /// What leaders raised high watermarks over is in the log of each member of the ISR.
    pub fn check_raised(&mut self, disks: &[(BrokerId, &Disk)]) {
        for (partition, epoch, last) in std::mem::take(&mut self.raised) {
            let Some(known) = self.partitions.get(&partition) else { continue };
            // A leader that was replaced commits nothing; it does not know yet.
            let is_current = known.epoch == epoch && epoch >= known.absolved_before && !known.forked;
            if !is_current || self.deleted.contains(&partition.topic) || last.base < known.deleted_below {
                continue;
            }
            let has = |member: &BrokerId| {
                log_of(disks, *member, &partition).and_then(|log| log.batch_at(last.base)) == Some(&last)
            };
            let lacking = known
                .isr
                .iter()
                .filter(|member| !known.tainted.contains_key(member))
                .find(|member| !has(member));
            if let Some(member) = lacking.copied() {
                self.violated("the high watermark waits for the whole ISR", || {
                    format!(
                        "that of {partition} in epoch {} passed {last:?}, and ISR member {} lacks it",
                        epoch.0, member.0
                    )
                });
            }
        }
    }

    /// Whether a high watermark was raised.
    pub fn has_raised(&self) -> bool {
        !self.raised.is_empty()
    }

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
