//! Producers: ids, epochs and sequence numbers of idempotent and transactional ones.

use std::fmt;

/// The identity of an idempotent or transactional producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(pub i64);

impl ProducerId {
    /// The id, or `None` for the wire's -1.
    pub fn from_wire(value: i64) -> Option<ProducerId> {
        (value >= 0).then_some(ProducerId(value))
    }
}

impl fmt::Display for ProducerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Fences earlier instances of the same producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerEpoch(pub i16);

impl fmt::Display for ProducerEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a record of one producer in one partition; after `i32::MAX` comes 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sequence(pub i32);

impl Sequence {
    /// The sequence `records` later (`DefaultRecordBatch.incrementSequence`).
    #[must_use]
    pub fn plus(self, records: i32) -> Sequence {
        if self.0 > i32::MAX - records {
            Sequence(records - (i32::MAX - self.0) - 1)
        } else {
            Sequence(self.0 + records)
        }
    }

    /// Whether `next` directly follows this one.
    pub fn is_followed_by(self, next: Sequence) -> bool {
        self.plus(1) == next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(Sequence(5).plus(3), Sequence(8));
        assert_eq!(Sequence(i32::MAX).plus(1), Sequence(0));
        assert_eq!(Sequence(i32::MAX - 1).plus(3), Sequence(1));
        assert!(Sequence(i32::MAX).is_followed_by(Sequence(0)));
    }
}
