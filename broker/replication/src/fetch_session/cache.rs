//! All sessions of this broker, in shards (`FetchSessionCache`, `FetchSessionCacheShard`).
//!
//! Invariants: never more sessions than slots; a shard hands out ids of its own range only, so an id leads to its shard.
//! When a shard is full, a session unused for two minutes goes first; else only one that the newcomer outranks.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gregor_metrics::Counter;
use gregor_model::Timestamp;
use parking_lot::Mutex;

use super::session::Session;

const SHARDS: usize = 8;

/// How many ids each shard has.
const IDS_PER_SHARD: i32 = i32::MAX / SHARDS as i32;

/// A session unused for longer may be evicted by anyone (`MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS`), in milliseconds.
const EVICTION_MS: i64 = 120_000;

/// A session that the cache and the fetches that use it share.
pub(super) type SharedSession = Arc<Mutex<Session>>;

/// The sessions of this broker.
#[derive(Debug)]
pub struct FetchSessionCache {
    shards: Vec<Mutex<Shard>>,
    next_shard: AtomicUsize,
    evictions: Counter,
}

#[derive(Debug)]
struct Shard {
    slots: usize,
    first_id: i32,
    random: u64,
    sessions: HashMap<i32, SharedSession>,
}

impl FetchSessionCache {
    /// A cache with that many slots (`max.incremental.fetch.session.cache.slots`); ids are drawn from `seed`.
    pub fn new(slots: usize, seed: u64) -> FetchSessionCache {
        let shard = |index: usize| {
            let first_id = i32::try_from(index).unwrap_or(0) * IDS_PER_SHARD;
            let random = seed.wrapping_add(index as u64);
            Mutex::new(Shard {
                slots: slots / SHARDS,
                first_id: first_id.max(1),
                random,
                sessions: HashMap::new(),
            })
        };
        FetchSessionCache {
            shards: (0..SHARDS).map(shard).collect(),
            next_shard: AtomicUsize::new(0),
            evictions: Counter::default(),
        }
    }

    /// Sessions that made room for others (`IncrementalFetchSessionEvictionsPerSec`).
    pub fn evictions(&self) -> u64 {
        self.evictions.get()
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().sessions.len()).sum()
    }

    /// Whether there is no session.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many partitions all sessions cache together.
    pub fn partitions(&self) -> usize {
        let count = |shard: &Mutex<Shard>| {
            shard.lock().sessions.values().map(|session| session.lock().len()).sum::<usize>()
        };
        self.shards.iter().map(count).sum()
    }

    pub(super) fn get(&self, id: i32) -> Option<SharedSession> {
        self.shard(id)?.lock().sessions.get(&id).cloned()
    }

    pub(super) fn remove(&self, id: i32) {
        if let Some(shard) = self.shard(id) {
            shard.lock().sessions.remove(&id);
        }
    }

    fn shard(&self, id: i32) -> Option<&Mutex<Shard>> {
        let index = usize::try_from(id / IDS_PER_SHARD).ok()?;
        self.shards.get(index.min(SHARDS - 1)).filter(|_| id > 0)
    }

    /// Makes a session of `size` partitions, if there is room or room can be made. `fill` is handed the empty session.
    pub(super) fn create(
        &self,
        privileged: bool,
        by_topic_id: bool,
        size: usize,
        now: Timestamp,
        fill: impl FnOnce(&mut Session),
    ) -> Option<i32> {
        let index = self.next_shard.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let mut shard = self.shards.get(index)?.lock();
        if shard.sessions.len() >= shard.slots {
            if !shard.evict(privileged, size, now) {
                return None;
            }
            self.evictions.increment();
        }
        let id = shard.new_id();
        let mut session = Session::new(id, privileged, by_topic_id, now);
        fill(&mut session);
        shard.sessions.insert(id, Arc::new(Mutex::new(session)));
        Some(id)
    }
}

impl Shard {
    /// Makes room for a newcomer (`tryEvict`). Returns whether there is some now.
    fn evict(&mut self, privileged: bool, size: usize, now: Timestamp) -> bool {
        let mut oldest: Option<(Timestamp, i32)> = None;
        let mut weakest: Option<(bool, usize, i32)> = None;
        for session in self.sessions.values() {
            let session = session.lock();
            let used = (session.last_used, session.id);
            oldest = Some(oldest.map_or(used, |oldest| oldest.min(used)));
            let has_settled = session.last_used - session.created > EVICTION_MS;
            if has_settled || (privileged && !session.privileged) {
                let rank = (session.privileged, session.len(), session.id);
                weakest = Some(weakest.map_or(rank, |weakest| weakest.min(rank)));
            }
        }
        let stale = oldest.filter(|(used, _)| now - *used > EVICTION_MS).map(|(_, id)| id);
        let outranked = weakest.filter(|weakest| (privileged, size, 0) >= *weakest).map(|(_, _, id)| id);
        match stale.or(outranked) {
            Some(id) => self.sessions.remove(&id).is_some(),
            None => false,
        }
    }

    /// An id of this shard's range that no session has.
    fn new_id(&mut self) -> i32 {
        loop {
            // SplitMix64: the ids only have to be unlike those of before a restart.
            self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut bits = self.random;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let within = (bits >> 33) as i32 % (IDS_PER_SHARD - 1);
            let id = self.first_id + within;
            if !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }
}
