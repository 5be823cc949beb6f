//! Rebuilding the producers' state from the newest usable snapshot and the batches after it
//! (`UnifiedLog.rebuildProducerState`): at start, and after a truncation.

use std::sync::Arc;

use gregor_model::{Offset, Timestamp};
use gregor_records::{BatchHeader, BatchRef};

use crate::StorageError;
use crate::producer_snapshots::ProducerSnapshots;
use crate::producer_state::{CheckOrigin, CompletedTxn, ProducerBatch, ProducerState, Updates};
use crate::segment::Segment;
use crate::segment_scan::{HeaderScan, ScanError};
use crate::stored_batch::{producer_batch, producer_batch_of};

/// A control batch is not larger than this.
const CONTROL_BATCH_BYTES_MAX: usize = 1 << 20;

/// What the state is rebuilt from.
pub(crate) struct ProducerRebuild<'a> {
    pub(crate) segments: &'a [Arc<Segment>],
    pub(crate) log_start: Offset,
    /// Up to where.
    pub(crate) log_end: Offset,
    pub(crate) now: Timestamp,
    pub(crate) expiration_ms: i64,
}

/// Brings `state` to `rebuild.log_end`, and leaves snapshots there and at the bases of the last two segments.
///
/// Kafka does not read the log if there is no snapshot after a clean shutdown, and so forgets live producers without
/// a word; reading headers is cheap enough to do it always.
pub(crate) fn rebuild_producer_state(
    state: &mut ProducerState,
    snapshots: &mut ProducerSnapshots,
    rebuild: &ProducerRebuild<'_>,
) -> Result<(), StorageError> {
    let &ProducerRebuild { segments, log_start, log_end, now, expiration_ms } = rebuild;
    let nothing_to_lose = state.is_empty() && state.map_end() >= log_end;
    snapshots.remove_where(|offset| offset > log_end || offset <= log_start)?;
    if state.map_end() == log_end {
        state.on_log_start(log_start);
        snapshots.on_log_start(log_start);
    } else {
        snapshots.load(state, log_start, now, expiration_ms)?;
        if !nothing_to_lose {
            replay_segments(state, snapshots, segments, log_start, log_end)?;
        }
    }
    state.set_map_end(log_end);
    snapshots.take(state)
}

fn replay_segments(
    state: &mut ProducerState,
    snapshots: &mut ProducerSnapshots,
    segments: &[Arc<Segment>],
    log_start: Offset,
    log_end: Offset,
) -> Result<(), StorageError> {
    let first = segments.partition_point(|segment| segment.base() <= state.map_end()).saturating_sub(1);
    let snapshot_from = segments.len().saturating_sub(2);
    for (at, segment) in segments.iter().enumerate().skip(first).take_while(|(_, s)| s.base() < log_end) {
        let start = segment.base().max(state.map_end()).max(log_start);
        state.set_map_end(start);
        if at >= snapshot_from && start == segment.base() {
            snapshots.take(state)?;
        }
        match replay_segment(state, segment, start, log_end) {
            Err(ScanError::Storage(error)) => return Err(error),
            Err(error @ ScanError::Corrupt { .. }) => {
                tracing::warn!(path = %segment.path().display(), %error, "producer state is rebuilt up to here only");
            }
            Ok(()) => {}
        }
    }
    Ok(())
}

fn replay_segment(
    state: &mut ProducerState,
    segment: &Arc<Segment>,
    start: Offset,
    end: Offset,
) -> Result<(), ScanError> {
    let Some(place) = segment.find(start)? else { return Ok(()) };
    let mut scan = HeaderScan::new(segment.log(), place.position, segment.size());
    while let Some(place) = scan.next()? {
        if place.header.base_offset() >= end {
            break;
        }
        if let Some(batch) = stored_producer_batch(segment, place.position, &place.header)? {
            replay(state, &batch);
        }
        state.set_map_end(place.header.next_offset());
    }
    Ok(())
}

fn stored_producer_batch(
    segment: &Arc<Segment>,
    position: u64,
    header: &BatchHeader,
) -> Result<Option<ProducerBatch>, StorageError> {
    if header.producer_id.is_none() || !header.is_control() || header.size_in_bytes > CONTROL_BATCH_BYTES_MAX
    {
        return Ok(producer_batch(header, None));
    }
    let mut bytes = vec![0; header.size_in_bytes];
    let read = segment.log().read_at(&mut bytes, position)?;
    let batch = BatchRef::first(bytes.get(..read).unwrap_or_default());
    Ok(batch.ok().and_then(|batch| producer_batch_of(&batch).ok().flatten()))
}

/// Applies a stored batch. What it contradicts was checked when it was written, and cannot be helped now.
pub(crate) fn replay(state: &mut ProducerState, batch: &ProducerBatch) -> Vec<(CompletedTxn, Offset)> {
    let mut updates = Updates::default();
    if let Err(error) = state.check(&mut updates, batch, CheckOrigin::Replication) {
        tracing::warn!(offset = %batch.base_offset, %error, "stored batch contradicts the producer's state");
    }
    state.apply(updates)
}
