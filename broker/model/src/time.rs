//! Wall-clock time as a value; decision logic is handed one and never reads a clock.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Instant;

/// A wall-clock time in milliseconds since 1970, as records, znodes and timers hold it. Decision logic is handed
/// one; only shells read a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The time the operating system gives now; for shells.
    pub fn now() -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The share of the time that passes by which a [`SteadyClock`] runs faster or slower to meet the wall clock again: one of so many parts.
const CORRECTION_PARTS: i64 = 20;

/// The wall clock without its jumps, for timers. When the wall clock is set, this one runs on as before, and only a little faster or slower
/// until both agree: nobody's session ends, and nobody waits for hours, because an administrator corrected the time. It never goes back.
#[derive(Clone, Copy, Debug)]
pub struct SteadyClock {
    /// In microseconds since 1970.
    shown: i64,
    read_at: Instant,
}

impl SteadyClock {
    /// A clock that shows the wall clock's time; for shells.
    pub fn start() -> SteadyClock {
        SteadyClock { shown: Timestamp::now().0.saturating_mul(1_000), read_at: Instant::now() }
    }

    /// What it shows now; for shells.
    pub fn now(&mut self) -> Timestamp {
        let now = Instant::now();
        let passed = i64::try_from(now.duration_since(self.read_at).as_micros()).unwrap_or(i64::MAX);
        self.read_at = now;
        self.shown = advance(self.shown, passed, Timestamp::now().0.saturating_mul(1_000));
        Timestamp(self.shown / 1_000)
    }
}

/// What a clock shows that showed `shown`, when `passed` has passed and the wall clock shows `wall`; all in microseconds.
fn advance(shown: i64, passed: i64, wall: i64) -> i64 {
    let shown = shown.saturating_add(passed);
    let correction_max = passed / CORRECTION_PARTS;
    shown.saturating_add(wall.saturating_sub(shown).clamp(-correction_max, correction_max))
}

impl Add<i64> for Timestamp {
    type Output = Timestamp;
    fn add(self, milliseconds: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(milliseconds))
    }
}

impl Sub for Timestamp {
    type Output = i64;
    /// Milliseconds between the two.
    fn sub(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_clock_meets_the_wall_clock_without_jumping() {
        #[track_caller]
        fn check(shown: i64, passed: i64, wall: i64, expected: i64) {
            assert_eq!(advance(shown, passed, wall), expected);
        }
        check(1_000, 200, 1_200, 1_200);
        check(1_000, 200, 1_203, 1_203);
        check(1_000, 200, 1_197, 1_197);
        check(1_000, 200, 3_600_000, 1_210);
        check(1_000, 200, 0, 1_190);
        check(1_000, 0, 0, 1_000);
        check(i64::MAX, 20, 0, i64::MAX - 1);
    }

    #[test]
    fn a_steady_clock_runs() {
        let mut clock = SteadyClock::start();
        let began = clock.now();
        assert!((Timestamp::now() - began).abs() < 60_000);
        while clock.now() <= began {
            std::thread::yield_now();
        }
    }
}
