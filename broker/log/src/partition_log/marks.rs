//! The offsets of a log that readers need together.

use gregor_model::{Offset, Timestamp};

use crate::OffsetPosition;

/// Invariant: log start <= last stable <= high watermark <= log end, and recovery point <= flushed <= log end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    pub(super) log_start: Offset,
    pub(super) high_watermark: Offset,
    /// Where the oldest undecided or unreplicated transaction starts.
    pub(super) first_unstable: Option<Offset>,
    pub(super) log_end: OffsetPosition,
    /// Segments below it are on disk with their indexes.
    pub(super) recovery_point: Offset,
    /// Records below it are on disk; the indexes of the last segment maybe not.
    pub(super) flushed: Offset,
    pub(super) last_flush: Timestamp,
}

impl Marks {
    pub(super) fn new(
        log_start: Offset,
        log_end: OffsetPosition,
        recovery_point: Offset,
        now: Timestamp,
    ) -> Marks {
        Marks {
            log_start,
            high_watermark: log_start,
            first_unstable: None,
            log_end,
            recovery_point,
            flushed: recovery_point,
            last_flush: now,
        }
    }

    pub(super) fn last_stable(&self) -> Offset {
        self.first_unstable.map_or(self.high_watermark, |unstable| unstable.min(self.high_watermark))
    }

    pub(super) fn set_first_unstable(&mut self, offset: Option<Offset>) {
        self.first_unstable = offset.map(|offset| offset.max(self.log_start));
    }
}
