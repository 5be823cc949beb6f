//! What is known of one producer (`ProducerStateEntry`).

use gregor_model::{Offset, ProducerEpoch, ProducerId, Timestamp};

use super::{ProducerBatch, ProducerSummary};

/// So many batches of a producer are recognised when they come again.
const BATCHES_MAX: usize = 5;

/// A batch that was appended (`BatchMetadata`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchMetadata {
    /// Of its last record.
    pub last_sequence: i32,
    /// Of its last record.
    pub last_offset: Offset,
    /// Last offset minus first offset.
    pub offset_delta: i32,
    /// The largest of its records'.
    pub timestamp: Timestamp,
}

impl BatchMetadata {
    /// The sequence of its first record.
    pub fn first_sequence(&self) -> i32 {
        let first = self.last_sequence.wrapping_sub(self.offset_delta);
        // Sequences wrap to 0 after the largest.
        if first < 0 { first.wrapping_add(i32::MAX).wrapping_add(1) } else { first }
    }

    /// The offset after its last record.
    pub fn next_offset(&self) -> Offset {
        self.last_offset + 1
    }

    /// The offset of its first record.
    pub fn first_offset(&self) -> Offset {
        self.last_offset + -i64::from(self.offset_delta)
    }
}

/// What is known of one producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerEntry {
    /// The producer.
    pub producer_id: ProducerId,
    /// -1 if unknown.
    pub epoch: ProducerEpoch,
    /// -1 if no marker was seen.
    pub coordinator_epoch: i32,
    /// Of the last batch or marker.
    pub last_timestamp: Timestamp,
    /// Where the open transaction starts.
    pub transaction_start: Option<Offset>,
    /// The last batches of this epoch, oldest first.
    batches: [BatchMetadata; BATCHES_MAX],
    batch_count: u8,
}

impl ProducerEntry {
    /// Nothing is known of the producer.
    pub(crate) fn empty(producer_id: ProducerId) -> ProducerEntry {
        ProducerEntry {
            producer_id,
            epoch: ProducerEpoch(-1),
            coordinator_epoch: -1,
            last_timestamp: Timestamp(-1),
            transaction_start: None,
            batches: Default::default(),
            batch_count: 0,
        }
    }

    /// The same without batches: what an append starts from.
    pub(super) fn without_batches(&self) -> ProducerEntry {
        ProducerEntry { batches: Default::default(), batch_count: 0, ..self.clone() }
    }

    /// The batches known, oldest first.
    pub fn batches(&self) -> &[BatchMetadata] {
        self.batches.get(..usize::from(self.batch_count)).unwrap_or_default()
    }

    /// The newest batch.
    pub fn last_batch(&self) -> Option<&BatchMetadata> {
        self.batches().last()
    }

    /// The last sequence, -1 if none is known.
    pub fn last_sequence(&self) -> i32 {
        self.last_batch().map_or(-1, |batch| batch.last_sequence)
    }

    pub(super) fn find_duplicate(&self, batch: &ProducerBatch) -> Option<&BatchMetadata> {
        if batch.epoch != self.epoch {
            return None;
        }
        self.batches().iter().find(|known| {
            known.first_sequence() == batch.base_sequence && known.last_sequence == batch.last_sequence
        })
    }

    pub(super) fn set_epoch(&mut self, epoch: ProducerEpoch) {
        if self.epoch != epoch {
            self.batch_count = 0;
            self.epoch = epoch;
        }
    }

    pub(crate) fn add_batch(&mut self, batch: BatchMetadata) {
        if usize::from(self.batch_count) == BATCHES_MAX {
            self.batches.rotate_left(1);
            self.batch_count -= 1;
        }
        if let Some(slot) = self.batches.get_mut(usize::from(self.batch_count)) {
            *slot = batch;
            self.batch_count += 1;
        }
    }

    /// Takes over what an append changed.
    pub(super) fn merge(&mut self, update: &ProducerEntry) {
        self.set_epoch(update.epoch);
        update.batches().iter().for_each(|&batch| self.add_batch(batch));
        self.coordinator_epoch = update.coordinator_epoch;
        self.transaction_start = update.transaction_start;
        self.last_timestamp = update.last_timestamp;
    }

    pub(super) fn is_expired(&self, now: Timestamp, expiration_ms: i64) -> bool {
        self.transaction_start.is_none() && now - self.last_timestamp >= expiration_ms
    }

    pub(super) fn summary(&self) -> ProducerSummary {
        ProducerSummary {
            producer_id: self.producer_id,
            producer_epoch: self.epoch,
            last_sequence: self.last_sequence(),
            last_timestamp: self.last_timestamp,
            coordinator_epoch: (self.coordinator_epoch >= 0).then_some(self.coordinator_epoch),
            current_transaction_start: self.transaction_start,
        }
    }
}
