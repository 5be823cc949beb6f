//! A replica's log on a disk that forgets what was not synced.
//!
//! It holds batches as values, and appends, truncates and recovers as `gregor-log` does; where each leader epoch starts, and which
//! sequences its producers are at, is decided by that crate's own [`LeaderEpochs`] and [`ProducerSequences`]. Epochs and
//! checkpoints are synced when they change, records only when the disk pleases: that is how Kafka keeps them.

mod disk;

use gregor_log::{AppendOrigin, LeaderEpochs, ProducerSequences, SequencedBatch};
use gregor_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TopicId};

use crate::random::Random;

pub use disk::Disk;

/// Where a batch stands in what an idempotent producer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Who.
    pub producer: i64,
    /// The sequence of the first record.
    pub base: i32,
}

/// What a producer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// How many records.
    pub count: i64,
    /// What they say; no two batches say the same.
    pub says: u64,
    /// Of idempotent producers.
    pub sequence: Option<Sequence>,
}

/// Some records that were produced together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Offset of the first.
    pub base: Offset,
    /// The term in which they were appended.
    pub epoch: LeaderEpoch,
    /// What was sent.
    pub payload: Payload,
}

impl Batch {
    /// The offset after the last.
    pub fn next(&self) -> Offset {
        self.base + self.payload.count
    }

    fn sequenced(&self) -> Option<SequencedBatch> {
        let Sequence { producer, base } = self.payload.sequence?;
        Some(SequencedBatch {
            producer_id: ProducerId(producer),
            producer_epoch: ProducerEpoch(0),
            base_sequence: base,
            base_offset: self.base,
            count: i32::try_from(self.payload.count).unwrap_or(1),
        })
    }
}

/// What became of a leader's append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is in the log, from this offset on.
    At(Offset),
    /// It was already.
    Duplicate(Offset),
    /// OUT_OF_ORDER_SEQUENCE_NUMBER.
    OutOfOrder,
}

/// Why fetched batches were not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendRefusal {
    /// A checksum is wrong.
    Corrupt,
    /// The first batch starts below the log's end.
    BelowEnd,
    /// A log start offset above the high watermark was to be adopted.
    StartOutOfRange,
}

/// One replica's log.
#[derive(Debug, Default)]
pub struct SimLog {
    /// `partition.metadata`.
    pub topic_id: Option<TopicId>,
    /// `leader-epoch-checkpoint`.
    pub epochs: LeaderEpochs,
    /// The high watermark in memory.
    pub high_watermark: Offset,
    /// In which log directory it lies.
    pub dir: usize,
    /// In `replication-offset-checkpoint`.
    checkpointed: Offset,
    /// In `log-start-offset-checkpoint`.
    checkpointed_start: Offset,
    start: Offset,
    /// Where the first segment begins.
    base: Offset,
    end: Offset,
    batches: Vec<Batch>,
    /// How many of them are on disk for certain.
    synced: usize,
    producers: ProducerSequences,
}

impl SimLog {
    /// The log end offset.
    pub fn end(&self) -> Offset {
        self.end
    }

    /// The log start offset.
    pub fn start(&self) -> Offset {
        self.start
    }

    /// All batches that are in the log, even below its start.
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

    /// At most `max` batches from the one that holds `from` on, below `bound`.
    pub fn read(&self, from: Offset, bound: Offset, max: usize) -> Vec<Batch> {
        let found = self.batches.iter().skip(self.index_of(from));
        found.take_while(|batch| batch.next() <= bound).take(max).copied().collect()
    }

    /// Appends as leader.
    pub fn append(&mut self, epoch: LeaderEpoch, payload: Payload) -> Appended {
        let batch = Batch { base: self.end, epoch, payload };
        self.epochs.assign(epoch, self.end);
        if let Some(sequenced) = batch.sequenced() {
            if let Some(base) = self.producers.find_duplicate(sequenced) {
                return Appended::Duplicate(base);
            }
            if self.producers.append(sequenced, AppendOrigin::Client).is_err() {
                return Appended::OutOfOrder;
            }
        }
        self.push(batch);
        Appended::At(batch.base)
    }

    /// The same without a look at the sequence: what one mutant does.
    pub fn append_unchecked(&mut self, epoch: LeaderEpoch, payload: Payload) -> Appended {
        let batch = Batch { base: self.end, epoch, payload };
        self.epochs.assign(epoch, self.end);
        self.push(batch);
        Appended::At(batch.base)
    }

    fn push(&mut self, batch: Batch) {
        self.batches.push(batch);
        self.end = batch.next();
    }

    /// Appends what was fetched in the term `term`: a batch of a later one ends it. Returns the epoch of the last.
    pub fn append_fetched(
        &mut self,
        batches: &[Batch],
        term: LeaderEpoch,
    ) -> Result<Option<LeaderEpoch>, AppendRefusal> {
        let mut last = None;
        for batch in batches.iter().take_while(|batch| batch.epoch <= term) {
            if batch.base < self.end {
                return Err(AppendRefusal::BelowEnd);
            }
            self.epochs.assign(batch.epoch, batch.base);
            self.note_sequence(batch);
            self.push(*batch);
            last = Some(batch.epoch);
        }
        Ok(last)
    }

    fn note_sequence(&mut self, batch: &Batch) {
        if let Some(sequenced) = batch.sequenced() {
            // What a leader accepted is followed without a question.
            let _ = self.producers.append(sequenced, AppendOrigin::Replication);
        }
    }

    /// What lies below the log start offset is not read (`rebuild_producer_state`).
    fn rebuild_producers(&mut self) {
        self.producers.clear(self.start);
        let batches = std::mem::take(&mut self.batches);
        for batch in &batches {
            if batch.next() > self.start {
                self.note_sequence(batch);
            }
        }
        self.batches = batches;
    }

    /// Cuts so that `offset` is the log's end; a batch that holds it goes as a whole (`PartitionLog::truncate_to`).
    pub fn truncate(&mut self, offset: Offset) {
        if offset >= self.end {
            self.epochs.truncate_from_end(self.end);
            return;
        }
        if offset < self.base {
            return self.restart_at(offset);
        }
        self.keep(self.batches.partition_point(|batch| batch.next() <= offset));
        self.end = offset;
        self.epochs.truncate_from_end(offset);
        self.start = self.start.min(offset);
        self.high_watermark = self.high_watermark.min(offset);
        self.rebuild_producers();
    }

    /// Empties the log and lets it start at `offset` (`PartitionLog::truncate_fully_and_start_at`).
    pub fn restart_at(&mut self, offset: Offset) {
        self.keep(0);
        self.epochs.clear();
        (self.base, self.start, self.end) = (offset, offset, offset);
        self.high_watermark = offset;
        self.producers.clear(offset);
    }

    fn keep(&mut self, batches: usize) {
        self.batches.truncate(batches);
        self.synced = self.synced.min(self.batches.len());
    }

    /// Raises the log start offset (`PartitionLog::increment_log_start_offset`). Returns whether it rose.
    pub fn raise_start(&mut self, offset: Offset) -> Result<bool, AppendRefusal> {
        if offset > self.high_watermark {
            return Err(AppendRefusal::StartOutOfRange);
        }
        if offset <= self.start {
            return Ok(false);
        }
        self.start = offset;
        self.epochs.truncate_from_start(offset);
        Ok(true)
    }

    /// Some of what lies below the log start offset goes, with its segments.
    pub fn delete_old(&mut self, random: &mut Random) {
        let bound = self.start.min(self.high_watermark);
        let old = self.batches.partition_point(|batch| batch.next() <= bound);
        let gone = usize::try_from(random.below(old as u64 + 1)).unwrap_or(0);
        // Records are on disk long before they are old.
        let gone = gone.min(self.synced);
        self.batches.drain(..gone);
        self.synced -= gone;
        if gone > 0 {
            self.base = self.batches.first().map_or(self.end, |batch| batch.base).min(self.start);
        }
    }

    /// Takes over a high watermark, as far as the log goes.
    pub fn set_high_watermark(&mut self, offset: Offset) {
        self.high_watermark = offset.min(self.end).max(self.start);
    }

    /// Raises the high watermark; returns whether it rose.
    pub fn raise_high_watermark(&mut self, offset: Offset) -> bool {
        let offset = offset.min(self.end);
        let rises = offset > self.high_watermark;
        if rises {
            self.high_watermark = offset;
        }
        rises
    }

    /// Writes high watermark and log start offset down.
    pub fn checkpoint(&mut self) {
        self.checkpointed = self.high_watermark;
        self.checkpointed_start = self.start;
        self.epochs.forget_below(self.start);
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
        let before = self.end;
        let unsynced = self.batches.len() - self.synced;
        let kept = usize::try_from(random.below(unsynced as u64 + 1)).unwrap_or(0);
        self.keep(self.synced + kept);
        self.end = self.end_of_batches();
        before
    }

    /// A bit flipped in a batch near the end while the broker was down: recovery drops it and what follows.
    pub fn flip_bit(&mut self, random: &mut Random) -> Offset {
        let before = self.end;
        let from_end = usize::try_from(random.below(4)).unwrap_or(0) + 1;
        self.keep(self.batches.len().saturating_sub(from_end));
        self.end = self.end_of_batches();
        before
    }

    fn end_of_batches(&self) -> Offset {
        self.batches.last().map_or(self.base, Batch::next)
    }

    /// The broker starts: the log is what the disk holds.
    pub fn recover(&mut self) {
        self.end = self.end_of_batches();
        self.start = self.checkpointed_start.max(self.base);
        if self.start > self.end {
            return self.restart_at(self.start);
        }
        self.epochs = LeaderEpochs::from_entries(self.epochs.stored());
        self.epochs.truncate_from_end(self.end);
        self.epochs.truncate_from_start(self.start);
        self.high_watermark = self.checkpointed.min(self.end).max(self.start);
        self.rebuild_producers();
    }
}
