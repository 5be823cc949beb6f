//! The `.snapshot` files of a log: when one is written, read, and removed. Owned by the log's writer.
//!
//! A snapshot at offset X holds the producers' state before X. It is not synced when it is written: a torn one fails
//! its checksum and an older one is used.

use std::collections::BTreeSet;
use std::sync::Arc;

use gregor_model::{Offset, Timestamp};

use crate::StorageError;
use crate::disk::Open;
use crate::file_name::{FileKind, FileState};
use crate::partition_dir::PartitionDir;
use crate::producer_state::{ProducerState, decode_snapshot, encode_snapshot};

/// A larger snapshot is damaged: 46 bytes for each of ten million producers.
const BYTES_MAX: u64 = 512 << 20;

/// The snapshots of one log.
#[derive(Debug)]
pub(crate) struct ProducerSnapshots {
    dir: Arc<PartitionDir>,
    offsets: BTreeSet<Offset>,
    /// The newest one written or loaded; nothing is written until the state has moved on.
    last: Offset,
    unsynced: Vec<Offset>,
}

fn name(offset: Offset) -> String {
    FileKind::Snapshot.name(offset, FileState::Plain)
}

impl ProducerSnapshots {
    pub(crate) fn new(dir: Arc<PartitionDir>, offsets: BTreeSet<Offset>) -> ProducerSnapshots {
        ProducerSnapshots { dir, offsets, last: Offset::ZERO, unsynced: Vec::new() }
    }

    /// The newest snapshot.
    pub(crate) fn latest(&self) -> Option<Offset> {
        self.offsets.last().copied()
    }

    /// Writes a snapshot of `state` at its end, if it has moved since the last one.
    pub(crate) fn take(&mut self, state: &ProducerState) -> Result<(), StorageError> {
        let offset = state.map_end();
        if offset <= self.last {
            return Ok(());
        }
        let bytes = encode_snapshot(state.producers().values());
        self.dir.run("write", &name(offset), |disk, path| {
            let file = disk.open(path, Open::OrCreate)?;
            file.set_len(0)?;
            file.write_all_at(&[&bytes], 0)
        })?;
        self.offsets.insert(offset);
        self.unsynced.push(offset);
        self.last = offset;
        Ok(())
    }

    /// Which snapshots are not yet durable; they are taken as such from now on.
    pub(crate) fn take_unsynced(&mut self) -> Vec<Offset> {
        std::mem::take(&mut self.unsynced)
    }

    /// Makes a snapshot durable, if it still exists.
    pub(crate) fn sync(dir: &PartitionDir, offset: Offset) -> Result<(), StorageError> {
        dir.run_if_exists("sync", &name(offset), |disk, path| disk.open(path, Open::Existing)?.sync())
            .map(drop)
    }

    /// Loads the newest snapshot that can be read into `state`; without one the state starts empty at `log_start`.
    /// Damaged ones are removed.
    pub(crate) fn load(
        &mut self,
        state: &mut ProducerState,
        log_start: Offset,
        now: Timestamp,
        expiration_ms: i64,
    ) -> Result<(), StorageError> {
        while let Some(offset) = self.latest() {
            let bytes = self.dir.run_if_exists("read", &name(offset), |disk, path| {
                match disk.read(path, BYTES_MAX) {
                    // Not the disk's fault but the file's.
                    Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Ok(Vec::new()),
                    other => other,
                }
            })?;
            match decode_snapshot(&bytes.unwrap_or_default()) {
                Ok(entries) => {
                    state.reload(offset, entries, now, expiration_ms);
                    self.last = offset;
                    return Ok(());
                }
                Err(problem) => {
                    let partition = self.dir.partition();
                    tracing::warn!(%partition, %offset, %problem, "damaged producer snapshot, trying an older one");
                    self.remove(offset)?;
                }
            }
        }
        state.clear(log_start);
        self.last = log_start;
        Ok(())
    }

    /// Unlinks a snapshot.
    pub(crate) fn remove(&mut self, offset: Offset) -> Result<(), StorageError> {
        self.offsets.remove(&offset);
        self.unsynced.retain(|&unsynced| unsynced != offset);
        self.dir.run_if_exists("unlink", &name(offset), |disk, path| disk.remove_file(path)).map(drop)
    }

    /// Unlinks those for which `remove` holds.
    pub(crate) fn remove_where(&mut self, remove: impl Fn(Offset) -> bool) -> Result<(), StorageError> {
        let gone: Vec<_> = self.offsets.iter().copied().filter(|&offset| remove(offset)).collect();
        gone.into_iter().try_for_each(|offset| self.remove(offset))
    }

    /// Removes all, as the log starts anew.
    pub(crate) fn clear(&mut self) -> Result<(), StorageError> {
        self.last = Offset::ZERO;
        self.remove_where(|_| true)
    }

    /// The log now starts at `log_start`.
    pub(crate) fn on_log_start(&mut self, log_start: Offset) {
        self.last = self.latest().unwrap_or(log_start);
    }

    /// Renames the snapshot at `offset` to `.deleted`; returns its new name, if it exists.
    pub(crate) fn mark_deleted(&mut self, offset: Offset) -> Result<Option<String>, StorageError> {
        if !self.offsets.remove(&offset) {
            return Ok(None);
        }
        self.unsynced.retain(|&unsynced| unsynced != offset);
        let deleted = FileKind::Snapshot.name(offset, FileState::Deleted);
        let renamed = self.dir.run_if_exists("rename", &name(offset), |disk, path| {
            disk.rename(path, &path.with_file_name(&deleted))
        })?;
        Ok(renamed.map(|()| deleted))
    }

    /// Removes what does not belong to a segment, but for the newest beyond the last segment's base: that of the log
    /// end (`removeStraySnapshots`).
    pub(crate) fn remove_strays(&mut self, segment_bases: &[Offset]) -> Result<(), StorageError> {
        let last_base = segment_bases.iter().max().copied();
        let strays: Vec<_> = self.offsets.iter().copied().filter(|o| !segment_bases.contains(o)).collect();
        let kept = strays.last().copied().filter(|&newest| last_base.is_none_or(|base| newest >= base));
        strays.into_iter().filter(|&stray| Some(stray) != kept).try_for_each(|stray| self.remove(stray))
    }
}
