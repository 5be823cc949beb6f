//! What may be deleted from the front of a log, by start offset, size and time (`UnifiedLog.deleteOldSegments`).

use std::sync::Arc;

use gregor_model::{Offset, Timestamp};

use super::{PartitionLog, Segments, Writer};
use crate::background::Doomed;
use crate::file_name::FileState;
use crate::segment::Segment;
use crate::{DeleteRecordsError, LogConfig, ReadError, StorageError};

/// Why the log start offset moves (`LogStartOffsetIncrementReason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStartReason {
    /// A follower adopts its leader's.
    LeaderOffset,
    /// Retention removed segments.
    SegmentDeletion,
    /// DeleteRecords.
    ClientRecordDeletion,
}

/// What retention knows of one segment.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    base: Offset,
    /// Where the next segment begins; the log end for the last one.
    upper: Offset,
    size: u64,
    is_last: bool,
}

/// How many of the first segments may go: those for which `rule` holds, as far as the high watermark has passed them.
fn deletable<E>(
    candidates: &[Candidate],
    high_watermark: Offset,
    mut rule: impl FnMut(&Candidate) -> Result<bool, E>,
) -> Result<usize, E> {
    for (at, candidate) in candidates.iter().enumerate() {
        let whole = high_watermark >= candidate.upper && (!candidate.is_last || candidate.size > 0);
        if !whole || !rule(candidate)? {
            return Ok(at);
        }
    }
    Ok(candidates.len())
}

/// How many of the first segments lie before the log start offset.
fn before_log_start(candidates: &[Candidate], high_watermark: Offset, log_start: Offset) -> usize {
    let rule = |c: &Candidate| Ok::<_, std::convert::Infallible>(!c.is_last && c.upper <= log_start);
    deletable(candidates, high_watermark, rule).unwrap_or(0)
}

/// How many of the first segments have to go so that the log is not larger than need be, and not smaller.
fn beyond_size(candidates: &[Candidate], high_watermark: Offset, retention_bytes: Option<u64>) -> usize {
    let Some(limit) = retention_bytes else { return 0 };
    let size: u64 = candidates.iter().map(|candidate| candidate.size).sum();
    let Some(mut excess) = size.checked_sub(limit) else { return 0 };
    let rule = |c: &Candidate| {
        let goes = excess >= c.size;
        excess = excess.saturating_sub(c.size);
        Ok::<_, std::convert::Infallible>(goes)
    };
    deletable(candidates, high_watermark, rule).unwrap_or(0)
}

impl PartitionLog {
    /// Deletes what retention allows to; returns how many segments went.
    pub fn delete_old_segments(&self, now: Timestamp) -> Result<usize, StorageError> {
        let mut writer = self.writer.lock();
        self.check_open(&writer)?;
        let config = self.config.load_full();
        let mut deleted =
            self.delete_where(&mut writer, now, "log start offset", |candidates, marks, _| {
                Ok(before_log_start(candidates, marks.high_watermark, marks.log_start))
            })?;
        if config.cleanup_policy.delete {
            deleted += self.delete_where(&mut writer, now, "retention.bytes", |candidates, marks, _| {
                Ok(beyond_size(candidates, marks.high_watermark, config.retention_bytes))
            })?;
            deleted +=
                self.delete_where(&mut writer, now, "retention.ms", |candidates, marks, segments| {
                    older_than(candidates, segments, marks.high_watermark, &config, now)
                })?;
        }
        Ok(deleted)
    }

    fn delete_where(
        &self,
        writer: &mut Writer,
        now: Timestamp,
        reason: &'static str,
        rule: impl FnOnce(&[Candidate], &super::marks::Marks, &Segments) -> Result<usize, StorageError>,
    ) -> Result<usize, StorageError> {
        let marks = *self.marks.read();
        let segments = self.segments.load_full();
        let count = rule(&candidates(&segments, marks.log_end.offset), &marks, &segments)?;
        if count == 0 {
            return Ok(0);
        }
        if count == segments.len() {
            self.roll(writer, |_| marks.log_end.offset, now)?;
        }
        let segments = self.segments.load_full();
        let (gone, kept) = segments.split_at(count.min(segments.len().saturating_sub(1)));
        let Some(first) = kept.first() else { return Ok(0) };
        tracing::info!(partition = %self.topic_partition(), segments = gone.len(), up_to = %first.base(), reason, "deleting segments");
        self.raise_log_start(writer, first.base(), LogStartReason::SegmentDeletion)?;
        self.segments.store(Arc::new(kept.to_vec()));
        self.delete_later(writer, gone, now)?;
        Ok(gone.len())
    }

    /// Renames the files of segments that are no longer in the log; they are unlinked after `file.delete.delay.ms`.
    pub(super) fn delete_later(
        &self,
        writer: &mut Writer,
        gone: &[Arc<Segment>],
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let due = now + self.config.load().file_delete_delay_ms;
        for segment in gone {
            segment.rename(FileState::Deleted)?;
            self.shared.background.delete_at(due, Doomed::Segment(Arc::clone(segment)));
            if let Some(name) = writer.snapshots.mark_deleted(segment.base())? {
                self.shared.background.delete_at(due, Doomed::File { dir: Arc::clone(&self.dir), name });
            }
        }
        Ok(())
    }

    /// Raises the log start offset if `offset` is higher (at most to the high watermark). Returns whether it rose.
    pub fn increment_log_start_offset(
        &self,
        offset: Offset,
        reason: LogStartReason,
    ) -> Result<bool, ReadError> {
        let mut writer = self.writer.lock();
        self.check_open(&writer)?;
        let marks = *self.marks.read();
        if offset > marks.high_watermark {
            return Err(ReadError::OutOfRange {
                offset,
                log_start: marks.log_start,
                log_end: marks.high_watermark,
            });
        }
        Ok(self.raise_log_start(&mut writer, offset, reason)?)
    }

    fn raise_log_start(
        &self,
        writer: &mut Writer,
        offset: Offset,
        reason: LogStartReason,
    ) -> Result<bool, StorageError> {
        {
            let mut marks = self.marks.write();
            if offset <= marks.log_start {
                return Ok(false);
            }
            marks.log_start = offset;
            marks.high_watermark = marks.high_watermark.max(offset);
            // The recovery point stays, unlike Kafka's: as long as the segments before it exist, a crash that tears
            // one of them must not cut off what lies behind.
        }
        tracing::info!(partition = %self.topic_partition(), %offset, ?reason, "log start offset rises");
        // Not in the file: a crash may take the log start offset back to the one that was checkpointed last.
        self.epochs.write().truncate_from_start(offset);
        writer.producers.on_log_start(offset);
        writer.snapshots.on_log_start(offset);
        self.update_first_unstable(writer);
        Ok(true)
    }

    /// DeleteRecords up to `offset`, exclusive; `None` is the wire's -1, the high watermark. Returns the new log
    /// start offset; segments go with the next retention run.
    pub fn delete_records(&self, offset: Option<Offset>) -> Result<Offset, DeleteRecordsError> {
        if !self.config.load().cleanup_policy.delete {
            return Err(DeleteRecordsError::Policy(self.topic_partition().clone()));
        }
        let mut writer = self.writer.lock();
        self.check_open(&writer)?;
        let high_watermark = self.high_watermark();
        let offset = offset.unwrap_or(high_watermark);
        if offset < Offset::ZERO || offset > high_watermark {
            return Err(DeleteRecordsError::OutOfRange { offset, high_watermark });
        }
        self.raise_log_start(&mut writer, offset, LogStartReason::ClientRecordDeletion)?;
        Ok(self.log_start_offset())
    }
}

fn candidates(segments: &Segments, log_end: Offset) -> Vec<Candidate> {
    segments
        .iter()
        .enumerate()
        .map(|(at, segment)| {
            let next = segments.get(at + 1);
            Candidate {
                base: segment.base(),
                upper: next.map_or(log_end, |next| next.base()),
                size: segment.size(),
                is_last: next.is_none(),
            }
        })
        .collect()
}

fn older_than(
    candidates: &[Candidate],
    segments: &Segments,
    high_watermark: Offset,
    config: &LogConfig,
    now: Timestamp,
) -> Result<usize, StorageError> {
    let Some(retention_ms) = config.retention_ms else { return Ok(0) };
    let mut segments = segments.iter();
    deletable(candidates, high_watermark, |candidate| {
        let segment = segments.next().filter(|segment| segment.base() == candidate.base);
        segment.map_or(Ok(false), |segment| Ok(now - segment.retention_timestamp()? > retention_ms))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three segments of 100 bytes at 0, 10 and 20; the log ends at 30.
    fn three() -> Vec<Candidate> {
        [0, 10, 20]
            .map(|base| Candidate {
                base: Offset(base),
                upper: Offset(base + 10),
                size: 100,
                is_last: base == 20,
            })
            .to_vec()
    }

    #[test]
    fn by_size_never_below_the_limit_and_never_above_the_high_watermark() {
        #[track_caller]
        fn check(limit: Option<u64>, high_watermark: i64, expected: usize) {
            assert_eq!(beyond_size(&three(), Offset(high_watermark), limit), expected, "{limit:?}");
        }
        check(None, 30, 0);
        check(Some(300), 30, 0);
        check(Some(201), 30, 0);
        check(Some(200), 30, 1);
        check(Some(100), 30, 2);
        check(Some(0), 30, 3);
        check(Some(0), 29, 2);
        check(Some(0), 9, 0);
    }

    #[test]
    fn by_log_start_only_whole_segments_and_never_the_last() {
        #[track_caller]
        fn check(log_start: i64, expected: usize) {
            assert_eq!(before_log_start(&three(), Offset(30), Offset(log_start)), expected, "{log_start}");
        }
        check(0, 0);
        check(9, 0);
        check(10, 1);
        check(25, 2);
        check(30, 2);
    }

    #[test]
    fn an_empty_last_segment_stays() {
        let mut candidates = three();
        candidates[2].size = 0;
        assert_eq!(beyond_size(&candidates, Offset(30), Some(0)), 2);
    }
}
