//! Creating logs, and choosing where.

use std::path::Path;
use std::sync::Arc;

use gregor_model::{Offset, Timestamp, TopicId, TopicPartition};
use uuid::Uuid;

use super::{LogManager, ManagedDir};
use crate::file_name::future_dir_name;
use crate::partition_dir::PartitionDir;
use crate::recovery::{Checkpoint, load_log};
use crate::{LogError, PartitionLog, StorageError};

impl LogManager {
    /// The log, created in the live directory with the fewest logs (or the preferred one) if it does not exist.
    /// While a directory is offline only partitions that are `is_new` are created: another may lie there.
    pub fn get_or_create(
        &self,
        partition: &TopicPartition,
        topic_id: Option<TopicId>,
        is_new: bool,
        now: Timestamp,
    ) -> Result<Arc<PartitionLog>, LogError> {
        let log = match self.log(partition) {
            Some(log) => log,
            None => {
                let _creation = self.creation.lock();
                match self.log(partition) {
                    Some(log) => log,
                    None => self.create(partition, is_new, now)?,
                }
            }
        };
        assign(&log, topic_id)?;
        Ok(log)
    }

    fn create(
        &self,
        partition: &TopicPartition,
        is_new: bool,
        now: Timestamp,
    ) -> Result<Arc<PartitionLog>, LogError> {
        if !is_new && !self.offline_dirs().is_empty() {
            return Err(LogError::MayBeOffline(partition.clone()));
        }
        let preferred = self.preferred_dirs.lock().remove(partition);
        let mut error = None;
        for dir in self.dirs_by_preference(preferred.as_deref()) {
            match self.create_in(dir, partition, &partition.to_string(), false, now) {
                Ok(log) => {
                    self.logs.write().insert(partition.clone(), Arc::clone(&log));
                    return Ok(log);
                }
                Err(failed) => error = Some(failed),
            }
        }
        Err(error.map_or_else(|| LogError::MayBeOffline(partition.clone()), LogError::Storage))
    }

    /// Live directories, the preferred one first, then those with fewer logs.
    fn dirs_by_preference(&self, preferred: Option<&Path>) -> Vec<&ManagedDir> {
        let all = self.all_with_future();
        let count = |dir: &ManagedDir| {
            all.iter().filter(|log| Arc::ptr_eq(log.partition_dir().log_dir(), &dir.log_dir)).count()
        };
        let mut dirs: Vec<_> = self.dirs.iter().filter(|dir| dir.is_live()).collect();
        dirs.sort_by_cached_key(|dir| (Some(&**dir.log_dir.path()) != preferred, count(dir)));
        dirs
    }

    /// The future log of a partition in `dir`, created if it does not exist; until it has taken the current one's place or
    /// is deleted, that one is not compacted. While a directory is offline none is created: one may lie there.
    pub fn get_or_create_future(
        &self,
        partition: &TopicPartition,
        topic_id: Option<TopicId>,
        dir: &Path,
        now: Timestamp,
    ) -> Result<Arc<PartitionLog>, LogError> {
        let _creation = self.creation.lock();
        let log = match self.future_log(partition) {
            Some(log) => log,
            None => {
                let name = future_dir_name(partition, Uuid::new_v4())
                    .ok_or_else(|| LogError::NameTooLong(partition.clone()))?;
                let managed = self.live_dir(dir)?;
                if !self.offline_dirs().is_empty() {
                    return Err(LogError::MayBeOffline(partition.clone()));
                }
                let log = self.create_in(managed, partition, &name, true, now)?;
                self.future_logs.write().insert(partition.clone(), Arc::clone(&log));
                log
            }
        };
        self.set_moving(partition, true);
        assign(&log, topic_id)?;
        Ok(log)
    }

    /// Whether a log can be moved to `dir`, as far as names and directories go.
    pub fn check_move(&self, partition: &TopicPartition, dir: &Path) -> Result<(), LogError> {
        if future_dir_name(partition, Uuid::nil()).is_none() {
            return Err(LogError::NameTooLong(partition.clone()));
        }
        self.live_dir(dir).map(drop)
    }

    /// Where to create the partition's log when it comes to be (AlterReplicaLogDirs before LeaderAndIsr).
    pub fn set_preferred_dir(&self, partition: &TopicPartition, dir: &Path) -> Result<(), LogError> {
        self.check_move(partition, dir)?;
        self.preferred_dirs.lock().insert(partition.clone(), dir.to_path_buf());
        Ok(())
    }

    /// Tells the current log whether there is a future one beside it.
    pub(super) fn set_moving(&self, partition: &TopicPartition, moving: bool) {
        if let Some(current) = self.log(partition) {
            current.set_moving(moving);
        }
    }

    fn live_dir(&self, dir: &Path) -> Result<&ManagedDir, LogError> {
        let offline = || StorageError::Offline { dir: dir.into() };
        match self.dir(dir) {
            Some(found) if found.is_live() => Ok(found),
            Some(_) => Err(offline().into()),
            None if self.config.initial_offline_dirs.iter().any(|known| known == dir) => {
                Err(offline().into())
            }
            None => Err(LogError::NoSuchDir(dir.to_path_buf())),
        }
    }

    fn create_in(
        &self,
        dir: &ManagedDir,
        partition: &TopicPartition,
        name: &str,
        is_future: bool,
        now: Timestamp,
    ) -> Result<Arc<PartitionLog>, StorageError> {
        let path = dir.log_dir.path().join(name);
        dir.log_dir.run("create", &path, |disk| disk.create_dir_all(&path))?;
        let partition_dir = PartitionDir::new(partition.clone(), Arc::clone(&dir.log_dir), path);
        let config = self.topic_config(&partition.topic);
        // Should there be files already, nothing is known of them: they are read through.
        let checkpoint = Checkpoint {
            clean: false,
            recovery_point: None,
            log_start: Offset::ZERO,
            now,
            producer_expiration_ms: self.config.producer_id_expiration_ms,
            index_interval_bytes: config.index_interval_bytes,
        };
        let loaded = load_log(&partition_dir, &checkpoint)?;
        tracing::info!(%partition, dir = %dir.log_dir.path().display(), is_future, "created the log");
        let shared = Arc::clone(&self.shared);
        Ok(Arc::new(PartitionLog::new(partition_dir, shared, config, loaded, is_future, now)))
    }
}

fn assign(log: &PartitionLog, topic_id: Option<TopicId>) -> Result<(), LogError> {
    topic_id.map_or(Ok(()), |id| log.assign_topic_id(id))
}
