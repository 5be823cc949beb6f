//! What is counted of the session (`SessionExpireListener`, `ZooKeeperClientMetrics`).

use std::time::Instant;

use gregor_metrics::{Counter, Histogram};

/// Counts since the start, and how fast ZooKeeper answers.
#[derive(Debug, Default)]
pub struct SessionMetrics {
    /// From a request to its answer, in microseconds.
    pub request_latency: Histogram,
    /// Connections made (`ZooKeeperSyncConnectsPerSec`).
    pub connects: Counter,
    /// Connections lost (`ZooKeeperDisconnectsPerSec`).
    pub disconnects: Counter,
    /// Sessions expired (`ZooKeeperExpiresPerSec`).
    pub expires: Counter,
    /// Logins refused (`ZooKeeperAuthFailuresPerSec`).
    pub auth_failures: Counter,
}

impl SessionMetrics {
    /// A request sent at `begun` was answered.
    pub(super) fn answered(&self, begun: Instant) {
        self.request_latency.record(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
}
