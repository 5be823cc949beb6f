//! What happens to the logs of a directory that failed (`handleLogDirFailure`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gregor_model::TopicPartition;

use super::{LogManager, Logs};
use crate::PartitionLog;
use crate::log_dir::LogDir;

/// A log directory that went offline. Its logs are out of the manager; [`FailedDir::close_logs`] is still to be called.
#[derive(Clone, Debug)]
pub struct FailedDir {
    /// The directory, as configured.
    pub dir: PathBuf,
    /// What happened, in one line.
    pub reason: String,
    /// The current logs that lay there.
    pub logs: Vec<TopicPartition>,
    /// The future logs that lay there.
    pub future_logs: Vec<TopicPartition>,
    dropped: Vec<Arc<PartitionLog>>,
}

impl FailedDir {
    /// Closes the files of the logs, without writing anything. Waits for writes that hang in the directory, which may be for ever.
    pub fn close_logs(&self) {
        self.dropped.iter().for_each(|log| log.abandon());
    }
}

impl LogManager {
    /// Drops the logs of a failed directory; the answer names them. Call it when the listener told of one. Waits for
    /// no write to its logs; others' are not disturbed.
    /// `None`: the directory is not one of ours, or has not failed.
    pub fn drop_failed_dir(&self, dir: &Path) -> Option<FailedDir> {
        let managed = self.dir(dir)?;
        let reason = managed.log_dir.failure()?.to_owned();
        let _creation = self.creation.lock();
        let mut dropped = Vec::new();
        let logs = drop_logs(&mut self.logs.write(), &managed.log_dir, &mut dropped);
        let future_logs = drop_logs(&mut self.future_logs.write(), &managed.log_dir, &mut dropped);
        future_logs.iter().for_each(|partition| self.set_moving(partition, false));
        *managed.lock.lock() = None;
        Some(FailedDir { dir: dir.to_path_buf(), reason, logs, future_logs, dropped })
    }
}

fn drop_logs(
    logs: &mut Logs,
    dir: &Arc<LogDir>,
    dropped: &mut Vec<Arc<PartitionLog>>,
) -> Vec<TopicPartition> {
    let gone: Vec<_> = logs.extract_if(|_, log| Arc::ptr_eq(log.partition_dir().log_dir(), dir)).collect();
    gone.into_iter()
        .map(|(partition, log)| {
            dropped.push(log);
            partition
        })
        .collect()
}
