//! The log directories of one broker. A directory that failed hides its logs until it is repaired.

use std::collections::{BTreeMap, BTreeSet};

use gregor_model::TopicPartition;

use super::SimLog;

/// See the module.
#[derive(Debug)]
pub struct Disk {
    logs: BTreeMap<TopicPartition, SimLog>,
    dirs: usize,
    failed: BTreeSet<usize>,
}

impl Disk {
    /// So many empty directories.
    pub fn new(dirs: usize) -> Disk {
        Disk { logs: BTreeMap::new(), dirs, failed: BTreeSet::new() }
    }

    fn is_readable(&self, log: &SimLog) -> bool {
        !self.failed.contains(&log.dir)
    }

    /// A log that can be read.
    pub fn get(&self, partition: &TopicPartition) -> Option<&SimLog> {
        self.logs.get(partition).filter(|log| self.is_readable(log))
    }

    /// The same, to be written.
    pub fn get_mut(&mut self, partition: &TopicPartition) -> Option<&mut SimLog> {
        self.logs.get_mut(partition).filter(|log| !self.failed.contains(&log.dir))
    }

    /// A log, even if its directory failed: what is there is not lost yet.
    pub fn peek(&self, partition: &TopicPartition) -> Option<&SimLog> {
        self.logs.get(partition)
    }

    /// All logs that can be written.
    pub fn readable(&mut self) -> impl Iterator<Item = (&TopicPartition, &mut SimLog)> {
        let failed = &self.failed;
        self.logs.iter_mut().filter(|(_, log)| !failed.contains(&log.dir))
    }

    /// All logs, even those that cannot be read just now.
    pub fn all(&mut self) -> impl Iterator<Item = (&TopicPartition, &mut SimLog)> {
        self.logs.iter_mut()
    }

    /// Creates a log in the directory that has the fewest; `None` when there is none, or when it may be in one that failed
    /// (`LogManager::get_or_create`).
    pub fn create(&mut self, partition: &TopicPartition, is_new: bool) -> Option<&mut SimLog> {
        if !self.failed.is_empty() && (!is_new || self.logs.contains_key(partition)) {
            return None;
        }
        let live = (0..self.dirs).filter(|dir| !self.failed.contains(dir));
        let count = |dir: &usize| self.logs.values().filter(|log| log.dir == *dir).count();
        let dir = live.min_by_key(count)?;
        let log = self.logs.entry(partition.clone()).or_default();
        log.dir = dir;
        Some(log)
    }

    /// Deletes a log.
    pub fn remove(&mut self, partition: &TopicPartition) {
        if self.get(partition).is_some() {
            self.logs.remove(partition);
        }
    }

    /// A directory fails. Returns the partitions that lie there; nothing if it had failed before.
    pub fn fail(&mut self, dir: usize) -> Vec<TopicPartition> {
        if !self.failed.insert(dir) {
            return Vec::new();
        }
        self.logs.iter().filter(|(_, log)| log.dir == dir).map(|(partition, _)| partition.clone()).collect()
    }

    /// How many directories there are.
    pub fn dirs(&self) -> usize {
        self.dirs
    }

    /// Whether no directory is left.
    pub fn is_gone(&self) -> bool {
        self.failed.len() == self.dirs
    }

    /// Whether a directory is offline.
    pub fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    /// All directories are repaired, with what lay there.
    pub fn repair(&mut self) {
        self.failed.clear();
    }

    /// An empty disk takes its place.
    pub fn replace(&mut self) {
        self.logs.clear();
        self.failed.clear();
    }
}
