//! `cleaner-offset-checkpoint` of one log directory: up to where each compacted log has been cleaned.
//!
//! Owned by the directory. The cleaner raises offsets, truncation lowers them; each change is written at once, before
//! anything is appended where the truncated records were. Its lock is a leaf: no other is taken under it.

use std::collections::HashMap;

use gregor_model::{Offset, TopicPartition};
use parking_lot::Mutex;

use crate::StorageError;
use crate::checkpoint::{BYTES_MAX, offsets};
use crate::log_dir::LogDir;

/// The file.
pub const NAME: &str = "cleaner-offset-checkpoint";

type Offsets = HashMap<TopicPartition, Offset>;

/// The checkpoint of one directory, read when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct CleanerCheckpoint {
    offsets: Mutex<Option<Offsets>>,
}

impl CleanerCheckpoint {
    /// Up to where the log has been cleaned.
    pub(crate) fn get(
        &self,
        dir: &LogDir,
        partition: &TopicPartition,
    ) -> Result<Option<Offset>, StorageError> {
        let mut offsets = self.offsets.lock();
        Ok(loaded(&mut offsets, dir)?.get(partition).copied())
    }

    /// Notes up to where the log has been cleaned.
    pub(crate) fn set(
        &self,
        dir: &LogDir,
        partition: &TopicPartition,
        offset: Offset,
    ) -> Result<(), StorageError> {
        self.change(dir, |offsets| offsets.insert(partition.clone(), offset) != Some(offset))
    }

    /// The log was truncated: nothing from `offset` on is clean.
    pub(crate) fn lower(
        &self,
        dir: &LogDir,
        partition: &TopicPartition,
        offset: Offset,
    ) -> Result<(), StorageError> {
        self.change(dir, |offsets| match offsets.get_mut(partition) {
            Some(clean) if *clean > offset => {
                *clean = offset;
                true
            }
            _ => false,
        })
    }

    /// The log is no longer in this directory. Returns what was noted of it.
    pub(crate) fn remove(
        &self,
        dir: &LogDir,
        partition: &TopicPartition,
    ) -> Result<Option<Offset>, StorageError> {
        let mut removed = None;
        self.change(dir, |offsets| {
            removed = offsets.remove(partition);
            removed.is_some()
        })?;
        Ok(removed)
    }

    /// Changes the offsets and writes them if `change` says that they changed.
    fn change(&self, dir: &LogDir, change: impl FnOnce(&mut Offsets) -> bool) -> Result<(), StorageError> {
        let mut offsets = self.offsets.lock();
        let offsets = loaded(&mut offsets, dir)?;
        if !change(offsets) {
            return Ok(());
        }
        let mut entries: Vec<_> =
            offsets.iter().map(|(partition, offset)| (partition.clone(), *offset)).collect();
        entries.sort_unstable();
        let content = offsets::format(&entries);
        let path = dir.path().join(NAME);
        dir.run("write", &path, |disk| disk.replace(&path, &content))
    }
}

/// The offsets, read from the file if they have not been. A damaged file counts as none: everything is dirty then.
fn loaded<'a>(offsets: &'a mut Option<Offsets>, dir: &LogDir) -> Result<&'a mut Offsets, StorageError> {
    if let Some(offsets) = offsets {
        return Ok(offsets);
    }
    let path = dir.path().join(NAME);
    let bytes = dir.run_if_exists("read", &path, |disk| disk.read(&path, BYTES_MAX))?.unwrap_or_default();
    let found = offsets::parse(&bytes).unwrap_or_else(|problem| {
        tracing::error!(path = %path.display(), %problem, "damaged cleaner checkpoint, all logs count as dirty");
        Offsets::new()
    });
    Ok(offsets.insert(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::partition_dir;

    fn partition(number: i32) -> TopicPartition {
        TopicPartition::new("t", number)
    }

    #[test]
    fn changes_are_written_at_once() {
        let (root, dir) = partition_dir();
        let dir = dir.log_dir();
        let file = root.path().join(NAME);
        let checkpoint = CleanerCheckpoint::default();
        assert_eq!(checkpoint.get(dir, &partition(0)).unwrap(), None);
        checkpoint.lower(dir, &partition(0), Offset(3)).unwrap();
        assert!(!file.exists());
        checkpoint.set(dir, &partition(1), Offset(20)).unwrap();
        checkpoint.set(dir, &partition(0), Offset(10)).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "0\n2\nt 0 10\nt 1 20\n");
        checkpoint.lower(dir, &partition(0), Offset(12)).unwrap();
        checkpoint.lower(dir, &partition(1), Offset(12)).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "0\n2\nt 0 10\nt 1 12\n");
        assert_eq!(checkpoint.remove(dir, &partition(0)).unwrap(), Some(Offset(10)));
        let again = CleanerCheckpoint::default();
        assert_eq!(again.get(dir, &partition(0)).unwrap(), None);
        assert_eq!(again.get(dir, &partition(1)).unwrap(), Some(Offset(12)));
    }

    #[test]
    fn a_damaged_file_counts_as_none() {
        let (root, dir) = partition_dir();
        std::fs::write(root.path().join(NAME), "0\n7\nnonsense").unwrap();
        let checkpoint = CleanerCheckpoint::default();
        assert_eq!(checkpoint.get(dir.log_dir(), &partition(0)).unwrap(), None);
        checkpoint.set(dir.log_dir(), &partition(0), Offset(1)).unwrap();
        assert!(dir.log_dir().failure().is_none());
    }
}
