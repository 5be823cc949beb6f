//! Reading the dirty part of a log into an offset map (`Cleaner.buildOffsetMap`).

use std::sync::Arc;

use gregor_model::Offset;
use gregor_records::{BatchError, BatchRef};

use super::CleanError;
use super::filter::index_batch;
use super::offset_map::OffsetMap;
use super::pace::Pace;
use super::stats::CleanerStats;
use super::transactions::CleanedTransactions;
use crate::segment::Segment;
use crate::segment_scan::BatchScan;
use crate::transaction_index::AbortedTxn;

/// Reads the records from `first_dirty` on, before `first_uncleanable`, into `map`, until it is full.
pub(super) fn index(
    segments: &[Arc<Segment>],
    first_dirty: Offset,
    first_uncleanable: Offset,
    map: &mut OffsetMap,
    pace: &mut Pace<'_>,
    stats: &mut CleanerStats,
) -> Result<(), CleanError> {
    let end = segments.partition_point(|segment| segment.base() < first_uncleanable);
    let start = segments.partition_point(|segment| segment.base() <= first_dirty).saturating_sub(1).min(end);
    let mut transactions = CleanedTransactions::default();
    // Kafka also takes those that ended before, whose markers are not read again, and so mistakes what their producers
    // committed since for aborted; a tombstone among it could then go before what it deletes.
    transactions.add_aborted(aborted(segments, start, first_dirty, first_uncleanable)?);
    for at in start..end {
        pace.check()?;
        let Some(segment) = segments.get(at) else { break };
        let next =
            segments.get(at + 1).filter(|_| at + 1 < end).map_or(first_uncleanable, |next| next.base());
        if index_segment(segment, first_dirty, &mut transactions, map, pace, stats)? {
            return Ok(());
        }
        // Offsets may be missing at the end of a segment.
        map.set_latest_offset(next + -1);
    }
    Ok(())
}

/// Returns whether the map is full.
fn index_segment(
    segment: &Arc<Segment>,
    first_dirty: Offset,
    transactions: &mut CleanedTransactions,
    map: &mut OffsetMap,
    pace: &mut Pace<'_>,
    stats: &mut CleanerStats,
) -> Result<bool, CleanError> {
    let found = segment.find(first_dirty).map_err(|error| CleanError::of_scan(segment, error))?;
    let Some(first) = found else { return Ok(false) };
    let size = segment.size();
    let mut scan = BatchScan::new(segment.log(), first.position, size);
    while let Some(batch) = next_batch(&mut scan, segment, size)? {
        let bytes = batch.size_in_bytes as u64;
        let full = index_batch(&batch, first_dirty, transactions, map).map_err(|problem| {
            CleanError::Batch { path: segment.path(), offset: batch.base_offset(), problem }
        })?;
        stats.map_bytes_read += bytes;
        if full {
            return Ok(true);
        }
        pace.count(bytes)?;
    }
    Ok(false)
}

/// The next batch of a segment, its checksum compared; `None` at the segment's end.
pub(super) fn next_batch<'s>(
    scan: &'s mut BatchScan<'_>,
    segment: &Segment,
    size: u64,
) -> Result<Option<BatchRef<'s>>, CleanError> {
    let position = scan.position();
    let corrupt = |problem| CleanError::Corrupt { path: segment.path(), position, problem };
    match scan.next() {
        Err(error) => Err(CleanError::of_scan(segment, error)),
        Ok(None) if position < size => {
            let available = usize::try_from(size - position).unwrap_or(usize::MAX);
            Err(corrupt(BatchError::Torn { needed: available + 1, available }))
        }
        Ok(None) => Ok(None),
        // A rewritten batch gets a new checksum, which must not bless damaged bytes.
        Ok(Some(batch)) => {
            batch.check_crc().map_err(corrupt)?;
            Ok(Some(batch))
        }
    }
}

/// The aborted transactions that end at or after `from` and begin before `upper`, told by the segment at `at` and those
/// after it as far as they can know of such (`UnifiedLog.collectAbortedTransactions`).
pub(super) fn aborted(
    segments: &[Arc<Segment>],
    at: usize,
    from: Offset,
    upper: Offset,
) -> Result<Vec<AbortedTxn>, CleanError> {
    let mut found = Vec::new();
    for segment in segments.get(at..).unwrap_or_default() {
        let mut complete = false;
        segment.transaction_index().visit(|entry| {
            if entry.last_offset >= from && entry.first_offset < upper {
                found.push(entry);
            }
            complete = entry.last_stable_offset >= upper;
            !complete
        })?;
        if complete {
            break;
        }
    }
    Ok(found)
}
