//! The partitions of one fetcher and what each is about to do (`AbstractFetcherThread`, `PartitionFetchState`).
//!
//! Pure: answers and the time come in, what to do with the log comes out, and how that went is told back.
//! Invariant: an answer acts only on the state it was asked from, and how a step went is told only to the term it was taken in: a
//! later term may have begun while the leader was asked. A partition whose log cannot be trusted to follow is *failed*, and silent
//! until its next term.
//!
//! ```text
//!   start ──> Truncating ──(epochs agree)──> Fetching ──(diverging epoch)──> truncate, stay Fetching
//!        └──────(epochs known, Fetch >= 12)────^ │
//!                                                └─(error)──> delayed ──(back-off over)──> as before
//! ```

use std::collections::BTreeMap;
use std::ops::Bound;

use gregor_model::{BrokerId, LeaderEpoch, Offset, Timestamp, TopicId, TopicPartition};

use super::truncation::Truncation;
use crate::manager::EpochEnd;

/// A partition to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchStart {
    /// Which one.
    pub partition: TopicPartition,
    /// Its topic's id, if it has one.
    pub topic_id: Option<TopicId>,
    /// From whom.
    pub leader: BrokerId,
    /// In which term.
    pub leader_epoch: LeaderEpoch,
    /// From where.
    pub offset: Offset,
    /// The newest epoch in the log.
    pub last_epoch: Option<LeaderEpoch>,
}

/// What a partition does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchPhase {
    /// Ask the leader where the last epoch ends, then truncate.
    Truncating,
    /// Fetch.
    Fetching,
}

/// A partition as its fetcher sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionFetch {
    /// The topic's id, if it has one.
    pub topic_id: Option<TopicId>,
    /// The term.
    pub leader_epoch: LeaderEpoch,
    /// The log's end, or where to truncate to.
    pub fetch_offset: Offset,
    /// The epoch of the last record, sent from Fetch v12 on.
    pub last_fetched_epoch: Option<LeaderEpoch>,
    /// What comes next.
    pub phase: FetchPhase,
    /// Not before this time.
    pub delayed_until: Option<Timestamp>,
    /// How many records the leader's high watermark is ahead; `None`: not known yet.
    pub lag: Option<i64>,
}

impl PartitionFetch {
    /// Whether no delay is running. One that is longer than `backoff_ms` began before the clock was set back, and is over.
    fn is_ready(&self, now: Timestamp, backoff_ms: i64) -> bool {
        self.delayed_until.is_none_or(|until| now >= until || until - now > backoff_ms)
    }

    /// Whether it is known to have all that is committed.
    pub fn is_in_sync(&self) -> bool {
        self.lag.is_some_and(|lag| lag <= 0)
    }
}

/// What a partition was asked from: answers count only while it is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The term in the request.
    pub leader_epoch: LeaderEpoch,
    /// The offset in the request.
    pub fetch_offset: Offset,
}

/// Why a leader gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaderRefusal {
    /// OFFSET_OUT_OF_RANGE.
    OffsetOutOfRange,
    /// FENCED_LEADER_EPOCH.
    FencedLeaderEpoch,
    /// Anything else, by its code; it passes or a new term comes.
    Other(i16),
}

/// A leader's answer for one partition of a Fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchAnswer {
    /// Records, possibly none.
    Records,
    /// The logs part before the fetch offset.
    Diverging(EpochEnd),
    /// An error.
    Refused(LeaderRefusal),
}

/// What to do with the log now; how it went is told by the machine's other methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Append the records, then [`FetcherMachine::appended`].
    Append,
    /// Truncate, then [`FetcherMachine::truncated`].
    Truncate(EpochEnd),
    /// Ask for the leader's offsets, then [`FetcherMachine::restarted`].
    ResolveOutOfRange,
    /// The leader is in a later term: wait for LeaderAndIsr. The partition has been dropped.
    Failed,
    /// Nothing: the answer is out of date, or the partition waits.
    Nothing,
}

/// The partitions of one fetcher.
#[derive(Clone, Debug)]
pub struct FetcherMachine {
    truncates_on_fetch: bool,
    backoff_ms: i64,
    partitions: BTreeMap<TopicPartition, PartitionFetch>,
    /// The last partition that returned data: requests list those after it first.
    cursor: Option<TopicPartition>,
}

impl FetcherMachine {
    /// A fetcher without partitions. `truncates_on_fetch`: the leader tells in Fetch where logs part (v12+).
    pub fn new(truncates_on_fetch: bool, backoff_ms: i64) -> FetcherMachine {
        FetcherMachine { truncates_on_fetch, backoff_ms, partitions: BTreeMap::new(), cursor: None }
    }

    /// Takes a partition in; one tracked in the same term stays as it is.
    pub fn start(&mut self, start: FetchStart) {
        if self.partitions.get(&start.partition).is_some_and(|known| known.leader_epoch == start.leader_epoch)
        {
            return;
        }
        let phase = if self.truncates_on_fetch && start.last_epoch.is_some() {
            FetchPhase::Fetching
        } else {
            FetchPhase::Truncating
        };
        let state = PartitionFetch {
            topic_id: start.topic_id,
            leader_epoch: start.leader_epoch,
            fetch_offset: start.offset,
            last_fetched_epoch: start.last_epoch,
            phase,
            delayed_until: None,
            lag: None,
        };
        self.partitions.insert(start.partition, state);
    }

    /// Lets a partition go, whatever its term: it is no longer followed from here.
    pub fn stop(&mut self, partition: &TopicPartition) {
        self.partitions.remove(partition);
    }

    /// Lets a partition go that cannot go on in `term`; a later term stays.
    pub fn drop_term(&mut self, partition: &TopicPartition, term: LeaderEpoch) {
        if self.in_term(partition, term).is_some() {
            self.partitions.remove(partition);
        }
    }

    /// The topic got an id, or a controller without ids took over.
    pub fn set_topic_id(&mut self, partition: &TopicPartition, topic_id: Option<TopicId>) {
        if let Some(state) = self.partitions.get_mut(partition) {
            state.topic_id = topic_id;
        }
    }

    /// One partition's state.
    pub fn get(&self, partition: &TopicPartition) -> Option<&PartitionFetch> {
        self.partitions.get(partition)
    }

    /// Partitions whose epochs to ask for now.
    pub fn to_truncate(&self, now: Timestamp) -> impl Iterator<Item = (&TopicPartition, &PartitionFetch)> {
        self.partitions.iter().filter(move |(_, state)| {
            state.phase == FetchPhase::Truncating && state.is_ready(now, self.backoff_ms)
        })
    }

    /// Partitions to fetch now, those first that were served least recently.
    pub fn to_fetch(&self, now: Timestamp) -> impl Iterator<Item = (&TopicPartition, &PartitionFetch)> {
        let after = self.cursor.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self.cursor.as_ref().map(|cursor| (Bound::Unbounded, Bound::Included(cursor)));
        let first = self.partitions.range::<TopicPartition, _>((after, Bound::Unbounded));
        let rest = rest.into_iter().flat_map(|range| self.partitions.range::<TopicPartition, _>(range));
        let is_ready = move |state: &PartitionFetch| state.is_ready(now, self.backoff_ms);
        first.chain(rest).filter(move |(_, state)| state.phase == FetchPhase::Fetching && is_ready(state))
    }

    /// When the next delay ends; `None` when none is running.
    pub fn next_ready(&self, now: Timestamp) -> Option<Timestamp> {
        let delayed = self.partitions.values().filter(|state| !state.is_ready(now, self.backoff_ms));
        delayed.filter_map(|state| state.delayed_until).min()
    }

    /// Takes in an answer to a Fetch.
    pub fn on_answer(
        &mut self,
        partition: &TopicPartition,
        asked: Asked,
        answer: FetchAnswer,
        now: Timestamp,
    ) -> Step {
        let Some(state) = self.current(partition, asked, FetchPhase::Fetching, now) else {
            return Step::Nothing;
        };
        match answer {
            FetchAnswer::Records => {
                state.delayed_until = None;
                Step::Append
            }
            FetchAnswer::Diverging(end) => Step::Truncate(end),
            FetchAnswer::Refused(LeaderRefusal::OffsetOutOfRange) => Step::ResolveOutOfRange,
            FetchAnswer::Refused(refusal) => self.refused(partition, asked.leader_epoch, refusal, now),
        }
    }

    /// Takes in an answer to an OffsetForLeaderEpoch.
    pub fn on_epoch_end(
        &mut self,
        partition: &TopicPartition,
        asked: Asked,
        answer: Result<EpochEnd, LeaderRefusal>,
        now: Timestamp,
    ) -> Step {
        if self.current(partition, asked, FetchPhase::Truncating, now).is_none() {
            return Step::Nothing;
        }
        match answer {
            Ok(end) => Step::Truncate(end),
            Err(refusal) => self.refused(partition, asked.leader_epoch, refusal, now),
        }
    }

    /// The leader refused what was asked in `term`.
    pub fn refused(
        &mut self,
        partition: &TopicPartition,
        term: LeaderEpoch,
        refusal: LeaderRefusal,
        now: Timestamp,
    ) -> Step {
        if self.in_term(partition, term).is_none() {
            return Step::Nothing;
        }
        if refusal == LeaderRefusal::FencedLeaderEpoch {
            self.stop(partition);
            return Step::Failed;
        }
        self.delay(partition, term, now);
        Step::Nothing
    }

    fn in_term(&mut self, partition: &TopicPartition, term: LeaderEpoch) -> Option<&mut PartitionFetch> {
        self.partitions.get_mut(partition).filter(|state| state.leader_epoch == term)
    }

    /// The partition, if it is still where the request left it.
    fn current(
        &mut self,
        partition: &TopicPartition,
        asked: Asked,
        phase: FetchPhase,
        now: Timestamp,
    ) -> Option<&mut PartitionFetch> {
        let backoff_ms = self.backoff_ms;
        self.partitions.get_mut(partition).filter(|state| {
            state.leader_epoch == asked.leader_epoch
                && state.fetch_offset == asked.fetch_offset
                && state.phase == phase
                && state.is_ready(now, backoff_ms)
        })
    }

    /// Records were appended: fetch on from `next`. An answer without records leaves the last epoch as it is.
    pub fn appended(
        &mut self,
        partition: &TopicPartition,
        term: LeaderEpoch,
        next: Offset,
        last_epoch: Option<LeaderEpoch>,
        leader_high_watermark: Option<Offset>,
    ) {
        let Some(state) = self.in_term(partition, term) else { return };
        let is_served = next > state.fetch_offset;
        state.fetch_offset = next;
        state.last_fetched_epoch = last_epoch.or(state.last_fetched_epoch);
        state.lag = leader_high_watermark.map(|high_watermark| (high_watermark - next).max(0));
        if is_served {
            self.cursor = Some(partition.clone());
        }
    }

    /// The log was truncated; `last_epoch` is its newest epoch now.
    pub fn truncated(
        &mut self,
        partition: &TopicPartition,
        term: LeaderEpoch,
        truncation: Truncation,
        last_epoch: Option<LeaderEpoch>,
    ) {
        let truncates_on_fetch = self.truncates_on_fetch;
        let Some(state) = self.in_term(partition, term) else { return };
        state.fetch_offset = truncation.offset;
        state.last_fetched_epoch = last_epoch;
        // When not complete, the next Fetch carries the epoch that is last now, and the leader looks again.
        state.phase = if truncation.complete || truncates_on_fetch {
            FetchPhase::Fetching
        } else {
            FetchPhase::Truncating
        };
        state.lag = None;
    }

    /// The log was brought into the leader's range: fetch from `offset`.
    pub fn restarted(
        &mut self,
        partition: &TopicPartition,
        term: LeaderEpoch,
        offset: Offset,
        last_epoch: Option<LeaderEpoch>,
    ) {
        let Some(state) = self.in_term(partition, term) else { return };
        state.fetch_offset = offset;
        state.last_fetched_epoch = last_epoch;
        state.phase = FetchPhase::Fetching;
        state.lag = None;
    }

    /// Lets a partition rest for the back-off.
    pub fn delay(&mut self, partition: &TopicPartition, term: LeaderEpoch, now: Timestamp) {
        let backoff_ms = self.backoff_ms;
        if let Some(state) = self.in_term(partition, term).filter(|state| state.is_ready(now, backoff_ms)) {
            state.delayed_until = Some(now + backoff_ms);
        }
    }

    /// The leader could not be asked: all that were ready rest.
    pub fn delay_all(&mut self, now: Timestamp) {
        let backoff_ms = self.backoff_ms;
        for state in self.partitions.values_mut().filter(|state| state.is_ready(now, backoff_ms)) {
            state.delayed_until = Some(now + backoff_ms);
        }
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
