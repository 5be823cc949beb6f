//! Holds reading and writing down to a rate (`Throttler`): counts for 300 ms, then says how long to wait.

use std::time::Duration;

/// How long bytes are counted before the rate is looked at.
const PERIOD: Duration = Duration::from_millis(300);

/// Counts the bytes of all cleaner threads. Pure: time is given, waiting is the caller's.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    /// Since some fixed moment; `None` before the first count.
    period_start: Option<Duration>,
    bytes: f64,
}

impl Throttle {
    /// Counts `bytes` at `now`, the time since a fixed moment. Returns how long to wait so that the rate stays below
    /// `bytes_per_second`.
    pub(crate) fn count(&mut self, bytes: u64, bytes_per_second: f64, now: Duration) -> Option<Duration> {
        let start = *self.period_start.get_or_insert(now);
        self.bytes += bytes as f64;
        let elapsed = now.saturating_sub(start);
        if elapsed < PERIOD || bytes_per_second <= 0.0 {
            return None;
        }
        let due = self.bytes / bytes_per_second;
        let wait = due - elapsed.as_secs_f64();
        self.bytes = 0.0;
        self.period_start = Some(now);
        // Far below a day in any sane configuration; the bound keeps a silly one from failing.
        let wait = (wait >= 0.001).then(|| Duration::from_secs_f64(wait.min(86_400.0)))?;
        self.period_start = Some(now + wait);
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_for_what_is_above_the_rate() {
        #[track_caller]
        fn check(throttle: &mut Throttle, bytes: u64, now_ms: u64, expected_ms: Option<u64>) {
            let wait = throttle.count(bytes, 1000.0, Duration::from_millis(now_ms));
            assert_eq!(wait.map(|wait| wait.as_millis() as u64), expected_ms);
        }
        let mut throttle = Throttle::default();
        check(&mut throttle, 500, 10_000, None);
        check(&mut throttle, 500, 10_299, None);
        check(&mut throttle, 500, 10_300, Some(1200));
        // The wait is not counted a second time.
        check(&mut throttle, 100, 11_500, None);
        check(&mut throttle, 100, 11_800, None);
        check(&mut throttle, 100, 12_100, None);
        check(&mut throttle, 400, 12_400, Some(100));
    }

    #[test]
    fn no_limit_no_wait() {
        let mut throttle = Throttle::default();
        for second in 0..100 {
            assert_eq!(throttle.count(u64::MAX / 1000, f64::MAX, Duration::from_secs(second)), None);
        }
    }
}
