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
    /// Requests given up because no server takes as much (`jute.maxbuffer`).
    pub oversized_requests: Counter,
    /// Listings larger than ZooKeeper's Java client takes: we read them, Kafka's brokers cannot.
    pub oversized_listings: Counter,
}

/// What ZooKeeper's servers and Java client take unless configured otherwise (`jute.maxbuffer`), in bytes.
const JUTE_MAXBUFFER: usize = 0xf_ffff;
/// Besides its name, what a child takes in an answer.
const NAME_FRAMING: usize = 4;

impl SessionMetrics {
    /// A znode has these children. Says so if they are more than the brokers beside us can read.
    pub(super) fn listed(&self, path: &str, children: &[String]) {
        let bytes: usize = children.iter().map(|name| name.len() + NAME_FRAMING).sum();
        if bytes > JUTE_MAXBUFFER {
            self.oversized_listings.increment();
            tracing::warn!(
                path,
                children = children.len(),
                bytes,
                "the listing is larger than jute.maxbuffer: Kafka's brokers and ZooKeeper's tools cannot read it unless theirs is raised"
            );
        }
    }

    /// A request of that size was given up.
    pub(super) fn oversized(&self, bytes: usize) {
        self.oversized_requests.increment();
        tracing::error!(
            bytes,
            "a request is larger than the ZooKeeper servers take: raise their jute.maxbuffer"
        );
    }

    /// A request sent at `begun` was answered.
    pub(super) fn answered(&self, begun: Instant) {
        self.request_latency.record(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
}
