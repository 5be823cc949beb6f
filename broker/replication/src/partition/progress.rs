//! How far one follower has come, as its leader sees it (`Replica`, `ReplicaState`).
//!
//! Owner: the leader state of the partition. Invariant: `last_caught_up` never goes back within a term, and is the largest
//! time at which the follower is known to have had everything the leader had.

use gregor_model::{BrokerEpoch, Offset, Timestamp};

/// What a follower tells the leader with one fetch of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowerPosition {
    /// The offset it asks for: its log end offset.
    pub fetch_offset: Offset,
    /// Its log start offset; `None` from followers older than Fetch v5.
    pub log_start_offset: Option<Offset>,
    /// Its registration, where the request carries one (v15+).
    pub broker_epoch: Option<BrokerEpoch>,
}

/// The leader's view of a follower.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaProgress {
    log_start_offset: Option<Offset>,
    log_end_offset: Option<Offset>,
    leader_end_at_last_fetch: Option<Offset>,
    last_fetch: Option<Timestamp>,
    last_caught_up: Option<Timestamp>,
    broker_epoch: Option<BrokerEpoch>,
}

impl ReplicaProgress {
    /// Where a follower stands when its leader was just elected: nothing is known of it until it fetches, but a member of
    /// the ISR gets a full `replica.lag.time.max.ms` to do so (`Replica.resetReplicaState`).
    pub fn at_election(in_sync: bool, now: Timestamp) -> ReplicaProgress {
        ReplicaProgress { last_caught_up: in_sync.then_some(now), ..ReplicaProgress::default() }
    }

    /// Starts a new term of the same leader: the position is still true, the times start anew.
    pub fn renew(&mut self, in_sync: bool, leader_end: Offset, now: Timestamp) {
        self.leader_end_at_last_fetch = Some(leader_end);
        self.last_fetch = in_sync.then_some(now);
        self.last_caught_up = in_sync.then_some(now);
    }

    /// Notes a fetch. Returns whether the follower's log end offset changed (`Replica.updateFetchStateOrThrow`).
    pub fn on_fetch(&mut self, position: FollowerPosition, leader_end: Offset, now: Timestamp) -> bool {
        let moved = self.log_end_offset != Some(position.fetch_offset);
        if position.fetch_offset >= leader_end {
            self.last_caught_up = self.last_caught_up.max(Some(now));
        } else if self.leader_end_at_last_fetch.is_none_or(|end| position.fetch_offset >= end) {
            // It has by now all that the leader had when it last asked: so it was caught up then.
            self.last_caught_up = self.last_caught_up.max(self.last_fetch);
        }
        self.leader_end_at_last_fetch = self.leader_end_at_last_fetch.max(Some(leader_end));
        self.last_fetch = Some(now);
        self.log_end_offset = Some(position.fetch_offset);
        self.log_start_offset = position.log_start_offset;
        self.broker_epoch = position.broker_epoch;
        moved
    }

    /// Its log end offset; `None` until it fetches from this leader for the first time.
    pub fn log_end_offset(&self) -> Option<Offset> {
        self.log_end_offset
    }

    /// Its log start offset, if it told one.
    pub fn log_start_offset(&self) -> Option<Offset> {
        self.log_start_offset
    }

    /// When it last had everything, in its own time; `None` is "not in this term".
    pub fn last_caught_up(&self) -> Option<Timestamp> {
        self.last_caught_up
    }

    /// Whether it has everything now, or had it within the last `lag_time_max_ms` (`ReplicaState.isCaughtUp`).
    pub fn is_caught_up(&self, leader_end: Offset, lag_time_max_ms: i64, now: Timestamp) -> bool {
        self.log_end_offset == Some(leader_end)
            || self.last_caught_up.is_some_and(|caught_up| now - caught_up <= lag_time_max_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(offset: i64) -> FollowerPosition {
        FollowerPosition {
            fetch_offset: Offset(offset),
            log_start_offset: Some(Offset(0)),
            broker_epoch: None,
        }
    }

    #[test]
    fn times_of_being_caught_up() {
        // (fetch offset, leader end, at) in turn, and when the follower counts as last caught up after each.
        let rows = [
            (5, 10, 100, Some(0)),    // behind: still the election's grace
            (10, 20, 200, Some(100)), // has what the leader had at 100
            (20, 20, 300, Some(300)), // has all
            (20, 30, 400, Some(300)),
            (25, 40, 500, Some(300)), // 30 was the mark to reach
            (30, 40, 600, Some(300)), // 40 was
            (40, 50, 700, Some(600)),
        ];
        let mut replica = ReplicaProgress::at_election(true, Timestamp(0));
        for (offset, leader_end, at, expected) in rows {
            replica.on_fetch(fetch(offset), Offset(leader_end), Timestamp(at));
            assert_eq!(
                replica.last_caught_up(),
                expected.map(Timestamp),
                "after {offset} of {leader_end} at {at}"
            );
        }
    }

    #[test]
    fn a_replica_outside_the_isr_is_not_caught_up_before_it_fetches() {
        let replica = ReplicaProgress::at_election(false, Timestamp(1_000));
        assert!(!replica.is_caught_up(Offset(0), 30_000, Timestamp(1_000)));
        let replica = ReplicaProgress::at_election(true, Timestamp(1_000));
        assert!(replica.is_caught_up(Offset(0), 30_000, Timestamp(31_000)));
        assert!(!replica.is_caught_up(Offset(0), 30_000, Timestamp(31_001)));
    }

    #[test]
    fn only_a_new_offset_is_a_move() {
        let mut replica = ReplicaProgress::at_election(true, Timestamp(0));
        assert!(replica.on_fetch(fetch(0), Offset(0), Timestamp(1)));
        assert!(!replica.on_fetch(fetch(0), Offset(0), Timestamp(2)));
        assert!(replica.on_fetch(fetch(1), Offset(1), Timestamp(3)));
    }

    #[test]
    fn a_new_term_of_the_same_leader_keeps_the_position() {
        let mut replica = ReplicaProgress::at_election(true, Timestamp(0));
        replica.on_fetch(fetch(7), Offset(9), Timestamp(5));
        replica.renew(false, Offset(9), Timestamp(10));
        assert_eq!(replica.log_end_offset(), Some(Offset(7)));
        assert_eq!(replica.last_caught_up(), None);
    }
}
