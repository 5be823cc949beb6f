//! Leaving and joining the ISR.

use std::time::Duration;

use gregor_log::LogConfig;
use gregor_model::Timestamp;
use gregor_replication::{ReplicationConfig, RequiredAcks};

use crate::harness::{Broker, World, eventually, partition, state};

/// Short, but long enough for followers on a busy machine.
const LAG_MS: i64 = 1_000;

fn short_lag(config: &mut ReplicationConfig) {
    config.replica_lag_time_max_ms = LAG_MS;
}

async fn three(world: &std::sync::Arc<World>, lag_ms: i64) -> [Broker; 3] {
    let lag = |config: &mut ReplicationConfig| config.replica_lag_time_max_ms = lag_ms;
    let brokers = [1, 2, 3].map(|id| world.broker_with(id, LogConfig::default(), lag));
    for broker in &brokers {
        broker.apply(&[state(0, 1, 0, &[1, 2, 3], &[1, 2, 3])]).await;
    }
    brokers[0].produce(0, &["first"], RequiredAcks::All, 10_000).await.unwrap();
    eventually("all are in sync", || brokers[0].isr(0).len() == 3).await;
    brokers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_lags_leaves_and_comes_back() {
    let world = World::new();
    let [leader, _second, third] = three(&world, LAG_MS).await;
    world.cut.lock().insert((3, 1));
    // Released by the shrink, not by the follower.
    leader.produce(0, &["a"], RequiredAcks::All, 10_000).await.unwrap();
    eventually("it left", || world.isr(&partition(0)) == [1, 2]).await;
    assert_eq!(third.log_end(0), 1);
    world.cut.lock().clear();
    eventually("it is back", || world.isr(&partition(0)).len() == 3 && leader.isr(0).len() == 3).await;
    eventually("with all data", || leader.bytes(0) == third.bytes(0)).await;
    let counts = leader.manager.replication_counts();
    assert!(counts.isr_shrinks >= 1 && counts.isr_expands >= 1, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_follower_stays_however_long() {
    let world = World::new();
    let [leader, ..] = three(&world, LAG_MS).await;
    world.isr_requests.lock().clear();
    let begun = std::time::Instant::now();
    eventually("twice the lag passes", || begun.elapsed() > Duration::from_millis(2 * LAG_MS as u64)).await;
    assert_eq!(leader.isr(0).len(), 3);
    assert!(world.isr_requests.lock().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_controller_leaves_the_old_isr_in_force() {
    let world = World::new();
    let [leader, _second, _third] = three(&world, LAG_MS).await;
    *world.controller_silent.lock() = true;
    world.cut.lock().insert((3, 1));
    assert!(
        leader.produce(0, &["a"], RequiredAcks::All, 2 * LAG_MS as i32).await.is_err(),
        "the shrink is not confirmed"
    );
    assert_eq!(leader.high_watermark(0), 1);
    *world.controller_silent.lock() = false;
    eventually("it is, once the controller answers", || leader.high_watermark(0) == 2).await;
    eventually("and 3 is out", || !leader.isr(0).contains(&3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_many_partitions_share_requests() {
    let world = World::new();
    let brokers = [1, 2].map(|id| world.broker_with(id, LogConfig::default(), short_lag));
    let states: Vec<_> = (0..40).map(|index| state(index, 1, 0, &[1], &[1, 2])).collect();
    for broker in &brokers {
        broker.apply(&states).await;
    }
    eventually("all partitions are in sync", || (0..40).all(|index| brokers[0].isr(index) == [1, 2])).await;
    let requests = world.isr_requests.lock().clone();
    assert_eq!(requests.iter().sum::<usize>(), 40, "{requests:?}");
    assert!(requests.len() < 40, "{requests:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reassignment_adds_a_replica_and_removes_another() {
    let world = World::new();
    let [leader, second, _] = three(&world, LAG_MS).await;
    let fourth = world.broker_with(4, LogConfig::default(), short_lag);
    leader.produce(0, &["a", "b"], RequiredAcks::All, 10_000).await.unwrap();
    let during = [state(0, 1, 1, &[1, 2, 3], &[1, 2, 3, 4])];
    for broker in [&leader, &second, &fourth] {
        broker.apply(&during).await;
    }
    eventually("the new replica joins", || leader.isr(0).contains(&4)).await;
    eventually("with all data", || leader.bytes(0) == fourth.bytes(0)).await;
    // Broker 2 is no replica any more, but the ISR still has it: it leaves at once, without the lag.
    let after = [state(0, 1, 2, &[1, 2, 4], &[1, 4])];
    for broker in [&leader, &fourth] {
        broker.apply(&after).await;
    }
    eventually("the removed replica leaves", || leader.isr(0) == [1, 4]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_stood_still_blames_nobody() {
    let world = World::new();
    let [leader, ..] = three(&world, 5 * LAG_MS).await;
    world.isr_requests.lock().clear();
    // Records are appended that no follower has yet, and then the leader's process does not run for 20 seconds.
    world.cut.lock().extend([(2, 1), (3, 1)]);
    leader.produce(0, &["a"], RequiredAcks::Leader, 0).await.unwrap();
    world.clock_ahead_ms.lock().insert(1, 20_000);
    leader.manager.shrink_isrs(Timestamp::now() + 20_000);
    assert_eq!(leader.manager.status(&partition(0)).unwrap().isr.len(), 3);
    world.cut.lock().clear();
    eventually("the followers catch up", || leader.high_watermark(0) == 2).await;
    assert!(world.isr_requests.lock().is_empty(), "no change was even proposed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_died_on_its_way_into_the_isr_does_not_hold_up_producers() {
    let world = World::new();
    let [leader, joiner] = [1, 2].map(|id| world.broker_with(id, LogConfig::default(), short_lag));
    *world.controller_silent.lock() = true;
    let states = [state(0, 1, 0, &[1], &[1, 2])];
    leader.apply(&states).await;
    joiner.apply(&states).await;
    leader.produce(0, &["a"], RequiredAcks::All, 10_000).await.unwrap();
    // It has all and is proposed; then it dies, and the controller will not have it.
    eventually("it is there", || joiner.log_end(0) == 1).await;
    world.dead.lock().insert(2);
    let wait = leader.produce(0, &["b"], RequiredAcks::All, 20_000);
    let refuse = async {
        world.refuse_joining.lock().insert(2);
        *world.controller_silent.lock() = false;
    };
    let (produced, ()) = tokio::join!(wait, refuse);
    produced.unwrap();
    assert_eq!(leader.isr(0), [1]);
}
