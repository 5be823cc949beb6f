//! A log directory (an entry of `log.dirs`) that can fail (`LogDirFailureChannel`).
//!
//! Every file operation of its logs goes through [`LogDir::run`]. Invariant: the first error takes the directory
//! offline for the life of the process; what follows fails at once, and nothing is tried twice.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::StorageError;
use crate::cleaner::CleanerCheckpoint;
use crate::disk::Disk;
use crate::open_files::OpenFiles;
use crate::recovery_points::RecoveryPoints;

type Listener = Box<dyn Fn(&Path) + Send + Sync>;

/// Where failed directories are told.
#[derive(Default)]
pub(crate) struct FailureChannel {
    state: Mutex<ChannelState>,
}

#[derive(Default)]
struct ChannelState {
    listener: Option<Arc<Listener>>,
    /// Failed before anyone listened.
    untold: Vec<PathBuf>,
}

impl FailureChannel {
    /// Tells `listener` of every failure, those of the past first.
    pub(crate) fn listen(&self, listener: Listener) {
        let listener = Arc::new(listener);
        let untold = {
            let mut state = self.state.lock();
            state.listener = Some(Arc::clone(&listener));
            std::mem::take(&mut state.untold)
        };
        untold.iter().for_each(|dir| listener(dir));
    }

    fn tell(&self, dir: &Path) {
        let listener = {
            let mut state = self.state.lock();
            if state.listener.is_none() {
                state.untold.push(dir.to_owned());
            }
            state.listener.clone()
        };
        if let Some(listener) = listener {
            listener(dir);
        }
    }
}

impl std::fmt::Debug for FailureChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FailureChannel").finish_non_exhaustive()
    }
}

/// An entry of `log.dirs`.
#[derive(Debug)]
pub(crate) struct LogDir {
    path: Arc<Path>,
    disk: Arc<dyn Disk>,
    files: Arc<OpenFiles>,
    failures: Arc<FailureChannel>,
    failure: OnceLock<String>,
    cleaner_checkpoint: CleanerCheckpoint,
    recovery_points: RecoveryPoints,
}

impl LogDir {
    pub(crate) fn new(
        path: &Path,
        disk: Arc<dyn Disk>,
        files: Arc<OpenFiles>,
        failures: Arc<FailureChannel>,
    ) -> Arc<LogDir> {
        Arc::new(LogDir {
            path: path.into(),
            disk,
            files,
            failures,
            failure: OnceLock::new(),
            cleaner_checkpoint: CleanerCheckpoint::default(),
            recovery_points: RecoveryPoints::default(),
        })
    }

    /// The directory, as configured.
    pub(crate) fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// The open files of this broker.
    pub(crate) fn files(&self) -> &Arc<OpenFiles> {
        &self.files
    }

    /// What `recovery-point-offset-checkpoint` says.
    pub(crate) fn recovery_points(&self) -> &RecoveryPoints {
        &self.recovery_points
    }

    /// Up to where its compacted logs have been cleaned.
    pub(crate) fn cleaner_checkpoint(&self) -> &CleanerCheckpoint {
        &self.cleaner_checkpoint
    }

    /// Why the directory is offline, if it is.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// An error if the directory is offline.
    pub(crate) fn check_online(&self) -> Result<(), StorageError> {
        match self.failure.get() {
            None => Ok(()),
            Some(_) => Err(StorageError::Offline { dir: Arc::clone(&self.path) }),
        }
    }

    /// Runs a file operation. Its failure takes the directory offline.
    pub(crate) fn run<T>(
        &self,
        operation: &'static str,
        path: &Path,
        io: impl FnOnce(&dyn Disk) -> io::Result<T>,
    ) -> Result<T, StorageError> {
        self.check_online()?;
        io(&*self.disk).map_err(|error| self.fail(operation, path, error))
    }

    /// The same for operations on files that may be absent: `None` then.
    pub(crate) fn run_if_exists<T>(
        &self,
        operation: &'static str,
        path: &Path,
        io: impl FnOnce(&dyn Disk) -> io::Result<T>,
    ) -> Result<Option<T>, StorageError> {
        self.run(operation, path, |disk| match io(disk) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
    }

    /// Takes the directory offline because of `error`, and gives the error to return.
    pub(crate) fn fail(&self, operation: &'static str, path: &Path, error: io::Error) -> StorageError {
        let error = StorageError::Io { operation, path: path.to_owned(), source: Arc::new(error) };
        self.take_offline(error.to_string());
        error
    }

    /// Takes the directory offline; only the first reason counts.
    pub(crate) fn take_offline(&self, reason: String) {
        let mut first = false;
        self.failure.get_or_init(|| {
            first = true;
            reason
        });
        if first {
            tracing::error!(dir = %self.path.display(), reason = self.failure(), "log directory goes offline");
            self.failures.tell(&self.path);
        }
    }
}
