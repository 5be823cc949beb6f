//! How long the parts of a request took, measured where its connection sees them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_protocol::messages::ApiKey;

use crate::listener_stats::ListenerStats;

/// A request that is over, as whoever handled it is told (`RequestChannel.Request.updateRequestMetrics`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handled {
    /// Its API.
    pub key: ApiKey,
    /// Its version.
    pub version: i16,
    /// Its size without the length, in bytes.
    pub bytes: usize,
    /// What the answer was tagged with; 0 when there was none.
    pub tag: u16,
    /// From the end of its frame until it was handled.
    pub request_queue: Duration,
    /// The time the handler worked on it.
    pub local: Duration,
    /// The time the handler waited for something else.
    pub remote: Duration,
    /// How long the connection is held back for a quota.
    pub throttle: Duration,
    /// From the answer until it was written.
    pub response_queue: Duration,
    /// The writing.
    pub response_send: Duration,
    /// All of it.
    pub total: Duration,
}

/// A request whose answer waits to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unsent {
    pub(crate) handled: Handled,
    pub(crate) received: Instant,
    pub(crate) answered: Instant,
}

impl Unsent {
    /// Written, in a flush that took from `begun` to `ended`.
    pub(crate) fn sent(mut self, begun: Instant, ended: Instant) -> Handled {
        self.handled.response_queue = begun.saturating_duration_since(self.answered);
        self.handled.response_send = ended.saturating_duration_since(begun.max(self.answered));
        self.handled.total = ended.saturating_duration_since(self.received);
        self.handled
    }
}

/// The requests of one connection whose answers wait to be written.
#[derive(Debug)]
pub(crate) struct UnsentAnswers {
    waiting: Vec<Unsent>,
    stats: Arc<ListenerStats>,
}

impl UnsentAnswers {
    pub(crate) fn new(stats: &Arc<ListenerStats>) -> UnsentAnswers {
        UnsentAnswers { waiting: Vec::new(), stats: Arc::clone(stats) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn push(&mut self, unsent: Unsent) {
        self.stats.answered.increment();
        self.waiting.push(unsent);
    }

    /// All were written.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Unsent> {
        self.stats.settled.add(self.waiting.len() as u64);
        self.waiting.drain(..)
    }
}

impl Drop for UnsentAnswers {
    fn drop(&mut self) {
        self.stats.settled.add(self.waiting.len() as u64);
    }
}
