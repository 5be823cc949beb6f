//! Writes what survives of a batch (`MemoryRecords.filterTo`): the batch as it is, a smaller one at the same offsets, an
//! empty one, or nothing.

use gregor_model::{Offset, Timestamp};
use gregor_records::legacy::LegacyBuilder;
use gregor_records::{
    BatchBuilder, BatchHeader, BatchOptions, BatchRef, BuildError, Codec, Compression, ControlRecordType,
    Limits, Magic, Producer, RecordsError, empty_batch,
};

use super::offset_map::OffsetMap;
use super::plain::PlainRecords;
use super::retention::{BatchVerdict, Retention, WhenEmpty};
use super::transactions::CleanedTransactions;

/// A batch that cannot be read, or not be written again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FilterError {
    #[error(transparent)]
    Records(#[from] RecordsError),
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// What was done with a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filtered {
    /// Records looked at.
    pub(crate) records_read: u64,
    /// Records written.
    pub(crate) records_kept: u64,
    /// Records without a key, which do not belong into a compacted log.
    pub(crate) invalid_records: u64,
}

/// Filters batches; keeps its buffers from one to the next.
#[derive(Debug, Default)]
pub(crate) struct BatchFilter {
    /// Of each record of the batch, whether it is kept.
    kept: Vec<bool>,
    plain: PlainRecords,
}

impl BatchFilter {
    /// Appends to `out` what survives of `batch`.
    pub(crate) fn filter(
        &mut self,
        batch: &BatchRef<'_>,
        retention: &Retention<'_>,
        transactions: &mut CleanedTransactions,
        out: &mut Vec<u8>,
    ) -> Result<Filtered, FilterError> {
        let may_go = note(batch, transactions)?;
        let verdict = retention.batch(batch.header(), may_go);
        let mut filtered = Filtered::default();
        let tombstones = if verdict.discard_records {
            self.kept.clear();
            false
        } else {
            self.judge(batch, retention, &mut filtered)?
        };
        if filtered.records_kept > 0 {
            let has_such = tombstones || verdict.marker_of_empty_transaction;
            let new_horizon = retention.new_delete_horizon(batch.header(), has_such);
            if new_horizon.is_none() && filtered.records_kept == filtered.records_read {
                out.extend_from_slice(batch.bytes());
            } else {
                self.rebuild(batch, new_horizon.or(batch.delete_horizon()), out)?;
            }
        } else if keeps_empty(batch.header(), verdict) {
            let header = batch.header();
            let options = options_of(header, Compression::NONE, None);
            out.extend_from_slice(&empty_batch(&options, header.last_offset(), header.max_timestamp)?);
        }
        Ok(filtered)
    }

    /// Looks at every record; returns whether a tombstone is among those kept.
    fn judge(
        &mut self,
        batch: &BatchRef<'_>,
        retention: &Retention<'_>,
        filtered: &mut Filtered,
    ) -> Result<bool, FilterError> {
        self.kept.clear();
        let control = batch.is_control();
        let mut tombstones = false;
        self.plain.load(batch)?;
        let mut records = self.plain.records(batch)?;
        while let Some(record) = records.next_record()? {
            let keep = control || retention.keep_record(batch.header(), &record);
            self.kept.push(keep);
            filtered.records_read += 1;
            filtered.records_kept += u64::from(keep);
            filtered.invalid_records += u64::from(!keep && record.key.is_none());
            tombstones |= keep && record.value.is_none();
        }
        Ok(tombstones)
    }

    /// Writes the batch anew with the records kept, at the same offsets, sequences and, in magic 2, last offset.
    fn rebuild(
        &self,
        batch: &BatchRef<'_>,
        horizon: Option<Timestamp>,
        out: &mut Vec<u8>,
    ) -> Result<(), FilterError> {
        let header = batch.header();
        let codec = header.codec().unwrap_or(Codec::None);
        let compression = Compression::of(codec);
        let buffer = std::mem::take(out);
        *out = match header.magic {
            Magic::V2 => {
                let mut builder = BatchBuilder::append_to(buffer, options_of(header, compression, horizon))?;
                self.each_kept(batch, |record| builder.append_record(record))?;
                builder.keep_last_offset(header.last_offset());
                builder.finish()?
            }
            magic => {
                let timestamp_type = header.timestamp_type();
                let mut builder =
                    LegacyBuilder::new(magic, compression, timestamp_type, header.max_timestamp, buffer)?;
                self.each_kept(batch, |r| builder.append(r.offset, r.timestamp, r.key, r.value))?;
                builder.finish()?
            }
        };
        Ok(())
    }

    fn each_kept(
        &self,
        batch: &BatchRef<'_>,
        mut append: impl FnMut(&gregor_records::RecordRef<'_>) -> Result<(), BuildError>,
    ) -> Result<(), FilterError> {
        let mut records = self.plain.records(batch)?;
        for keep in &self.kept {
            match records.next_record()? {
                Some(record) if *keep => append(&record)?,
                Some(_) => {}
                None => break,
            }
        }
        Ok(())
    }
}

/// Puts the keys of a batch into the map, unless they are those of an aborted transaction. Returns whether the map is full
/// and the batch not done (`Cleaner.buildOffsetMapForSegment`).
pub(crate) fn index_batch(
    batch: &BatchRef<'_>,
    start: Offset,
    transactions: &mut CleanedTransactions,
    map: &mut OffsetMap,
) -> Result<bool, FilterError> {
    let ignored = note(batch, transactions)? || batch.is_control();
    if !ignored {
        let mut records = batch.records(Limits::for_batch(batch.header()))?;
        while let Some(record) = records.next_record()? {
            let Some(key) = record.key.filter(|_| record.offset >= start) else { continue };
            if map.is_full() {
                return Ok(true);
            }
            map.put(key, record.offset);
        }
    }
    if batch.last_offset() >= start {
        map.set_latest_offset(batch.last_offset());
    }
    Ok(false)
}

/// Tells the transactions of a batch; returns whether they let it go.
fn note(batch: &BatchRef<'_>, transactions: &mut CleanedTransactions) -> Result<bool, FilterError> {
    if !batch.is_control() {
        return Ok(transactions.on_batch(batch.producer_id, batch.is_transactional(), batch.last_offset()));
    }
    let mut records = batch.records(Limits::for_batch(batch.header()))?;
    let kind = match records.next_record()? {
        None => None,
        Some(record) => Some(ControlRecordType::of(&record)?),
    };
    Ok(transactions.on_control_batch(batch.producer_id, kind, batch.last_offset()))
}

/// Only magic 2 has empty batches.
fn keeps_empty(header: &BatchHeader, verdict: BatchVerdict) -> bool {
    header.magic == Magic::V2 && verdict.when_empty == WhenEmpty::Keep
}

fn options_of(
    header: &BatchHeader,
    compression: Compression,
    delete_horizon: Option<Timestamp>,
) -> BatchOptions {
    BatchOptions {
        base_offset: header.base_offset(),
        partition_leader_epoch: header.partition_leader_epoch,
        compression,
        timestamp_type: header.timestamp_type(),
        append_time: header.max_timestamp,
        producer: header.producer_id.map(|id| Producer {
            id,
            epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
        }),
        transactional: header.is_transactional(),
        control: header.is_control(),
        delete_horizon,
    }
}

#[cfg(test)]
mod tests;
