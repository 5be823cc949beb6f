//! Making the log durable. Appenders that must wait for the disk share one fsync: who comes while one is under way
//! waits for it, and the next one then covers all who waited.

use std::time::Instant;

use gregor_model::{Offset, Timestamp};

use super::read::floor_segment;
use super::{PartitionLog, Segments};
use crate::StorageError;
use crate::producer_snapshots::ProducerSnapshots;

impl PartitionLog {
    /// Writes everything to disk, the active segment included, even if it is empty.
    pub fn flush(&self, now: Timestamp) -> Result<(), StorageError> {
        self.flush_segments(Offset(i64::MAX), now)
    }

    /// Flushes everything of a log that is closed: it will not have to be recovered.
    pub(super) fn flush_closed(&self, now: Timestamp) -> Result<(), StorageError> {
        self.flush(now)?;
        let mut marks = self.marks.write();
        marks.recovery_point = marks.log_end.offset;
        Ok(())
    }

    /// Flushes what lies before the active segment: what a roll leaves to be done in the background.
    pub(crate) fn flush_rolled(&self, now: Timestamp) -> Result<(), StorageError> {
        let base = self.active()?.base();
        if base > self.recovery_point() { self.flush_segments(base, now) } else { Ok(()) }
    }

    /// Flushes if the last time was `flush.ms` ago.
    pub(crate) fn flush_if_old(&self, now: Timestamp) -> Result<(), StorageError> {
        let (last_flush, unflushed) = {
            let marks = self.marks.read();
            (marks.last_flush, marks.log_end.offset > marks.flushed)
        };
        let due = now - last_flush >= self.config.load().flush_ms;
        if unflushed && due { self.flush(now) } else { Ok(()) }
    }

    /// Flushes if `flush.messages` have come since the last time: what appends do before they are answered.
    pub(super) fn flush_if_due(&self, now: Timestamp) -> Result<(), StorageError> {
        let flush_messages = self.config.load().flush_messages;
        if flush_messages == i64::MAX {
            return Ok(());
        }
        let marks = *self.marks.read();
        if marks.log_end.offset - marks.flushed < flush_messages {
            return Ok(());
        }
        self.flush_records(marks.log_end.offset, now)
    }

    /// Makes the records before `up_to` durable, and no more: the active segment's indexes are rebuilt after a crash
    /// anyway, as the recovery point stays below.
    fn flush_records(&self, up_to: Offset, now: Timestamp) -> Result<(), StorageError> {
        let Some(_turn) = self.flush_turns.take_unless(|| self.marks.read().flushed >= up_to) else {
            // Another's fsync has covered these records.
            return Ok(());
        };
        let begun = Instant::now();
        let truncations = self.writer.lock().truncations;
        let marks = *self.marks.read();
        let segments = self.segments.load_full();
        let mut has_new_segment = false;
        for segment in segments.get(floor_segment(&segments, marks.flushed)..).unwrap_or_default() {
            match segment.log().sync() {
                // Truncated away meanwhile: there is nothing left to make durable.
                Err(StorageError::Closed(_)) => {}
                other => other?,
            }
            has_new_segment |= segment.base() >= marks.flushed;
        }
        if has_new_segment {
            self.dir.sync()?;
        }
        self.count_flush(begun);
        self.mark_flushed(truncations, marks.log_end.offset, None, now);
        Ok(())
    }

    /// Makes the segments with bases below `up_to` durable, with their indexes and the producers' snapshots.
    fn flush_segments(&self, up_to: Offset, now: Timestamp) -> Result<(), StorageError> {
        let _turn = self.flush_turns.take_unless(|| false);
        let begun = Instant::now();
        let (truncations, snapshots) = {
            let mut writer = self.writer.lock();
            (writer.truncations, writer.snapshots.take_unsynced())
        };
        let marks = *self.marks.read();
        let segments = self.segments.load_full();
        let end = up_to.min(marks.log_end.offset);
        let mut has_new_segment = false;
        for segment in segments.get(floor_segment(&segments, marks.recovery_point)..).unwrap_or_default() {
            if segment.base() >= up_to {
                break;
            }
            match segment.sync() {
                // Deleted meanwhile: there is nothing left to make durable.
                Err(StorageError::Closed(_)) => {}
                other => other?,
            }
            has_new_segment |= segment.base() >= marks.recovery_point;
        }
        snapshots.into_iter().try_for_each(|offset| ProducerSnapshots::sync(&self.dir, offset))?;
        if has_new_segment {
            self.dir.sync()?;
        }
        // Never into the active segment: what is done to its indexes when it rolls is not on disk yet, and with a
        // recovery point at the next one's base nobody would look.
        let active = segments.last().map_or(end, |active| active.base());
        self.count_flush(begun);
        self.mark_flushed(truncations, end, Some(end.min(active)), now);
        Ok(())
    }

    /// Makes everything before `base` durable and has the recovery point checkpoint say so. Under the writer's lock.
    pub(super) fn settle_before(&self, base: Offset, segments: &Segments) -> Result<(), StorageError> {
        let from = floor_segment(segments, self.recovery_point());
        segments.get(from..).unwrap_or_default().iter().try_for_each(|segment| segment.sync())?;
        self.dir.sync()?;
        {
            let mut marks = self.marks.write();
            marks.recovery_point = marks.recovery_point.max(base);
            marks.flushed = marks.flushed.max(base);
        }
        self.cover_recovery_point(Some(base))
    }

    /// Before segments are compacted, which leaves holes that must not be taken for a crash's: everything before the
    /// active segment becomes durable, and the recovery point checkpoint says so of what lies before `base` at least.
    pub(crate) fn settle_for_compaction(&self, base: Offset, now: Timestamp) -> Result<(), StorageError> {
        self.flush_rolled(now)?;
        self.cover_recovery_point(Some(base))
    }

    /// Has the recovery point checkpoint say something of the log, and `needed` at least if the log is that far.
    pub(super) fn cover_recovery_point(&self, needed: Option<Offset>) -> Result<(), StorageError> {
        let log_dir = self.dir.log_dir();
        let current = || self.recovery_point();
        log_dir.recovery_points().cover(log_dir, self.topic_partition(), needed, current)
    }

    fn count_flush(&self, begun: Instant) {
        self.shared.flush_time.record(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
    }

    fn mark_flushed(
        &self,
        truncations: u64,
        flushed: Offset,
        recovery_point: Option<Offset>,
        now: Timestamp,
    ) {
        let writer = self.writer.lock();
        if writer.truncations != truncations {
            return;
        }
        let mut marks = self.marks.write();
        marks.flushed = marks.flushed.max(flushed);
        if let Some(recovery_point) = recovery_point {
            marks.recovery_point = marks.recovery_point.max(recovery_point);
        }
        marks.last_flush = now;
    }
}
