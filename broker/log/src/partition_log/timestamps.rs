//! Offsets by time: ListOffsets (`UnifiedLog.fetchOffsetByTimestamp`, `legacyFetchOffsetsBefore`).

use std::sync::Arc;

use gregor_model::{LeaderEpoch, Offset, Timestamp};
use gregor_records::{Limits, RecordsError};

use super::read::read_error;
use super::{PartitionLog, Segments};
use crate::segment::Segment;
use crate::segment_scan::BatchScan;
use crate::time_index::TimeEntry;
use crate::{ListedOffset, ReadError, TimestampQuery};

impl PartitionLog {
    /// ListOffsets. `None`: no record has such a timestamp.
    pub fn offset_for_timestamp(&self, query: TimestampQuery) -> Result<Option<ListedOffset>, ReadError> {
        let known = |offset, leader_epoch| Ok(Some(ListedOffset { timestamp: None, offset, leader_epoch }));
        match query {
            TimestampQuery::Latest => known(Some(self.log_end_offset()), self.latest_epoch()),
            TimestampQuery::Earliest | TimestampQuery::EarliestLocal => {
                let log_start = self.log_start_offset();
                known(Some(log_start), self.epoch_of_log_start(log_start))
            }
            TimestampQuery::LatestTiered => known(None, None),
            TimestampQuery::MaxTimestamp => self.retry(|_, segments| max_timestamp(segments)),
            TimestampQuery::At(timestamp) => self.retry(|marks, segments| {
                for segment in segments {
                    let Some(largest) = largest_or_mtime(segment)? else { continue };
                    if largest >= timestamp {
                        return first_at_or_after(segment, timestamp, marks.log_start);
                    }
                }
                Ok(None)
            }),
        }
    }

    /// ListOffsets version 0: offsets before `timestamp` (-1 latest, -2 earliest), newest first, at most `max`.
    pub fn legacy_offsets_before(
        &self,
        timestamp: i64,
        max: usize,
        now: Timestamp,
    ) -> Result<Vec<Offset>, ReadError> {
        self.retry(|marks, segments| {
            let mut known = Vec::with_capacity(segments.len() + 1);
            for segment in segments {
                let modified = segment.log().modified()?.unwrap_or_default();
                known.push((segment.base().max(marks.log_start), modified));
            }
            if segments.last().is_some_and(|last| last.size() > 0) {
                known.push((marks.log_end.offset, now));
            }
            let take = match timestamp {
                -1 => known.len(),
                -2 => 1.min(known.len()),
                _ => known.iter().rposition(|&(_, modified)| modified.0 <= timestamp).map_or(0, |at| at + 1),
            };
            let mut offsets: Vec<Offset> =
                known.iter().take(take).rev().take(max).map(|&(offset, _)| offset).collect();
            offsets.sort_by(|a, b| b.cmp(a));
            Ok(offsets)
        })
    }
}

/// A segment's largest timestamp, or when it was written if its records have none.
fn largest_or_mtime(segment: &Arc<Segment>) -> Result<Option<Timestamp>, ReadError> {
    if segment.size() == 0 {
        return Ok(None);
    }
    Ok(Some(segment.retention_timestamp()?))
}

/// The first record with the largest timestamp of all.
fn max_timestamp(segments: &Segments) -> Result<Option<ListedOffset>, ReadError> {
    let mut best: Option<(&Arc<Segment>, TimeEntry)> = None;
    for segment in segments {
        if let Some(largest) = segment.largest_timestamp()?
            && best.is_none_or(|(_, known)| largest.timestamp > known.timestamp)
        {
            best = Some((segment, largest));
        }
    }
    let Some((segment, largest)) = best else { return Ok(None) };
    first_at_or_after(segment, largest.timestamp, Offset::ZERO)
}

/// The first record of a segment with a timestamp at or after `timestamp`, from `log_start` on.
fn first_at_or_after(
    segment: &Arc<Segment>,
    timestamp: Timestamp,
    log_start: Offset,
) -> Result<Option<ListedOffset>, ReadError> {
    let entry = segment.time_index().floor(|entry| entry.timestamp <= timestamp)?;
    let from = entry.map_or(segment.base(), |entry| entry.offset).max(log_start);
    let place = segment.find(from).map_err(|error| read_error(segment, error))?;
    let Some(place) = place else { return Ok(None) };
    let mut scan = BatchScan::new(segment.log(), place.position, segment.size());
    loop {
        let position = scan.position();
        let batch = match scan.next() {
            Ok(Some(batch)) => batch,
            Ok(None) => return Ok(None),
            Err(error) => return Err(read_error(segment, error)),
        };
        if batch.max_timestamp.is_none_or(|max| max < timestamp) {
            continue;
        }
        let leader_epoch = batch.partition_leader_epoch;
        let found = first_record(&batch, timestamp, log_start, leader_epoch).map_err(|error| {
            ReadError::Corrupt { path: segment.path(), problem: format!("{error} at position {position}") }
        })?;
        if found.is_some() {
            return Ok(found);
        }
    }
}

fn first_record(
    batch: &gregor_records::BatchRef<'_>,
    timestamp: Timestamp,
    log_start: Offset,
    leader_epoch: Option<LeaderEpoch>,
) -> Result<Option<ListedOffset>, RecordsError> {
    let mut records = batch.records(Limits::for_batch(batch.header()))?;
    while let Some(record) = records.next_record()? {
        if record.offset >= log_start && record.timestamp.is_some_and(|t| t >= timestamp) {
            let (timestamp, offset) = (record.timestamp, Some(record.offset));
            return Ok(Some(ListedOffset { timestamp, offset, leader_epoch }));
        }
    }
    Ok(None)
}
