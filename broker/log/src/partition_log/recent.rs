//! Where the last appends lie: most readers follow the end of a log closely, and need no index then.

use std::collections::VecDeque;

use gregor_model::Offset;

use crate::OffsetPosition;

const APPENDS_MAX: usize = 32;

/// The first batch of an append.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecentAppend {
    /// Its first offset, and where it lies.
    pub(super) place: OffsetPosition,
    /// Bytes of the first batch.
    pub(super) first_batch_size: usize,
}

/// The last appends of a log, oldest first.
#[derive(Debug, Default)]
pub(super) struct RecentAppends(VecDeque<RecentAppend>);

impl RecentAppends {
    pub(super) fn push(&mut self, append: RecentAppend) {
        if self.0.len() == APPENDS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(append);
    }

    /// Forgets all, as the log was truncated or its segments replaced.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The append that begins with exactly `offset`.
    pub(super) fn starting_at(&self, offset: Offset) -> Option<RecentAppend> {
        self.0.iter().rev().find(|append| append.place.offset == offset).copied()
    }
}
