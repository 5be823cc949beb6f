//! Replication throttles: they slow down who catches up, never who is in sync.

use gregor_replication::{RequiredAcks, ThrottledReplicas};

use crate::harness::{World, eventually, state};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_leader_holds_back_those_out_of_sync() {
    let world = World::new();
    let (leader, second, third) = (world.broker(1), world.broker(2), world.broker(3));
    *world.leader_throttled.lock() = ThrottledReplicas::All;
    leader.manager.set_leader_throttle(Some(1));
    let states = [state(0, 1, 0, &[1, 2], &[1, 2, 3])];
    leader.apply(&states).await;
    second.apply(&states).await;
    // The bytes that 2 gets exceed the quota, and 2 is in sync: it goes on, 3 waits.
    for _ in 0..10 {
        leader.produce(0, &["a"], RequiredAcks::All, 10_000).await.unwrap();
    }
    third.apply(&states).await;
    for _ in 0..10 {
        leader.produce(0, &["b"], RequiredAcks::All, 10_000).await.unwrap();
    }
    assert_eq!((second.log_end(0), third.log_end(0)), (20, 0));
    leader.manager.set_leader_throttle(None);
    eventually("without the limit it catches up", || third.log_end(0) == 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_follower_asks_for_less() {
    let world = World::new();
    let (leader, follower) = (world.broker(1), world.broker(2));
    *world.follower_throttled.lock() = ThrottledReplicas::Partitions(vec![0]);
    follower.manager.set_follower_throttle(Some(1));
    let states: Vec<_> = (0..2).map(|index| state(index, 1, 0, &[1], &[1, 2])).collect();
    leader.apply(&states).await;
    let big = "x".repeat(600_000);
    for _ in 0..4 {
        leader.produce(0, &[&big], RequiredAcks::All, 10_000).await.unwrap();
        leader.produce(1, &[&big], RequiredAcks::All, 10_000).await.unwrap();
    }
    follower.apply(&states).await;
    eventually("the other partition is not held back", || follower.log_end(1) == 4).await;
    assert!(follower.log_end(0) < 4);
    follower.manager.set_follower_throttle(None);
    eventually("without the limit it catches up", || follower.log_end(0) == 4).await;
}
