//! A replica's log on a disk that forgets what was not synced.
//!
//! It holds batches as values, and appends, truncates and recovers as `gregor-log` does; where each leader epoch starts is
//! kept by that crate's own [`LeaderEpochs`]. Epochs and checkpoints are synced when they change, records only when the
//! disk pleases: that is how Kafka keeps them.

use gregor_log::LeaderEpochs;
use gregor_model::{LeaderEpoch, Offset, TopicId};

use crate::random::Random;

/// Some records that were produced together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Offset of the first.
    pub base: Offset,
    /// How many.
    pub count: i64,
    /// The term in which they were appended.
    pub epoch: LeaderEpoch,
    /// What they say; no two batches say the same.
    pub payload: u64,
}

impl Batch {
    /// The offset after the last.
    pub fn next(&self) -> Offset {
        self.base + self.count
    }
}

/// Why fetched batches were not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendRefusal {
    /// A checksum is wrong.
    Corrupt,
    /// The first batch does not start at the log's end.
    NotAtEnd,
}

/// One replica's log.
#[derive(Clone, Debug, Default)]
pub struct SimLog {
    /// `partition.metadata`.
    pub topic_id: Option<TopicId>,
    /// `leader-epoch-checkpoint`.
    pub epochs: LeaderEpochs,
    /// The high watermark in memory.
    pub high_watermark: Offset,
    /// And in `replication-offset-checkpoint`.
    pub checkpointed: Offset,
    batches: Vec<Batch>,
    /// How many of them are on disk for certain.
    synced: usize,
}

impl SimLog {
    /// The log end offset.
    pub fn end(&self) -> Offset {
        self.batches.last().map_or(Offset::ZERO, Batch::next)
    }

    /// All batches.
    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }

    fn index_of(&self, offset: Offset) -> usize {
        self.batches.partition_point(|batch| batch.next() <= offset)
    }

    /// The batch that holds `offset`.
    pub fn batch_at(&self, offset: Offset) -> Option<&Batch> {
        self.batches.get(self.index_of(offset)).filter(|batch| batch.base <= offset)
    }

    /// At most `max` batches from `from` on, below `bound`.
    pub fn read(&self, from: Offset, bound: Offset, max: usize) -> Vec<Batch> {
        let found = self.batches.iter().skip(self.index_of(from));
        found.take_while(|batch| batch.next() <= bound).take(max).copied().collect()
    }

    /// Appends as leader; the offset of the first record comes back.
    pub fn append(&mut self, epoch: LeaderEpoch, count: i64, payload: u64) -> Offset {
        let base = self.end();
        self.epochs.assign(epoch, base);
        self.batches.push(Batch { base, count, epoch, payload });
        base
    }

    /// Appends what was fetched in the term `term`: a batch of a later one ends it.
    pub fn append_fetched(
        &mut self,
        batches: &[Batch],
        corrupt: bool,
        term: LeaderEpoch,
    ) -> Result<Option<LeaderEpoch>, AppendRefusal> {
        if corrupt {
            return Err(AppendRefusal::Corrupt);
        }
        let mut last = None;
        for batch in batches.iter().take_while(|batch| batch.epoch <= term) {
            if batch.base != self.end() {
                return Err(AppendRefusal::NotAtEnd);
            }
            self.epochs.assign(batch.epoch, batch.base);
            self.batches.push(*batch);
            last = Some(batch.epoch);
        }
        Ok(last)
    }

    /// Cuts so that `offset` is the log's end, or a little less: batches go as a whole.
    pub fn truncate(&mut self, offset: Offset) {
        if offset >= self.end() {
            self.epochs.truncate_from_end(self.end());
            return;
        }
        let keep = self.batches.partition_point(|batch| batch.next() <= offset);
        self.batches.truncate(keep);
        self.synced = self.synced.min(keep);
        let end = self.end();
        self.epochs.truncate_from_end(end);
        self.high_watermark = self.high_watermark.min(end);
    }

    /// Takes over a high watermark, as far as the log goes.
    pub fn set_high_watermark(&mut self, offset: Offset) {
        self.high_watermark = offset.min(self.end()).max(Offset::ZERO);
    }

    /// Raises the high watermark; returns whether it rose.
    pub fn raise_high_watermark(&mut self, offset: Offset) -> bool {
        let offset = offset.min(self.end());
        let rises = offset > self.high_watermark;
        if rises {
            self.high_watermark = offset;
        }
        rises
    }

    /// The operating system wrote some of it back.
    pub fn write_back(&mut self, random: &mut Random) {
        let unsynced = self.batches.len() - self.synced;
        self.synced += usize::try_from(random.below(unsynced as u64 + 1)).unwrap_or(0);
    }

    /// Everything is on disk.
    pub fn sync(&mut self) {
        self.synced = self.batches.len();
    }

    /// The power went: of what was not synced some is gone. Returns the end before.
    pub fn lose_unsynced(&mut self, random: &mut Random) -> Offset {
        let before = self.end();
        let unsynced = self.batches.len() - self.synced;
        let kept = usize::try_from(random.below(unsynced as u64 + 1)).unwrap_or(0);
        self.batches.truncate(self.synced + kept);
        before
    }

    /// A bit flipped in a batch near the end while the broker was down: recovery drops it and what follows.
    pub fn flip_bit(&mut self, random: &mut Random) -> Offset {
        let before = self.end();
        let from_end = usize::try_from(random.below(4)).unwrap_or(0) + 1;
        self.batches.truncate(self.batches.len().saturating_sub(from_end));
        self.synced = self.synced.min(self.batches.len());
        before
    }

    /// The broker starts: the log is what the disk holds.
    pub fn recover(&mut self) {
        self.synced = self.synced.min(self.batches.len());
        let end = self.end();
        self.epochs.truncate_from_end(end);
        self.high_watermark = self.checkpointed.min(end);
    }
}
