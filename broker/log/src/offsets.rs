//! Offsets of a log with the place where they lie.

use gregor_model::Offset;

/// An offset, and where its batch begins if that is known (`LogOffsetMetadata`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetPosition {
    /// The offset.
    pub offset: Offset,
    /// The base offset of the segment that holds it.
    pub segment_base: Offset,
    /// The position in that segment's `.log`, in bytes.
    pub position: u64,
}

impl OffsetPosition {
    /// Whether both lie in one segment.
    pub fn same_segment(&self, other: &OffsetPosition) -> bool {
        self.segment_base == other.segment_base
    }

    /// Whether this one lies in an older segment than `other`.
    pub fn older_segment_than(&self, other: &OffsetPosition) -> bool {
        self.segment_base < other.segment_base
    }

    /// Bytes between `earlier` and this position, when both lie in one segment (`LogOffsetMetadata.positionDiff`).
    pub fn bytes_since(&self, earlier: &OffsetPosition) -> Option<u64> {
        self.same_segment(earlier).then(|| self.position.saturating_sub(earlier.position))
    }
}

/// The offsets of a log at one moment: log start <= last stable <= high watermark <= log end (`LogOffsetSnapshot`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOffsets {
    /// The first offset that can be read.
    pub log_start_offset: Offset,
    /// What read_committed consumers may read up to, exclusive.
    pub last_stable_offset: OffsetPosition,
    /// What consumers may read up to, exclusive.
    pub high_watermark: OffsetPosition,
    /// The next offset to be written.
    pub log_end_offset: OffsetPosition,
}
