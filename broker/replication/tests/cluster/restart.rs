//! What survives a restart, and what a failed log directory takes with it.

use gregor_replication::{PartitionError, ProduceError, RequiredAcks};

use crate::harness::{World, codes, eventually, leader_and_isr, partition, state, topic_id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_high_watermark_survives_in_its_checkpoint() {
    let world = World::new();
    let (leader, follower) = (world.broker(1), world.broker(2));
    let states = [state(0, 1, 0, &[1, 2], &[1, 2])];
    leader.apply(&states).await;
    follower.apply(&states).await;
    leader.produce(0, &["a", "b"], RequiredAcks::All, 10_000).await.unwrap();
    eventually("the follower knows", || follower.high_watermark(0) == 2).await;
    let follower = follower.restart().await;
    assert!(follower.manager.status(&partition(0)).is_none(), "nothing is announced yet");
    // Its leader is gone: the log is opened and waits, with what was committed still known to be so.
    world.dead.lock().insert(1);
    follower.apply(&[state(0, 1, 0, &[1, 2], &[1, 2])]).await;
    assert_eq!((follower.log_end(0), follower.high_watermark(0)), (2, 2));
    follower.apply(&[state(0, 2, 1, &[2], &[1, 2])]).await;
    assert!(!follower.consume(0, 0).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_comes_back_as_follower() {
    let world = World::new();
    let (first, second) = (world.broker(1), world.broker(2));
    let states = [state(0, 1, 0, &[1, 2], &[1, 2])];
    first.apply(&states).await;
    second.apply(&states).await;
    first.produce(0, &["a"], RequiredAcks::All, 10_000).await.unwrap();
    let next = [state(0, 2, 1, &[2], &[1, 2])];
    second.apply(&next).await;
    second.produce(0, &["b"], RequiredAcks::All, 10_000).await.unwrap();
    let first = first.restart().await;
    first.apply(&next).await;
    eventually("it catches up and joins", || second.isr(0) == [2, 1]).await;
    assert_eq!(first.bytes(0), second.bytes(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_directory_takes_its_partitions_offline() {
    let world = World::new();
    let broker =
        world.broker_with(1, gregor_log::LogConfig { segment_bytes: 200, ..Default::default() }, |_| {});
    broker.apply(&[state(0, 1, 0, &[1], &[1])]).await;
    broker.produce(0, &["a"], RequiredAcks::All, 1_000).await.unwrap();
    // No further segment can be made there.
    std::fs::remove_dir_all(broker.log_dir().join("t-0")).unwrap();
    let mut failure = None;
    for _ in 0..20 {
        failure = broker.produce(0, &["a value that fills the segment"], RequiredAcks::Leader, 0).await.err();
        if failure.is_some() {
            break;
        }
    }
    assert!(matches!(failure, Some(ProduceError::Append(_))), "{failure:?}");
    let failed = broker.manager.handle_log_dir_failure(&broker.log_dir()).unwrap();
    assert_eq!(failed.logs, [partition(0)]);
    let error = broker.produce(0, &["b"], RequiredAcks::All, 1_000).await.unwrap_err();
    assert!(matches!(error, ProduceError::Partition(PartitionError::Offline(_))), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_of_another_topic_of_that_name_is_not_used() {
    let world = World::new();
    world.set_topic_id("t", topic_id(1));
    let broker = world.broker(1);
    broker.apply(&[state(0, 1, 3, &[1], &[1])]).await;
    broker.produce(0, &["a"], RequiredAcks::All, 1_000).await.unwrap();
    let broker = broker.restart().await;
    for leader in [1, 2] {
        let other = leader_and_isr(&[state(0, leader, 0, &[1], &[1, 2])], Some(topic_id(2)), 1);
        let (response, changes) = broker.manager.become_leader_or_follower(other, 7).await;
        let code = if leader == 1 { codes(&response) } else { vec![103] };
        assert_eq!((code, changes.leaders.len() + changes.followers.len()), (vec![103], 0));
    }
    assert_eq!(broker.log_end(0), 1, "what is there stays");
    world.set_topic_id("t", topic_id(1));
    broker.apply(&[state(0, 1, 3, &[1], &[1])]).await;
    broker.produce(0, &["b"], RequiredAcks::All, 1_000).await.unwrap();
    assert_eq!(broker.log_end(0), 2);
}
