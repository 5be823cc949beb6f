//! The partitions to be moved. Pure. Invariant: no partition is with two workers.
//!
//! As in Kafka a worker stays with a partition until it has moved, so that few copies are unfinished at a time, and takes
//! the next one by name.

use std::collections::{BTreeMap, BTreeSet};

use gregor_model::{Timestamp, TopicPartition};

/// The partitions to be moved, in order.
#[derive(Debug, Default)]
pub struct MoveQueue {
    /// With the time from which on they may be tried (again).
    waiting: BTreeMap<TopicPartition, Timestamp>,
    taken: BTreeSet<TopicPartition>,
}

impl MoveQueue {
    /// Adds a partition. One that is with a worker comes back to the queue, in case that worker is about to let go of it.
    pub fn add(&mut self, partition: TopicPartition, now: Timestamp) {
        self.waiting.insert(partition, now);
    }

    /// The next partition for a worker.
    pub fn take(&mut self, now: Timestamp) -> Option<TopicPartition> {
        let is_free = |(partition, ready): &(&TopicPartition, &Timestamp)| {
            **ready <= now && !self.taken.contains(*partition)
        };
        let partition = self.waiting.iter().find(is_free)?.0.clone();
        self.waiting.remove(&partition);
        self.taken.insert(partition.clone());
        Some(partition)
    }

    /// When the next partition can be taken, if none is given back or added before.
    pub fn next_ready(&self) -> Option<Timestamp> {
        let free = self.waiting.iter().filter(|(partition, _)| !self.taken.contains(*partition));
        free.map(|(_, ready)| *ready).min()
    }

    /// A worker lets go of its partition: for good, or until `again`.
    pub fn give_back(&mut self, partition: TopicPartition, again: Option<Timestamp>) {
        self.taken.remove(&partition);
        if let Some(again) = again {
            self.waiting.entry(partition).or_insert(again);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: i32) -> TopicPartition {
        TopicPartition::new("t", number)
    }

    #[test]
    fn by_name_and_one_worker_each() {
        let mut queue = MoveQueue::default();
        assert_eq!((queue.take(Timestamp(0)), queue.next_ready()), (None, None));
        queue.add(partition(2), Timestamp(0));
        queue.add(partition(1), Timestamp(0));
        assert_eq!(queue.take(Timestamp(0)), Some(partition(1)));
        assert_eq!(queue.take(Timestamp(0)), Some(partition(2)));
        assert_eq!(queue.take(Timestamp(0)), None);
        queue.add(partition(1), Timestamp(5));
        assert_eq!((queue.take(Timestamp(9)), queue.next_ready()), (None, None), "it is with a worker");
        queue.give_back(partition(1), None);
        assert_eq!(queue.next_ready(), Some(Timestamp(5)));
        assert_eq!(queue.take(Timestamp(9)), Some(partition(1)));
    }

    #[test]
    fn what_failed_waits() {
        let mut queue = MoveQueue::default();
        queue.add(partition(1), Timestamp(0));
        queue.take(Timestamp(0));
        queue.give_back(partition(1), Some(Timestamp(100)));
        assert_eq!((queue.take(Timestamp(99)), queue.next_ready()), (None, Some(Timestamp(100))));
        queue.add(partition(1), Timestamp(50));
        assert_eq!(queue.take(Timestamp(50)), Some(partition(1)), "asked for anew");
    }
}
