//! What the cleaner needs of a log: a view to work on, and the exchange of segments at the end
//! (`LocalLog.replaceSegments`).
//!
//! The cleaner works beside appends, reads, truncation and deletion without holding them up. What it made counts only if
//! the segments it was made of are still those of the log, which is looked at under the writer's lock.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gregor_model::{Offset, ProducerId, Timestamp};

use super::read::floor_segment;
use super::{PartitionLog, Segments, Writer};
use crate::StorageError;
use crate::background::Doomed;
use crate::cleaner::LastRecord;
use crate::file_name::FileState;
use crate::segment::Segment;

/// The log at one moment.
#[derive(Clone, Debug)]
pub(crate) struct CompactionView {
    /// All segments; the last one is active.
    pub(crate) segments: Arc<Segments>,
    pub(crate) log_start: Offset,
    pub(crate) log_end: Offset,
    pub(crate) last_stable: Offset,
    truncations: u64,
}

impl PartitionLog {
    /// The log at this moment.
    pub(crate) fn compaction_view(&self) -> Result<CompactionView, StorageError> {
        let writer = self.writer.lock();
        self.check_open(&writer)?;
        let marks = *self.marks.read();
        Ok(CompactionView {
            segments: self.segments.load_full(),
            log_start: marks.log_start,
            log_end: marks.log_end.offset,
            last_stable: marks.last_stable(),
            truncations: writer.truncations,
        })
    }

    /// What must survive of each active producer (`UnifiedLog.lastRecordsOfActiveProducers`).
    pub(crate) fn last_records_of_active_producers(&self) -> HashMap<ProducerId, LastRecord> {
        let writer = self.writer.lock();
        let producers = writer.producers.producers().values();
        producers
            .map(|producer| {
                let last_data_offset = producer.last_batch().map(|batch| batch.last_offset);
                (producer.producer_id, LastRecord { last_data_offset, epoch: producer.epoch })
            })
            .collect()
    }

    /// While the log is being copied to another directory it is not compacted (`abortAndPauseCleaning`): a record that was
    /// copied before it went, of a key whose tombstone went before that was copied, would come back to life. When this
    /// returns, no cleaning under way can end well any more.
    pub(crate) fn set_moving(&self, moving: bool) {
        let _writer = self.writer.lock();
        self.is_moving.store(moving, Ordering::Release);
    }

    /// Whether the log is being copied to another directory.
    pub(crate) fn is_moving(&self) -> bool {
        self.is_moving.load(Ordering::Acquire)
    }

    /// Puts `cleaned` (complete, durable, with the suffix `.cleaned`) in the place of the segments `old` of `view`.
    /// Returns whether it did: not if the log was truncated or lost some of `old` meanwhile, or is being moved.
    ///
    /// Crash-safe: until all of `cleaned` are named `.swap` the work is lost; from then on loading completes it.
    pub(crate) fn replace_segments(
        &self,
        view: &CompactionView,
        old: &[Arc<Segment>],
        cleaned: &[Arc<Segment>],
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let mut writer = self.writer.lock();
        self.check_open(&writer)?;
        let segments = self.segments.load_full();
        let Some(replaced) = exchange(&segments, old, cleaned).filter(|_| self.is_as_seen(&writer, view))
        else {
            return Ok(false);
        };
        for segment in cleaned.iter().rev() {
            segment.rename(FileState::Swap)?;
        }
        // The decision must be on disk before the first of the old files changes its name.
        self.dir.sync()?;
        self.segments.store(Arc::new(replaced));
        // Positions in segments that are no more.
        self.recent.lock().clear();
        let due = now + self.config.load().file_delete_delay_ms;
        for segment in old {
            segment.rename(FileState::Deleted)?;
            self.shared.background.delete_at(due, Doomed::Segment(Arc::clone(segment)));
            let base_is_reused = cleaned.iter().any(|cleaned| cleaned.base() == segment.base());
            if !base_is_reused && let Some(name) = writer.snapshots.mark_deleted(segment.base())? {
                self.shared.background.delete_at(due, Doomed::File { dir: Arc::clone(&self.dir), name });
            }
        }
        cleaned.iter().try_for_each(|segment| segment.rename(FileState::Plain))?;
        self.dir.sync()?;
        Ok(true)
    }

    /// Whether what a cleaning of `view` made may count.
    fn is_as_seen(&self, writer: &Writer, view: &CompactionView) -> bool {
        writer.truncations == view.truncations && !self.is_moving()
    }

    /// Notes in the cleaner's checkpoint that everything before `clean_end` is clean. Returns whether it did: not if the
    /// log was truncated meanwhile, or is being moved.
    pub(crate) fn checkpoint_cleaning(
        &self,
        view: &CompactionView,
        clean_end: Offset,
    ) -> Result<bool, StorageError> {
        // Under the lock, so that a truncation lowers it afterwards.
        let writer = self.writer.lock();
        self.check_open(&writer)?;
        if !self.is_as_seen(&writer, view) {
            return Ok(false);
        }
        let log_dir = self.dir.log_dir();
        log_dir.cleaner_checkpoint().set(log_dir, self.topic_partition(), clean_end)?;
        Ok(true)
    }

    /// Before a truncation to `offset`: what is left of the segment it lies in, and what will be appended, is dirty.
    pub(super) fn lower_cleaner_checkpoint(&self, offset: Offset) -> Result<(), StorageError> {
        if !self.config.load().cleanup_policy.compact {
            return Ok(());
        }
        let segments = self.segments.load();
        let base = segments.get(floor_segment(&segments, offset)).map_or(offset, |segment| segment.base());
        let log_dir = self.dir.log_dir();
        log_dir.cleaner_checkpoint().lower(log_dir, self.topic_partition(), base.min(offset))
    }
}

/// The segments with `cleaned` in the place of `old`; `None` if `old` are not neighbours in the log before the active one.
fn exchange(segments: &Segments, old: &[Arc<Segment>], cleaned: &[Arc<Segment>]) -> Option<Segments> {
    let first = old.first()?;
    let at = segments.iter().position(|segment| Arc::ptr_eq(segment, first))?;
    let run = segments.get(at..at + old.len())?;
    let same = run.iter().zip(old).all(|(one, other)| Arc::ptr_eq(one, other));
    let (before, after) = (segments.get(..at)?, segments.get(at + old.len()..)?);
    (same && !after.is_empty()).then(|| [before, cleaned, after].concat())
}
