//! The locks by which brokers keep each other out of a log directory: `.lock`, locked as a whole by `fcntl`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fcntl_lock};

const NAME: &str = ".lock";

/// Whether a broker has a directory open.
pub(crate) fn is_in_use(dir: &Path) -> io::Result<bool> {
    let file = match File::options().write(true).open(dir.join(NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    // Given back when the file is closed, at the end of this function.
    Ok(!try_lock(&file)?)
}

fn try_lock(file: &File) -> io::Result<bool> {
    match fcntl_lock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Keeps brokers out of directories until it is dropped.
#[derive(Debug)]
pub struct DirectoryLocks(Vec<(PathBuf, File)>);

impl DirectoryLocks {
    /// Locks every directory.
    ///
    /// # Errors
    /// A broker has one of them open, or it cannot be written to.
    pub fn take(dirs: &[PathBuf]) -> io::Result<DirectoryLocks> {
        let mut locks = DirectoryLocks(Vec::new());
        for dir in dirs {
            let path = dir.join(NAME);
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            if !try_lock(&file)? {
                return Err(io::Error::other(format!("a broker has {} open: stop it first", dir.display())));
            }
            locks.0.push((path, file));
        }
        Ok(locks)
    }
}

impl Drop for DirectoryLocks {
    fn drop(&mut self) {
        // Brokers make the file anew; one that is left is no harm.
        self.0.iter().for_each(|(path, _)| drop(fs::remove_file(path)));
    }
}
