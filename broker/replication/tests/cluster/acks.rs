//! What acks 0, 1 and all promise.

use gregor_log::{AppendOrigin, LogConfig};
use gregor_model::{Offset, TopicPartition};
use gregor_replication::{
    PartitionError, PartitionRecords, ProduceError, ProduceParams, RequiredAcks, Unreplicated,
};

use crate::harness::{World, eventually, partition, records, state};

fn min_isr(min: i32) -> LogConfig {
    LogConfig { min_insync_replicas: min, ..LogConfig::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acks_all_answers_when_the_in_sync_replicas_have_it() {
    let world = World::new();
    let (leader, follower) = (world.broker(1), world.broker(2));
    let states = [state(0, 1, 0, &[1, 2], &[1, 2])];
    leader.apply(&states).await;
    follower.apply(&states).await;
    let info = leader.produce(0, &["a", "b"], RequiredAcks::All, 10_000).await.unwrap();
    assert_eq!((info.first_offset, info.last_offset), (Some(Offset(0)), Some(Offset(1))));
    assert_eq!(leader.high_watermark(0), 2);
    assert_eq!(follower.log_end(0), 2);
    for _ in 0..20 {
        leader.produce(0, &["c"], RequiredAcks::All, 10_000).await.unwrap();
    }
    assert_eq!(leader.bytes(0), follower.bytes(0));
    eventually("the follower's high watermark follows", || follower.high_watermark(0) == 22).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_follower_acks_all_times_out_and_acks_1_does_not() {
    let world = World::new();
    let (leader, follower) = (world.broker(1), world.broker(2));
    world.cut.lock().insert((2, 1));
    let states = [state(0, 1, 0, &[1, 2], &[1, 2])];
    leader.apply(&states).await;
    follower.apply(&states).await;
    leader.produce(0, &["a"], RequiredAcks::Leader, 0).await.unwrap();
    let error = leader.produce(0, &["b"], RequiredAcks::All, 50).await.unwrap_err();
    let ProduceError::AfterAppend { info, cause } = error else { panic!("{error:?}") };
    assert_eq!((info.first_offset, cause), (Some(Offset(1)), Unreplicated::TimedOut));
    assert_eq!((leader.log_end(0), leader.high_watermark(0)), (2, 0));
    world.cut.lock().clear();
    eventually("the data was kept and is replicated", || leader.high_watermark(0) == 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_few_in_sync_replicas_refuse_acks_all_before_writing() {
    let world = World::new();
    let leader = world.broker_with(1, min_isr(2), |_| {});
    leader.apply(&[state(0, 1, 0, &[1], &[1, 2])]).await;
    let error = leader.produce(0, &["a"], RequiredAcks::All, 1_000).await.unwrap_err();
    assert!(matches!(error, ProduceError::NotEnoughReplicas { in_sync: 1, min: 2, .. }), "{error:?}");
    assert_eq!(leader.log_end(0), 0);
    leader.produce(0, &["a"], RequiredAcks::Leader, 1_000).await.unwrap();
    assert_eq!(
        (leader.log_end(0), leader.high_watermark(0)),
        (1, 0),
        "and nothing becomes visible meanwhile"
    );
    let single = world.broker_with(3, min_isr(2), |_| {});
    single.apply(&[state(0, 3, 0, &[3], &[3])]).await;
    single.produce(0, &["a"], RequiredAcks::All, 1_000).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_is_told_when_leadership_goes() {
    let world = World::new();
    let (leader, _other) = (world.broker(1), world.broker(2));
    leader.apply(&[state(0, 1, 0, &[1, 2], &[1, 2])]).await;
    let wait = leader.produce(0, &["a"], RequiredAcks::All, 60_000);
    let depose = async {
        eventually("it is appended", || leader.log_end(0) == 1).await;
        leader.apply(&[state(0, 2, 1, &[2], &[1, 2])]).await;
    };
    let (error, ()) = tokio::join!(wait, depose);
    let error = error.unwrap_err();
    let ProduceError::AfterAppend { info, cause } = error else { panic!("{error:?}") };
    let not_leader = Unreplicated::Partition(PartitionError::NotLeaderOrFollower(partition(0)));
    assert_eq!((info.first_offset, cause), (Some(Offset(0)), not_leader));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_partition_of_a_request_has_its_own_answer() {
    let world = World::new();
    let leader = world.broker(1);
    leader.apply(&[state(0, 1, 0, &[1], &[1]), state(1, 2, 0, &[2], &[1, 2])]).await;
    let names = [partition(0), partition(1), partition(7), TopicPartition::new("__consumer_offsets", 0)];
    let params = ProduceParams {
        acks: RequiredAcks::All,
        timeout_ms: 1_000,
        origin: AppendOrigin::Client,
        internal_topics_allowed: false,
    };
    let request = names.iter().map(|partition| PartitionRecords {
        partition: partition.clone(),
        records: records(&["a"]),
        verification: None,
    });
    let results = leader.manager.produce(params, request.collect()).await;
    assert_eq!(results.iter().map(|(partition, _)| partition.clone()).collect::<Vec<_>>(), names);
    assert!(results[0].1.is_ok());
    assert!(matches!(results[1].1, Err(ProduceError::Partition(PartitionError::NotLeaderOrFollower(_)))));
    assert!(matches!(results[2].1, Err(ProduceError::Partition(PartitionError::Unknown(_)))));
    assert!(matches!(results[3].1, Err(ProduceError::InternalTopic(_))));
}
