//! Replicas that move to another log directory while they lead or follow.

use gregor_log::{LogConfig, LogError};
use gregor_model::{Offset, TopicPartition};
use gregor_replication::{MoveRefusal, PartitionError, ReplicationConfig, RequiredAcks};

use crate::harness::{Broker, LOG_DIRS, World, eventually, partition, state};

/// Copies of a few batches at a time, in many segments.
fn small_steps(config: &mut ReplicationConfig) {
    config.replica_fetch_max_bytes = 500;
}

fn small_segments() -> LogConfig {
    LogConfig { segment_bytes: 1_000, ..LogConfig::default() }
}

async fn fill(broker: &Broker, from: usize, count: usize) {
    for number in from..from + count {
        let value = format!("value-{number}");
        broker.produce(0, &[&value, "x"], RequiredAcks::All, 10_000).await.unwrap();
    }
}

/// No byte a second: a move that is held back stays where it is.
fn hold_back(broker: &Broker, held: bool) {
    broker.manager.set_move_throttle(held.then_some(0));
}

async fn moved(broker: &Broker, dir: &str) {
    eventually("the log has moved", || broker.lies_in(0) == (dir.to_owned(), None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_moves_under_load() {
    let world = World::new();
    let broker = world.broker_with_dirs(1, small_segments(), small_steps);
    broker.apply(&[state(0, 1, 0, &[1], &[1])]).await;
    assert_eq!(broker.lies_in(0), (LOG_DIRS[0].to_owned(), None));
    fill(&broker, 0, 100).await;
    let before = broker.bytes(0);
    broker.move_to(0, LOG_DIRS[1]).await.unwrap();
    fill(&broker, 100, 200).await;
    moved(&broker, LOG_DIRS[1]).await;
    fill(&broker, 300, 10).await;
    let log_end = 620;
    assert_eq!((broker.log_end(0), broker.high_watermark(0)), (log_end, log_end));
    assert_eq!(broker.bytes(0)[..before.len()], before);
    assert!(!broker.consume(0, 0).await.unwrap().is_empty());
    assert!(!broker.log_dir().join("t-0").exists(), "its old directory has another name");
    let broker = broker.restart().await;
    broker.apply(&[state(0, 1, 1, &[1], &[1])]).await;
    assert_eq!((broker.log_end(0), broker.lies_in(0)), (log_end, (LOG_DIRS[1].to_owned(), None)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_moves_and_leads() {
    let world = World::new();
    let leader = world.broker(1);
    let follower = world.broker_with_dirs(2, small_segments(), small_steps);
    let states = [state(0, 1, 0, &[1, 2], &[1, 2])];
    leader.apply(&states).await;
    follower.apply(&states).await;
    fill(&leader, 0, 50).await;
    hold_back(&follower, true);
    follower.move_to(0, LOG_DIRS[2]).await.unwrap();
    fill(&leader, 50, 50).await;
    // It leads before its copy is complete.
    follower.apply(&[state(0, 2, 1, &[2, 1], &[1, 2])]).await;
    leader.apply(&[state(0, 2, 1, &[2, 1], &[1, 2])]).await;
    fill(&follower, 100, 10).await;
    hold_back(&follower, false);
    moved(&follower, LOG_DIRS[2]).await;
    fill(&follower, 110, 10).await;
    eventually("both are equal", || leader.log_end(0) == 240 && leader.bytes(0) == follower.bytes(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_goes_on_after_a_restart() {
    let world = World::new();
    let broker = world.broker_with_dirs(1, small_segments(), small_steps);
    broker.apply(&[state(0, 1, 0, &[1], &[1])]).await;
    fill(&broker, 0, 100).await;
    let expected = broker.bytes(0);
    broker.manager.set_move_throttle(Some(2_000));
    broker.move_to(0, LOG_DIRS[1]).await.unwrap();
    let copied = |broker: &Broker| broker.logs.future_log(&partition(0)).map(|log| log.log_end_offset());
    eventually("something is copied", || copied(&broker) > Some(Offset(0))).await;
    let broker = broker.restart().await;
    assert!(copied(&broker) < Some(Offset(200)), "the throttle let all of it pass");
    assert_eq!(broker.lies_in(0), (LOG_DIRS[0].to_owned(), Some(LOG_DIRS[1].to_owned())));
    broker.apply(&[state(0, 1, 1, &[1], &[1])]).await;
    moved(&broker, LOG_DIRS[1]).await;
    assert_eq!(broker.bytes(0), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_destination_ends_a_move() {
    let world = World::new();
    let broker = world.broker_with_dirs(1, small_segments(), small_steps);
    broker.apply(&[state(0, 1, 0, &[1], &[1])]).await;
    fill(&broker, 0, 20).await;
    hold_back(&broker, true);
    broker.move_to(0, LOG_DIRS[1]).await.unwrap();
    assert_eq!(broker.lies_in(0).1.as_deref(), Some(LOG_DIRS[1]));
    broker.move_to(0, LOG_DIRS[1]).await.unwrap();
    broker.move_to(0, LOG_DIRS[2]).await.unwrap();
    assert_eq!(broker.lies_in(0).1.as_deref(), Some(LOG_DIRS[2]));
    broker.move_to(0, LOG_DIRS[0]).await.unwrap();
    assert_eq!(broker.lies_in(0), (LOG_DIRS[0].to_owned(), None));
    broker.move_to(0, LOG_DIRS[1]).await.unwrap();
    hold_back(&broker, false);
    moved(&broker, LOG_DIRS[1]).await;
    assert_eq!(broker.log_end(0), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_cut_where_its_log_is() {
    let world = World::new();
    let leader = world.broker(1);
    let follower = world.broker_with_dirs(2, small_segments(), small_steps);
    let states = [state(0, 1, 0, &[1, 2], &[1, 2])];
    leader.apply(&states).await;
    follower.apply(&states).await;
    fill(&leader, 0, 20).await;
    // What the next leader does not have: an unclean election.
    follower.apply(&[state(0, 2, 1, &[2], &[1, 2])]).await;
    fill(&follower, 1_000, 20).await;
    hold_back(&follower, true);
    follower.move_to(0, LOG_DIRS[1]).await.unwrap();
    hold_back(&follower, false);
    let copied = || follower.logs.future_log(&partition(0)).map(|log| log.log_end_offset().0);
    eventually("more is copied than both have", || copied().is_none_or(|end| end > 40)).await;
    leader.apply(&[state(0, 1, 2, &[1], &[1, 2])]).await;
    fill(&leader, 2_000, 30).await;
    follower.apply(&[state(0, 1, 2, &[1], &[1, 2])]).await;
    moved(&follower, LOG_DIRS[1]).await;
    eventually("both are equal", || leader.bytes(0) == follower.bytes(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_records_waits_for_the_copy() {
    let world = World::new();
    let broker = world.broker_with_dirs(1, small_segments(), small_steps);
    broker.apply(&[state(0, 1, 0, &[1], &[1])]).await;
    fill(&broker, 0, 20).await;
    hold_back(&broker, true);
    broker.manager.set_move_throttle(Some(1));
    broker.move_to(0, LOG_DIRS[1]).await.unwrap();
    let copied = || broker.logs.future_log(&partition(0)).is_some_and(|log| log.log_end_offset().0 > 0);
    eventually("the copy has begun", copied).await;
    let request = || vec![(partition(0), Some(Offset(30)))];
    let (_, deleted) = broker.manager.delete_records(request(), 50).await.remove(0);
    assert!(deleted.is_err(), "the copy still holds them: {deleted:?}");
    hold_back(&broker, false);
    let (_, deleted) = broker.manager.delete_records(request(), 10_000).await.remove(0);
    assert_eq!(deleted.unwrap(), Offset(30));
    moved(&broker, LOG_DIRS[1]).await;
    assert_eq!(broker.logs.log(&partition(0)).unwrap().log_start_offset(), Offset(30));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_moved() {
    let world = World::new();
    let broker = world.broker_with_dirs(1, LogConfig::default(), |_| {});
    let unknown = broker.move_to(0, LOG_DIRS[1]).await.unwrap_err();
    assert!(matches!(unknown, MoveRefusal::Partition(PartitionError::Unknown(_))), "{unknown:?}");
    // Known by now where it is to lie.
    broker.apply(&[state(0, 1, 0, &[1], &[1])]).await;
    assert_eq!(broker.lies_in(0).0, LOG_DIRS[1]);
    let nowhere = broker.move_to(0, "nowhere").await.unwrap_err();
    assert!(matches!(nowhere, MoveRefusal::Log(LogError::NoSuchDir(_))), "{nowhere:?}");
    let long = TopicPartition::new("n".repeat(230).as_str(), 0);
    let moves = vec![(long, broker.log_dir())];
    let (_, long) = broker.manager.alter_replica_log_dirs(moves).await.remove(0);
    assert!(matches!(long, Err(MoveRefusal::Log(LogError::NameTooLong(_)))), "{long:?}");
}
