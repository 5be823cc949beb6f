//! The offsets that a load has read so far. A partition of `__consumer_offsets` can hold millions of commits of few
//! groups and topics, so the fold copies no name that it has: the records of one commit lie side by side, and name the
//! same group and, mostly, the same topic.

use std::collections::{HashMap, HashSet};

use gregor_model::{Offset, TopicName, TopicPartition};
use indexmap::IndexMap;

use super::offsets::{Known, Offsets};
use crate::GroupId;
use crate::schema::offset::{OffsetKey, OffsetKeyRef, OffsetValue};

/// Every group's offsets, the last record of each standing.
#[derive(Debug, Default)]
pub(super) struct LoadedOffsets {
    groups: IndexMap<GroupId, HashMap<TopicPartition, Known>>,
    /// The place of the group that the last record named.
    last_group: usize,
    topics: HashSet<TopicName>,
    last_topic: Option<TopicName>,
}

impl LoadedOffsets {
    fn group(&mut self, id: &str) -> &mut HashMap<TopicPartition, Known> {
        let is_last = self.groups.get_index(self.last_group).is_some_and(|(last, _)| last.as_str() == id);
        if !is_last {
            self.last_group = match self.groups.get_index_of(id) {
                Some(index) => index,
                None => self.groups.insert_full(GroupId::from(id), HashMap::new()).0,
            };
        }
        &mut self.groups[self.last_group]
    }

    fn partition(&mut self, topic: &str, partition: i32) -> TopicPartition {
        let topic = match &self.last_topic {
            Some(last) if last.as_str() == topic => last.clone(),
            _ => self.topic(topic),
        };
        TopicPartition { topic, partition }
    }

    fn topic(&mut self, name: &str) -> TopicName {
        let known = self.topics.get(name).cloned();
        let topic = known.unwrap_or_else(|| {
            let topic = TopicName::new(name);
            self.topics.insert(topic.clone());
            topic
        });
        self.last_topic = Some(topic.clone());
        topic
    }

    /// A plain commit, the newest so far.
    pub(super) fn insert(&mut self, key: OffsetKeyRef<'_>, value: OffsetValue, at: Offset) {
        let partition = self.partition(key.topic, key.partition);
        self.group(key.group).insert(partition, Known::stored(value, at));
    }

    /// A transactional commit, decided after others that may be newer.
    pub(super) fn decide(&mut self, key: OffsetKey, value: OffsetValue, at: Offset) {
        self.group(key.group.as_str()).entry(key.partition).or_default().store(value, at);
    }

    /// A tombstone.
    pub(super) fn remove(&mut self, key: OffsetKeyRef<'_>) {
        let partition = self.partition(key.topic, key.partition);
        self.group(key.group).remove(&partition);
    }

    /// The groups that have offsets.
    pub(super) fn by_group(self) -> impl Iterator<Item = (GroupId, Offsets)> {
        let with_offsets = self.groups.into_iter().filter(|(_, offsets)| !offsets.is_empty());
        with_offsets.map(|(id, offsets)| (id, Offsets::loaded(offsets)))
    }
}
