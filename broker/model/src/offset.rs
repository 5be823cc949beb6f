//! Offsets: positions in a partition's log.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// A position in a partition's log, counted in records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub i64);

impl Offset {
    /// The first offset of every log.
    pub const ZERO: Offset = Offset(0);

    /// The offset, or `None` for the wire's negative sentinels.
    pub fn from_wire(value: i64) -> Option<Offset> {
        (value >= 0).then_some(Offset(value))
    }

    /// The wire's form of an offset that may be unknown: -1 for `None`.
    pub fn to_wire(offset: Option<Offset>) -> i64 {
        offset.map_or(-1, |offset| offset.0)
    }
}

impl Add<i64> for Offset {
    type Output = Offset;
    fn add(self, records: i64) -> Offset {
        Offset(self.0.saturating_add(records))
    }
}

impl AddAssign<i64> for Offset {
    fn add_assign(&mut self, records: i64) {
        *self = *self + records;
    }
}

impl Sub for Offset {
    type Output = i64;
    /// How many offsets lie between the two.
    fn sub(self, earlier: Offset) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
