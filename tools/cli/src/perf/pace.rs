//! Holding back to so many records per second (`ThroughputThrottler`). Pure.

use std::time::{Duration, Instant};

/// Shorter waits are saved up.
const WAIT_MIN: Duration = Duration::from_millis(2);

/// The pace of a run.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    start: Instant,
    /// None: as fast as can be.
    per_second: Option<f64>,
}

impl Pace {
    /// So many records per second from now on; a negative number is no bound.
    pub fn new(per_second: f64, now: Instant) -> Pace {
        Pace { start: now, per_second: (per_second >= 0.0).then_some(per_second) }
    }

    /// How long to wait after `sent` records; at a rate of 0, for ever.
    pub fn wait(&self, sent: u64, now: Instant) -> Option<Duration> {
        let per_second = self.per_second?;
        if per_second == 0.0 {
            return Some(Duration::MAX);
        }
        let due = Duration::try_from_secs_f64(sent as f64 / per_second).unwrap_or(Duration::MAX);
        let ahead = due.saturating_sub(now.saturating_duration_since(self.start));
        (ahead >= WAIT_MIN).then_some(ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_ahead_waits() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let pace = Pace::new(100.0, start);
        assert_eq!(pace.wait(10, at(0)), Some(Duration::from_millis(100)));
        assert_eq!(pace.wait(10, at(99)), None);
        assert_eq!(pace.wait(10, at(500)), None);
        assert_eq!(Pace::new(-1.0, start).wait(1_000_000, at(0)), None);
        assert_eq!(Pace::new(0.0, start).wait(1, at(0)), Some(Duration::MAX));
    }
}
