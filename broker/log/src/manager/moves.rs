//! Deleting logs, and moving them between directories.

use std::sync::Arc;

use gregor_model::{Timestamp, TopicPartition};
use uuid::Uuid;

use super::LogManager;
use crate::file_name::delete_dir_name;
use crate::{LogError, PartitionLog, StorageError};

impl LogManager {
    /// Removes a log and its future log: the directories are renamed to `-delete` at once and removed after
    /// `log.segment.delete.delay.ms`. Returns whether there was one.
    pub fn delete(&self, partition: &TopicPartition, now: Timestamp) -> Result<bool, LogError> {
        let _creation = self.creation.lock();
        let future = self.future_logs.write().remove(partition);
        let current = self.logs.write().remove(partition);
        let existed = current.is_some();
        for log in current.into_iter().chain(future) {
            self.discard(&log, now)?;
        }
        Ok(existed)
    }

    /// The same for the future log alone.
    pub fn delete_future(&self, partition: &TopicPartition, now: Timestamp) -> Result<bool, LogError> {
        let _creation = self.creation.lock();
        let future = self.future_logs.write().remove(partition);
        match future {
            None => Ok(false),
            Some(log) => {
                self.set_moving(partition, false);
                self.discard(&log, now)?;
                Ok(true)
            }
        }
    }

    /// Puts the future log in the place of the current one, which is deleted (`replaceCurrentWithFutureLog`).
    ///
    /// The new one gets its name before the old one loses it: a crash in between leaves both, and the next start
    /// says so, rather than none. From then on it counts, whatever becomes of the old one. Call it when nobody appends
    /// to either.
    pub fn replace_current_with_future(
        &self,
        partition: &TopicPartition,
        now: Timestamp,
    ) -> Result<(), LogError> {
        let _creation = self.creation.lock();
        let future = self.future_log(partition).ok_or_else(|| LogError::NoSuchLog(partition.clone()))?;
        let current = self.log(partition).ok_or_else(|| LogError::NoSuchLog(partition.clone()))?;
        // Epochs without records are not in the copy, and followers would ask for them in vain (KAFKA-15608).
        future.adopt_epochs(current.epoch_entries())?;
        future.set_high_watermark(current.high_watermark());
        let (from, to) = (current.partition_dir().log_dir(), future.partition_dir().log_dir());
        if let Some(clean_end) = from.cleaner_checkpoint().get(from, partition)? {
            to.cleaner_checkpoint().set(to, partition, clean_end)?;
        }
        future.become_current()?;
        future.adopt_verifications(&current);
        self.logs.write().insert(partition.clone(), Arc::clone(&future));
        self.future_logs.write().remove(partition);
        let tidied = self.discard(&current, now).and_then(|()| match self.dir(&future.parent_dir()) {
            Some(dir) => self.checkpoint_dir_fully(dir),
            None => Ok(()),
        });
        if let Err(error) = tidied {
            tracing::error!(%partition, %error, "cannot tidy up after a move between log directories");
        }
        Ok(())
    }

    fn discard(&self, log: &PartitionLog, now: Timestamp) -> Result<(), StorageError> {
        let log_dir = log.partition_dir().log_dir();
        if !log.is_future() {
            log_dir.cleaner_checkpoint().remove(log_dir, log.topic_partition())?;
        }
        let name = delete_dir_name(log.topic_partition(), Uuid::new_v4());
        log.rename_for_deletion(&name, now + self.config.segment_delete_delay_ms)?;
        match self.dir(&log.parent_dir()) {
            Some(dir) => self.checkpoint_dir(dir),
            None => Ok(()),
        }
    }
}
