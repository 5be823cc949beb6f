//! Idempotent and transactional producers of a partition (`ProducerStateManager`). Pure: snapshots are files of the
//! log, this decides what goes into them.
//!
//! Invariants: what is checked is applied only after the batch was written; `map_end` is the offset up to which
//! batches have been applied.

mod entry;
mod sequences;
mod snapshot;
mod update;

use std::collections::{BTreeMap, HashMap};

use gregor_model::{Offset, ProducerEpoch, ProducerId, Timestamp};

use crate::AppendError;
pub(crate) use crate::AppendOrigin as CheckOrigin;
pub use entry::{BatchMetadata, ProducerEntry};
pub use sequences::{ProducerSequences, SequencedBatch};
pub use snapshot::{BadSnapshot, decode_snapshot, encode_snapshot};
pub use update::{CompletedTxn, Marker, ProducerBatch, Updates};

/// How much longer than `transaction.max.timeout.ms` a transaction may be open before it counts as late.
const LATE_TRANSACTION_BUFFER_MS: i64 = 5 * 60 * 1000;

/// Proof that the transaction coordinator was asked about a producer's transaction (`VerificationGuard`): created
/// before the question, handed back with the append.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VerificationGuard(pub(crate) u64);

impl VerificationGuard {
    /// The proof as a number, for those who carry it without knowing the log.
    pub fn to_bits(self) -> u64 {
        self.0
    }

    /// The proof that was carried.
    pub fn from_bits(bits: u64) -> VerificationGuard {
        VerificationGuard(bits)
    }
}

/// One producer's state, as DescribeProducers tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerSummary {
    /// The producer.
    pub producer_id: ProducerId,
    /// Its newest epoch.
    pub producer_epoch: ProducerEpoch,
    /// The last sequence in the log, -1 if none is known.
    pub last_sequence: i32,
    /// The time of its last batch.
    pub last_timestamp: Timestamp,
    /// The epoch of the coordinator that wrote its last marker.
    pub coordinator_epoch: Option<i32>,
    /// Where its open transaction starts.
    pub current_transaction_start: Option<Offset>,
}

/// A transaction that is open, or whose marker is not yet below the high watermark (`TxnMetadata`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Transaction {
    producer_id: ProducerId,
    /// Of the marker, once there is one.
    last_offset: Option<Offset>,
}

/// A verification under way (`VerificationStateEntry`).
#[derive(Clone, Copy, Debug)]
struct Verification {
    created: Timestamp,
    guard: VerificationGuard,
    lowest_sequence: i32,
    epoch: ProducerEpoch,
}

/// The verifications under way at one log.
#[derive(Debug)]
pub(crate) struct Verifications {
    of: HashMap<ProducerId, Verification>,
    guards_given: u64,
}

/// What becomes of a batch that is to be appended.
#[derive(Debug)]
pub enum Admission {
    /// It is in the log already.
    Duplicate(BatchMetadata),
    /// It may be written, and these are then to be applied.
    Append(Updates),
}

/// The producers of one partition.
#[derive(Debug, Default)]
pub struct ProducerState {
    producers: HashMap<ProducerId, ProducerEntry>,
    /// Open transactions by first offset.
    ongoing: BTreeMap<Offset, Transaction>,
    /// Completed ones whose marker is not yet below the high watermark.
    unreplicated: BTreeMap<Offset, Transaction>,
    verifications: HashMap<ProducerId, Verification>,
    guards_given: u64,
    map_end: Offset,
}

impl ProducerState {
    /// Up to where batches have been applied.
    pub(crate) fn map_end(&self) -> Offset {
        self.map_end
    }

    pub(crate) fn set_map_end(&mut self, end: Offset) {
        self.map_end = end;
    }

    /// Whether nothing is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.producers.is_empty() && self.unreplicated.is_empty()
    }

    pub(crate) fn producers(&self) -> &HashMap<ProducerId, ProducerEntry> {
        &self.producers
    }

    /// Where the oldest transaction starts that read_committed consumers may not pass.
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        let ongoing = self.ongoing.keys().next();
        let unreplicated = self.unreplicated.keys().next();
        ongoing.into_iter().chain(unreplicated).min().copied()
    }

    /// Forgets everything and starts at `offset` with `entries` of a snapshot, but for those expired.
    pub(crate) fn reload(
        &mut self,
        offset: Offset,
        entries: Vec<ProducerEntry>,
        now: Timestamp,
        expiration_ms: i64,
    ) {
        self.clear(offset);
        for entry in entries {
            if entry.is_expired(now, expiration_ms) {
                continue;
            }
            if let Some(start) = entry.transaction_start {
                self.ongoing.insert(start, Transaction { producer_id: entry.producer_id, last_offset: None });
            }
            self.producers.insert(entry.producer_id, entry);
        }
    }

    /// Forgets everything but the verifications and starts at `offset`.
    pub fn clear(&mut self, offset: Offset) {
        self.producers.clear();
        self.ongoing.clear();
        self.unreplicated.clear();
        self.map_end = offset;
    }

    /// The offsets of a batch that is in the log already: same epoch, same sequences, among the last five.
    pub(crate) fn find_duplicate(&self, batch: &ProducerBatch) -> Option<&BatchMetadata> {
        self.producers.get(&batch.producer_id)?.find_duplicate(batch)
    }

    /// Whether a batch may be appended by a leader. With `needs_proof` a batch that opens a transaction must come with the
    /// guard that was given when its verification began (`transaction.partition.verification.enable`).
    ///
    /// # Errors
    /// The producer is fenced, its sequences have a gap, or the transaction is not known to its coordinator.
    pub fn admit(
        &self,
        batch: &ProducerBatch,
        origin: CheckOrigin,
        guard: Option<VerificationGuard>,
        needs_proof: bool,
    ) -> Result<Admission, AppendError> {
        if origin == CheckOrigin::Client
            && let Some(known) = self.find_duplicate(batch)
        {
            return Ok(Admission::Duplicate(*known));
        }
        if needs_proof {
            self.check_verified(batch, guard)?;
        }
        let mut updates = Updates::default();
        self.check(&mut updates, batch, origin)?;
        Ok(Admission::Append(updates))
    }

    /// A transactional batch that would open a transaction needs proof that the coordinator knows of it.
    fn check_verified(
        &self,
        batch: &ProducerBatch,
        guard: Option<VerificationGuard>,
    ) -> Result<(), AppendError> {
        let opens = batch.transactional && !batch.control && !self.has_ongoing(batch.producer_id);
        if !opens || self.is_verified(batch.producer_id, guard) {
            return Ok(());
        }
        // The epoch is looked at first, so that a fenced producer learns that it is fenced (KAFKA-19690).
        match self.producers.get(&batch.producer_id).filter(|known| batch.epoch < known.epoch) {
            Some(known) => Err(AppendError::InvalidProducerEpoch {
                producer_id: batch.producer_id,
                epoch: batch.epoch,
                current: known.epoch,
            }),
            None => Err(AppendError::InvalidTxnState {
                producer_id: batch.producer_id,
                problem: "it is not part of an ongoing transaction",
            }),
        }
    }

    /// Checks a batch against the state and against the batches before it in `updates`, and adds it to those.
    ///
    /// # Errors
    /// The producer is fenced, or its sequences have a gap; never for a batch that is replicated.
    pub fn check(
        &self,
        updates: &mut Updates,
        batch: &ProducerBatch,
        origin: CheckOrigin,
    ) -> Result<(), AppendError> {
        let lowest = self.verifications.get(&batch.producer_id).map(|v| v.lowest_sequence);
        updates.check(batch, origin, self.producers.get(&batch.producer_id), lowest)
    }

    /// Whether a transactional batch may open a transaction: its guard is the one given for the producer.
    fn is_verified(&self, producer_id: ProducerId, guard: Option<VerificationGuard>) -> bool {
        let expected = self.verifications.get(&producer_id).map(|verification| verification.guard);
        guard.is_some() && expected == guard
    }

    /// Whether the producer has a transaction open.
    pub fn has_ongoing(&self, producer_id: ProducerId) -> bool {
        self.producers.get(&producer_id).is_some_and(|entry| entry.transaction_start.is_some())
    }

    /// Begins to verify, or goes on with what was begun.
    pub fn start_verification(
        &mut self,
        producer_id: ProducerId,
        sequence: i32,
        epoch: ProducerEpoch,
        now: Timestamp,
    ) -> VerificationGuard {
        let guard = VerificationGuard(self.guards_given);
        let verification = self.verifications.entry(producer_id).or_insert_with(|| {
            self.guards_given += 1;
            Verification { created: now, guard, lowest_sequence: sequence, epoch }
        });
        if epoch > verification.epoch {
            verification.epoch = epoch;
            verification.lowest_sequence = sequence;
        } else if epoch == verification.epoch && sequence < verification.lowest_sequence {
            verification.lowest_sequence = sequence;
        }
        verification.guard
    }

    /// The verifications under way, for [`ProducerState::adopt_verifications`].
    pub(crate) fn verifications(&self) -> Verifications {
        Verifications { of: self.verifications.clone(), guards_given: self.guards_given }
    }

    /// Goes on with the verifications that were begun at the log that this one takes the place of.
    pub(crate) fn adopt_verifications(&mut self, begun: Verifications) {
        self.verifications = begun.of;
        self.guards_given = self.guards_given.max(begun.guards_given);
    }

    /// Applies what was checked, its batches being written. Returns the completed transactions, each with the last
    /// stable offset that goes into the transaction index.
    pub fn apply(&mut self, updates: Updates) -> Vec<(CompletedTxn, Offset)> {
        let (producers, completed) = updates.into_parts();
        for update in producers {
            if update.transactional {
                self.verifications.remove(&update.producer_id);
            }
            for start in &update.started {
                let transaction = Transaction { producer_id: update.producer_id, last_offset: None };
                self.ongoing.insert(*start, transaction);
            }
            self.producers
                .entry(update.producer_id)
                .and_modify(|entry| entry.merge(&update.entry))
                .or_insert(update.entry);
        }
        completed.into_iter().map(|completed| (completed, self.complete(completed))).collect()
    }

    fn complete(&mut self, completed: CompletedTxn) -> Offset {
        let next =
            self.ongoing.iter().find(|(_, transaction)| transaction.producer_id != completed.producer_id);
        let last_stable = next.map_or(completed.last_offset + 1, |(start, _)| *start);
        if let Some(mut transaction) = self.ongoing.remove(&completed.first_offset) {
            transaction.last_offset = Some(completed.last_offset);
            self.unreplicated.insert(completed.first_offset, transaction);
        }
        last_stable
    }

    /// Markers below `high_watermark` are replicated: their transactions no longer hold back consumers.
    pub fn on_high_watermark(&mut self, high_watermark: Offset) {
        if !self.unreplicated.is_empty() {
            self.unreplicated.retain(|_, txn| txn.last_offset.is_none_or(|last| last >= high_watermark));
        }
    }

    /// The log now starts at `log_start`.
    pub(crate) fn on_log_start(&mut self, log_start: Offset) {
        self.on_high_watermark(log_start);
        self.map_end = self.map_end.max(log_start);
    }

    /// Whether a call of [`ProducerState::expire`] could do anything.
    pub(crate) fn may_expire(&self) -> bool {
        !self.producers.is_empty() || !self.verifications.is_empty()
    }

    /// Forgets producers that are silent for `expiration_ms` and have no transaction open.
    pub(crate) fn expire(&mut self, now: Timestamp, expiration_ms: i64) {
        self.producers.retain(|_, entry| !entry.is_expired(now, expiration_ms));
        self.verifications.retain(|_, verification| now - verification.created < expiration_ms);
    }

    /// Whether the oldest open transaction is silent for longer than transactions may last.
    pub(crate) fn has_late_transaction(&self, now: Timestamp, transaction_max_ms: i64) -> bool {
        let oldest = self.ongoing.values().next().and_then(|txn| self.producers.get(&txn.producer_id));
        oldest.is_some_and(|entry| {
            entry.last_timestamp.0 > 0
                && now - entry.last_timestamp > transaction_max_ms.saturating_add(LATE_TRANSACTION_BUFFER_MS)
        })
    }

    /// What DescribeProducers tells.
    pub fn summaries(&self) -> Vec<ProducerSummary> {
        let mut all: Vec<_> = self.producers.values().map(ProducerEntry::summary).collect();
        all.sort_by_key(|summary| summary.producer_id);
        all
    }
}

#[cfg(test)]
mod tests;
