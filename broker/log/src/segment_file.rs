//! One file of a segment: opened when it is needed, closed when others need its descriptor more (`open_files`).
//!
//! Invariant: every write, sync and rename of a segment's files goes through here, so that the first error takes the
//! log directory offline, and a file that was renamed or unlinked is never opened under its old name.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use gregor_model::{Offset, Timestamp};
use parking_lot::Mutex;

use crate::StorageError;
use crate::disk::{DiskFile, Open};
use crate::file_name::{FileKind, FileState};
use crate::partition_dir::PartitionDir;

/// [`SegmentFile::state`] of a file that is unlinked.
const GONE: u8 = 4;

/// One file of a segment.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    dir: Arc<PartitionDir>,
    base: Offset,
    kind: FileKind,
    /// A [`FileState`], or [`GONE`]; changed under `open`.
    state: AtomicU8,
    used: AtomicBool,
    /// How many writes were done.
    written: AtomicU64,
    /// How many of them a sync has covered.
    synced: AtomicU64,
    /// In the queue of [`crate::open_files::OpenFiles`].
    queued: AtomicBool,
    open: Mutex<Option<Arc<dyn DiskFile>>>,
}

impl SegmentFile {
    pub(crate) fn new(
        dir: Arc<PartitionDir>,
        base: Offset,
        kind: FileKind,
        state: FileState,
    ) -> Arc<SegmentFile> {
        Arc::new(SegmentFile {
            dir,
            base,
            kind,
            state: AtomicU8::new(code(state)),
            used: AtomicBool::new(false),
            written: AtomicU64::new(0),
            synced: AtomicU64::new(0),
            queued: AtomicBool::new(false),
            open: Mutex::new(None),
        })
    }

    pub(crate) fn dir(&self) -> &Arc<PartitionDir> {
        &self.dir
    }

    /// The file's name now.
    pub(crate) fn name(&self) -> String {
        self.kind.name(self.base, self.state().unwrap_or(FileState::Deleted))
    }

    fn state(&self) -> Option<FileState> {
        match self.state.load(Ordering::Acquire) {
            0 => Some(FileState::Plain),
            1 => Some(FileState::Deleted),
            2 => Some(FileState::Cleaned),
            3 => Some(FileState::Swap),
            _ => None,
        }
    }

    fn closed(&self) -> StorageError {
        StorageError::Closed(self.dir.partition().clone())
    }

    /// The file, opened if it is not; created if absent and `open` says so. `None`: it does not exist.
    pub(crate) fn get_if_exists(
        self: &Arc<Self>,
        open: Open,
    ) -> Result<Option<Arc<dyn DiskFile>>, StorageError> {
        self.used.store(true, Ordering::Relaxed);
        let file = {
            let mut slot = self.open.lock();
            if let Some(file) = &*slot {
                return Ok(Some(Arc::clone(file)));
            }
            let state = self.state().ok_or_else(|| self.closed())?;
            let name = self.kind.name(self.base, state);
            let Some(file) = self.dir.run_if_exists("open", &name, |disk, path| disk.open(path, open))?
            else {
                return Ok(None);
            };
            *slot = Some(Arc::clone(&file));
            file
        };
        self.dir.log_dir().files().opened(self);
        Ok(Some(file))
    }

    /// The file, opened or created.
    pub(crate) fn get_or_create(self: &Arc<Self>) -> Result<Arc<dyn DiskFile>, StorageError> {
        self.get_if_exists(Open::OrCreate)?.ok_or_else(|| self.missing())
    }

    /// The file, which must exist.
    pub(crate) fn get(self: &Arc<Self>) -> Result<Arc<dyn DiskFile>, StorageError> {
        self.get_if_exists(Open::Existing)?.ok_or_else(|| self.missing())
    }

    fn missing(&self) -> StorageError {
        // Of two compactions of one base within the delay, the earlier one's clean-up takes the later one's file.
        if self.state() == Some(FileState::Deleted) {
            return self.closed();
        }
        self.fail("open", io::Error::from(io::ErrorKind::NotFound))
    }

    fn fail(&self, operation: &'static str, error: io::Error) -> StorageError {
        self.dir.log_dir().fail(operation, &self.dir.path().join(self.name()), error)
    }

    /// Reads into `buffer` from `position` on until it is full or the file ends; returns how much was read.
    pub(crate) fn read_at(self: &Arc<Self>, buffer: &mut [u8], position: u64) -> Result<usize, StorageError> {
        let Some(file) = self.get_if_exists(Open::Existing)? else { return Ok(0) };
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.std().read_at(rest, position + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fail("read", error)),
            }
        }
        Ok(filled)
    }

    /// Writes `parts`, one after the other, at `position`, creating the file if need be.
    pub(crate) fn write_at(self: &Arc<Self>, parts: &[&[u8]], position: u64) -> Result<(), StorageError> {
        self.dir.log_dir().check_online()?;
        let file = self.get_or_create()?;
        file.write_all_at(parts, position).map_err(|error| self.fail("write", error))?;
        self.written.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// Cuts or extends the file.
    pub(crate) fn set_len(self: &Arc<Self>, len: u64) -> Result<(), StorageError> {
        self.dir.log_dir().check_online()?;
        let file = self.get_or_create()?;
        file.set_len(len).map_err(|error| self.fail("truncate", error))?;
        self.written.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// Reserves blocks; a hint.
    pub(crate) fn reserve(self: &Arc<Self>, len: u64) -> Result<(), StorageError> {
        self.get_or_create()?.reserve(len);
        Ok(())
    }

    /// Length in bytes; 0 if the file does not exist.
    pub(crate) fn len(self: &Arc<Self>) -> Result<u64, StorageError> {
        match self.get_if_exists(Open::Existing)? {
            None => Ok(0),
            Some(file) => file.len().map_err(|error| self.fail("stat", error)),
        }
    }

    /// Makes all writes durable, if there were any since the last sync.
    pub(crate) fn sync(self: &Arc<Self>) -> Result<(), StorageError> {
        self.dir.log_dir().check_online()?;
        // Counted before the sync, and noted after it: nobody takes for durable what another has only begun to sync.
        let written = self.written.load(Ordering::Acquire);
        if self.synced.load(Ordering::Acquire) >= written {
            return Ok(());
        }
        let file = self.get()?;
        file.sync().map_err(|error| self.fail("sync", error))?;
        self.synced.fetch_max(written, Ordering::AcqRel);
        Ok(())
    }

    /// When the file was last written.
    pub(crate) fn modified(&self) -> Result<Option<Timestamp>, StorageError> {
        let state = self.state().ok_or_else(|| self.closed())?;
        let name = self.kind.name(self.base, state);
        self.dir.run_if_exists("stat", &name, |disk, path| disk.modified(path))
    }

    /// Gives the file another suffix; nothing happens if it does not exist.
    pub(crate) fn rename(&self, to: FileState) -> Result<(), StorageError> {
        let _slot = self.open.lock();
        let from = self.state().ok_or_else(|| self.closed())?;
        let target = self.kind.name(self.base, to);
        self.dir.run_if_exists("rename", &self.kind.name(self.base, from), |disk, path| {
            disk.rename(path, &path.with_file_name(&target))
        })?;
        self.state.store(code(to), Ordering::Release);
        Ok(())
    }

    /// Unlinks the file, if it exists. Readers that have it open go on reading.
    pub(crate) fn unlink(&self) -> Result<(), StorageError> {
        let mut slot = self.open.lock();
        let Some(state) = self.state() else { return Ok(()) };
        self.dir.run_if_exists("unlink", &self.kind.name(self.base, state), |disk, path| {
            disk.remove_file(path)
        })?;
        self.state.store(GONE, Ordering::Release);
        self.synced.store(u64::MAX, Ordering::Release);
        *slot = None;
        Ok(())
    }

    /// Closes the file, unless a reader still has it, and refuses to open it again.
    pub(crate) fn forget(&self) {
        let mut slot = self.open.lock();
        self.state.store(GONE, Ordering::Release);
        self.synced.store(u64::MAX, Ordering::Release);
        *slot = None;
    }

    /// Closes the file; the next use opens it again.
    pub(crate) fn close(&self) {
        self.queued.store(false, Ordering::Relaxed);
        *self.open.lock() = None;
    }

    /// For the queue: whether the file was put in it only now.
    pub(crate) fn enqueue(&self) -> bool {
        !self.queued.swap(true, Ordering::Relaxed)
    }

    /// Whether there are writes that were not synced.
    pub(crate) fn is_unsynced(&self) -> bool {
        self.written.load(Ordering::Acquire) > self.synced.load(Ordering::Acquire)
    }

    /// For the queue: whether the file was used since the last time it was asked.
    pub(crate) fn was_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    /// For the queue: syncs the file if need be, and closes it. A failed sync has taken the directory offline.
    pub(crate) fn close_durably(self: &Arc<Self>) {
        let synced = self.sync();
        self.close();
        if let Err(error) = synced {
            tracing::debug!(%error, "cannot sync a file before it is closed");
        }
    }

    /// Whether it is open.
    #[cfg(test)]
    pub(crate) fn is_open(&self) -> bool {
        self.open.lock().is_some()
    }
}

fn code(state: FileState) -> u8 {
    match state {
        FileState::Plain => 0,
        FileState::Deleted => 1,
        FileState::Cleaned => 2,
        FileState::Swap => 3,
    }
}
