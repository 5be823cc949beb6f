//! Committed prefixes are equal: what is below the high watermark of any replica, leader or follower, is the same everywhere
//! and for ever.

use gregor_model::{BrokerId, LeaderEpoch, Offset, TopicPartition};

use super::Checker;
use crate::log::SimLog;

impl Checker {
    /// A replica's high watermark moved, from `before` to where it is in `log`, in that term.
    pub fn on_high_watermark(
        &mut self,
        broker: BrokerId,
        partition: &TopicPartition,
        epoch: LeaderEpoch,
        before: Offset,
        log: &SimLog,
    ) {
        if log.high_watermark <= before {
            return;
        }
        let known = self.partitions.entry(partition.clone()).or_default();
        if epoch < known.absolved_before {
            return;
        }
        let mut at = known.committed.partition_point(|batch| batch.next() <= before);
        for batch in log.read(before, log.high_watermark, usize::MAX) {
            match known.committed.get(at) {
                Some(committed) if *committed == batch => {}
                Some(committed) => {
                    let committed = *committed;
                    self.violated("committed prefixes are equal", || {
                        format!("{} has {batch:?} of {partition} below its high watermark, others {committed:?}", broker.0)
                    });
                    return;
                }
                None => known.committed.push(batch),
            }
            at += 1;
        }
    }
}
