//! Wall-clock time as a value; decision logic is handed one and never reads a clock.

use std::fmt;
use std::ops::{Add, Sub};

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
