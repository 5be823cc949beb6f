//! Writing what survives of neighbouring segments as one new segment (`Cleaner.cleanSegments`).

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use gregor_model::{Offset, Timestamp};
use gregor_records::BatchHeader;

use super::CleanError;
use super::filter::BatchFilter;
use super::indexing::{aborted, next_batch};
use super::offset_map::OffsetMap;
use super::pace::Pace;
use super::retention::Retention;
use super::stats::CleanerStats;
use super::transactions::CleanedTransactions;
use crate::file_name::FileState;
use crate::partition_log::CompactionView;
use crate::segment::{AppendedBatch, Segment};
use crate::segment_scan::BatchScan;
use crate::stored_batch::appended_batch;
use crate::{PartitionLog, StorageError};

/// One cleaning of one log, after its keys are known.
pub(super) struct Rewrite<'a> {
    pub(super) log: &'a PartitionLog,
    pub(super) view: &'a CompactionView,
    pub(super) map: &'a OffsetMap,
    pub(super) now: Timestamp,
    pub(super) delete_retention_ms: i64,
    pub(super) index_interval_bytes: u32,
    /// Tombstones in old formats go from segments last written at or before this.
    pub(super) legacy_horizon: Timestamp,
    pub(super) write_buffer_bytes: usize,
    pub(super) pace: Pace<'a>,
    pub(super) stats: &'a mut CleanerStats,
    pub(super) transactions: CleanedTransactions,
    pub(super) filter: BatchFilter,
}

/// The new segments, one unless offsets are too far apart for one, and what is to be appended to the last.
struct Output {
    segments: Vec<Arc<Segment>>,
    bytes: Vec<u8>,
    batches: Vec<AppendedBatch>,
}

impl Rewrite<'_> {
    /// Cleans the segments `group` of the view, and puts the result in their place.
    pub(super) fn clean_group(&mut self, group: std::ops::Range<usize>) -> Result<(), CleanError> {
        let view = self.view;
        let old = view.segments.get(group.clone()).unwrap_or_default();
        let (Some(first), Some(last)) = (old.first(), old.last()) else { return Ok(()) };
        let dir = self.log.partition_dir();
        let segment = Segment::create(dir, first.base(), FileState::Cleaned, self.now)?;
        let mut output = Output { segments: vec![Arc::new(segment)], bytes: Vec::new(), batches: Vec::new() };
        let result = self.fill(group, &mut output).and_then(|()| {
            let modified = last.log().modified()?;
            self.complete(&output, modified)?;
            let replaced = self.log.replace_segments(view, old, &output.segments, self.now)?;
            if replaced { Ok(()) } else { Err(CleanError::Aborted) }
        });
        if result.is_err() {
            // Should that fail too, loading removes them.
            output.segments.iter().for_each(|segment| {
                let _ = segment.unlink();
            });
        }
        result
    }

    fn fill(&mut self, group: std::ops::Range<usize>, output: &mut Output) -> Result<(), CleanError> {
        let active_producers = self.log.last_records_of_active_producers();
        let segments = Arc::clone(&self.view.segments);
        for at in group.clone() {
            let Some(segment) = segments.get(at) else { break };
            let upper = match segments.get(at + 1).filter(|_| at + 1 < group.end) {
                Some(next) => next.base(),
                None => segment.read_next_offset().map_err(|error| CleanError::of_scan(segment, error))?,
            };
            self.transactions.add_aborted(aborted(&segments, at, self.view.log_start, upper)?);
            let modified = segment.log().modified()?.unwrap_or_default();
            let retention = Retention {
                map: self.map,
                now: self.now,
                delete_retention_ms: self.delete_retention_ms,
                keep_legacy_tombstones: modified > self.legacy_horizon,
                active_producers: &active_producers,
                round_end: self.map.latest_offset() + 1,
            };
            self.clean_into(segment, &retention, output)?;
            self.write_out(output)?;
        }
        Ok(())
    }

    fn clean_into(
        &mut self,
        segment: &Arc<Segment>,
        retention: &Retention<'_>,
        output: &mut Output,
    ) -> Result<(), CleanError> {
        let size = segment.size();
        let mut scan = BatchScan::new(segment.log(), 0, size);
        while let Some(batch) = next_batch(&mut scan, segment, size)? {
            let before = output.bytes.len();
            let filtered = self
                .filter
                .filter(&batch, retention, &mut self.transactions, &mut output.bytes)
                .map_err(|problem| CleanError::Batch {
                path: segment.path(),
                offset: batch.base_offset(),
                problem,
            })?;
            let bytes = batch.size_in_bytes as u64;
            self.stats.bytes_read += bytes;
            self.stats.records_read += filtered.records_read;
            self.stats.records_written += filtered.records_kept;
            self.stats.invalid_records += filtered.invalid_records;
            if let Ok(header) = BatchHeader::decode(output.bytes.get(before..).unwrap_or_default()) {
                self.accept(&header, before, output)?;
            }
            self.pace.count(bytes)?;
            if output.bytes.len() >= self.write_buffer_bytes {
                self.write_out(output)?;
            }
        }
        Ok(())
    }

    /// Notes the batch that begins at `at` of the bytes collected; where it is out of reach of the segment's base, as in
    /// segments that brokers before 1.1 wrote, a new segment begins with it.
    fn accept(&mut self, header: &BatchHeader, at: usize, output: &mut Output) -> Result<(), CleanError> {
        let fits = output.segments.last().is_some_and(|segment| segment.can_hold(header.last_offset()));
        if !fits {
            let rest = output.bytes.split_off(at);
            self.write_out(output)?;
            let dir = self.log.partition_dir();
            let segment = Segment::create(dir, header.base_offset(), FileState::Cleaned, self.now)?;
            output.segments.push(Arc::new(segment));
            output.bytes = rest;
        }
        output.batches.push(appended_batch(header));
        Ok(())
    }

    fn write_out(&mut self, output: &mut Output) -> Result<(), CleanError> {
        let Some(segment) = output.segments.last() else { return Ok(()) };
        for aborted in self.transactions.take_kept() {
            segment.append_aborted(aborted)?;
        }
        if output.batches.is_empty() {
            return Ok(());
        }
        segment.append(&[&output.bytes], &output.batches, self.index_interval_bytes)?;
        let bytes = output.bytes.len() as u64;
        self.stats.bytes_written += bytes;
        output.bytes.clear();
        output.batches.clear();
        self.pace.count(bytes)
    }

    /// Makes the new segments complete and durable; they are as old as the last one they come from, for retention.
    fn complete(&self, output: &Output, modified: Option<Timestamp>) -> Result<(), StorageError> {
        for segment in &output.segments {
            segment.seal()?;
            if let Some(modified) = modified {
                set_modified(segment, modified)?;
            }
            segment.sync()?;
        }
        Ok(())
    }
}

fn set_modified(segment: &Segment, modified: Timestamp) -> Result<(), StorageError> {
    let time = UNIX_EPOCH + Duration::from_millis(modified.0.max(0) as u64);
    let log = segment.log();
    let file = log.get()?;
    log.dir().run("set the time of", &log.name(), |_, _| file.std().set_modified(time))
}

/// Tombstones in old formats go from segments last written at or before this (`legacyDeleteHorizonMs`).
pub(super) fn legacy_horizon(
    segments: &[Arc<Segment>],
    first_dirty: Offset,
    delete_retention_ms: i64,
) -> Result<Timestamp, StorageError> {
    let clean = segments.partition_point(|segment| segment.base() < first_dirty);
    match clean.checked_sub(1).and_then(|last| segments.get(last)) {
        None => Ok(Timestamp(0)),
        Some(last) => Ok(last.log().modified()?.unwrap_or_default() + -delete_retention_ms),
    }
}
