//! The log directories and all logs in them (`LogManager`).
//!
//! Owned by the server, shared with replication and the cleaner. Lock order: `creation`, then `logs` or `future_logs`,
//! each for a moment only.

mod background;
mod checkpoints;
mod create;
#[cfg(test)]
mod damage_tests;
mod dir_lock;
mod failure;
mod moves;
mod open;
mod progress;
mod usage;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gregor_model::{Offset, TopicName, TopicPartition};
use parking_lot::{Mutex, RwLock};

use self::dir_lock::DirLock;
use crate::log_dir::{FailureChannel, LogDir};
use crate::partition_log::Shared;
use crate::{LogConfig, LogManagerConfig, PartitionLog};

pub use self::failure::FailedDir;
pub use self::progress::LoadProgress;
pub use self::usage::LogDirUsage;

type Logs = HashMap<TopicPartition, Arc<PartitionLog>>;

/// The log directories and all logs in them. Background work is done by the functions that take `now`; the server
/// calls them at the intervals its configuration says.
#[derive(Debug)]
pub struct LogManager {
    config: LogManagerConfig,
    shared: Arc<Shared>,
    failures: Arc<FailureChannel>,
    dirs: Vec<ManagedDir>,
    logs: RwLock<Logs>,
    future_logs: RwLock<Logs>,
    /// One creation, deletion or move at a time.
    creation: Mutex<()>,
    preferred_dirs: Mutex<HashMap<TopicPartition, PathBuf>>,
    defaults: RwLock<Arc<LogConfig>>,
    topic_configs: RwLock<HashMap<TopicName, Arc<LogConfig>>>,
    checkpointed_high_watermarks: Mutex<HashMap<TopicPartition, Offset>>,
}

/// A log directory with its lock.
#[derive(Debug)]
struct ManagedDir {
    log_dir: Arc<LogDir>,
    lock: Mutex<Option<DirLock>>,
}

impl ManagedDir {
    fn is_live(&self) -> bool {
        self.log_dir.failure().is_none()
    }
}

impl LogManager {
    /// Calls `listener` once for each directory that fails from now on, from the thread that met the failure:
    /// it must only pass the news on. Directories that failed already are told at once.
    pub fn set_failure_listener(&self, listener: Box<dyn Fn(&Path) + Send + Sync>) {
        self.failures.listen(listener);
    }

    /// The current log of a partition.
    pub fn log(&self, partition: &TopicPartition) -> Option<Arc<PartitionLog>> {
        self.logs.read().get(partition).cloned()
    }

    /// The log of a partition on its way to another directory.
    pub fn future_log(&self, partition: &TopicPartition) -> Option<Arc<PartitionLog>> {
        self.future_logs.read().get(partition).cloned()
    }

    /// How long flushes took, in microseconds (`LogFlushRateAndTimeMs`).
    pub fn flush_time(&self) -> &gregor_metrics::Histogram {
        &self.shared.flush_time
    }

    /// All current logs.
    pub fn all(&self) -> Vec<Arc<PartitionLog>> {
        self.logs.read().values().cloned().collect()
    }

    /// All logs, future ones included.
    fn all_with_future(&self) -> Vec<Arc<PartitionLog>> {
        let mut all = self.all();
        all.extend(self.future_logs.read().values().cloned());
        all
    }

    /// Gives the topic's logs a new configuration; later ones of that topic get it too. `None`: the defaults.
    pub fn update_topic_config(&self, topic: &TopicName, config: Option<LogConfig>) {
        {
            let mut configs = self.topic_configs.write();
            let before = match config {
                Some(config) => configs.insert(topic.clone(), Arc::new(config)),
                None => configs.remove(topic),
            };
            // The defaults are in force already.
            if before.is_none() && !configs.contains_key(topic) {
                return;
            }
        }
        let config = self.topic_config(topic);
        for log in self.all_with_future().iter().filter(|log| log.topic_partition().topic == *topic) {
            log.set_config(Arc::clone(&config));
        }
    }

    /// Replaces the defaults. Topics with overrides must be given theirs again by
    /// [`LogManager::update_topic_config`], as their resolved configuration holds the old defaults.
    pub fn update_defaults(&self, config: LogConfig) {
        *self.defaults.write() = Arc::new(config);
        for log in self.all_with_future() {
            log.set_config(self.topic_config(&log.topic_partition().topic));
        }
    }

    /// The configuration a log of `topic` gets.
    pub fn topic_config(&self, topic: &TopicName) -> Arc<LogConfig> {
        let own = self.topic_configs.read().get(topic).cloned();
        own.unwrap_or_else(|| Arc::clone(&self.defaults.read()))
    }

    /// The directories in use, as configured.
    pub fn live_dirs(&self) -> Vec<PathBuf> {
        self.dirs.iter().filter(|dir| dir.is_live()).map(|dir| dir.log_dir.path().to_path_buf()).collect()
    }

    /// The directories that failed.
    pub fn offline_dirs(&self) -> Vec<PathBuf> {
        let failed =
            self.dirs.iter().filter(|dir| !dir.is_live()).map(|dir| dir.log_dir.path().to_path_buf());
        failed.chain(self.config.initial_offline_dirs.iter().cloned()).collect()
    }

    /// The high watermark that was checkpointed for a partition, as read when its log was loaded.
    pub fn checkpointed_high_watermark(&self, partition: &TopicPartition) -> Option<Offset> {
        self.checkpointed_high_watermarks.lock().get(partition).copied()
    }

    fn dir(&self, path: &Path) -> Option<&ManagedDir> {
        self.dirs.iter().find(|dir| **dir.log_dir.path() == *path)
    }
}

#[cfg(test)]
mod tests;
