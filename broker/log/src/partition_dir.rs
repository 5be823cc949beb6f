//! The directory of one partition. It is renamed for deletion and at the end of a move between log directories, so
//! its path is asked for at each use.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gregor_model::TopicPartition;
use parking_lot::RwLock;

use crate::StorageError;
use crate::disk::Disk;
use crate::log_dir::LogDir;

/// The directory of one partition, shared by its log and its files.
#[derive(Debug)]
pub(crate) struct PartitionDir {
    partition: TopicPartition,
    log_dir: Arc<LogDir>,
    path: RwLock<PathBuf>,
    /// The directory's own entry in the log directory is durable.
    entry_synced: AtomicBool,
}

impl PartitionDir {
    pub(crate) fn new(partition: TopicPartition, log_dir: Arc<LogDir>, path: PathBuf) -> Arc<PartitionDir> {
        Arc::new(PartitionDir {
            partition,
            log_dir,
            path: RwLock::new(path),
            entry_synced: AtomicBool::new(false),
        })
    }

    pub(crate) fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    pub(crate) fn log_dir(&self) -> &Arc<LogDir> {
        &self.log_dir
    }

    /// Where the directory is now.
    pub(crate) fn path(&self) -> PathBuf {
        self.path.read().clone()
    }

    /// Runs a file operation on `name` in this directory; the directory is not renamed meanwhile.
    pub(crate) fn run<T>(
        &self,
        operation: &'static str,
        name: &str,
        io: impl FnOnce(&dyn Disk, &Path) -> std::io::Result<T>,
    ) -> Result<T, StorageError> {
        let dir = self.path.read();
        let path = dir.join(name);
        self.log_dir.run(operation, &path, |disk| io(disk, &path))
    }

    /// The same for files that may be absent: `None` then.
    pub(crate) fn run_if_exists<T>(
        &self,
        operation: &'static str,
        name: &str,
        io: impl FnOnce(&dyn Disk, &Path) -> std::io::Result<T>,
    ) -> Result<Option<T>, StorageError> {
        let dir = self.path.read();
        let path = dir.join(name);
        self.log_dir.run_if_exists(operation, &path, |disk| io(disk, &path))
    }

    /// Makes what was created, renamed and removed in the directory durable.
    pub(crate) fn sync(&self) -> Result<(), StorageError> {
        let dir = self.path.read();
        self.log_dir.run("sync", &dir, |disk| disk.sync_dir(&dir))?;
        if !self.entry_synced.load(Ordering::Acquire) {
            let parent = self.log_dir.path();
            self.log_dir.run("sync", parent, |disk| disk.sync_dir(parent))?;
            self.entry_synced.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Renames the directory within its log directory, durably.
    pub(crate) fn rename(&self, name: &str) -> Result<(), StorageError> {
        let mut path = self.path.write();
        let to = self.log_dir.path().join(name);
        self.log_dir.run("rename", &path, |disk| disk.rename(&path, &to))?;
        *path = to;
        let parent = self.log_dir.path();
        self.log_dir.run("sync", parent, |disk| disk.sync_dir(parent))
    }
}
