//! Sets of partitions by topic id: what members of a consumer group (KIP-848) are assigned, own, and give up.
//!
//! Invariant: no topic without a partition, so that equal sets compare equal.

use std::collections::{BTreeMap, BTreeSet};

use gregor_model::TopicId;

/// A set of partitions. In order of topic id and index, so that what is written and told is the same every time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    topics: BTreeMap<TopicId, BTreeSet<i32>>,
}

impl Assignment {
    /// Nothing.
    pub fn new() -> Assignment {
        Assignment::default()
    }

    /// Adds a partition. Says whether it was missing.
    pub fn insert(&mut self, topic: TopicId, partition: i32) -> bool {
        self.topics.entry(topic).or_default().insert(partition)
    }

    /// Takes a partition out. Says whether it was there.
    pub fn remove(&mut self, topic: TopicId, partition: i32) -> bool {
        let Some(partitions) = self.topics.get_mut(&topic) else { return false };
        let removed = partitions.remove(&partition);
        if partitions.is_empty() {
            self.topics.remove(&topic);
        }
        removed
    }

    /// Whether the partition is in.
    pub fn contains(&self, topic: TopicId, partition: i32) -> bool {
        self.topics.get(&topic).is_some_and(|partitions| partitions.contains(&partition))
    }

    /// Whether nothing is in.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// How many partitions are in.
    pub fn len(&self) -> usize {
        self.topics.values().map(BTreeSet::len).sum()
    }

    /// The partitions of the topic that are in.
    pub fn of_topic(&self, topic: TopicId) -> impl Iterator<Item = i32> + '_ {
        self.topics.get(&topic).into_iter().flatten().copied()
    }

    /// Every partition.
    pub fn iter(&self) -> impl Iterator<Item = (TopicId, i32)> + '_ {
        self.topics
            .iter()
            .flat_map(|(topic, partitions)| partitions.iter().map(move |partition| (*topic, *partition)))
    }

    /// Every topic with its partitions.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = (TopicId, &BTreeSet<i32>)> {
        self.topics.iter().map(|(topic, partitions)| (*topic, partitions))
    }

    /// What is in both.
    pub fn intersection(&self, other: &Assignment) -> Assignment {
        self.iter().filter(|(topic, partition)| other.contains(*topic, *partition)).collect()
    }

    /// What is in this one and not in the other.
    pub fn difference(&self, other: &Assignment) -> Assignment {
        self.iter().filter(|(topic, partition)| !other.contains(*topic, *partition)).collect()
    }

    /// Whether all of it is in the other.
    pub fn is_subset(&self, other: &Assignment) -> bool {
        self.iter().all(|(topic, partition)| other.contains(topic, partition))
    }

    /// Whether anything is in both.
    pub fn intersects(&self, other: &Assignment) -> bool {
        self.iter().any(|(topic, partition)| other.contains(topic, partition))
    }
}

impl FromIterator<(TopicId, i32)> for Assignment {
    fn from_iter<I: IntoIterator<Item = (TopicId, i32)>>(partitions: I) -> Assignment {
        let mut assignment = Assignment::new();
        assignment.extend(partitions);
        assignment
    }
}

impl Extend<(TopicId, i32)> for Assignment {
    fn extend<I: IntoIterator<Item = (TopicId, i32)>>(&mut self, partitions: I) {
        for (topic, partition) in partitions {
            self.insert(topic, partition);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(partitions: &[(u8, i32)]) -> Assignment {
        let id = |seed: u8| TopicId::from_random([seed; 16]).expect("not reserved");
        partitions.iter().map(|(topic, partition)| (id(*topic), *partition)).collect()
    }

    #[test]
    fn sets() {
        let (left, right) = (set(&[(1, 0), (1, 1), (2, 0)]), set(&[(1, 1), (2, 1)]));
        assert_eq!(left.intersection(&right), set(&[(1, 1)]));
        assert_eq!(left.difference(&right), set(&[(1, 0), (2, 0)]));
        assert!(left.intersects(&right) && !left.is_subset(&right) && set(&[(1, 1)]).is_subset(&right));
        assert_eq!((left.len(), left.is_empty(), set(&[]).is_empty()), (3, false, true));
    }

    #[test]
    fn a_topic_without_partitions_is_not_there() {
        let mut assignment = set(&[(1, 0)]);
        let (topic, partition) = assignment.iter().next().expect("one");
        assert!(assignment.remove(topic, partition) && !assignment.remove(topic, partition));
        assert_eq!(assignment, Assignment::new());
    }
}
