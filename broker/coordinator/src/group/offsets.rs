//! The committed offsets of one group, and those whose fate is not decided yet.

use std::collections::HashMap;

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

/// What is known of one partition; there is none of which nothing is.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) stored: Option<Stored>,
    /// The newest plain commit in flight.
    in_flight: Option<AppendId>,
}

impl Known {
    fn is_nothing(&self) -> bool {
        self.stored.is_none() && self.in_flight.is_none()
    }

    /// What has been read from the log.
    pub(super) fn stored(value: OffsetValue, at: Offset) -> Known {
        Known { stored: Some(Stored { value, at }), in_flight: None }
    }

    /// Takes the value unless a batch later in the log has been taken before.
    pub(super) fn store(&mut self, value: OffsetValue, at: Offset) {
        if self.stored.as_ref().is_none_or(|stored| stored.at < at) {
            self.stored = Some(Stored { value, at });
        }
    }
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

/// What one group has committed. One look-up per partition begins a commit, and one ends it.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    partitions: HashMap<TopicPartition, Known>,
    transactions: HashMap<ProducerId, HashMap<TopicPartition, Undecided>>,
}

impl Offsets {
    /// What has been read from the log.
    pub(super) fn loaded(partitions: HashMap<TopicPartition, Known>) -> Offsets {
        Offsets { partitions, ..Offsets::default() }
    }

    pub(super) fn get(&self, partition: &TopicPartition) -> Option<&OffsetValue> {
        self.partitions.get(partition)?.stored.as_ref().map(|stored| &stored.value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&TopicPartition, &OffsetValue)> {
        self.partitions
            .iter()
            .filter_map(|(partition, known)| Some((partition, &known.stored.as_ref()?.value)))
    }

    pub(super) fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether a commit for the partition, plain or transactional, is not decided yet.
    pub(super) fn is_unstable(&self, partition: &TopicPartition) -> bool {
        self.is_in_flight(partition)
            || self.transactions.values().any(|undecided| undecided.contains_key(partition))
    }

    pub(super) fn is_in_flight(&self, partition: &TopicPartition) -> bool {
        self.partitions.get(partition).is_some_and(|known| known.in_flight.is_some())
    }

    /// Whether nothing is stored and nothing can come.
    pub(super) fn is_empty(&self) -> bool {
        self.partitions.is_empty() && self.transactions.is_empty()
    }

    fn known(&mut self, partition: &TopicPartition) -> &mut Known {
        self.partitions.entry(partition.clone()).or_default()
    }

    /// A plain commit is being written.
    pub(super) fn begin(&mut self, append: AppendId, partition: &TopicPartition) {
        match self.partitions.get_mut(partition) {
            Some(known) => known.in_flight = Some(append),
            None => self.known(partition).in_flight = Some(append),
        }
    }

    /// A plain commit is in the log: it shows, unless it was deleted meanwhile.
    pub(super) fn commit(
        &mut self,
        append: AppendId,
        partition: &TopicPartition,
        value: OffsetValue,
        at: Offset,
    ) {
        let Some(known) = self.partitions.get_mut(partition) else { return };
        let Some(newest) = known.in_flight else { return };
        if newest == append {
            known.in_flight = None;
        }
        known.store(value, at);
    }

    /// A plain commit failed.
    pub(super) fn fail(&mut self, append: AppendId, partition: &TopicPartition) {
        let Some(known) = self.partitions.get_mut(partition) else { return };
        if known.in_flight == Some(append) {
            known.in_flight = None;
        }
        if known.is_nothing() {
            self.partitions.remove(partition);
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
                        self.known(&partition).store(undecided.value, at);
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
        for undecided in self.transactions.values_mut() {
            undecided.remove(partition);
        }
        self.transactions.retain(|_, undecided| !undecided.is_empty());
        self.partitions.remove(partition).is_some_and(|known| known.stored.is_some())
    }

    /// Forgets what is stored, and not what may come.
    pub(super) fn expire(&mut self, partition: &TopicPartition) {
        let Some(known) = self.partitions.get_mut(partition) else { return };
        known.stored = None;
        if known.is_nothing() {
            self.partitions.remove(partition);
        }
    }

    /// Forgets everything, and gives the partitions that were stored.
    pub(super) fn drain(&mut self) -> Vec<TopicPartition> {
        self.transactions.clear();
        let stored = |(partition, known): (_, Known)| known.stored.map(|_| partition);
        self.partitions.drain().filter_map(stored).collect()
    }
}
