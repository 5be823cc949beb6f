//! What is counted of the controller's task (`ControllerEventManager`, `ControllerStats`).

use std::time::Duration;

use gregor_metrics::{Counter, Gauge, Histogram};

/// Counts since the start of this broker, active or not.
#[derive(Debug, Default)]
pub struct ControllerMetrics {
    /// Events and requests that wait to be taken (`EventQueueSize`).
    pub event_queue_size: Gauge,
    /// How long they waited, in microseconds (`EventQueueTimeMs`).
    pub event_queue_time: Histogram,
    /// How long an event took, in microseconds.
    pub event_processing_time: Histogram,
    /// Leaders elected (`LeaderElectionRateAndTimeMs`).
    pub leader_elections: Counter,
    /// Leaders elected that were not in sync (`UncleanLeaderElectionsPerSec`).
    pub unclean_leader_elections: Counter,
}

impl ControllerMetrics {
    pub(crate) fn queued(&self, waited: Duration) {
        self.event_queue_time.record(micros(waited));
    }

    pub(crate) fn processed(&self, took: Duration) {
        self.event_processing_time.record(micros(took));
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
