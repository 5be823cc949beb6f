//! Who may flush a log: one at a time, and nobody whose records another one's flush has covered meanwhile.
//!
//! A mutex would do the first but not the second: those already covered would queue behind the next flush.

use parking_lot::{Condvar, Mutex};

/// Turns at flushing one log.
#[derive(Debug, Default)]
pub(super) struct FlushTurns {
    taken: Mutex<bool>,
    given_back: Condvar,
}

/// The right to flush, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a>(&'a FlushTurns);

impl FlushTurns {
    /// Waits for a turn; `None` as soon as `covered` holds.
    pub(super) fn take_unless(&self, covered: impl Fn() -> bool) -> Option<Turn<'_>> {
        let mut taken = self.taken.lock();
        loop {
            if covered() {
                return None;
            }
            if !*taken {
                *taken = true;
                return Some(Turn(self));
            }
            self.given_back.wait(&mut taken);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock() = false;
        self.0.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn one_flush_covers_all_who_waited() {
        let (turns, flushed, flushes) = (FlushTurns::default(), AtomicU64::new(0), AtomicU64::new(0));
        let written = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let mine = written.fetch_add(1, Ordering::SeqCst) + 1;
                        if let Some(_turn) = turns.take_unless(|| flushed.load(Ordering::SeqCst) >= mine) {
                            let up_to = written.load(Ordering::SeqCst);
                            flushes.fetch_add(1, Ordering::SeqCst);
                            flushed.fetch_max(up_to, Ordering::SeqCst);
                        }
                        assert!(flushed.load(Ordering::SeqCst) >= mine);
                    }
                });
            }
        });
        assert!(flushes.into_inner() <= 800);
    }
}
