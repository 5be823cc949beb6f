//! The time each follower had, as opposed to the time that passed.
//!
//! A follower leaves the ISR when it has not caught up for `replica.lag.time.max.ms`. While this broker itself stands still (paused,
//! starved, its disk stalled under a read) followers cannot fetch, and blaming them would shrink every ISR at once when
//! it wakes. So the lag is counted in the follower's own time, which does not run while we are the one who keeps it waiting:
//! while its fetch is being served, and for all followers while this process did not run or one of its appends hangs
//! (what hangs in a disk holds locks and threads that others wait for, whichever directory these are in).
//! Pure but for its mutex. Invariant: no clock ever goes back.

use std::collections::HashMap;

use gregor_model::{BrokerId, Timestamp};
use parking_lot::Mutex;

/// How often [`FollowerClocks::heartbeat`] must be called, in milliseconds.
pub const HEARTBEAT_MS: i64 = 500;

/// A longer gap than this, in milliseconds, between observations means that this process did not run; it counts as one heartbeat.
const GAP_MAX_MS: i64 = 2 * HEARTBEAT_MS;

/// Serving a fetch, or an append, may take this long, in milliseconds, before it counts as a stall.
const STALL_GRACE_MS: i64 = 500;

/// One fetch or append stops clocks for at most this long, in milliseconds: a disk that never answers must not keep dead
/// followers in the ISRs of the other disks for ever.
const STALL_CREDIT_MAX_MS: i64 = 120_000;

/// The clocks of all followers.
#[derive(Debug, Default)]
pub struct FollowerClocks {
    state: Mutex<Clocks>,
}

#[derive(Debug, Default)]
struct Clocks {
    /// The wall clock when last looked at, and the running time of this process then.
    observed: Option<(Timestamp, Timestamp)>,
    /// When the appends in progress began, by the wall clock.
    appends: Vec<Timestamp>,
    followers: HashMap<BrokerId, FollowerClock>,
}

#[derive(Debug, Default)]
struct FollowerClock {
    /// When the fetches being served began, in running time.
    served_since: Vec<Timestamp>,
    stopped_ms: i64,
    /// Up to where stalls were counted, so that two stalled fetches count once.
    counted_until: Timestamp,
}

impl Clocks {
    /// The running time of this process: the wall clock without the gaps in which we did not run, or hung.
    fn observe(&mut self, wall: Timestamp) -> Timestamp {
        let running = match self.observed {
            None => wall,
            Some((_, running)) if self.append_hangs(wall) => running,
            Some((last_wall, running)) if wall - last_wall > GAP_MAX_MS => running + HEARTBEAT_MS,
            Some((last_wall, running)) => running + (wall - last_wall).max(0),
        };
        self.observed = Some((wall, running));
        running
    }

    fn append_hangs(&self, wall: Timestamp) -> bool {
        let hangs = |begun: &Timestamp| (STALL_GRACE_MS..STALL_CREDIT_MAX_MS).contains(&(wall - *begun));
        self.appends.iter().any(hangs)
    }
}

impl FollowerClock {
    fn stall_ms(&self, since: Timestamp, until: Timestamp) -> i64 {
        let served_ms = until - since;
        if served_ms <= STALL_GRACE_MS {
            return 0;
        }
        (until - since.max(self.counted_until)).clamp(0, STALL_CREDIT_MAX_MS)
    }
}

impl FollowerClocks {
    /// Clocks that have not been looked at yet.
    pub fn new() -> FollowerClocks {
        FollowerClocks::default()
    }

    /// Notes that this process runs. A long time between two calls was a stall of our own.
    pub fn heartbeat(&self, wall: Timestamp) {
        self.state.lock().observe(wall);
    }

    /// An append to a local log begins.
    pub fn begin_append(&self, wall: Timestamp) {
        self.state.lock().appends.push(wall);
    }

    /// The append that began at `begun` is over.
    pub fn end_append(&self, begun: Timestamp, wall: Timestamp) {
        let mut state = self.state.lock();
        if wall - begun >= STALL_GRACE_MS {
            state.observe(wall);
        }
        if let Some(at) = state.appends.iter().position(|append| *append == begun) {
            state.appends.swap_remove(at);
        }
    }

    /// A fetch of `follower` arrived and is being served. Hand the answer to [`FollowerClocks::end_service`].
    pub fn begin_service(&self, follower: BrokerId, wall: Timestamp) -> Timestamp {
        let mut state = self.state.lock();
        let running = state.observe(wall);
        state.followers.entry(follower).or_default().served_since.push(running);
        running
    }

    /// The fetch that began at `since` has been read, or waits for data: from here on the follower's time runs again.
    pub fn end_service(&self, follower: BrokerId, since: Timestamp, wall: Timestamp) {
        let mut state = self.state.lock();
        let running = state.observe(wall);
        let Some(clock) = state.followers.get_mut(&follower) else { return };
        clock.stopped_ms += clock.stall_ms(since, running);
        if running - since > STALL_GRACE_MS {
            clock.counted_until = clock.counted_until.max(running);
        }
        if let Some(at) = clock.served_since.iter().position(|begin| *begin == since) {
            clock.served_since.swap_remove(at);
        }
        // Requests may claim any broker id: a clock that never stopped need not be kept.
        if clock.served_since.is_empty() && clock.stopped_ms == 0 {
            state.followers.remove(&follower);
        }
    }

    /// What time it is for `follower`.
    pub fn now(&self, follower: BrokerId, wall: Timestamp) -> Timestamp {
        let mut state = self.state.lock();
        let running = state.observe(wall);
        let Some(clock) = state.followers.get(&follower) else { return running };
        let stall_ms =
            clock.served_since.iter().map(|since| clock.stall_ms(*since, running)).max().unwrap_or(0);
        running + -(clock.stopped_ms + stall_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLLOWER: BrokerId = BrokerId(2);

    fn run(clocks: &FollowerClocks, from: i64, to: i64) {
        for at in (from..=to).step_by(HEARTBEAT_MS as usize) {
            clocks.heartbeat(Timestamp(at));
        }
    }

    #[test]
    fn time_runs_while_all_is_well() {
        let clocks = FollowerClocks::new();
        run(&clocks, 0, 60_000);
        assert_eq!(clocks.now(FOLLOWER, Timestamp(60_400)), Timestamp(60_400));
        let since = clocks.begin_service(FOLLOWER, Timestamp(60_400));
        clocks.end_service(FOLLOWER, since, Timestamp(60_450));
        assert_eq!(clocks.now(FOLLOWER, Timestamp(60_500)), Timestamp(60_500));
    }

    #[test]
    fn a_pause_of_this_process_is_nobodys_lag() {
        let clocks = FollowerClocks::new();
        run(&clocks, 0, 10_000);
        let before = clocks.now(FOLLOWER, Timestamp(10_000));
        let after = clocks.now(FOLLOWER, Timestamp(40_000));
        assert_eq!(after - before, HEARTBEAT_MS);
        assert_eq!(clocks.now(FOLLOWER, Timestamp(40_500)) - after, 500, "and then it runs again");
    }

    #[test]
    fn a_stalled_read_is_not_the_followers_lag() {
        let clocks = FollowerClocks::new();
        run(&clocks, 0, 10_000);
        let since = clocks.begin_service(FOLLOWER, Timestamp(10_000));
        run(&clocks, 10_500, 30_000);
        assert_eq!(clocks.now(FOLLOWER, Timestamp(30_000)), Timestamp(10_000), "while it lasts");
        assert_eq!(clocks.now(BrokerId(3), Timestamp(30_000)), Timestamp(30_000), "others are not concerned");
        clocks.end_service(FOLLOWER, since, Timestamp(30_000));
        assert_eq!(clocks.now(FOLLOWER, Timestamp(30_100)), Timestamp(10_100), "and afterwards");
    }

    #[test]
    fn whoever_claims_to_be_a_follower_leaves_nothing_behind() {
        let clocks = FollowerClocks::new();
        for id in 0..1000 {
            let since = clocks.begin_service(BrokerId(id), Timestamp(0));
            clocks.end_service(BrokerId(id), since, Timestamp(1));
        }
        assert!(clocks.state.lock().followers.is_empty());
    }

    #[test]
    fn while_an_append_hangs_no_time_passes_for_anyone() {
        let clocks = FollowerClocks::new();
        run(&clocks, 0, 10_000);
        clocks.begin_append(Timestamp(10_000));
        clocks.begin_append(Timestamp(10_000));
        clocks.end_append(Timestamp(10_000), Timestamp(10_001));
        run(&clocks, 10_500, 30_000);
        assert_eq!(clocks.now(FOLLOWER, Timestamp(30_000)), Timestamp(10_000));
        clocks.end_append(Timestamp(10_000), Timestamp(30_400));
        assert_eq!(clocks.now(FOLLOWER, Timestamp(30_500)), Timestamp(10_100));
        clocks.begin_append(Timestamp(30_500));
        run(&clocks, 31_000, 30_500 + STALL_CREDIT_MAX_MS + 5_000);
        let now = clocks.now(FOLLOWER, Timestamp(30_500 + STALL_CREDIT_MAX_MS + 5_000));
        assert!(now >= Timestamp(15_000), "a disk that never answers is not waited for, {now}");
    }

    #[test]
    fn two_stalled_fetches_count_once() {
        let clocks = FollowerClocks::new();
        run(&clocks, 0, 1_000);
        let first = clocks.begin_service(FOLLOWER, Timestamp(1_000));
        run(&clocks, 1_500, 2_000);
        let second = clocks.begin_service(FOLLOWER, Timestamp(2_000));
        run(&clocks, 2_500, 11_000);
        clocks.end_service(FOLLOWER, first, Timestamp(11_000));
        assert_eq!(clocks.now(FOLLOWER, Timestamp(11_000)), Timestamp(1_000));
        clocks.end_service(FOLLOWER, second, Timestamp(11_000));
        assert_eq!(clocks.now(FOLLOWER, Timestamp(11_000)), Timestamp(1_000));
    }

    #[test]
    fn the_credit_is_bounded_and_the_wall_clock_may_jump() {
        let clocks = FollowerClocks::new();
        run(&clocks, 0, 1_000);
        clocks.begin_service(FOLLOWER, Timestamp(1_000));
        run(&clocks, 1_000, 1_000 + STALL_CREDIT_MAX_MS + 10_000);
        let now = Timestamp(1_000 + STALL_CREDIT_MAX_MS + 10_000);
        assert_eq!(clocks.now(FOLLOWER, now), Timestamp(11_000));
        let back = clocks.now(BrokerId(3), Timestamp(5));
        assert_eq!(back, now, "a clock set back does not go back");
    }
}
