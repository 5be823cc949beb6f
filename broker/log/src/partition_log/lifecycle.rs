//! The end of a log: closed cleanly, deleted, or dropped with its directory.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gregor_model::{LeaderEpoch, Offset, Timestamp};

use super::PartitionLog;
use crate::StorageError;
use crate::background::Doomed;
use crate::leader_epochs::LeaderEpochs;

impl PartitionLog {
    /// Flushes and closes the log so that it is found clean: a snapshot at the log end, closing entries in the time
    /// indexes, no index longer than its entries. All writes after this are refused.
    pub(crate) fn close(&self, now: Timestamp) -> Result<(), StorageError> {
        {
            let mut writer = self.writer.lock();
            self.check_open(&writer)?;
            let writer = &mut *writer;
            writer.producers.set_map_end(self.log_end_offset());
            writer.snapshots.take(&writer.producers)?;
            self.active()?.seal()?;
            writer.closed = true;
        }
        self.flush_closed(now)?;
        self.segments.load().iter().flat_map(|segment| segment.files()).for_each(|file| file.close());
        Ok(())
    }

    /// Refuses all further writes and closes the files, without writing anything.
    pub(crate) fn abandon(&self) {
        self.writer.lock().closed = true;
        self.segments.load().iter().for_each(|segment| segment.forget());
    }

    /// Gives the directory another name, for deletion; all writes after this are refused.
    pub(crate) fn rename_for_deletion(&self, name: &str, due: Timestamp) -> Result<(), StorageError> {
        self.writer.lock().closed = true;
        self.dir.rename(name)?;
        self.shared.background.delete_at(due, Doomed::Directory(Arc::clone(&self.dir)));
        Ok(())
    }

    /// The log start offset, if it lies beyond the first segment's base, as only then it has to be remembered.
    pub(crate) fn log_start_to_checkpoint(&self) -> Option<Offset> {
        let first = self.segments.load().first().map(|segment| segment.base());
        let log_start = self.log_start_offset();
        first.is_some_and(|first| log_start > first).then_some(log_start)
    }

    /// Takes over the epochs of the log that this one is a copy of, as far as its records reach.
    pub(crate) fn adopt_epochs(&self, entries: Vec<(LeaderEpoch, Offset)>) -> Result<(), StorageError> {
        let writer = self.writer.lock();
        self.check_open(&writer)?;
        let (log_start, log_end) = (self.log_start_offset(), self.log_end_offset());
        self.change_epochs(|epochs| {
            *epochs = LeaderEpochs::from_entries(
                entries.into_iter().filter(|&(_, start)| start <= log_end).collect(),
            );
            epochs.truncate_from_start(log_start);
            true
        })
    }

    /// The future log becomes the current one.
    pub(crate) fn become_current(&self) -> Result<(), StorageError> {
        let writer = self.writer.lock();
        self.check_open(&writer)?;
        self.dir.rename(&self.topic_partition().to_string())?;
        self.is_future.store(false, Ordering::Relaxed);
        Ok(())
    }
}
