//! `.index` (`OffsetIndex`): from offsets to positions in the `.log`.

use gregor_model::Offset;

use crate::sparse_index::{IndexEntry, SparseIndex};

/// The batch at `position`, or one of those appended with it, ends at `offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OffsetEntry {
    pub(crate) offset: Offset,
    pub(crate) position: u32,
}

/// The offset index of one segment.
pub(crate) type OffsetIndex = SparseIndex<OffsetEntry>;

impl IndexEntry for OffsetEntry {
    const SIZE: usize = 8;
    const RESERVED: u32 = 0;

    fn encode(&self, base: Offset, into: &mut Vec<u8>) {
        into.extend_from_slice(&((self.offset - base) as u32).to_be_bytes());
        into.extend_from_slice(&self.position.to_be_bytes());
    }

    fn decode(base: Offset, bytes: &[u8]) -> OffsetEntry {
        let field =
            |at: usize| bytes.get(at..at + 4).and_then(|f| f.try_into().ok()).map_or(0, u32::from_be_bytes);
        OffsetEntry { offset: base + i64::from(field(0)), position: field(4) }
    }
}
