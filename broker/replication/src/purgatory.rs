//! Requests that wait for a partition: produce for the high watermark, DeleteRecords for the low one, fetch for bytes
//! (`DelayedOperationPurgatory`).
//!
//! Each partition owns its lists, so what happens to one wakes exactly those who wait for it, and waiting costs nothing.
//! A request is told once. Owner of an entry: the waiting request, which removes what is left when it is dropped, so the lists
//! are bounded by the requests in hand. Locks here are innermost and never held across an await.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering, fence};

use gregor_log::{FetchIsolation, LogOffsets, OffsetPosition};
use gregor_model::Offset;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// How a wait for an offset ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitOutcome {
    /// The offset was reached.
    Reached,
    /// It was reached, but with fewer in-sync replicas than `min.insync.replicas`.
    ReachedWithTooFew,
    /// The partition is no longer led here.
    NotLeader,
    /// The partition is no longer here.
    Gone,
    /// The partition's log directory failed.
    Offline,
}

/// A request that waits for offsets of one or more partitions.
#[derive(Debug)]
pub struct OffsetWait {
    outcomes: Mutex<Vec<Option<WaitOutcome>>>,
    pending: AtomicUsize,
    done: Notify,
}

impl OffsetWait {
    /// A request over `partitions`, none of which is waited for yet.
    pub fn new(partitions: usize) -> Arc<OffsetWait> {
        let outcomes = Mutex::new(vec![None; partitions]);
        Arc::new(OffsetWait { outcomes, pending: AtomicUsize::new(0), done: Notify::new() })
    }

    /// Returns when every partition waited for has an outcome.
    pub async fn settled(&self) {
        while self.pending.load(Ordering::Acquire) > 0 {
            self.done.notified().await;
        }
    }

    /// The outcome of one partition; `None` while it is awaited.
    pub fn outcome(&self, index: usize) -> Option<WaitOutcome> {
        self.outcomes.lock().get(index).copied().flatten()
    }

    fn settle(&self, index: usize, outcome: WaitOutcome) {
        let mut outcomes = self.outcomes.lock();
        let Some(slot) = outcomes.get_mut(index) else { return };
        if slot.is_none() {
            *slot = Some(outcome);
            drop(outcomes);
            if self.pending.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.done.notify_one();
            }
        }
    }
}

/// Names an entry of [`OffsetWaits`].
pub type OffsetWaitKey = (Offset, u64);

/// Who waits for offsets of one partition, nearest offset first.
#[derive(Debug, Default)]
pub struct OffsetWaits {
    waiting: Mutex<OffsetEntries>,
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct OffsetEntries {
    next: u64,
    /// Which partition of which request.
    by_offset: BTreeMap<OffsetWaitKey, (Arc<OffsetWait>, usize)>,
}

impl OffsetWaits {
    /// Lets partition `index` of `wait` wait until `offset` is reached. The caller looks afterwards whether it has been already.
    pub fn register(&self, offset: Offset, wait: &Arc<OffsetWait>, index: usize) -> OffsetWaitKey {
        let mut waiting = self.waiting.lock();
        wait.pending.fetch_add(1, Ordering::AcqRel);
        let key = (offset, waiting.next);
        waiting.next += 1;
        waiting.by_offset.insert(key, (Arc::clone(wait), index));
        self.count.store(waiting.by_offset.len(), Ordering::SeqCst);
        drop(waiting);
        fence(Ordering::SeqCst);
        key
    }

    /// Nobody waits.
    pub fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// `offset` is reached: lets go all who wait for it or for less.
    pub fn complete_through(&self, offset: Offset, outcome: WaitOutcome) {
        // The offset was raised before this look at the count; `register` counts before the caller looks at the offset.
        fence(Ordering::SeqCst);
        if self.is_empty() {
            return;
        }
        let reached = {
            let mut waiting = self.waiting.lock();
            let above = waiting.by_offset.split_off(&(offset + 1, 0));
            let reached = std::mem::replace(&mut waiting.by_offset, above);
            self.count.store(waiting.by_offset.len(), Ordering::Release);
            reached
        };
        for (wait, index) in reached.into_values() {
            wait.settle(index, outcome);
        }
    }

    /// Lets all go.
    pub fn complete_all(&self, outcome: WaitOutcome) {
        self.complete_through(Offset(i64::MAX - 1), outcome);
    }

    /// Forgets an entry whose request gave up.
    pub fn cancel(&self, key: OffsetWaitKey) {
        let mut waiting = self.waiting.lock();
        waiting.by_offset.remove(&key);
        self.count.store(waiting.by_offset.len(), Ordering::Release);
    }
}

/// A fetch that waits for bytes.
#[derive(Debug)]
pub struct FetchWait {
    missing_bytes: AtomicI64,
    woken: AtomicBool,
    done: Notify,
}

impl FetchWait {
    /// A fetch that wants `min_bytes`.
    pub fn new(min_bytes: i64) -> Arc<FetchWait> {
        Arc::new(FetchWait {
            missing_bytes: AtomicI64::new(min_bytes),
            woken: AtomicBool::new(false),
            done: Notify::new(),
        })
    }

    /// Returns when it is worth reading again.
    pub async fn woken(&self) {
        while !self.is_woken() {
            self.done.notified().await;
        }
    }

    /// Whether it is worth reading again.
    pub fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Acquire)
    }

    fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.done.notify_one();
        }
    }

    fn add_bytes(&self, bytes: i64) {
        if self.missing_bytes.fetch_sub(bytes, Ordering::AcqRel) <= bytes {
            self.wake();
        }
    }
}

/// What a waiting fetch wants of one partition.
#[derive(Clone, Debug)]
pub struct FetchInterest {
    /// Where it will read.
    pub start: OffsetPosition,
    /// What it counts at most.
    pub max_bytes: i64,
    /// How far it may read.
    pub isolation: FetchIsolation,
    /// A throttled follower: neither bytes nor a rolled segment wake it.
    pub throttled: bool,
}

#[derive(Debug)]
struct FetchEntry {
    id: u64,
    wait: Arc<FetchWait>,
    interest: FetchInterest,
    counted_bytes: i64,
}

impl FetchEntry {
    /// Looks at the partition's offsets (`DelayedFetch.tryComplete`, one partition of it).
    fn check(&mut self, offsets: &LogOffsets) {
        let bound = match self.interest.isolation {
            FetchIsolation::LogEnd => &offsets.log_end_offset,
            FetchIsolation::HighWatermark => &offsets.high_watermark,
            FetchIsolation::TxnCommitted => &offsets.last_stable_offset,
        };
        let start = &self.interest.start;
        if start.offset > offsets.log_end_offset.offset || bound.older_segment_than(start) {
            self.wait.wake(); // truncated
        } else if bound.offset <= start.offset || self.interest.throttled {
            // Nothing to read, or nothing that counts.
        } else if start.older_segment_than(bound) {
            self.wait.wake(); // rolled: the rest of the old segment can be read at once
        } else if let Some(bytes) = bound.bytes_since(start) {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX).min(self.interest.max_bytes);
            if bytes > self.counted_bytes {
                self.wait.add_bytes(bytes - self.counted_bytes);
                self.counted_bytes = bytes;
            }
        }
    }
}

/// Which fetches wait for one partition.
#[derive(Debug, Default)]
pub struct FetchWaits {
    waiting: Mutex<FetchEntries>,
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct FetchEntries {
    next_id: u64,
    /// Ids ascend, so an entry is found by bisection.
    by_id: Vec<FetchEntry>,
}

impl FetchWaits {
    /// Lets `wait` be woken by what happens here; looks at once at `offsets`, read after the entry was made,
    /// so nothing that happened meanwhile is missed. Returns the entry's id.
    pub fn register(
        &self,
        wait: &Arc<FetchWait>,
        interest: FetchInterest,
        offsets: impl FnOnce() -> LogOffsets,
    ) -> u64 {
        let id = {
            let mut waiting = self.waiting.lock();
            let id = waiting.next_id;
            waiting.next_id += 1;
            let entry = FetchEntry { id, wait: Arc::clone(wait), interest, counted_bytes: 0 };
            waiting.by_id.push(entry);
            self.count.store(waiting.by_id.len(), Ordering::SeqCst);
            id
        };
        fence(Ordering::SeqCst);
        let offsets = offsets();
        let mut waiting = self.waiting.lock();
        if let Ok(at) = waiting.by_id.binary_search_by_key(&id, |entry| entry.id) {
            waiting.by_id[at].check(&offsets);
        }
        id
    }

    /// Forgets an entry.
    pub fn cancel(&self, id: u64) {
        let mut waiting = self.waiting.lock();
        if let Ok(at) = waiting.by_id.binary_search_by_key(&id, |entry| entry.id) {
            waiting.by_id.remove(at);
        }
        self.count.store(waiting.by_id.len(), Ordering::SeqCst);
    }

    /// The log grew or a bound moved: wakes those who can be answered now.
    pub fn on_progress(&self, offsets: impl FnOnce() -> LogOffsets) {
        fence(Ordering::SeqCst);
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let offsets = offsets();
        for entry in &mut self.waiting.lock().by_id {
            entry.check(&offsets);
        }
    }

    /// The partition's role changed: whoever waits has to look again.
    pub fn wake_all(&self) {
        for entry in &self.waiting.lock().by_id {
            entry.wait.wake();
        }
    }
}

#[cfg(test)]
#[path = "purgatory_tests.rs"]
mod tests;
