//! The bound on open files.
//!
//! A broker may have 40,000 segments of three files each; only those in use need a descriptor. Invariant: a file with
//! writes that were not synced is synced before it is closed here, so that its fsync meets every error of its writes.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::segment_file::SegmentFile;

/// How many entries one opening may look at in search of files to close.
const PASSES_MAX: usize = 64;

/// All open files of the broker's logs, oldest first.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    max: usize,
    queue: Mutex<VecDeque<Weak<SegmentFile>>>,
}

impl OpenFiles {
    pub(crate) fn new(max: usize) -> Arc<OpenFiles> {
        Arc::new(OpenFiles { max: max.max(16), queue: Mutex::default() })
    }

    /// Notes that `file` was opened; closes others that were not used lately (second chance) if they are too many.
    pub(crate) fn opened(&self, file: &Arc<SegmentFile>) {
        let mut closed = Vec::new();
        let mut queue = self.queue.lock();
        if file.enqueue() {
            queue.push_back(Arc::downgrade(file));
        }
        let mut passes = queue.len().min(PASSES_MAX);
        while queue.len() > self.max && passes > 0 {
            passes -= 1;
            let Some(oldest) = queue.pop_front() else { break };
            let Some(candidate) = oldest.upgrade() else { continue };
            // Files with unsynced writes only if there is nothing else to close: most are synced soon anyway.
            let spared = candidate.is_unsynced() && passes * 2 > PASSES_MAX;
            if Arc::ptr_eq(&candidate, file) || spared || candidate.was_used() {
                queue.push_back(oldest);
            } else {
                closed.push(candidate);
            }
        }
        drop(queue);
        closed.iter().for_each(|file| file.close_durably());
    }

    /// How many files are open.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.queue.lock().iter().filter_map(Weak::upgrade).filter(|file| file.is_open()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file_name::{FileKind, FileState};
    use crate::partition_dir::PartitionDir;
    use crate::testing::partition_dir;
    use gregor_model::Offset;

    fn file(dir: &Arc<PartitionDir>, base: i64) -> Arc<SegmentFile> {
        SegmentFile::new(Arc::clone(dir), Offset(base), FileKind::Log, FileState::Plain)
    }

    #[test]
    fn unused_files_are_closed_and_unsynced_ones_are_synced_first() {
        let (_temporary, dir) = partition_dir();
        let files = dir.log_dir().files();
        let dirty = file(&dir, 0);
        dirty.write_at(&[b"x"], 0).unwrap();
        let all: Vec<_> = (1..200).map(|base| file(&dir, base)).collect();
        all.iter().for_each(|file| drop(file.get_or_create().unwrap()));
        assert!(files.count() <= 17, "{}", files.count());
        assert!(dirty.is_open() || !dirty.is_unsynced());
        assert!(!all[0].is_open());
        assert!(all[0].get().is_ok(), "a closed file opens again");
    }

    #[test]
    fn a_file_is_queued_once_however_often_it_opens() {
        let (_temporary, dir) = partition_dir();
        let one = file(&dir, 0);
        for _ in 0..100 {
            one.get_or_create().unwrap();
            one.close();
        }
        assert!(dir.log_dir().files().queue.lock().len() <= 100);
        let other = file(&dir, 1);
        for n in 2..60 {
            file(&dir, n).get_or_create().unwrap();
            other.get_or_create().unwrap();
        }
        assert!(dir.log_dir().files().queue.lock().len() <= 17);
    }
}
