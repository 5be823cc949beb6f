//! What a cleaning has to heed while it reads and writes: the wish that it stop, and the rate of all cleaners.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::CleanError;
use super::throttle::Throttle;
use crate::PartitionLog;

/// How often it is asked whether to stop, in bytes read or written.
const CHECK_EVERY: u64 = 1 << 20;

/// The rate that all cleaner threads share.
#[derive(Debug)]
pub(crate) struct SharedRate {
    start: Instant,
    throttle: Mutex<Throttle>,
}

impl Default for SharedRate {
    fn default() -> SharedRate {
        SharedRate { start: Instant::now(), throttle: Mutex::default() }
    }
}

impl SharedRate {
    fn count(&self, bytes: u64, bytes_per_second: f64) -> Option<Duration> {
        self.throttle.lock().count(bytes, bytes_per_second, self.start.elapsed())
    }
}

/// Counts what one cleaning reads and writes.
pub(crate) struct Pace<'a> {
    log: &'a PartitionLog,
    stop: &'a dyn Fn() -> bool,
    rate: &'a SharedRate,
    bytes_per_second: f64,
    uncounted: u64,
}

impl<'a> Pace<'a> {
    pub(crate) fn new(
        log: &'a PartitionLog,
        stop: &'a dyn Fn() -> bool,
        rate: &'a SharedRate,
        bytes_per_second: f64,
    ) -> Pace<'a> {
        Pace { log, stop, rate, bytes_per_second, uncounted: 0 }
    }

    /// Counts bytes read or written; from time to time looks whether to go on, and waits if that was too fast.
    pub(crate) fn count(&mut self, bytes: u64) -> Result<(), CleanError> {
        self.uncounted += bytes;
        if self.uncounted < CHECK_EVERY {
            return Ok(());
        }
        self.check()
    }

    /// Looks whether to go on: not if the log is no longer compacted, or is being moved.
    pub(crate) fn check(&mut self) -> Result<(), CleanError> {
        let bytes = std::mem::take(&mut self.uncounted);
        self.go_on()?;
        let Some(mut wait) = self.rate.count(bytes, self.bytes_per_second) else {
            return Ok(());
        };
        // In steps, so that a stop need not wait for it.
        const STEP: Duration = Duration::from_millis(100);
        while !wait.is_zero() {
            std::thread::sleep(wait.min(STEP));
            wait = wait.saturating_sub(STEP);
            self.go_on()?;
        }
        Ok(())
    }

    fn go_on(&self) -> Result<(), CleanError> {
        let wanted = self.log.config().cleanup_policy.compact && !self.log.is_moving();
        if wanted && !(self.stop)() { Ok(()) } else { Err(CleanError::Aborted) }
    }
}
