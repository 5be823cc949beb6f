//! Requests by API (`RequestMetrics`): how many in which version, with which errors, and how long each part took.
//!
//! APIs are slots of a table whose names the server gives; what an API needs is made when it is first asked for.

use std::sync::OnceLock;
use std::time::Duration;

use crate::counter::Counter;
use crate::histogram::Histogram;

/// Versions that are counted apart; no API has so many.
const VERSIONS: usize = 32;
/// Error codes that are counted apart: -1 to 150.
const ERRORS: usize = 152;

/// All APIs.
#[derive(Debug)]
pub struct RequestMetrics {
    slots: Vec<(String, OnceLock<Box<RequestStats>>)>,
}

/// How long the parts of one request took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestTimes {
    /// From the end of its frame until it was handled.
    pub request_queue: Duration,
    /// This broker's own work on it.
    pub local: Duration,
    /// Waiting for others: replicas, ZooKeeper, records that are still to come.
    pub remote: Duration,
    /// How long the connection was held back for a quota.
    pub throttle: Duration,
}

/// One API.
#[derive(Debug)]
pub struct RequestStats {
    versions: [Counter; VERSIONS],
    errors: [Counter; ERRORS],
    /// `TotalTimeMs`, in microseconds, as all times.
    pub total_time: Histogram,
    /// `RequestQueueTimeMs`.
    pub request_queue_time: Histogram,
    /// `LocalTimeMs`.
    pub local_time: Histogram,
    /// `RemoteTimeMs`.
    pub remote_time: Histogram,
    /// `ThrottleTimeMs`.
    pub throttle_time: Histogram,
    /// `ResponseQueueTimeMs`: from the answer until it was its turn to be written.
    pub response_queue_time: Histogram,
    /// `ResponseSendTimeMs`.
    pub response_send_time: Histogram,
    /// `RequestBytes`.
    pub request_bytes: Histogram,
}

impl Default for RequestStats {
    fn default() -> RequestStats {
        RequestStats {
            versions: std::array::from_fn(|_| Counter::default()),
            errors: std::array::from_fn(|_| Counter::default()),
            total_time: Histogram::default(),
            request_queue_time: Histogram::default(),
            local_time: Histogram::default(),
            remote_time: Histogram::default(),
            throttle_time: Histogram::default(),
            response_queue_time: Histogram::default(),
            response_send_time: Histogram::default(),
            request_bytes: Histogram::default(),
        }
    }
}

impl RequestStats {
    /// A request was handled.
    pub fn handled(&self, version: i16, bytes: usize, times: &RequestTimes) {
        let version = usize::try_from(version).unwrap_or(0).min(VERSIONS - 1);
        self.versions[version].increment();
        self.request_bytes.record(bytes as u64);
        self.request_queue_time.record(micros(times.request_queue));
        self.local_time.record(micros(times.local));
        self.remote_time.record(micros(times.remote));
        self.throttle_time.record(micros(times.throttle));
    }

    /// Its answer was written.
    pub fn sent(&self, total: Duration, queued: Duration, sending: Duration) {
        self.total_time.record(micros(total));
        self.response_queue_time.record(micros(queued));
        self.response_send_time.record(micros(sending));
    }

    /// An error was told, 0 for none.
    pub fn error(&self, code: i16) {
        let index = usize::try_from(i32::from(code) + 1).unwrap_or(0);
        self.errors[index.min(ERRORS - 1)].increment();
    }

    /// How many requests came in each version that was used.
    pub fn versions(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.versions.iter().map(Counter::get).enumerate().filter(|(_, count)| *count > 0)
    }

    /// How often each error was told, with its code.
    pub fn errors(&self) -> impl Iterator<Item = (i16, u64)> + '_ {
        (-1i16..).zip(self.errors.iter().map(Counter::get)).filter(|(_, count)| *count > 0)
    }
}

impl RequestMetrics {
    /// A slot for each name.
    pub fn new(names: impl IntoIterator<Item = String>) -> RequestMetrics {
        RequestMetrics { slots: names.into_iter().map(|name| (name, OnceLock::new())).collect() }
    }

    /// The API in that slot; `None` beyond the last.
    pub fn stats(&self, slot: usize) -> Option<&RequestStats> {
        let (_, stats) = self.slots.get(slot)?;
        Some(stats.get_or_init(Box::default))
    }

    /// The APIs that were asked for.
    pub fn used(&self) -> impl Iterator<Item = (&str, &RequestStats)> {
        self.slots.iter().filter_map(|(name, stats)| Some((name.as_str(), stats.get()?.as_ref())))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_version_and_error() {
        let metrics = RequestMetrics::new(["Produce", "Fetch"].map(str::to_owned));
        assert_eq!(metrics.used().count(), 0);
        let stats = metrics.stats(1).expect("a slot");
        stats.handled(12, 100, &RequestTimes::default());
        stats.handled(12, 100, &RequestTimes::default());
        stats.handled(99, 100, &RequestTimes::default());
        [0, 0, -1, 6, i16::MAX].into_iter().for_each(|code| stats.error(code));
        stats.sent(Duration::from_millis(1), Duration::ZERO, Duration::ZERO);
        assert_eq!(stats.versions().collect::<Vec<_>>(), [(12, 2), (31, 1)]);
        assert_eq!(stats.errors().collect::<Vec<_>>(), [(-1, 1), (0, 2), (6, 1), (150, 1)]);
        assert_eq!((stats.total_time.count(), stats.request_bytes.count()), (1, 3));
        assert_eq!(metrics.used().map(|(name, _)| name).collect::<Vec<_>>(), ["Fetch"]);
        assert!(metrics.stats(2).is_none());
    }
}
