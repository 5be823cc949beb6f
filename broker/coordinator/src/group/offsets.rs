//! The committed offsets of one group, and those whose fate is not decided yet.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use gregor_model::{Offset, ProducerId, TopicPartition};

use super::request::AppendId;
use crate::schema::offset::OffsetValue;

/// A committed offset and where in the log its batch lies: the value highest in the log wins, however late it
/// materialises (`CommitRecordMetadataAndOffset`).
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) value: OffsetValue,
    pub(super) at: Offset,
}

/// The end of a producer's transaction.
#[derive(Clone, Copy, Debug)]
struct Marker {
    committed: bool,
    at: Offset,
}

/// A transactional commit: its place in the log is unknown until it is appended, and known late to be there.
#[derive(Clone, Debug)]
struct Undecided {
    value: OffsetValue,
    append: Option<AppendId>,
    at: Option<Offset>,
    /// A marker that was told before the place: it decides if it lies behind.
    marker: Option<Marker>,
}

/// What one group has committed.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    committed: HashMap<TopicPartition, Stored>,
    /// The newest plain commit in flight for each partition.
    in_flight: HashMap<TopicPartition, AppendId>,
    transactions: HashMap<ProducerId, HashMap<TopicPartition, Undecided>>,
}

impl Offsets {
    /// What has been read from the log.
    pub(super) fn loaded(committed: HashMap<TopicPartition, Stored>) -> Offsets {
        Offsets { committed, ..Offsets::default() }
    }

    pub(super) fn get(&self, partition: &TopicPartition) -> Option<&OffsetValue> {
        self.committed.get(partition).map(|stored| &stored.value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&TopicPartition, &OffsetValue)> {
        self.committed.iter().map(|(partition, stored)| (partition, &stored.value))
    }

    pub(super) fn len(&self) -> usize {
        self.committed.len()
    }

    /// Whether a commit for the partition, plain or transactional, is not decided yet.
    pub(super) fn is_unstable(&self, partition: &TopicPartition) -> bool {
        self.is_in_flight(partition)
            || self.transactions.values().any(|undecided| undecided.contains_key(partition))
    }

    pub(super) fn is_in_flight(&self, partition: &TopicPartition) -> bool {
        self.in_flight.contains_key(partition)
    }

    /// Whether nothing is stored and nothing can come.
    pub(super) fn is_empty(&self) -> bool {
        self.committed.is_empty() && self.in_flight.is_empty() && self.transactions.is_empty()
    }

    /// Takes the value unless a batch later in the log has been taken before.
    pub(super) fn store(&mut self, partition: TopicPartition, value: OffsetValue, at: Offset) {
        match self.committed.entry(partition) {
            Entry::Occupied(mut entry) if entry.get().at < at => {
                entry.insert(Stored { value, at });
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(entry) => {
                entry.insert(Stored { value, at });
            }
        }
    }

    pub(super) fn begin(&mut self, append: AppendId, partitions: impl Iterator<Item = TopicPartition>) {
        self.in_flight.extend(partitions.map(|partition| (partition, append)));
    }

    /// A plain commit is in the log: it shows, unless it was deleted meanwhile.
    pub(super) fn commit(
        &mut self,
        append: AppendId,
        partition: &TopicPartition,
        value: OffsetValue,
        at: Offset,
    ) {
        let Some(newest) = self.in_flight.get(partition).copied() else { return };
        if newest == append {
            self.in_flight.remove(partition);
        }
        match self.committed.get_mut(partition) {
            Some(stored) if stored.at >= at => {}
            Some(stored) => *stored = Stored { value, at },
            None => {
                self.committed.insert(partition.clone(), Stored { value, at });
            }
        }
    }

    /// A plain commit failed.
    pub(super) fn fail(&mut self, append: AppendId, partition: &TopicPartition) {
        if self.in_flight.get(partition) == Some(&append) {
            self.in_flight.remove(partition);
        }
    }

    pub(super) fn begin_transactional(
        &mut self,
        append: AppendId,
        producer: ProducerId,
        partition: TopicPartition,
        value: OffsetValue,
    ) {
        let undecided = Undecided { value, append: Some(append), at: None, marker: None };
        self.transactions.entry(producer).or_default().insert(partition, undecided);
    }

    /// A transactional commit is in the log; the marker decides.
    pub(super) fn append_transactional(
        &mut self,
        append: AppendId,
        producer: ProducerId,
        partition: &TopicPartition,
        at: Offset,
    ) {
        let undecided = self.transactions.get_mut(&producer).and_then(|all| all.get_mut(partition));
        if let Some(undecided) = undecided.filter(|undecided| undecided.append == Some(append)) {
            undecided.at = Some(at);
            if let Some(marker) = undecided.marker {
                self.complete_transaction(producer, marker.committed, marker.at);
            }
        }
    }

    /// A transactional commit that has been read from the log.
    pub(super) fn load_transactional(
        &mut self,
        producer: ProducerId,
        partition: TopicPartition,
        value: OffsetValue,
        at: Offset,
    ) {
        let undecided = Undecided { value, append: None, at: Some(at), marker: None };
        self.transactions.entry(producer).or_default().insert(partition, undecided);
    }

    pub(super) fn fail_transactional(
        &mut self,
        append: AppendId,
        producer: ProducerId,
        partition: &TopicPartition,
    ) {
        let Some(all) = self.transactions.get_mut(&producer) else { return };
        if all.get(partition).is_some_and(|undecided| undecided.append == Some(append)) {
            all.remove(partition);
        }
        if all.is_empty() {
            self.transactions.remove(&producer);
        }
    }

    /// The producer's marker is in the log at `marker`: the commits before it show, or are forgotten. Those behind it
    /// belong to its next transaction.
    pub(super) fn complete_transaction(&mut self, producer: ProducerId, committed: bool, marker: Offset) {
        let Some(all) = self.transactions.remove(&producer) else { return };
        let mut left = HashMap::new();
        for (partition, mut undecided) in all {
            match undecided.at {
                Some(at) if at < marker => {
                    if committed {
                        self.store(partition, undecided.value, at);
                    }
                }
                Some(_) => {
                    left.insert(partition, undecided);
                }
                None => {
                    undecided.marker = Some(Marker { committed, at: marker });
                    left.insert(partition, undecided);
                }
            }
        }
        if !left.is_empty() {
            self.transactions.insert(producer, left);
        }
    }

    /// Forgets the partition, and what is in flight for it. Says whether an offset was stored.
    pub(super) fn delete(&mut self, partition: &TopicPartition) -> bool {
        self.in_flight.remove(partition);
        for undecided in self.transactions.values_mut() {
            undecided.remove(partition);
        }
        self.transactions.retain(|_, undecided| !undecided.is_empty());
        self.committed.remove(partition).is_some()
    }

    pub(super) fn expire(&mut self, partition: &TopicPartition) {
        self.committed.remove(partition);
    }

    pub(super) fn drain(&mut self) -> Vec<TopicPartition> {
        self.in_flight.clear();
        self.transactions.clear();
        self.committed.drain().map(|(partition, _)| partition).collect()
    }
}
