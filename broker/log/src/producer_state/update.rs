//! Checks of one append against the producers' state (`ProducerAppendInfo`), batch by batch, before it is written.

use gregor_model::{Offset, ProducerEpoch, ProducerId, Timestamp};

use super::{BatchMetadata, CheckOrigin, ProducerEntry};
use crate::AppendError;

/// What matters here of a batch with a producer id.
#[derive(Clone, Copy, Debug)]
pub struct ProducerBatch {
    /// Whose it is.
    pub producer_id: ProducerId,
    /// The producer's epoch.
    pub epoch: ProducerEpoch,
    /// -1 if none.
    pub base_sequence: i32,
    /// -1 if none.
    pub last_sequence: i32,
    /// Where it lies, or is to lie.
    pub base_offset: Offset,
    /// Of its last record.
    pub last_offset: Offset,
    /// -1 if none.
    pub max_timestamp: Timestamp,
    /// Whether it is part of a transaction.
    pub transactional: bool,
    /// Whether it holds a marker and no data.
    pub control: bool,
    /// With `control`: the marker in it; a batch that the cleaner emptied has none.
    pub marker: Option<Marker>,
}

/// A transaction's end (`EndTransactionMarker`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// COMMIT, or ABORT.
    pub commit: bool,
    /// Of the coordinator that decided.
    pub coordinator_epoch: i32,
    /// When it was written.
    pub timestamp: Timestamp,
}

/// A transaction that a marker ended (`CompletedTxn`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletedTxn {
    /// Whose it was.
    pub producer_id: ProducerId,
    /// Of its first record in the partition.
    pub first_offset: Offset,
    /// Of the marker.
    pub last_offset: Offset,
    /// Whether the marker was ABORT.
    pub aborted: bool,
}

/// What an append changes, to be applied once it is written.
#[derive(Debug, Default)]
pub struct Updates {
    producers: Vec<ProducerUpdate>,
    completed: Vec<CompletedTxn>,
}

/// What an append changes of one producer.
#[derive(Debug)]
pub(super) struct ProducerUpdate {
    pub(super) producer_id: ProducerId,
    pub(super) entry: ProducerEntry,
    /// First offsets of the transactions that it opens.
    pub(super) started: Vec<Offset>,
    /// It holds a transactional batch, so that no verification is needed any more.
    pub(super) transactional: bool,
}

impl Updates {
    pub(super) fn into_parts(self) -> (Vec<ProducerUpdate>, Vec<CompletedTxn>) {
        (self.producers, self.completed)
    }

    /// Checks a batch and notes what it changes; `known` is the state before the append.
    pub(super) fn check(
        &mut self,
        batch: &ProducerBatch,
        origin: CheckOrigin,
        known: Option<&ProducerEntry>,
        lowest_sequence: Option<i32>,
    ) -> Result<(), AppendError> {
        let at = match self.producers.iter().position(|update| update.producer_id == batch.producer_id) {
            Some(at) => at,
            None => {
                self.producers.push(ProducerUpdate {
                    producer_id: batch.producer_id,
                    entry: known.map_or_else(
                        || ProducerEntry::empty(batch.producer_id),
                        ProducerEntry::without_batches,
                    ),
                    started: Vec::new(),
                    transactional: false,
                });
                self.producers.len() - 1
            }
        };
        let Some(update) = self.producers.get_mut(at) else { return Ok(()) };
        update.transactional |= batch.transactional;
        match (batch.control, batch.marker) {
            (true, None) => Ok(()),
            (true, Some(marker)) => {
                self.completed.extend(update.end_transaction(batch, marker, origin)?);
                Ok(())
            }
            (false, _) => update.add_data(batch, origin, known, lowest_sequence),
        }
    }
}

impl ProducerUpdate {
    fn add_data(
        &mut self,
        batch: &ProducerBatch,
        origin: CheckOrigin,
        known: Option<&ProducerEntry>,
        lowest_sequence: Option<i32>,
    ) -> Result<(), AppendError> {
        self.check_epoch(batch, origin)?;
        if origin == CheckOrigin::Client {
            self.check_sequence(batch, known, lowest_sequence)?;
        }
        self.entry.set_epoch(batch.epoch);
        self.entry.add_batch(BatchMetadata {
            last_sequence: batch.last_sequence,
            last_offset: batch.last_offset,
            offset_delta: i32::try_from(batch.last_offset - batch.base_offset).unwrap_or(i32::MAX),
            timestamp: batch.max_timestamp,
        });
        self.entry.last_timestamp = batch.max_timestamp;
        match (self.entry.transaction_start, batch.transactional) {
            (Some(_), false) => Err(AppendError::InvalidTxnState {
                producer_id: batch.producer_id,
                problem: "it is not transactional and a transaction is open",
            }),
            (None, true) => {
                self.entry.transaction_start = Some(batch.base_offset);
                self.started.push(batch.base_offset);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn check_epoch(&self, batch: &ProducerBatch, origin: CheckOrigin) -> Result<(), AppendError> {
        if batch.epoch >= self.entry.epoch {
            return Ok(());
        }
        let error = AppendError::InvalidProducerEpoch {
            producer_id: batch.producer_id,
            epoch: batch.epoch,
            current: self.entry.epoch,
        };
        if origin == CheckOrigin::Replication {
            tracing::warn!(offset = batch.base_offset.0, %error, "stored batch of a fenced producer");
            return Ok(());
        }
        Err(error)
    }

    fn check_sequence(
        &self,
        batch: &ProducerBatch,
        known: Option<&ProducerEntry>,
        lowest_sequence: Option<i32>,
    ) -> Result<(), AppendError> {
        let sequence = batch.base_sequence;
        let out_of_order = |last: i32| {
            Err(AppendError::OutOfOrderSequence { producer_id: batch.producer_id, sequence, last })
        };
        if let Some(lowest) = lowest_sequence
            && sequence > lowest
        {
            return out_of_order(lowest);
        }
        if batch.epoch != self.entry.epoch {
            let fresh = sequence == 0 || self.entry.epoch == ProducerEpoch(-1);
            return if fresh { Ok(()) } else { out_of_order(self.entry.last_sequence()) };
        }
        let known_epoch = known.map_or(ProducerEpoch(-1), |entry| entry.epoch);
        let last = if self.entry.last_batch().is_some() {
            self.entry.last_sequence()
        } else if batch.epoch == known_epoch {
            known.map_or(-1, ProducerEntry::last_sequence)
        } else {
            -1
        };
        let follows = i64::from(sequence) == i64::from(last) + 1 || (sequence == 0 && last == i32::MAX);
        // Without any state (deleted by retention, or expired) a producer may go on at any sequence.
        if follows || known_epoch == ProducerEpoch(-1) { Ok(()) } else { out_of_order(last) }
    }

    fn end_transaction(
        &mut self,
        batch: &ProducerBatch,
        marker: Marker,
        origin: CheckOrigin,
    ) -> Result<Option<CompletedTxn>, AppendError> {
        self.check_epoch(batch, origin)?;
        if marker.coordinator_epoch < self.entry.coordinator_epoch {
            let error = AppendError::TransactionCoordinatorFenced {
                producer_id: batch.producer_id,
                epoch: marker.coordinator_epoch,
                current: self.entry.coordinator_epoch,
            };
            if origin != CheckOrigin::Replication {
                return Err(error);
            }
            tracing::info!(offset = batch.base_offset.0, %error, "stored marker of a former coordinator");
        }
        let completed = self.entry.transaction_start.map(|first_offset| CompletedTxn {
            producer_id: batch.producer_id,
            first_offset,
            last_offset: batch.base_offset,
            aborted: !marker.commit,
        });
        self.entry.set_epoch(batch.epoch);
        self.entry.coordinator_epoch = marker.coordinator_epoch;
        self.entry.transaction_start = None;
        self.entry.last_timestamp = marker.timestamp;
        Ok(completed)
    }
}
