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
    /// Notes that a batch is committed. `conflict` words what it is when another one is there.
    pub(super) fn commit(
        &mut self,
        partition: &TopicPartition,
        batch: Batch,
        conflict: impl FnOnce(Batch) -> String,
    ) {
        if !self.is_kept(partition, batch.base) {
            return;
        }
        let Some(known) = self.partitions.get_mut(partition) else { return };
        match known.commit(batch) {
            Some(other) => self.violated("committed prefixes are equal", || conflict(other)),
            None => self.check_placement(partition, &batch),
        }
    }

    /// A leader raised the high watermark, from `before` to where it is in `log`.
    pub fn on_raised(
        &mut self,
        leader: BrokerId,
        partition: &TopicPartition,
        epoch: LeaderEpoch,
        before: Offset,
        log: &SimLog,
    ) {
        self.on_high_watermark(leader, partition, epoch, before, log);
        if let Some(last) = log.read(before, log.high_watermark, usize::MAX).last() {
            self.raised.push((partition.clone(), epoch, *last));
        }
    }

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
        let from = before.max(known.deleted_below);
        for batch in log.read(from, log.high_watermark, usize::MAX) {
            self.commit(partition, batch, |other| {
                let who = broker.0;
                let others = format!("others {other:?}");
                format!("{who} has {batch:?} of {partition} below its high watermark, {others}")
            });
        }
    }
}
