//! Committed prefixes are equal: what is below the high watermark of any replica, leader or follower, is the same everywhere
//! and for ever.

use gregor_model::{BrokerId, LeaderEpoch, Offset, TopicPartition};

use super::{Checker, Known};
use crate::log::{Batch, SimLog};

impl Known {
    /// Notes that a batch is committed, or tells which other one is there.
    pub(super) fn commit(&mut self, batch: Batch) -> Option<Batch> {
        let beside = self.committed.range(..batch.next()).next_back().map(|(_, other)| *other);
        match beside.filter(|other| other.next() > batch.base) {
            Some(other) => (other != batch).then_some(other),
            None => {
                self.committed.insert(batch.base, batch);
                None
            }
        }
    }
}

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
        if known.forked || epoch < known.absolved_before {
            return;
        }
        let moved = log.read(before, log.high_watermark, usize::MAX);
        let conflict = moved.into_iter().find_map(|batch| known.commit(batch).map(|other| (batch, other)));
        if let Some((batch, other)) = conflict {
            self.violated("committed prefixes are equal", || {
                format!(
                    "{} has {batch:?} of {partition} below its high watermark, others {other:?}",
                    broker.0
                )
            });
        }
    }
}
