//! When a silent connection is closed.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Fires when nothing was heard for `connections.max.idle.ms`. One timer per connection, moved only when it fires too
/// early, so that traffic costs no timer work.
pub(crate) struct IdleTimer {
    idle_max: Option<Duration>,
    last_activity: Instant,
    sleep: Pin<Box<Sleep>>,
}

/// A timer for connections without limit still sleeps; this long at a time.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

impl IdleTimer {
    pub(crate) fn new(idle_max: Option<Duration>) -> IdleTimer {
        let now = Instant::now();
        let sleep = Box::pin(sleep_until(now + idle_max.unwrap_or(FOREVER).min(FOREVER)));
        IdleTimer { idle_max, last_activity: now, sleep }
    }

    /// Something was read or written.
    pub(crate) fn touch(&mut self) {
        self.last_activity = Instant::now();
    }

    /// Waits until the connection has been silent for too long. May be dropped and called again.
    pub(crate) async fn expired(&mut self) {
        loop {
            self.sleep.as_mut().await;
            let expiry = self.last_activity + self.idle_max.unwrap_or(FOREVER).min(FOREVER);
            if self.idle_max.is_some() && expiry <= Instant::now() {
                return;
            }
            self.sleep.as_mut().reset(expiry.max(Instant::now() + Duration::from_millis(1)));
        }
    }
}
