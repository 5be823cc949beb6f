//! The leader's rules by tables: a vocabulary first, then one test per rule.

use std::collections::HashMap;

use gregor_model::{
    BrokerId, LeaderAndIsr, LeaderEpoch, LeaderRecoveryState, Offset, PartitionEpoch, ReplicaAssignment,
    Timestamp,
};

use super::isr::{IsrReaction, IsrRefusal};
use super::leader::{Followers, LeaderState, Leadership, NotAReplica};
use super::progress::FollowerPosition;

const LEADER: BrokerId = BrokerId(1);
const LAG_MAX_MS: i64 = 1_000;

/// All brokers at one moment; those not listed as dead are alive.
#[derive(Default)]
struct Cluster {
    now: i64,
    dead: Vec<i32>,
    stopped_ms: HashMap<i32, i64>,
}

impl Followers for Cluster {
    fn now(&self, follower: BrokerId) -> Timestamp {
        Timestamp(self.now - self.stopped_ms.get(&follower.0).copied().unwrap_or(0))
    }

    fn is_alive(&self, follower: BrokerId) -> bool {
        !self.dead.contains(&follower.0)
    }
}

fn at(now: i64) -> Cluster {
    Cluster { now, ..Cluster::default() }
}

fn ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

fn leadership(epoch: i32, state: i32, replicas: &[i32], isr: &[i32]) -> Leadership {
    Leadership {
        leader_epoch: LeaderEpoch(epoch),
        partition_epoch: PartitionEpoch(state),
        isr: ids(isr),
        assignment: ReplicaAssignment::new(ids(replicas)),
    }
}

/// Broker 1 leads since 0, its term begins at offset 10.
fn leader(replicas: &[i32], isr: &[i32]) -> LeaderState {
    LeaderState::elect(LEADER, leadership(5, 7, replicas, isr), Offset(10), &at(0))
}

fn fetch(leader: &mut LeaderState, follower: i32, offset: i64, leader_end: i64, now: i64) -> bool {
    let position = FollowerPosition {
        fetch_offset: Offset(offset),
        log_start_offset: Some(Offset(0)),
        broker_epoch: None,
    };
    leader.on_follower_fetch(BrokerId(follower), position, Offset(leader_end), &at(now)).unwrap()
}

fn high_watermark(leader: &LeaderState, leader_end: i64, min_isr: usize, cluster: &Cluster) -> Option<i64> {
    leader.high_watermark(Offset(leader_end), min_isr, LAG_MAX_MS, cluster).map(|offset| offset.0)
}

#[test]
fn the_high_watermark_waits_for_every_member_of_the_isr() {
    let mut leader = leader(&[1, 2, 3], &[1, 2, 3]);
    assert_eq!(high_watermark(&leader, 20, 1, &at(0)), None, "nobody has fetched in this term");
    fetch(&mut leader, 2, 20, 20, 0);
    assert_eq!(high_watermark(&leader, 20, 1, &at(0)), None, "3 has not");
    fetch(&mut leader, 3, 15, 20, 0);
    assert_eq!(high_watermark(&leader, 20, 1, &at(0)), Some(15));
    fetch(&mut leader, 3, 20, 20, 0);
    assert_eq!(high_watermark(&leader, 25, 1, &at(0)), Some(20));
}

#[test]
fn the_high_watermark_is_frozen_below_min_insync_replicas() {
    let mut leader = leader(&[1, 2, 3], &[1, 2]);
    fetch(&mut leader, 2, 20, 20, 0);
    assert_eq!(high_watermark(&leader, 20, 2, &at(0)), Some(20));
    assert_eq!(high_watermark(&leader, 20, 3, &at(0)), None);
    assert_eq!(leader.effective_min_isr(7), 3, "never more than there are replicas");
    let alone = self::leader(&[1], &[1]);
    assert_eq!(high_watermark(&alone, 20, 2, &at(0)), Some(20));
}

#[test]
fn a_replica_about_to_join_holds_the_high_watermark_back() {
    let mut leader = leader(&[1, 2], &[1]);
    assert_eq!(high_watermark(&leader, 20, 1, &at(0)), Some(20), "2 is nowhere near");
    fetch(&mut leader, 2, 20, 20, 100);
    fetch(&mut leader, 2, 22, 30, 200);
    assert_eq!(high_watermark(&leader, 30, 1, &at(200)), Some(22), "2 had all at 100");
    assert_eq!(high_watermark(&leader, 30, 1, &at(100 + LAG_MAX_MS + 1)), Some(30), "but that is long ago");
    let dead = Cluster { now: 200, dead: vec![2], ..Cluster::default() };
    assert_eq!(high_watermark(&leader, 30, 1, &dead), Some(30), "and a dead broker joins nothing");
}

#[test]
fn a_pending_expansion_binds_the_high_watermark_at_once() {
    let mut leader = leader(&[1, 2], &[1]);
    fetch(&mut leader, 2, 20, 20, 0);
    let proposal = leader.propose_expand(BrokerId(2), Offset(20), &at(0)).unwrap();
    assert_eq!(proposal.isr, ids(&[1, 2]));
    let later = LAG_MAX_MS * 9;
    assert_eq!(high_watermark(&leader, 30, 1, &at(later)), Some(20));
    assert!(!leader.has_min_isr(2) && leader.has_min_isr_after_append(2));
    leader.on_isr_answer(&proposal, Err(IsrRefusal::IneligibleReplica));
    assert_eq!(high_watermark(&leader, 30, 1, &at(later)), Some(30));
}

#[test]
fn a_pending_shrink_does_not_release_the_high_watermark() {
    let mut leader = leader(&[1, 2], &[1, 2]);
    fetch(&mut leader, 2, 20, 20, 0);
    let later = at(LAG_MAX_MS + 1);
    let proposal = leader.propose_shrink(Offset(30), LAG_MAX_MS, &later).unwrap();
    assert_eq!(proposal.isr, ids(&[1]));
    assert_eq!(high_watermark(&leader, 30, 1, &later), Some(20));
    let confirmed = LeaderAndIsr {
        leader: Some(LEADER),
        leader_epoch: LeaderEpoch(5),
        isr: ids(&[1]),
        recovery: LeaderRecoveryState::Recovered,
        partition_epoch: PartitionEpoch(8),
    };
    assert_eq!(leader.on_isr_answer(&proposal, Ok(confirmed)), IsrReaction::Committed);
    assert_eq!(high_watermark(&leader, 30, 1, &later), Some(30));
    assert_eq!(leader.partition_epoch(), PartitionEpoch(8));
}

#[test]
fn who_may_join_the_isr() {
    // fetch offset, high watermark, dead: joins? The term begins at 10.
    let rows = [
        (20, 20, false, true),
        (20, 15, false, true),
        (19, 20, false, false),
        (9, 5, false, false), // reached the high watermark, but not the start of the term
        (10, 5, false, true),
        (20, 20, true, false),
    ];
    for (offset, high_watermark, dead, joins) in rows {
        let mut leader = leader(&[1, 2], &[1]);
        fetch(&mut leader, 2, offset, 30, 0);
        let cluster = Cluster { dead: if dead { vec![2] } else { vec![] }, ..Cluster::default() };
        let proposal = leader.propose_expand(BrokerId(2), Offset(high_watermark), &cluster);
        assert_eq!(proposal.is_some(), joins, "{offset} {high_watermark} {dead}");
    }
    let mut leader = leader(&[1, 2], &[1, 2]);
    fetch(&mut leader, 2, 20, 20, 0);
    assert_eq!(leader.propose_expand(BrokerId(2), Offset(0), &at(0)), None, "a member already");
    assert_eq!(leader.propose_expand(BrokerId(9), Offset(0), &at(0)), None, "no replica");
}

#[test]
fn who_leaves_the_isr() {
    let rows: [(i64, i64, Option<&[i32]>); 4] = [
        (30, 500, None),                  // behind, but not for long
        (30, LAG_MAX_MS, None),           // exactly the limit
        (30, LAG_MAX_MS + 1, Some(&[1])), // both followers lag
        (20, LAG_MAX_MS * 9, None),       // nothing was appended: nobody lags
    ];
    for (leader_end, now, expected) in rows {
        let mut leader = leader(&[1, 2, 3], &[1, 2, 3]);
        fetch(&mut leader, 2, 20, 20, 0);
        fetch(&mut leader, 3, 20, 20, 0);
        let proposal = leader.propose_shrink(Offset(leader_end), LAG_MAX_MS, &at(now));
        assert_eq!(proposal.map(|proposal| proposal.isr), expected.map(ids), "{leader_end} at {now}");
    }
}

#[test]
fn a_follower_kept_waiting_by_us_does_not_lag() {
    let mut leader = leader(&[1, 2, 3], &[1, 2, 3]);
    fetch(&mut leader, 2, 20, 20, 0);
    fetch(&mut leader, 3, 20, 20, 0);
    let stalled = Cluster { now: 20_000, stopped_ms: HashMap::from([(2, 19_500)]), ..Cluster::default() };
    let proposal = leader.propose_shrink(Offset(30), LAG_MAX_MS, &stalled).unwrap();
    assert_eq!(proposal.isr, ids(&[1, 2]), "only 3 had the time to fetch and did not");
}

#[test]
fn a_member_that_is_no_longer_assigned_leaves_at_once() {
    let mut leader = leader(&[1, 2, 3], &[1, 2, 3]);
    fetch(&mut leader, 2, 20, 20, 0);
    leader.renew(leadership(6, 8, &[1, 2], &[1, 2, 3]), Offset(20), &at(0));
    let proposal = leader.propose_shrink(Offset(20), LAG_MAX_MS, &at(0)).unwrap();
    assert_eq!(proposal.isr, ids(&[1, 2]));
    assert_eq!((proposal.leader_epoch, proposal.partition_epoch), (LeaderEpoch(6), PartitionEpoch(8)));
}

#[test]
fn a_new_term_of_the_same_leader_keeps_positions_and_voids_what_was_pending() {
    let mut leader = leader(&[1, 2], &[1]);
    fetch(&mut leader, 2, 20, 20, 0);
    let proposal = leader.propose_expand(BrokerId(2), Offset(20), &at(0)).unwrap();
    leader.renew(leadership(6, 9, &[1, 2, 3], &[1]), Offset(25), &at(100));
    assert_eq!(leader.epoch_start(), Offset(25));
    assert_eq!(leader.follower(BrokerId(2)).unwrap().log_end_offset(), Some(Offset(20)));
    assert_eq!(leader.follower(BrokerId(3)).unwrap().log_end_offset(), None);
    let late = LeaderAndIsr {
        leader: Some(LEADER),
        leader_epoch: LeaderEpoch(6),
        isr: ids(&[1, 2]),
        recovery: LeaderRecoveryState::Recovered,
        partition_epoch: PartitionEpoch(10),
    };
    assert_eq!(leader.on_isr_answer(&proposal, Ok(late)), IsrReaction::Stale);
    assert_eq!(leader.isr().members(), ids(&[1]));
}

#[test]
fn a_leader_that_missed_a_term_does_not_know_where_its_followers_are() {
    let mut leader = leader(&[1, 2], &[1, 2]);
    fetch(&mut leader, 2, 20, 20, 0);
    // Epoch 6 was another's: 2 may have truncated to it.
    leader.renew(leadership(7, 9, &[1, 2], &[1, 2]), Offset(20), &at(100));
    assert_eq!(leader.follower(BrokerId(2)).unwrap().log_end_offset(), None);
    assert_eq!(high_watermark(&leader, 20, 1, &at(100)), None);
    assert!(leader.propose_shrink(Offset(20), LAG_MAX_MS, &at(100)).is_none(), "it gets its time");
    fetch(&mut leader, 2, 15, 20, 200);
    assert_eq!(high_watermark(&leader, 20, 1, &at(200)), Some(15));
}

#[test]
fn only_replicas_fetch_as_followers() {
    let mut leader = leader(&[1, 2], &[1]);
    let position = FollowerPosition { fetch_offset: Offset(0), log_start_offset: None, broker_epoch: None };
    let answer = leader.on_follower_fetch(BrokerId(7), position, Offset(0), &at(0));
    assert_eq!(answer, Err(NotAReplica(BrokerId(7))));
}

#[test]
fn the_low_watermark_is_that_of_the_live_replicas() {
    let mut leader = leader(&[1, 2, 3], &[1, 2, 3]);
    fetch(&mut leader, 2, 20, 20, 0);
    let low = |leader: &LeaderState, cluster: &Cluster| leader.low_watermark(Offset(5), cluster);
    assert_eq!(low(&leader, &at(0)), None, "3 is alive and has not told");
    let dead = Cluster { dead: vec![3], ..Cluster::default() };
    assert_eq!(low(&leader, &dead), Some(Offset(0)));
    let none = Cluster { dead: vec![2, 3], ..Cluster::default() };
    assert_eq!(low(&leader, &none), Some(Offset(5)));
}

#[test]
fn the_high_watermark_waits_for_a_member_of_the_isr_that_is_no_longer_assigned() {
    let mut leader = leader(&[1, 2], &[1, 2, 3]);
    fetch(&mut leader, 2, 20, 20, 0);
    assert_eq!(high_watermark(&leader, 20, 1, &at(0)), None, "3 could still be elected");
    leader.renew(leadership(6, 8, &[1, 2], &[1, 2]), Offset(20), &at(0));
    assert_eq!(high_watermark(&leader, 20, 1, &at(0)), Some(20));
}
