//! `recovery-point-offset-checkpoint` of one log directory, and what it says at the moment.
//!
//! Invariant: what it says of a log is never above the log's recovery point. A truncation below it rewrites the file
//! before anything is appended again; otherwise a crash would leave segments unread that were never flushed.
//!
//! Beyond what the file says, only a crash leaves a hole between two segments of ours (`recovery/hole`): whatever leaves
//! one on purpose first makes what is there durable and has the file say so ([`RecoveryPoints::cover`]).

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

    /// Has the file say something of the log, and `needed` at least if that is given. It is written only if it does not;
    /// `current` is asked for the recovery point under the lock.
    pub(crate) fn cover(
        &self,
        dir: &LogDir,
        partition: &TopicPartition,
        needed: Option<Offset>,
        current: impl FnOnce() -> Offset,
    ) -> Result<(), StorageError> {
        let mut written = self.written.lock();
        if written.get(partition).is_some_and(|known| needed.is_none_or(|needed| *known >= needed)) {
            return Ok(());
        }
        let current = current();
        let mut entries: Vec<_> = written
            .iter()
            .filter(|(other, _)| *other != partition)
            .map(|(partition, offset)| (partition.clone(), *offset))
            .collect();
        entries.push((partition.clone(), current));
        write(dir, &entries)?;
        written.insert(partition.clone(), current);
        Ok(())
    }

    /// Whether the file says of each log what `current` does.
    pub(crate) fn agree(&self, current: &[(TopicPartition, Offset)]) -> bool {
        let written = self.written.lock();
        current.iter().all(|(partition, offset)| written.get(partition) == Some(offset))
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

    #[test]
    fn what_the_file_says_already_is_not_written_again() {
        let (_root, partition_dir) = partition_dir();
        let dir = partition_dir.log_dir();
        let a = TopicPartition::new("a", 0);
        let points = RecoveryPoints::default();
        // (needed, the log's recovery point, what the file says then)
        let steps =
            [(None, 3, 3), (None, 4, 3), (Some(3), 4, 3), (Some(4), 6, 6), (Some(5), 9, 6), (Some(8), 7, 7)];
        for (needed, current, said) in steps {
            points.cover(dir, &a, needed.map(Offset), || Offset(current)).unwrap();
            assert!(points.agree(&[(a.clone(), Offset(said))]), "{needed:?} {current}");
            let file = std::fs::read_to_string(dir.path().join(offsets::RECOVERY_POINT)).unwrap();
            assert_eq!(file, format!("0\n1\na 0 {said}\n"));
        }
    }
}
