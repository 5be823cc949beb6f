//! The timers of a shard's groups: one entry per timer, replaced when it is restarted.

use std::collections::{BTreeSet, HashMap};

use gregor_model::Timestamp;

use crate::{GroupId, MemberId};

/// What a timer is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum TimerKind {
    /// The join phase ends (`DelayedJoin`, `InitialDelayedJoin`).
    Join,
    /// Members must have synced (`DelayedSync`).
    Sync,
    /// A member must have been heard of (`DelayedHeartbeat`).
    Session(MemberId),
    /// A member that was told its id must have joined.
    Pending(MemberId),
    /// A consumer must have given up its partitions.
    Revocation(MemberId),
    /// A classic member of a consumer group must have joined again.
    Rejoin(MemberId),
    /// A classic member of a consumer group must have asked for its assignment.
    Collect(MemberId),
}

/// A timer of one group.
pub(super) type TimerKey = (GroupId, TimerKind);

/// When each timer is due.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: HashMap<TimerKey, Timestamp>,
    order: BTreeSet<(Timestamp, TimerKey)>,
}

impl Timers {
    /// Starts the timer, or starts it anew.
    pub(super) fn set(&mut self, group: &GroupId, kind: TimerKind, at: Timestamp) {
        let key = (group.clone(), kind);
        if let Some(before) = self.due.insert(key.clone(), at) {
            self.order.remove(&(before, key.clone()));
        }
        self.order.insert((at, key));
    }

    /// Whether the timer runs.
    pub(super) fn is_set(&self, group: &GroupId, kind: &TimerKind) -> bool {
        self.due.contains_key(&(group.clone(), kind.clone()))
    }

    /// Stops the timer if it runs.
    pub(super) fn cancel(&mut self, group: &GroupId, kind: TimerKind) {
        let key = (group.clone(), kind);
        if let Some(at) = self.due.remove(&key) {
            self.order.remove(&(at, key));
        }
    }

    /// When the next timer is due.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes out one timer that is due.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<TimerKey> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.order.pop_first()?;
        self.due.remove(&key);
        Some(key)
    }
}
