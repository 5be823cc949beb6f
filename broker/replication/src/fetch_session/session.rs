//! One session: the partitions it fetches, in order, and what was last answered for each (`FetchSession`, `CachedPartition`).

use std::collections::{BTreeMap, HashMap};

use gregor_model::{Offset, Timestamp, TopicId, TopicName};

use crate::manager::FetchPartition;

/// A partition as a fetch names it: by topic id (v13+) or by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPartition {
    /// The topic's id, in requests of v13 and later.
    pub topic_id: Option<TopicId>,
    /// Its name; `None` while no topic of that id is known.
    pub topic: Option<TopicName>,
    /// The partition.
    pub partition: i32,
}

/// What makes two partitions the same: the id where there is one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum PartitionKey {
    ById(TopicId, i32),
    ByName(Option<TopicName>, i32),
}

impl SessionPartition {
    pub(super) fn key(&self) -> PartitionKey {
        match self.topic_id {
            Some(id) => PartitionKey::ById(id, self.partition),
            None => PartitionKey::ByName(self.topic.clone(), self.partition),
        }
    }
}

/// What the session must know of a partition's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionSummary {
    /// There are records.
    pub has_records: bool,
    /// As many as were asked for: there may be more.
    pub is_full: bool,
    /// An error.
    pub is_error: bool,
    /// A preferred read replica or a diverging epoch: must be told in any case.
    pub is_news: bool,
    /// The high watermark.
    pub high_watermark: Option<Offset>,
    /// The log start offset.
    pub log_start_offset: Option<Offset>,
}

#[derive(Clone, Debug)]
struct Cached {
    partition: SessionPartition,
    wanted: FetchPartition,
    high_watermark: Option<Offset>,
    log_start_offset: Option<Offset>,
    is_full: bool,
}

impl Cached {
    /// Whether the answer must be sent; remembers what is sent (`maybeUpdateResponseData`).
    fn update(&mut self, summary: &PartitionSummary) -> bool {
        let moved = self.high_watermark != summary.high_watermark
            || self.log_start_offset != summary.log_start_offset;
        self.high_watermark = summary.high_watermark;
        self.log_start_offset = summary.log_start_offset;
        self.is_full = summary.is_full;
        if summary.is_error {
            // So that the next success is sent, whatever it says.
            self.high_watermark = None;
        }
        moved || summary.has_records || summary.is_error || summary.is_news
    }
}

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: i32,
    pub(super) privileged: bool,
    pub(super) by_topic_id: bool,
    pub(super) created: Timestamp,
    pub(super) last_used: Timestamp,
    /// What the next request must say.
    pub(super) epoch: i32,
    /// When a partition was last forgotten of which there may be more.
    left_behind: Option<Timestamp>,
    next_place: u64,
    places: HashMap<PartitionKey, u64>,
    /// In the order in which they are fetched.
    cached: BTreeMap<u64, Cached>,
}

impl Session {
    pub(super) fn new(id: i32, privileged: bool, by_topic_id: bool, now: Timestamp) -> Session {
        Session {
            id,
            privileged,
            by_topic_id,
            created: now,
            last_used: now,
            epoch: 1,
            left_behind: None,
            next_place: 0,
            places: HashMap::new(),
            cached: BTreeMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.cached.len()
    }

    /// Adds a partition, or changes what is wanted of it.
    pub(super) fn list(&mut self, partition: SessionPartition, wanted: FetchPartition) {
        let key = partition.key();
        if let Some(cached) = self.places.get(&key).and_then(|place| self.cached.get_mut(place)) {
            cached.wanted = wanted;
            return;
        }
        let cached =
            Cached { partition, wanted, high_watermark: None, log_start_offset: None, is_full: false };
        self.places.insert(key, self.next_place);
        self.cached.insert(self.next_place, cached);
        self.next_place += 1;
    }

    /// Removes a partition.
    pub(super) fn forget(&mut self, partition: &SessionPartition, now: Timestamp) {
        let cached = self.places.remove(&partition.key()).and_then(|place| self.cached.remove(&place));
        if cached.is_some_and(|cached| cached.is_full) {
            self.left_behind = Some(now);
        }
    }

    /// How long ago the consumer left a partition of which there may be more, in milliseconds.
    pub(super) fn left_behind_ms(&self, now: Timestamp) -> Option<i64> {
        self.left_behind.filter(|_| !self.privileged).map(|since| (now - since).max(0))
    }

    /// All partitions, in order. Names that were not known when they were listed are looked up again.
    pub(super) fn partitions(
        &mut self,
        name_of: impl Fn(TopicId) -> Option<TopicName>,
    ) -> Vec<(SessionPartition, FetchPartition)> {
        let all = self.cached.values_mut().map(|cached| {
            if let (None, Some(id)) = (&cached.partition.topic, cached.partition.topic_id) {
                cached.partition.topic = name_of(id);
            }
            (cached.partition.clone(), cached.wanted)
        });
        all.collect()
    }

    /// Takes in one partition's answer. Returns whether it must be sent; if it has records, the partition goes to the end of the line.
    pub(super) fn answered(&mut self, partition: &SessionPartition, summary: &PartitionSummary) -> bool {
        let Some(place) = self.places.get_mut(&partition.key()) else { return true };
        let Some(cached) = self.cached.get_mut(place) else { return true };
        let send = cached.update(summary);
        if summary.has_records
            && let Some(cached) = self.cached.remove(place)
        {
            *place = self.next_place;
            self.cached.insert(self.next_place, cached);
            self.next_place += 1;
        }
        send
    }
}
