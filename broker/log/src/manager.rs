//! The log directories and all logs in them (`LogManager`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gregor_model::{Offset, Timestamp, TopicId, TopicName, TopicPartition};

use crate::{LogConfig, LogError, LogManagerConfig, OpenError, PartitionLog, StorageError};

/// A log directory that went offline.
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
}

/// What DescribeLogDirs tells of one directory.
#[derive(Clone, Debug)]
pub struct LogDirUsage {
    /// The directory, as configured.
    pub dir: PathBuf,
    /// Whether it is offline.
    pub offline: bool,
    /// Bytes of its file system.
    pub total_bytes: u64,
    /// Bytes that can still be written there.
    pub usable_bytes: u64,
    /// The logs in it, future ones included.
    pub logs: Vec<Arc<PartitionLog>>,
}

/// The log directories and all logs in them. Background work is done by the functions that take `now`; the server
/// calls them at the intervals its configuration says.
#[derive(Debug)]
pub struct LogManager {
    _private: (),
}

impl LogManager {
    /// Locks every directory, loads every log (recovering those not closed cleanly), in parallel.
    /// Directories that fail go offline; without a live one this is an error.
    pub fn open(
        config: LogManagerConfig,
        topic_configs: HashMap<TopicName, LogConfig>,
        now: Timestamp,
    ) -> Result<LogManager, OpenError> {
        let _ = (config, topic_configs, now);
        unimplemented!()
    }

    /// Calls `listener` once for each directory that fails from now on, from the thread that met the failure:
    /// it must only pass the news on. Directories that failed already are told at once.
    pub fn set_failure_listener(&self, listener: Box<dyn Fn(&Path) + Send + Sync>) {
        let _ = listener;
        unimplemented!()
    }

    /// Drops the logs of a failed directory, without writing anything (`handleLogDirFailure`); the answer names
    /// them. Call it when the listener told of one.
    pub fn drop_failed_dir(&self, dir: &Path) -> Option<FailedDir> {
        let _ = dir;
        unimplemented!()
    }

    /// The current log of a partition.
    pub fn log(&self, partition: &TopicPartition) -> Option<Arc<PartitionLog>> {
        let _ = partition;
        unimplemented!()
    }

    /// The log of a partition on its way to another directory.
    pub fn future_log(&self, partition: &TopicPartition) -> Option<Arc<PartitionLog>> {
        let _ = partition;
        unimplemented!()
    }

    /// The log, created in the live directory with the fewest logs (or the preferred one) if it does not exist.
    /// While a directory is offline only partitions that are `is_new` are created: another may lie there.
    pub fn get_or_create(
        &self,
        partition: &TopicPartition,
        topic_id: Option<TopicId>,
        is_new: bool,
        now: Timestamp,
    ) -> Result<Arc<PartitionLog>, LogError> {
        let _ = (partition, topic_id, is_new, now);
        unimplemented!()
    }

    /// The future log of a partition in `dir`, created if it does not exist.
    pub fn get_or_create_future(
        &self,
        partition: &TopicPartition,
        topic_id: Option<TopicId>,
        dir: &Path,
        now: Timestamp,
    ) -> Result<Arc<PartitionLog>, LogError> {
        let _ = (partition, topic_id, dir, now);
        unimplemented!()
    }

    /// Puts the future log in the place of the current one, which is deleted (`replaceCurrentWithFutureLog`).
    pub fn replace_current_with_future(
        &self,
        partition: &TopicPartition,
        now: Timestamp,
    ) -> Result<(), LogError> {
        let _ = (partition, now);
        unimplemented!()
    }

    /// Where to create the partition's log when it comes to be (AlterReplicaLogDirs before LeaderAndIsr).
    pub fn set_preferred_dir(&self, partition: &TopicPartition, dir: &Path) -> Result<(), LogError> {
        let _ = (partition, dir);
        unimplemented!()
    }

    /// Removes a log: its directory is renamed to `-delete` at once and removed after `log.segment.delete.delay.ms`.
    /// Returns whether there was one.
    pub fn delete(&self, partition: &TopicPartition, now: Timestamp) -> Result<bool, LogError> {
        let _ = (partition, now);
        unimplemented!()
    }

    /// The same for the future log alone.
    pub fn delete_future(&self, partition: &TopicPartition, now: Timestamp) -> Result<bool, LogError> {
        let _ = (partition, now);
        unimplemented!()
    }

    /// All current logs.
    pub fn all(&self) -> Vec<Arc<PartitionLog>> {
        unimplemented!()
    }

    /// Gives the topic's logs a new configuration; later ones of that topic get it too. `None`: the defaults.
    pub fn update_topic_config(&self, topic: &TopicName, config: Option<LogConfig>) {
        let _ = (topic, config);
        unimplemented!()
    }

    /// Replaces the defaults. Topics with overrides must be given theirs again by
    /// [`LogManager::update_topic_config`], as their resolved configuration holds the old defaults.
    pub fn update_defaults(&self, config: LogConfig) {
        let _ = config;
        unimplemented!()
    }

    /// The configuration a log of `topic` gets.
    pub fn topic_config(&self, topic: &TopicName) -> Arc<LogConfig> {
        let _ = topic;
        unimplemented!()
    }

    /// The directories in use, as configured.
    pub fn live_dirs(&self) -> Vec<PathBuf> {
        unimplemented!()
    }

    /// The directories that failed.
    pub fn offline_dirs(&self) -> Vec<PathBuf> {
        unimplemented!()
    }

    /// What DescribeLogDirs tells.
    pub fn usage(&self) -> Vec<LogDirUsage> {
        unimplemented!()
    }

    /// The high watermark that was checkpointed for a partition, as read when its log was loaded.
    pub fn checkpointed_high_watermark(&self, partition: &TopicPartition) -> Option<Offset> {
        let _ = partition;
        unimplemented!()
    }

    /// Writes `recovery-point-offset-checkpoint` of every live directory.
    pub fn checkpoint_recovery_points(&self) {
        unimplemented!()
    }

    /// Writes `log-start-offset-checkpoint` of every live directory.
    pub fn checkpoint_log_start_offsets(&self) {
        unimplemented!()
    }

    /// Writes `replication-offset-checkpoint` of every live directory.
    pub fn checkpoint_high_watermarks(&self) {
        unimplemented!()
    }

    /// Retention of all logs that are not compacted (every `log.retention.check.interval.ms`).
    pub fn run_retention(&self, now: Timestamp) {
        let _ = now;
        unimplemented!()
    }

    /// Flushes logs whose last flush is `flush.ms` ago (every `log.flush.scheduler.interval.ms`), and what rolls left to flush.
    pub fn flush_dirty(&self, now: Timestamp) {
        let _ = now;
        unimplemented!()
    }

    /// Unlinks `.deleted` files and `-delete` directories whose delay is over (every second or so).
    pub fn delete_expired_files(&self, now: Timestamp) {
        let _ = now;
        unimplemented!()
    }

    /// Forgets producers that are silent for `producer.id.expiration.ms`.
    pub fn expire_producers(&self, now: Timestamp) {
        let _ = now;
        unimplemented!()
    }

    /// Flushes and closes every log, writes checkpoints and `.kafka_cleanshutdown`, unlocks the directories.
    /// A directory where any of that fails stays unclean.
    pub fn shutdown(&self, now: Timestamp) -> Result<(), StorageError> {
        let _ = now;
        unimplemented!()
    }
}
