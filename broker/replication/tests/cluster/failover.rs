//! Changing leaders: what is committed stays, what is not goes, and the logs end up equal.

use std::sync::atomic::Ordering;

use gregor_log::LogConfig;
use gregor_replication::{ReplicaProtocol, RequiredAcks};

use crate::harness::{Broker, World, eventually, partition, state};

fn equal(a: &Broker, b: &Broker) -> bool {
    a.log_end(0) == b.log_end(0) && a.bytes(0) == b.bytes(0)
}

/// The old leader has records that nobody else has; the new one writes others in their place.
async fn diverge(protocol: ReplicaProtocol) {
    let world = World::new();
    let brokers =
        [1, 2, 3].map(|id| world.broker_with(id, LogConfig::default(), |config| config.protocol = protocol));
    let [first, second, third] = &brokers;
    let begin = [state(0, 1, 0, &[1, 2, 3], &[1, 2, 3])];
    for broker in &brokers {
        broker.apply(&begin).await;
    }
    first.produce(0, &["committed"], RequiredAcks::All, 10_000).await.unwrap();
    world.cut.lock().extend([(2, 1), (3, 1)]);
    for value in ["lost-1", "lost-2", "lost-3"] {
        first.produce(0, &[value], RequiredAcks::Leader, 0).await.unwrap();
    }
    let next = [state(0, 2, 1, &[2, 3], &[1, 2, 3])];
    second.apply(&next).await;
    third.apply(&next).await;
    second.produce(0, &["kept-1", "kept-2"], RequiredAcks::All, 10_000).await.unwrap();
    assert_eq!((first.log_end(0), second.log_end(0)), (4, 3));
    first.apply(&next).await;
    eventually("the old leader has what the new one has", || equal(first, second)).await;
    world.cut.lock().clear();
    // And once more the other way, with a term in which nothing was written.
    let empty_term = [state(0, 3, 2, &[1, 2, 3], &[1, 2, 3])];
    for broker in &brokers {
        broker.apply(&empty_term).await;
    }
    let last = [state(0, 1, 3, &[1, 2, 3], &[1, 2, 3])];
    for broker in &brokers {
        broker.apply(&last).await;
    }
    first.produce(0, &["end"], RequiredAcks::All, 10_000).await.unwrap();
    eventually("all are equal", || equal(first, second) && equal(first, third)).await;
    let text = String::from_utf8_lossy(&first.bytes(0)).into_owned();
    assert!(text.contains("kept-1") && text.contains("committed") && !text.contains("lost"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_part_and_meet_by_what_fetch_tells() {
    diverge(ReplicaProtocol::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_part_and_meet_by_asking_for_epochs() {
    diverge(ReplicaProtocol { fetch: 11, list_offsets: 5, offset_for_leader_epoch: 3 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_behind_the_leaders_start_begins_anew() {
    let world = World::new();
    let (leader, follower) = (world.broker(1), world.broker(2));
    leader.apply(&[state(0, 1, 0, &[1], &[1, 2])]).await;
    for _ in 0..5 {
        leader.produce(0, &["a"], RequiredAcks::All, 1_000).await.unwrap();
    }
    let deleted =
        leader.manager.delete_records(vec![(partition(0), Some(gregor_model::Offset(3)))], 50).await;
    assert!(deleted[0].1.is_err(), "broker 2 is alive and has not deleted them");
    follower.apply(&[state(0, 1, 0, &[1], &[1, 2])]).await;
    eventually("it has what is left", || follower.log_end(0) == 5).await;
    let log = follower.logs.log(&partition(0)).unwrap();
    assert_eq!(log.log_start_offset().0, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_about_offsets_that_comes_in_a_later_term_does_not_end_it() {
    let world = World::new();
    let (leader, follower) = (world.broker(1), world.broker(2));
    leader.apply(&[state(0, 1, 0, &[1], &[1, 2])]).await;
    for _ in 0..5 {
        leader.produce(0, &["a"], RequiredAcks::All, 1_000).await.unwrap();
    }
    let start = Some(gregor_model::Offset(3));
    leader.manager.delete_records(vec![(partition(0), start)], 50).await;
    let gate = world.list_offsets_gate.lock().await;
    follower.apply(&[state(0, 1, 0, &[1], &[1, 2])]).await;
    let asked = || world.list_offsets_asked.load(Ordering::SeqCst);
    eventually("it asks where the leader's log is", || asked() == 1).await;
    let next = [state(0, 1, 1, &[1], &[1, 2])];
    leader.apply(&next).await;
    follower.apply(&next).await;
    drop(gate);
    eventually("it follows in the later term", || equal(&leader, &follower)).await;
    assert!(asked() > 1, "the first answer was for the former term");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_parts_where_its_leader_starts_inside_a_batch_follows() {
    let world = World::new();
    let (first, second) = (world.broker(1), world.broker(2));
    second.apply(&[state(0, 2, 3, &[2], &[1, 2])]).await;
    for _ in 0..6 {
        second.produce(0, &["lost"], RequiredAcks::All, 1_000).await.unwrap();
    }
    // An unclean election; one batch of five records, of which the first three are deleted.
    first.apply(&[state(0, 1, 4, &[1], &[1, 2])]).await;
    first.produce(0, &["a", "b", "c", "d", "e"], RequiredAcks::All, 1_000).await.unwrap();
    let start = Some(gregor_model::Offset(3));
    first.manager.delete_records(vec![(partition(0), start)], 50).await;
    second.apply(&[state(0, 1, 4, &[1], &[1, 2])]).await;
    eventually("it has what is left", || second.log_end(0) == 5 && equal(&first, &second)).await;
    eventually("from the same start", || {
        second.logs.log(&partition(0)).unwrap().log_start_offset() == gregor_model::Offset(3)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_ahead_of_a_leader_without_its_history_is_cut() {
    let world = World::new();
    let (first, second) = (world.broker(1), world.broker(2));
    second.apply(&[state(0, 2, 3, &[2], &[1, 2])]).await;
    for _ in 0..5 {
        second.produce(0, &["lost"], RequiredAcks::All, 1_000).await.unwrap();
    }
    // An unclean election of an empty replica.
    first.apply(&[state(0, 1, 4, &[1], &[1, 2])]).await;
    first.produce(0, &["new"], RequiredAcks::All, 1_000).await.unwrap();
    second.apply(&[state(0, 1, 4, &[1], &[1, 2])]).await;
    eventually("the logs are equal", || equal(&first, &second)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_leader_is_found_again() {
    let world = World::new();
    let (leader, follower) = (world.broker(1), world.broker(2));
    let states = [state(0, 1, 0, &[1, 2], &[1, 2])];
    leader.apply(&states).await;
    follower.apply(&states).await;
    leader.produce(0, &["a"], RequiredAcks::All, 10_000).await.unwrap();
    world.dead.lock().insert(1);
    leader.produce(0, &["b"], RequiredAcks::Leader, 0).await.unwrap();
    world.dead.lock().clear();
    eventually("fetching goes on", || follower.log_end(0) == 2).await;
    leader.manager.shutdown().await;
    follower.manager.shutdown().await;
}
