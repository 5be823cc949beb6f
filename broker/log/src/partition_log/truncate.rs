//! Cutting the end of a log off (`UnifiedLog.truncateTo`, `truncateFullyAndStartAt`).

use std::sync::Arc;

use gregor_model::{Offset, Timestamp};

use super::read::floor_segment;
use super::{PartitionLog, Roller, Segments, Writer};
use crate::StorageError;
use crate::file_name::FileState;
use crate::recovery::{ProducerRebuild, rebuild_producer_state};
use crate::segment::Segment;
use crate::segment_scan::ScanError;

impl PartitionLog {
    /// Truncates so that `offset` is the log end offset. Returns whether anything was cut.
    pub fn truncate_to(&self, offset: Offset, now: Timestamp) -> Result<bool, StorageError> {
        let mut writer = self.writer.lock();
        self.check_open(&writer)?;
        let log_end = self.log_end_offset();
        if offset >= log_end {
            tracing::debug!(partition = %self.topic_partition(), %offset, %log_end, "nothing to truncate");
            self.change_epochs(|epochs| epochs.truncate_from_end(log_end))?;
            return Ok(false);
        }
        let offset = offset.max(Offset::ZERO);
        tracing::info!(partition = %self.topic_partition(), from = %log_end, to = %offset, "truncating");
        let segments = self.segments.load_full();
        if segments.first().is_none_or(|first| first.base() > offset) {
            self.restart_at(&mut writer, offset, now)?;
            return Ok(true);
        }
        writer.truncations += 1;
        self.lower_cleaner_checkpoint(offset)?;
        self.recent.lock().clear();
        self.lower_marks(offset, &segments);
        self.lower_recovery_checkpoint()?;
        self.drop_segments_above(offset, &segments, now)?;
        self.set_log_end(offset)?;
        self.change_epochs(|epochs| epochs.truncate_from_end(offset))?;
        self.reload_producers(&mut writer, offset, now)?;
        Ok(true)
    }

    /// Readers must not be promised any more what is about to go.
    fn lower_marks(&self, offset: Offset, segments: &Segments) {
        let mut marks = self.marks.write();
        marks.log_start = marks.log_start.min(offset);
        marks.high_watermark = marks.high_watermark.min(offset);
        // The segment that is cut becomes the active one, which always has to be recovered.
        let base = segments.get(floor_segment(segments, offset)).map_or(offset, |segment| segment.base());
        marks.recovery_point = marks.recovery_point.min(base).min(offset);
        marks.flushed = marks.flushed.min(offset);
        if marks.log_end.offset > offset {
            marks.log_end.offset = offset;
        }
    }

    fn lower_recovery_checkpoint(&self) -> Result<(), StorageError> {
        let log_dir = self.dir.log_dir();
        log_dir.recovery_points().lower(log_dir, self.topic_partition(), self.recovery_point())
    }

    fn drop_segments_above(
        &self,
        offset: Offset,
        segments: &Segments,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let kept = segments.partition_point(|segment| segment.base() <= offset);
        let (kept, gone) = segments.split_at(kept);
        self.segments.store(Arc::new(kept.to_vec()));
        // From the newest down: a crash in between leaves a log without a gap.
        for segment in gone.iter().rev() {
            segment.unlink()?;
        }
        if !gone.is_empty() {
            // Should one of them come back, the one before it must still reach up to it.
            self.dir.sync()?;
        }
        if let Some(last) = kept.last() {
            last.truncate_to(offset, now).map_err(|error| self.truncation_error(last, error))?;
            // What is appended next must not find old batches behind it after a power loss.
            last.log().sync()?;
        }
        Ok(())
    }

    fn truncation_error(&self, segment: &Segment, error: ScanError) -> StorageError {
        match error {
            ScanError::Storage(error) => error,
            ScanError::Corrupt { .. } => {
                let problem = std::io::Error::new(std::io::ErrorKind::InvalidData, error.to_string());
                self.dir.log_dir().fail("truncate", &segment.path(), problem)
            }
        }
    }

    /// Brings the producers' state back to what it was at `offset`.
    fn reload_producers(
        &self,
        writer: &mut Writer,
        offset: Offset,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let segments = self.segments.load_full();
        let log_start = self.log_start_offset();
        rebuild_producer_state(
            &mut writer.producers,
            &mut writer.snapshots,
            &ProducerRebuild {
                segments: &segments,
                log_start,
                log_end: offset,
                now,
                expiration_ms: self.shared.producer_id_expiration_ms(),
            },
        )?;
        self.update_first_unstable(writer);
        Ok(())
    }

    /// Empties the log and lets it start at `offset`.
    pub fn truncate_fully_and_start_at(&self, offset: Offset, now: Timestamp) -> Result<(), StorageError> {
        let mut writer = self.writer.lock();
        self.check_open(&writer)?;
        tracing::info!(partition = %self.topic_partition(), %offset, "truncating fully");
        self.restart_at(&mut writer, offset.max(Offset::ZERO), now)
    }

    fn restart_at(&self, writer: &mut Writer, offset: Offset, now: Timestamp) -> Result<(), StorageError> {
        writer.truncations += 1;
        self.lower_cleaner_checkpoint(offset)?;
        self.recent.lock().clear();
        let segments = self.segments.load_full();
        self.lower_marks(offset, &segments);
        self.lower_recovery_checkpoint()?;
        for segment in segments.iter().rev() {
            segment.unlink()?;
        }
        let first = Segment::create(&self.dir, offset, FileState::Plain, now)?;
        // Without its only segment the log would start at 0 again.
        self.dir.sync()?;
        self.segments.store(Arc::new(vec![Arc::new(first)]));
        writer.roller = Roller::new(&self.config.load());
        self.clear_epochs()?;
        writer.producers.clear(offset);
        writer.snapshots.clear()?;
        {
            let mut marks = self.marks.write();
            marks.log_start = offset;
            marks.recovery_point = marks.recovery_point.min(offset);
            marks.flushed = marks.flushed.min(offset);
        }
        self.set_log_end(offset)?;
        let mut marks = self.marks.write();
        marks.high_watermark = offset;
        marks.set_first_unstable(None);
        Ok(())
    }
}
