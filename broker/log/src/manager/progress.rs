//! How far loading has come, for metrics while it runs.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts logs while they are loaded (`remainingLogsToRecover`).
#[derive(Debug, Default)]
pub struct LoadProgress {
    total: AtomicUsize,
    loaded: AtomicUsize,
}

impl LoadProgress {
    /// How many logs there are, as far as directories have been listed.
    pub fn total(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// How many of them are loaded, or have failed.
    pub fn loaded(&self) -> usize {
        self.loaded.load(Ordering::Relaxed)
    }

    /// How many are left.
    pub fn remaining(&self) -> usize {
        self.total().saturating_sub(self.loaded())
    }

    pub(super) fn found(&self, logs: usize) {
        self.total.fetch_add(logs, Ordering::Relaxed);
    }

    /// Returns how many are loaded now.
    pub(super) fn one_loaded(&self) -> usize {
        self.loaded.fetch_add(1, Ordering::Relaxed) + 1
    }
}
