//! Writing the checkpoints of each log directory.

use std::sync::Arc;

use gregor_model::{Offset, TopicPartition};

use super::{LogManager, ManagedDir};
use crate::checkpoint::offsets;
use crate::{PartitionLog, StorageError};

impl LogManager {
    /// Writes `recovery-point-offset-checkpoint` of every live directory.
    pub fn checkpoint_recovery_points(&self) {
        for dir in self.dirs.iter().filter(|dir| dir.is_live()) {
            // A failure has taken the directory offline, and was logged there.
            let _ = self.write_recovery_points(dir);
        }
    }

    /// Writes `log-start-offset-checkpoint` of every live directory, and then takes out of the logs' leader epochs what
    /// only older log start offsets needed.
    pub fn checkpoint_log_start_offsets(&self) {
        let all = self.all_with_future();
        for dir in self.dirs.iter().filter(|dir| dir.is_live()) {
            // Before they are written: a log start offset that rises meanwhile may be in the file or not.
            let awaited: Vec<_> =
                in_dir(dir, &all).filter_map(|log| Some((log, log.log_start_that_epochs_await()?))).collect();
            if write(dir, offsets::LOG_START, &all, PartitionLog::log_start_to_checkpoint).is_err() {
                // The failure has taken the directory offline, and was logged there.
                continue;
            }
            for (log, start) in awaited {
                // The same, or the log was deleted meanwhile.
                let _ = log.forget_epochs_below(start);
            }
        }
    }

    /// Writes `replication-offset-checkpoint` of every live directory.
    pub fn checkpoint_high_watermarks(&self) {
        self.checkpoint_all(offsets::HIGH_WATERMARK, |log| Some(log.high_watermark()));
    }

    fn checkpoint_all(&self, name: &str, offset: impl Fn(&PartitionLog) -> Option<Offset>) {
        let all = self.all_with_future();
        for dir in self.dirs.iter().filter(|dir| dir.is_live()) {
            // A failure has taken the directory offline, and was logged there.
            let _ = write(dir, name, &all, &offset);
        }
    }

    /// Writes recovery points and log start offsets of one directory.
    pub(super) fn checkpoint_dir(&self, dir: &ManagedDir) -> Result<(), StorageError> {
        self.write_recovery_points(dir)?;
        write(dir, offsets::LOG_START, &self.all_with_future(), PartitionLog::log_start_to_checkpoint)
    }

    pub(super) fn write_recovery_points(&self, dir: &ManagedDir) -> Result<(), StorageError> {
        let all = self.all_with_future();
        dir.log_dir.recovery_points().write(&dir.log_dir, || recovery_points(dir, &all))
    }

    /// Whether the file says of each log of the directory what is the case.
    pub(super) fn recovery_points_are_written(&self, dir: &ManagedDir) -> bool {
        dir.log_dir.recovery_points().agree(&recovery_points(dir, &self.all_with_future()))
    }

    /// Writes all checkpoints of one directory.
    pub(super) fn checkpoint_dir_fully(&self, dir: &ManagedDir) -> Result<(), StorageError> {
        self.checkpoint_dir(dir)?;
        write(dir, offsets::HIGH_WATERMARK, &self.all_with_future(), |log| Some(log.high_watermark()))
    }
}

fn in_dir<'a>(
    dir: &'a ManagedDir,
    logs: &'a [Arc<PartitionLog>],
) -> impl Iterator<Item = &'a Arc<PartitionLog>> {
    logs.iter().filter(|log| Arc::ptr_eq(log.partition_dir().log_dir(), &dir.log_dir))
}

fn recovery_points(dir: &ManagedDir, logs: &[Arc<PartitionLog>]) -> Vec<(TopicPartition, Offset)> {
    in_dir(dir, logs).map(|log| (log.topic_partition().clone(), log.recovery_point())).collect()
}

fn write(
    dir: &ManagedDir,
    name: &str,
    logs: &[Arc<PartitionLog>],
    offset: impl Fn(&PartitionLog) -> Option<Offset>,
) -> Result<(), StorageError> {
    // One writer at a time: two would take each other's temporary file away, or put older offsets over newer ones.
    let _one_at_a_time = dir.lock.lock();
    let entries: Vec<(TopicPartition, Offset)> =
        in_dir(dir, logs).filter_map(|log| Some((log.topic_partition().clone(), offset(log)?))).collect();
    let path = dir.log_dir.path().join(name);
    let content = offsets::format(&entries);
    dir.log_dir.run("write", &path, |disk| disk.replace(&path, &content))
}
