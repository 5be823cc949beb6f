//! How fast connections may come (`max.connection.creation.rate`; `ConnectionQuotas.recordAndGetThrottleTimeMs`). Pure.
//!
//! Invariant: a limit bounds the mean over all windows, of which all but the one that runs count as full from the beginning.
//! So many may come at once after a silence; who comes too fast waits, and for no longer than a window at a time.

use std::collections::VecDeque;
use std::time::Duration;

use gregor_model::Timestamp;

/// The windows that a rate is taken over (`quota.window.num`, `quota.window.size.seconds`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateWindows {
    /// How many.
    pub count: u32,
    /// How long each is, in milliseconds.
    pub size_ms: i64,
}

/// The connections of the last windows.
#[derive(Debug, Default)]
pub(crate) struct CreationRate {
    samples: VecDeque<(Timestamp, u32)>,
}

impl CreationRate {
    /// One more has come; for how long it must wait if `limit` may come each second.
    pub(crate) fn record(&mut self, limit: u32, windows: RateWindows, now: Timestamp) -> Duration {
        let size_ms = windows.size_ms.max(1);
        let span_ms = size_ms.saturating_mul(windows.count.into());
        // A clock that was set back makes what was recorded too new to be counted.
        self.samples.retain(|(start, _)| (0..span_ms).contains(&(now - *start)));
        match self.samples.back_mut() {
            Some((start, count)) if now - *start < size_ms => *count = count.saturating_add(1),
            _ => self.samples.push_back((now, 1)),
        }
        let total: f64 = self.samples.iter().map(|(_, count)| f64::from(*count)).sum();
        let elapsed_ms = self.samples.front().map_or(0, |(start, _)| now - *start);
        let missing = (i64::from(windows.count) - 1 - elapsed_ms / size_ms).max(0);
        let elapsed_ms = (elapsed_ms + missing * size_ms).max(1) as f64;
        let allowed = f64::from(limit) * elapsed_ms / 1000.0;
        if total <= allowed {
            return Duration::ZERO;
        }
        // Until the mean is what it may be; never, if nobody may come.
        let wait_ms = if limit == 0 { f64::INFINITY } else { (total - allowed) / f64::from(limit) * 1000.0 };
        Duration::from_millis(wait_ms.min(size_ms as f64).round() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOWS: RateWindows = RateWindows { count: 11, size_ms: 1_000 };

    #[test]
    fn who_comes_too_fast_waits() {
        let mut rate = CreationRate::default();
        // How many come, when, and how long the last of them waits.
        for (count, at_ms, wait_ms) in [
            (20, 0, 0), // ten windows count as full: twenty at two a second
            (1, 0, 500),
            (1, 1, 999),
            (9, 5_000, 1_000), // never longer than a window
            (1, 60_000, 0),    // all that is forgotten
        ] {
            let mut last = Duration::ZERO;
            for _ in 0..count {
                last = rate.record(2, WINDOWS, Timestamp(at_ms));
            }
            assert_eq!(last, Duration::from_millis(wait_ms), "{count} at {at_ms}");
        }
    }

    #[test]
    fn nobody_may_come() {
        let mut rate = CreationRate::default();
        assert_eq!(rate.record(0, WINDOWS, Timestamp(0)), Duration::from_secs(1));
        assert_eq!(rate.record(0, WINDOWS, Timestamp(-5_000)), Duration::from_secs(1));
    }

    #[test]
    fn a_steady_rate_is_let_through() {
        let mut rate = CreationRate::default();
        for at in 0..1_000 {
            assert_eq!(rate.record(10, WINDOWS, Timestamp(at * 112)), Duration::ZERO, "connection {at}");
        }
        assert!(rate.samples.len() <= 11);
    }
}
