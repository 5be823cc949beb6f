//! Work that appends and deletions leave for later: files to unlink, segments to flush. The server has it done.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use gregor_model::{Timestamp, TopicPartition};
use parking_lot::Mutex;

use crate::partition_dir::PartitionDir;
use crate::segment::Segment;

/// What is to be removed when its delay is over.
#[derive(Clone, Debug)]
pub(crate) enum Doomed {
    /// The files of a segment.
    Segment(Arc<Segment>),
    /// One file of a partition.
    File { dir: Arc<PartitionDir>, name: String },
    /// A partition's `-delete` directory.
    Directory(Arc<PartitionDir>),
}

impl Doomed {
    /// Unlinks it; an error has taken the log directory offline.
    pub(crate) fn remove(&self) {
        let removed = match self {
            Doomed::Segment(segment) => segment.unlink(),
            Doomed::File { dir, name } => {
                dir.run_if_exists("unlink", name, |disk, path| disk.remove_file(path)).map(drop)
            }
            Doomed::Directory(dir) => {
                let path = dir.path();
                tracing::info!(partition = %dir.partition(), path = %path.display(), "deleting the log");
                let log_dir = dir.log_dir();
                log_dir.run_if_exists("remove", &path, |disk| disk.remove_dir_all(&path)).map(drop)
            }
        };
        if let Err(error) = removed {
            tracing::warn!(%error, "cannot delete");
        }
    }
}

/// The work left for later.
#[derive(Debug, Default)]
pub(crate) struct Background {
    doomed: Mutex<BTreeMap<(Timestamp, u64), Doomed>>,
    to_flush: Mutex<HashSet<TopicPartition>>,
}

impl Background {
    /// Has `doomed` removed at `due`.
    pub(crate) fn delete_at(&self, due: Timestamp, doomed: Doomed) {
        let mut all = self.doomed.lock();
        let number = all.last_key_value().map_or(0, |((_, number), _)| *number);
        let mut number = number + 1;
        while all.contains_key(&(due, number)) {
            number += 1;
        }
        all.insert((due, number), doomed);
    }

    /// What is due by now.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<Doomed> {
        let mut all = self.doomed.lock();
        let later = all.split_off(&(now + 1, 0));
        std::mem::replace(&mut *all, later).into_values().collect()
    }

    /// Has the segments of a log flushed that it no longer appends to.
    pub(crate) fn flush_later(&self, partition: &TopicPartition) {
        self.to_flush.lock().insert(partition.clone());
    }

    /// The logs to flush.
    pub(crate) fn take_to_flush(&self) -> Vec<TopicPartition> {
        self.to_flush.lock().drain().collect()
    }
}
