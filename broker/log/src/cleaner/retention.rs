//! Which batches and records survive a cleaning (`Cleaner.cleanInto`, `shouldRetainRecord`): rules only, no bytes.

use std::collections::HashMap;

use gregor_model::{Offset, ProducerEpoch, ProducerId, Timestamp};
use gregor_records::{BatchHeader, Magic, RecordRef};

use super::offset_map::OffsetMap;

/// What the log remembers last of a producer that is still active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastRecord {
    /// Last offset of its last batch of data, if that is known.
    pub(crate) last_data_offset: Option<Offset>,
    /// Its epoch.
    pub(crate) epoch: ProducerEpoch,
}

/// What to judge by; the same for all batches of one segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention<'a> {
    /// The latest offset of each key.
    pub(crate) map: &'a OffsetMap,
    /// When this cleaning began.
    pub(crate) now: Timestamp,
    /// `delete.retention.ms`.
    pub(crate) delete_retention_ms: i64,
    /// Whether tombstones in formats without a delete horizon stay: the segment was written too lately.
    pub(crate) keep_legacy_tombstones: bool,
    /// The active producers.
    pub(crate) active_producers: &'a HashMap<ProducerId, LastRecord>,
    /// The offset after the last one that this cleaning looks at.
    pub(crate) round_end: Offset,
}

/// What becomes of a batch none of whose records survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenEmpty {
    /// It goes too.
    Drop,
    /// Its header stays: it carries a producer's last sequence, or the end of what was cleaned.
    Keep,
}

/// What is decided of a batch before its records are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchVerdict {
    /// None of its records survives, whatever their keys.
    pub(crate) discard_records: bool,
    /// If none survives.
    pub(crate) when_empty: WhenEmpty,
    /// It holds the marker of a transaction of which nothing else is left, and which goes once its delete horizon is
    /// over.
    pub(crate) marker_of_empty_transaction: bool,
}

impl Retention<'_> {
    /// Decides about a batch; `may_go` is what the transactions say of it ([`super::transactions`]).
    pub(crate) fn batch(&self, batch: &BatchHeader, may_go: bool) -> BatchVerdict {
        let control = batch.is_control();
        let horizon_over = batch.delete_horizon().is_some_and(|horizon| horizon <= self.now);
        let needed = self.is_last_of_producer(batch) || self.is_end_of_round(batch);
        BatchVerdict {
            discard_records: may_go && (!control || horizon_over),
            when_empty: if needed { WhenEmpty::Keep } else { WhenEmpty::Drop },
            marker_of_empty_transaction: may_go && control,
        }
    }

    /// Decides about a record of a data batch that is not discarded.
    pub(crate) fn keep_record(&self, batch: &BatchHeader, record: &RecordRef<'_>) -> bool {
        if record.offset > self.map.latest_offset() {
            return true;
        }
        let Some(key) = record.key else {
            return false;
        };
        let superseded = self.map.get(key).is_some_and(|latest| record.offset < latest);
        !superseded && (record.value.is_some() || self.keep_tombstones(batch))
    }

    /// Whether a delete horizon is due: something is left that will go some day, and nothing says when.
    pub(crate) fn new_delete_horizon(&self, batch: &BatchHeader, has_such: bool) -> Option<Timestamp> {
        let due = has_such && batch.magic == Magic::V2 && batch.delete_horizon().is_none();
        due.then(|| self.now + self.delete_retention_ms)
    }

    fn keep_tombstones(&self, batch: &BatchHeader) -> bool {
        match batch.magic {
            Magic::V2 => batch.delete_horizon().is_none_or(|horizon| self.now < horizon),
            Magic::V0 | Magic::V1 => self.keep_legacy_tombstones,
        }
    }

    /// Its last data offset, or the marker of its epoch if no data is known: without them the producer's next sequence
    /// would be refused, or an old epoch accepted.
    fn is_last_of_producer(&self, batch: &BatchHeader) -> bool {
        let last = batch.producer_id.and_then(|producer| self.active_producers.get(&producer));
        last.is_some_and(|last| match last.last_data_offset {
            Some(offset) => batch.last_offset() == offset,
            None => batch.is_control() && batch.producer_epoch == last.epoch,
        })
    }

    /// If the last batch vanished, a replica built from this log could end before the offsets this one has passed
    /// (KAFKA-17076). Formats before magic 2 have no empty batches.
    fn is_end_of_round(&self, batch: &BatchHeader) -> bool {
        batch.magic == Magic::V2 && batch.next_offset() == self.round_end
    }
}
