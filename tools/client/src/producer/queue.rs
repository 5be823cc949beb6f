//! The batches of one partition: one that takes records, those closed, and which are on their way. Pure.
//!
//! Invariant: closed batches stand in the order in which their records came, also those that are sent again.

use std::collections::VecDeque;
use std::time::Instant;

use gregor_model::Sequence;

use super::batch::{Batch, OpenBatch};

/// When the next batch may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// Now.
    Now,
    /// Not before this time, if nothing else happens.
    At(Instant),
    /// Not before something else happens.
    Idle,
}

/// The rules by which batches become ready.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) linger: std::time::Duration,
    /// Nothing is waited for: the producer flushes, closes, or its memory is used up.
    pub(super) hurried: bool,
    /// Batches of a partition are sent one after the other.
    pub(super) one_at_a_time: bool,
    /// Batches carry sequences.
    pub(super) idempotent: bool,
}

pub(super) struct Queue<T> {
    pub(super) open: Option<OpenBatch<T>>,
    pub(super) closed: VecDeque<Batch<T>>,
    in_flight: Vec<u64>,
    next_ordinal: u64,
    /// Of the next batch to be opened.
    pub(super) next_sequence: Sequence,
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue {
            open: None,
            closed: VecDeque::new(),
            in_flight: Vec::new(),
            next_ordinal: 0,
            next_sequence: Sequence(0),
        }
    }
}

impl<T> Queue<T> {
    /// Whether nothing waits or is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_none() && self.closed.is_empty() && self.in_flight.is_empty()
    }

    pub(super) fn take_ordinal(&mut self) -> u64 {
        self.next_ordinal += 1;
        self.next_ordinal
    }

    /// Whether no batch before this one waits or is on its way.
    pub(super) fn is_oldest(&self, ordinal: u64) -> bool {
        self.in_flight.iter().all(|other| *other >= ordinal)
            && self.closed.front().is_none_or(|batch| batch.ordinal >= ordinal)
    }

    /// Puts a batch back in its place.
    pub(super) fn put_back(&mut self, batch: Batch<T>) {
        let at = self.closed.partition_point(|other| other.ordinal < batch.ordinal);
        self.closed.insert(at, batch);
    }

    /// The batch is on its way no more.
    pub(super) fn returned(&mut self, ordinal: u64) {
        if let Some(at) = self.in_flight.iter().position(|other| *other == ordinal) {
            self.in_flight.swap_remove(at);
        }
    }

    /// Takes the first closed batch to be sent.
    pub(super) fn take_first(&mut self) -> Option<Batch<T>> {
        let mut batch = self.closed.pop_front()?;
        batch.attempts += 1;
        batch.not_before = None;
        self.in_flight.push(batch.ordinal);
        Some(batch)
    }

    /// When the next batch may go.
    pub(super) fn readiness(&self, rules: Rules, now: Instant) -> Readiness {
        let again = self.closed.front().is_some_and(|batch| batch.attempts > 0);
        // After a failure sequences arrive in order only if the failed batch goes alone.
        if (rules.one_at_a_time || (rules.idempotent && again)) && !self.in_flight.is_empty() {
            return Readiness::Idle;
        }
        let at = match (self.closed.front(), &self.open) {
            (Some(batch), _) => batch.not_before.unwrap_or(now),
            (None, Some(_)) if rules.hurried => now,
            (None, Some(open)) => open.created() + rules.linger,
            (None, None) => return Readiness::Idle,
        };
        if at <= now { Readiness::Now } else { Readiness::At(at) }
    }
}
