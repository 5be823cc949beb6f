//! What one call of the shard may use while it works on a group: settings, time, timers, and the effects it leaves.

use std::collections::HashMap;

use bytes::Bytes;
use gregor_model::{ProducerEpoch, ProducerId, Timestamp, TopicPartition};

use super::GroupError;
use super::config::GroupConfig;
use super::consumer::{ConsumerWrite, Topics};
use super::request::{AppendId, Batch, Effect, Joined, Reply, RequestId};
use super::timers::{TimerKind, Timers};
use crate::schema::offset::OffsetValue;
use crate::{GroupId, MemberId};

/// What happens when an append is done.
#[derive(Debug)]
pub(super) enum Waiting {
    /// The leader's assignment, for the generation it was made for.
    Assignment { generation: i32, assignments: HashMap<MemberId, Bytes> },
    /// A static member came back under a new id without a rebalance.
    Replacement(Box<Replacement>),
    /// Offsets, to show once they are committed.
    Commit(PendingCommit),
    /// Records of a consumer group, which show already.
    Consumer(Box<ConsumerWrite>),
    /// Nothing depends on it (tombstones, an emptied group): a failure is only logged.
    Nothing,
}

impl Waiting {
    /// The answers to who waits for an append of a group that is gone.
    pub(super) fn orphaned(self) -> Vec<Effect> {
        match self {
            Waiting::Commit(pending) => {
                let refused = |(partition, _)| (partition, Err(GroupError::NotCoordinator));
                let results = pending.partitions.into_iter().map(refused).collect();
                vec![Effect::Reply(pending.request, Reply::Commit(results))]
            }
            Waiting::Replacement(swap) => {
                let refused = Joined::refused("", GroupError::NotCoordinator);
                vec![Effect::Reply(swap.request, Reply::Join(refused))]
            }
            Waiting::Consumer(write) => write.orphaned(),
            Waiting::Assignment { .. } | Waiting::Nothing => Vec::new(),
        }
    }
}

/// What is needed to finish or revert a static member's replacement.
#[derive(Debug)]
pub(super) struct Replacement {
    pub(super) request: RequestId,
    pub(super) old: MemberId,
    pub(super) new: MemberId,
    pub(super) old_leader: MemberId,
    pub(super) old_rebalance_timeout_ms: i32,
    pub(super) old_session_timeout_ms: i32,
    pub(super) skip_assignment_known: bool,
}

/// A commit whose batch is being appended.
#[derive(Debug)]
pub(super) struct PendingCommit {
    pub(super) request: RequestId,
    pub(super) producer: Option<(ProducerId, ProducerEpoch)>,
    /// Every partition of the request in its order; no value where it was refused before the append.
    pub(super) partitions: Vec<(TopicPartition, Option<OffsetValue>)>,
}

/// One call's surroundings.
pub(super) struct Turn<'a> {
    pub(super) config: &'a GroupConfig,
    pub(super) topics: &'a dyn Topics,
    pub(super) timers: &'a mut Timers,
    pub(super) waiting: &'a mut HashMap<AppendId, (GroupId, Waiting)>,
    pub(super) last_append: &'a mut u64,
    pub(super) effects: Vec<Effect>,
    pub(super) now: Timestamp,
}

impl Turn<'_> {
    pub(super) fn reply(&mut self, request: RequestId, reply: Reply) {
        self.effects.push(Effect::Reply(request, reply));
    }

    /// Asks for an append; `waiting` is what its outcome decides.
    pub(super) fn append(&mut self, group: &GroupId, batch: Batch, waiting: Waiting) -> AppendId {
        let id = self.next_append();
        self.append_as(id, group, batch, waiting);
        id
    }

    /// The id of an append that is about to be asked for.
    pub(super) fn next_append(&mut self) -> AppendId {
        *self.last_append += 1;
        AppendId(*self.last_append)
    }

    /// [`Turn::append`] under an id that was taken before.
    pub(super) fn append_as(&mut self, id: AppendId, group: &GroupId, batch: Batch, waiting: Waiting) {
        self.waiting.insert(id, (group.clone(), waiting));
        self.effects.push(Effect::Append(id, batch));
    }

    /// What an append of a consumer group's records will decide, while it is under way.
    pub(super) fn consumer_write(&mut self, append: AppendId) -> Option<&mut ConsumerWrite> {
        match self.waiting.get_mut(&append) {
            Some((_, Waiting::Consumer(write))) => Some(write),
            _ => None,
        }
    }

    pub(super) fn start_timer_if_absent(&mut self, group: &GroupId, kind: TimerKind, after_ms: i32) {
        if !self.timers.is_set(group, &kind) {
            self.start_timer(group, kind, after_ms);
        }
    }

    pub(super) fn start_timer(&mut self, group: &GroupId, kind: TimerKind, after_ms: i32) {
        self.timers.set(group, kind, self.now + i64::from(after_ms.max(0)));
    }

    pub(super) fn stop_timer(&mut self, group: &GroupId, kind: TimerKind) {
        self.timers.cancel(group, kind);
    }
}

impl Default for Batch {
    /// Nothing yet: not transactional, acknowledged, and a batch of its own.
    fn default() -> Batch {
        Batch { records: Vec::new(), producer: None, verification: None, acknowledged: true, gathers: false }
    }
}

impl Batch {
    /// One group record.
    pub(super) fn of_group(key: Bytes, value: Bytes) -> Batch {
        Batch { records: vec![(key, Some(value))], ..Batch::default() }
    }

    /// Tombstones; lost ones are written again by the next pass.
    pub(super) fn of_tombstones(keys: impl Iterator<Item = Bytes>) -> Batch {
        let records = keys.map(|key| (key, None)).collect();
        Batch { records, acknowledged: false, ..Batch::default() }
    }
}
