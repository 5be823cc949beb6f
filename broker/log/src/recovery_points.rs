//! `recovery-point-offset-checkpoint` of one log directory, and what it says at the moment.
//!
//! Invariant: what it says of a log is never above the log's recovery point. A truncation below it rewrites the file
//! before anything is appended again; otherwise a crash would leave segments unread that were never flushed.

use std::collections::HashMap;

use gregor_model::{Offset, TopicPartition};
use parking_lot::Mutex;

use crate::StorageError;
use crate::checkpoint::offsets;
use crate::log_dir::LogDir;

/// The recovery points in the file.
#[derive(Debug, Default)]
pub(crate) struct RecoveryPoints {
    written: Mutex<HashMap<TopicPartition, Offset>>,
}

impl RecoveryPoints {
    /// Notes what the file says; for the start.
    pub(crate) fn assume(&self, written: HashMap<TopicPartition, Offset>) {
        *self.written.lock() = written;
    }

    /// Writes the file; `current` is asked for the recovery points under the lock, so that none is lowered meanwhile.
    pub(crate) fn write(
        &self,
        dir: &LogDir,
        current: impl FnOnce() -> Vec<(TopicPartition, Offset)>,
    ) -> Result<(), StorageError> {
        let mut written = self.written.lock();
        let entries = current();
        write(dir, &entries)?;
        *written = entries.into_iter().collect();
        Ok(())
    }

    /// The log's recovery point is now at most `offset`.
    pub(crate) fn lower(
        &self,
        dir: &LogDir,
        partition: &TopicPartition,
        offset: Offset,
    ) -> Result<(), StorageError> {
        let mut written = self.written.lock();
        match written.get_mut(partition) {
            Some(known) if *known > offset => *known = offset,
            _ => return Ok(()),
        }
        let entries: Vec<_> =
            written.iter().map(|(partition, offset)| (partition.clone(), *offset)).collect();
        write(dir, &entries)
    }
}

fn write(dir: &LogDir, entries: &[(TopicPartition, Offset)]) -> Result<(), StorageError> {
    let path = dir.path().join(offsets::RECOVERY_POINT);
    let content = offsets::format(entries);
    dir.run("write", &path, |disk| disk.replace(&path, &content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::partition_dir;

    #[test]
    fn only_a_lower_recovery_point_is_written() {
        let (_root, partition_dir) = partition_dir();
        let dir = partition_dir.log_dir();
        let (a, b) = (TopicPartition::new("a", 0), TopicPartition::new("b", 1));
        let file = || std::fs::read_to_string(dir.path().join(offsets::RECOVERY_POINT)).ok();
        let points = RecoveryPoints::default();
        points.lower(dir, &a, Offset(5)).unwrap();
        assert_eq!(file(), None);
        points.write(dir, || vec![(a.clone(), Offset(10))]).unwrap();
        points.lower(dir, &a, Offset(10)).unwrap();
        points.lower(dir, &b, Offset(1)).unwrap();
        assert_eq!(file().as_deref(), Some("0\n1\na 0 10\n"));
        points.lower(dir, &a, Offset(7)).unwrap();
        assert_eq!(file().as_deref(), Some("0\n1\na 0 7\n"));
    }
}
