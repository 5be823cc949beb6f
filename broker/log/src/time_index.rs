//! `.timeindex` (`TimeIndex`): from timestamps to offsets. Entry (t, o): no record before o is later than t.

use gregor_model::{Offset, Timestamp};

use crate::sparse_index::{IndexEntry, SparseIndex};

/// The largest timestamp so far, and the last offset of the batch that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeEntry {
    /// The largest so far.
    pub timestamp: Timestamp,
    /// The last offset of its batch.
    pub offset: Offset,
}

/// The time index of one segment.
pub(crate) type TimeIndex = SparseIndex<TimeEntry>;

impl IndexEntry for TimeEntry {
    const SIZE: usize = 12;
    const RESERVED: u32 = 1;

    fn encode(&self, base: Offset, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.timestamp.0.to_be_bytes());
        into.extend_from_slice(&((self.offset - base) as u32).to_be_bytes());
    }

    fn decode(base: Offset, bytes: &[u8]) -> TimeEntry {
        let timestamp = bytes.get(..8).and_then(|f| f.try_into().ok()).map_or(0, i64::from_be_bytes);
        let offset = bytes.get(8..12).and_then(|f| f.try_into().ok()).map_or(0, u32::from_be_bytes);
        TimeEntry { timestamp: Timestamp(timestamp), offset: base + i64::from(offset) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let entry = TimeEntry { timestamp: Timestamp(1_700_000_000_000), offset: Offset(1234) };
        let mut bytes = Vec::new();
        entry.encode(Offset(1000), &mut bytes);
        assert_eq!(bytes, [0, 0, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0, 0, 0, 0, 0xea]);
        assert_eq!(TimeEntry::decode(Offset(1000), &bytes), entry);
    }
}
