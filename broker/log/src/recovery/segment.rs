//! Reading a segment through after a crash (`LogSegment.recover`): batches are checked one by one, the first bad one
//! ends the segment, indexes and producer state are built from the good ones.

use std::sync::Arc;

use gregor_model::{Offset, Timestamp};
use gregor_records::{BatchRef, Magic};

use super::producers::replay;
use crate::StorageError;
use crate::leader_epochs::LeaderEpochs;
use crate::offset_index::OffsetEntry;
use crate::producer_state::ProducerState;
use crate::segment::Segment;
use crate::segment_scan::{BatchScan, ScanError};
use crate::stored_batch::{largest_record_timestamp, producer_batch_of};
use crate::time_index::TimeEntry;
use crate::transaction_index::AbortedTxn;

/// What reading a segment through has found.
#[derive(Debug)]
pub(super) struct RecoveredSegment {
    /// The offset after the last good batch.
    pub(super) next_offset: Offset,
    /// Bytes cut off behind it.
    pub(super) cut: u64,
    /// Where good batches follow whose offsets are too far from the segment's base: old brokers wrote such. They are
    /// neither cut off nor part of the segment, but belong into one of their own.
    pub(super) overflow: Option<Overflow>,
}

/// The rest of a segment that has to be split.
#[derive(Clone, Copy, Debug)]
pub(super) struct Overflow {
    /// Where it begins, in bytes.
    pub(super) position: u64,
    /// Its first offset.
    pub(super) base: Offset,
}

/// State that recovery of a log's segments builds up.
#[derive(Debug, Default)]
pub(super) struct Rebuilt {
    pub(super) producers: ProducerState,
    pub(super) epochs: LeaderEpochs,
    pub(super) epochs_changed: bool,
}

struct Progress {
    next_offset: Offset,
    largest: Option<TimeEntry>,
    rolling: Option<Timestamp>,
    last_indexed: u64,
}

/// Reads `segment` through. `rebuilt.producers` must be at its base. `is_newest`: it will be appended to.
pub(super) fn recover_segment(
    segment: &Arc<Segment>,
    rebuilt: &mut Rebuilt,
    index_interval_bytes: u32,
    is_newest: bool,
) -> Result<RecoveredSegment, StorageError> {
    segment.offset_index().begin_rebuild();
    segment.time_index().begin_rebuild();
    segment.transaction_index().reset()?;
    let size = segment.log().len()?;
    let mut scan = BatchScan::new(segment.log(), 0, size);
    let mut progress =
        Progress { next_offset: segment.base(), largest: None, rolling: None, last_indexed: 0 };
    let problem = loop {
        let position = scan.position();
        let batch = match scan.next() {
            Ok(Some(batch)) => batch,
            Ok(None) => break (position < size).then(|| "an incomplete batch".to_owned()),
            Err(ScanError::Corrupt { problem, .. }) => break Some(problem.to_string()),
            Err(ScanError::Storage(error)) => return Err(error),
        };
        if let Err(problem) = check(&batch, progress.next_offset) {
            // The scan has gone past the bad batch; the segment ends before it.
            cut(segment, &progress, position, size, &problem)?;
            return finish(segment, &progress, position, size, is_newest);
        }
        if !segment.can_hold(batch.last_offset()) && position > 0 {
            let overflow = Overflow { position, base: batch.base_offset() };
            segment.set_recovered(position, progress.largest, progress.rolling);
            segment.seal()?;
            return Ok(RecoveredSegment {
                next_offset: progress.next_offset,
                cut: 0,
                overflow: Some(overflow),
            });
        }
        add(&batch, segment, position, &mut progress, rebuilt, index_interval_bytes)?;
    };
    if let Some(problem) = problem {
        cut(segment, &progress, scan.position(), size, &problem)?;
    }
    finish(segment, &progress, scan.position(), size, is_newest)
}

fn check(batch: &BatchRef<'_>, next_offset: Offset) -> Result<(), String> {
    batch.check_crc().map_err(|error| error.to_string())?;
    let (base, last) = (batch.base_offset(), batch.last_offset());
    if base < next_offset || last < base {
        return Err(format!(
            "a batch with offsets {base} to {last} where {next_offset} or more was expected"
        ));
    }
    Ok(())
}

fn add(
    batch: &BatchRef<'_>,
    segment: &Segment,
    position: u64,
    progress: &mut Progress,
    rebuilt: &mut Rebuilt,
    index_interval_bytes: u32,
) -> Result<(), StorageError> {
    let offset = batch.last_offset();
    let largest = largest_record_timestamp(batch.header());
    if position == 0 {
        progress.rolling = largest;
    }
    if let Some(timestamp) = largest
        && progress.largest.is_none_or(|largest| timestamp > largest.timestamp)
    {
        progress.largest = Some(TimeEntry { timestamp, offset });
    }
    if position - progress.last_indexed > u64::from(index_interval_bytes) {
        let entry = OffsetEntry { offset, position: u32::try_from(position).unwrap_or(u32::MAX) };
        segment.offset_index().append(entry)?;
        segment.append_time(progress.largest)?;
        progress.last_indexed = position;
    }
    if batch.magic == Magic::V2
        && let Some(epoch) = batch.partition_leader_epoch
        && rebuilt.epochs.latest().is_none_or(|latest| epoch > latest)
    {
        rebuilt.epochs_changed |= rebuilt.epochs.assign(epoch, batch.base_offset());
    }
    // A control record that cannot be read ends no transaction, as in Kafka's replay it cannot be.
    if let Ok(Some(stored)) = producer_batch_of(batch) {
        for (completed, last_stable_offset) in replay(&mut rebuilt.producers, &stored) {
            if completed.aborted {
                segment.append_aborted(AbortedTxn {
                    producer_id: completed.producer_id,
                    first_offset: completed.first_offset,
                    last_offset: completed.last_offset,
                    last_stable_offset,
                })?;
            }
        }
    }
    progress.next_offset = batch.next_offset();
    rebuilt.producers.set_map_end(progress.next_offset);
    Ok(())
}

/// Cuts the segment to its good batches.
fn cut(
    segment: &Segment,
    progress: &Progress,
    valid: u64,
    size: u64,
    problem: &str,
) -> Result<(), StorageError> {
    tracing::warn!(
        path = %segment.path().display(),
        bytes_cut = size - valid,
        position = valid,
        next_offset = %progress.next_offset,
        problem,
        "cut off the end of a segment after the last good batch"
    );
    segment.log().set_len(valid)
}

/// Completes the indexes.
fn finish(
    segment: &Segment,
    progress: &Progress,
    valid: u64,
    size: u64,
    is_newest: bool,
) -> Result<RecoveredSegment, StorageError> {
    segment.set_recovered(valid, progress.largest, progress.rolling);
    if is_newest { segment.end_recovery() } else { segment.seal() }?;
    Ok(RecoveredSegment { next_offset: progress.next_offset, cut: size - valid, overflow: None })
}
