//! What one fetcher counts (`FetcherStats`, `FetcherLagStats`). The fetcher writes, whoever scrapes reads; the lock is held for
//! a walk over one fetcher's partitions, once a fetch.

use std::collections::HashMap;

use gregor_metrics::Counter;
use gregor_model::{BrokerId, Timestamp, TopicPartition};
use parking_lot::Mutex;

use crate::throttle::RateWindow;

/// The last minute, in parts.
const RATE_SAMPLES: u32 = 12;
const RATE_SAMPLE_MS: i64 = 5_000;

/// The counts of one fetcher.
#[derive(Debug)]
pub struct FetcherStats {
    /// `ReplicaFetcherThread-<number>-<leader>`, as Kafka's metrics call it.
    pub client_id: String,
    /// Fetches that were answered.
    pub requests: Counter,
    /// Bytes appended.
    pub bytes: Counter,
    address: Mutex<(String, u16)>,
    lags: Mutex<HashMap<TopicPartition, i64>>,
    rate: Mutex<RateWindow>,
}

impl FetcherStats {
    pub(super) fn new(leader: BrokerId, number: u32) -> FetcherStats {
        FetcherStats {
            client_id: format!("ReplicaFetcherThread-{number}-{leader}"),
            requests: Counter::default(),
            bytes: Counter::default(),
            address: Mutex::default(),
            lags: Mutex::default(),
            rate: Mutex::new(RateWindow::new(RATE_SAMPLES, RATE_SAMPLE_MS)),
        }
    }

    /// The leader answered a fetch.
    pub(super) fn answered(&self, now: Timestamp) {
        self.requests.increment();
        self.rate.lock().record(1, now);
    }

    /// Fetches answered per second, over the last minute.
    pub(super) fn per_second(&self, now: Timestamp) -> f64 {
        self.rate.lock().per_second(now)
    }

    /// The leader's host and port; empty before the first connection.
    pub fn address(&self) -> (String, u16) {
        self.address.lock().clone()
    }

    /// By how many records each partition is behind its leader's high watermark.
    pub fn lags(&self) -> Vec<(TopicPartition, i64)> {
        self.lags.lock().iter().map(|(partition, lag)| (partition.clone(), *lag)).collect()
    }

    /// The largest of them.
    pub(super) fn max_lag(&self) -> i64 {
        self.lags.lock().values().copied().max().unwrap_or(0)
    }

    pub(super) fn set_address(&self, host: &str, port: u16) {
        *self.address.lock() = (host.to_owned(), port);
    }

    /// `None` is not known yet, and counts as none.
    pub(super) fn set_lags<'a>(&self, lags: impl Iterator<Item = (&'a TopicPartition, Option<i64>)>) {
        let mut known = self.lags.lock();
        for (partition, lag) in lags {
            let lag = lag.unwrap_or(0);
            match known.get_mut(partition) {
                Some(known) => *known = lag,
                None => {
                    known.insert(partition.clone(), lag);
                }
            }
        }
    }

    /// The partition is no longer fetched.
    pub(super) fn forget(&self, partition: &TopicPartition) {
        self.lags.lock().remove(partition);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_last_minute() {
        let stats = FetcherStats::new(BrokerId(3), 0);
        for second in 0..10 {
            stats.answered(Timestamp(second * 1_000));
        }
        assert_eq!(stats.requests.get(), 10);
        assert_eq!(stats.per_second(Timestamp(10_000)), 1.0);
        assert_eq!(stats.per_second(Timestamp(120_000)), 0.0);
    }

    #[test]
    fn lags_are_those_of_what_is_fetched() {
        let stats = FetcherStats::new(BrokerId(3), 1);
        assert_eq!((stats.client_id.as_str(), stats.max_lag()), ("ReplicaFetcherThread-1-3", 0));
        let (first, second) = (TopicPartition::new("orders", 0), TopicPartition::new("orders", 1));
        stats.set_lags([(&first, Some(7)), (&second, None)].into_iter());
        stats.set_lags([(&second, Some(2))].into_iter());
        assert_eq!(stats.max_lag(), 7);
        stats.forget(&first);
        assert_eq!(stats.lags(), [(second, 2)]);
    }
}
