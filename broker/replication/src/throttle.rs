//! Quotas of replication traffic (`ReplicationQuotaManager`, KIP-73).
//!
//! The window is pure; [`ReplicationThrottle`] adds a mutex and the live limit. Invariant: a limit bounds the average over the window,
//! not each moment: traffic is let through until the window is full, then held back until it is not.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use gregor_model::Timestamp;
use parking_lot::Mutex;

/// No limit.
const UNLIMITED: u64 = u64::MAX;

/// Bytes over the last `samples` windows of `window_ms` (`SimpleRate`).
#[derive(Clone, Debug)]
pub struct RateWindow {
    window_ms: i64,
    samples_max: usize,
    samples: VecDeque<(Timestamp, u64)>,
}

impl RateWindow {
    /// An empty window; at least one sample of at least one millisecond.
    pub fn new(samples_max: u32, window_ms: i64) -> RateWindow {
        RateWindow {
            window_ms: window_ms.max(1),
            samples_max: samples_max.max(1) as usize,
            samples: VecDeque::new(),
        }
    }

    /// Adds bytes.
    pub fn record(&mut self, bytes: u64, now: Timestamp) {
        self.purge(now);
        match self.samples.back_mut() {
            Some((start, total)) if now - *start < self.window_ms => *total = total.saturating_add(bytes),
            _ => {
                if self.samples.len() == self.samples_max {
                    self.samples.pop_front();
                }
                self.samples.push_back((now, bytes));
            }
        }
    }

    /// Bytes per second; the elapsed time counts at least one sample's window.
    pub fn per_second(&mut self, now: Timestamp) -> f64 {
        self.purge(now);
        let Some((oldest, _)) = self.samples.front() else { return 0.0 };
        let elapsed_ms = (now - *oldest).max(self.window_ms);
        let bytes: u64 = self.samples.iter().map(|(_, bytes)| *bytes).sum();
        bytes as f64 * 1000.0 / elapsed_ms as f64
    }

    fn purge(&mut self, now: Timestamp) {
        let span_ms = self.window_ms.saturating_mul(i64::try_from(self.samples_max).unwrap_or(i64::MAX));
        while self.samples.front().is_some_and(|(start, _)| now - *start >= span_ms) {
            self.samples.pop_front();
        }
    }
}

/// One direction's quota: `leader.replication.throttled.rate` or `follower.replication.throttled.rate`.
#[derive(Debug)]
pub struct ReplicationThrottle {
    limit: AtomicU64,
    window: Mutex<RateWindow>,
}

impl ReplicationThrottle {
    /// A quota without a limit.
    pub fn new(samples_max: u32, window_ms: i64) -> ReplicationThrottle {
        ReplicationThrottle {
            limit: AtomicU64::new(UNLIMITED),
            window: Mutex::new(RateWindow::new(samples_max, window_ms)),
        }
    }

    /// Sets the limit in bytes per second; `None`: unlimited.
    pub fn set_limit(&self, bytes_per_second: Option<u64>) {
        self.limit.store(bytes_per_second.unwrap_or(UNLIMITED), Ordering::Relaxed);
    }

    /// Whether there is a limit at all.
    pub fn is_limited(&self) -> bool {
        self.limit.load(Ordering::Relaxed) != UNLIMITED
    }

    /// Whether throttled traffic must wait.
    pub fn is_exceeded(&self, now: Timestamp) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        limit != UNLIMITED && self.window.lock().per_second(now) > limit as f64
    }

    /// Counts throttled bytes.
    pub fn record(&self, bytes: u64, now: Timestamp) {
        self.window.lock().record(bytes, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_over_a_sliding_window() {
        let mut window = RateWindow::new(3, 1_000);
        // bytes recorded at, and the rate then
        let rows = [
            (1_000, 0, 1_000.0), // a single sample counts a whole second
            (1_000, 500, 2_000.0),
            (0, 2_000, 1_000.0),
            (3_000, 2_000, 2_500.0),
            (0, 3_000, 3_000.0), // what is three seconds old is gone
            (0, 6_000, 0.0),
        ];
        for (bytes, at, expected) in rows {
            if bytes > 0 {
                window.record(bytes, Timestamp(at));
            }
            assert_eq!(window.per_second(Timestamp(at)), expected, "at {at}");
        }
    }

    #[test]
    fn a_throttle_holds_back_until_the_window_has_room() {
        let throttle = ReplicationThrottle::new(11, 1_000);
        throttle.record(1 << 30, Timestamp(0));
        assert!(!throttle.is_exceeded(Timestamp(0)), "no limit");
        throttle.set_limit(Some(1 << 27));
        assert!(throttle.is_exceeded(Timestamp(1_000)));
        assert!(!throttle.is_exceeded(Timestamp(8_000)));
        throttle.set_limit(None);
        assert!(!throttle.is_limited());
    }
}
