//! `.lock` (`FileLock`): an fcntl record lock, as Java takes it, so that Kafka and Gregor keep each other out.
//!
//! Such a lock is gone when any descriptor of the file is closed in this process: it is opened once, here.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fcntl_lock};

const NAME: &str = ".lock";

/// A locked directory. Dropping it releases the lock.
#[derive(Debug)]
pub(super) struct DirLock {
    path: PathBuf,
    _file: File,
}

impl DirLock {
    /// Locks `dir`; `None`: another process has it.
    pub(super) fn acquire(dir: &Path) -> io::Result<Option<DirLock>> {
        let path = dir.join(NAME);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(DirLock { path, _file: file })),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for DirLock {
    fn drop(&mut self) {
        // While it is still locked, so that nobody else's file is removed. A file left behind locks nobody out.
        let _ = fs::remove_file(&self.path);
    }
}
