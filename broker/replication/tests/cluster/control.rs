//! LeaderAndIsr and StopReplica: whom to obey, and what is answered.

use gregor_replication::{PartitionError, RequiredAcks};
use kafka_protocol::messages::stop_replica_request::{
    StopReplicaPartitionState, StopReplicaPartitionV0, StopReplicaTopicState,
};
use kafka_protocol::messages::{self, StopReplicaRequest, StopReplicaResponse};
use kafka_protocol::protocol::StrBytes;

use crate::harness::{World, codes, eventually, leader_and_isr, partition, state, topic_id};

const STALE_CONTROLLER_EPOCH: i16 = 11;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const FENCED_LEADER_EPOCH: i16 = 74;
const STALE_BROKER_EPOCH: i16 = 77;
const INCONSISTENT_TOPIC_ID: i16 = 103;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_to_obey() {
    let world = World::new();
    let broker = world.broker(1);
    let id = Some(topic_id(1));
    let lead = |epoch| state(0, 1, epoch, &[1], &[1]);
    // controller epoch, leader epoch, broker epoch, topic id: top-level code, partition's code. Ours is broker epoch 1001.
    let rows = [
        (5, 3, -1, id, 0, 0),
        (5, 3, -1, id, 0, STALE_CONTROLLER_EPOCH), // that term is known
        (5, 2, -1, id, 0, STALE_CONTROLLER_EPOCH),
        (4, 9, -1, id, STALE_CONTROLLER_EPOCH, STALE_CONTROLLER_EPOCH),
        (6, 4, 1_000, id, STALE_BROKER_EPOCH, STALE_BROKER_EPOCH),
        (6, 4, 1_002, id, 0, 0), // of a registration of ours that we have not heard of
        (6, 5, 1_001, Some(topic_id(2)), 0, INCONSISTENT_TOPIC_ID),
        (6, 5, 1_001, None, 0, 0),
    ];
    for (controller_epoch, leader_epoch, broker_epoch, id, top, code) in rows {
        let mut request = leader_and_isr(&[lead(leader_epoch)], id, controller_epoch);
        request.broker_epoch = broker_epoch;
        let (response, _) = broker.manager.become_leader_or_follower(request, 7).await;
        assert_eq!(
            (response.error_code, codes(&response)),
            (top, vec![code]),
            "{controller_epoch} {leader_epoch}"
        );
    }
    let stranger = leader_and_isr(&[state(1, 2, 0, &[2], &[2, 3])], id, 6);
    let (response, _) = broker.manager.become_leader_or_follower(stranger, 7).await;
    assert_eq!(codes(&response), [UNKNOWN_TOPIC_OR_PARTITION]);
    assert!(broker.manager.observe_controller_epoch(gregor_model::ControllerEpoch(5)).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_name_topics_by_id_or_by_name() {
    let world = World::new();
    let broker = world.broker(1);
    let states = [state(0, 1, 0, &[1], &[1]), state(1, 1, 0, &[1], &[1])];
    let request = leader_and_isr(&states, Some(topic_id(1)), 1);
    let (by_id, changes) = broker.manager.become_leader_or_follower(request.clone(), 5).await;
    assert_eq!(by_id.topics.len(), 1);
    assert_eq!(by_id.topics[0].partition_errors.len(), 2);
    assert_eq!(changes.leaders.len(), 2);
    let (by_name, changes) = broker.manager.become_leader_or_follower(request, 4).await;
    assert!(by_name.topics.is_empty());
    assert_eq!(by_name.partition_errors[1].topic_name.as_str(), "t");
    assert!(changes.leaders.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_not_alive_is_not_followed_yet() {
    let world = World::new();
    let (leader, follower) = (world.broker(1), world.broker(2));
    let states = [state(0, 1, 0, &[1, 2], &[1, 2])];
    leader.apply(&states).await;
    world.dead.lock().insert(1);
    let changes = follower.apply(&states).await;
    assert!(changes.followers.is_empty());
    assert_eq!(follower.log_end(0), 0, "but the log is there");
    world.dead.lock().clear();
    let changes = follower.apply(&states).await;
    assert_eq!(changes.followers.len(), 1, "the term was not used up");
    leader.produce(0, &["a"], RequiredAcks::All, 10_000).await.unwrap();
}

fn stop(leader_epoch: i32, delete: bool, controller_epoch: i32) -> StopReplicaRequest {
    let topic = messages::TopicName(StrBytes::from_static_str("t"));
    let partition = StopReplicaPartitionState::default()
        .with_partition_index(0)
        .with_leader_epoch(leader_epoch)
        .with_delete_partition(delete);
    StopReplicaRequest::default()
        .with_controller_epoch(controller_epoch)
        .with_broker_epoch(-1)
        .with_topic_states(vec![
            StopReplicaTopicState::default().with_topic_name(topic).with_partition_states(vec![partition]),
        ])
}

fn stop_codes(response: &StopReplicaResponse) -> Vec<i16> {
    response.partition_errors.iter().map(|error| error.error_code).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_deleting_and_creating_anew() {
    let world = World::new();
    world.set_topic_id("t", topic_id(1));
    let broker = world.broker(1);
    broker.apply(&[state(0, 1, 3, &[1], &[1])]).await;
    broker.produce(0, &["a"], RequiredAcks::All, 1_000).await.unwrap();
    let (response, _) = broker.manager.stop_replicas(stop(2, true, 1), 4).await;
    assert_eq!(stop_codes(&response), [FENCED_LEADER_EPOCH]);
    let (response, _) = broker.manager.stop_replicas(stop(3, false, 1), 4).await;
    assert_eq!(stop_codes(&response), [0]);
    assert_eq!(broker.log_end(0), 1);
    let (response, changes) = broker.manager.stop_replicas(stop(-2, true, 1), 4).await;
    assert_eq!((stop_codes(&response), changes.deleted.len()), (vec![0], 1));
    assert_eq!(broker.log_end(0), -1);
    let (response, _) = broker.manager.stop_replicas(stop(-2, true, 0), 4).await;
    assert_eq!((response.error_code, stop_codes(&response)), (STALE_CONTROLLER_EPOCH, vec![]));
    // The topic of the same name that follows begins at epoch 0, empty, with its own id.
    world.set_topic_id("t", topic_id(2));
    broker.apply(&[state(0, 1, 0, &[1], &[1])]).await;
    assert_eq!(broker.log_end(0), 0);
    assert_eq!(broker.manager.log(&partition(0)).unwrap().topic_id(), Some(topic_id(2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_replica_of_old_versions() {
    let world = World::new();
    let broker = world.broker(1);
    broker.apply(&[state(0, 1, 3, &[1], &[1])]).await;
    let topic = messages::TopicName(StrBytes::from_static_str("t"));
    let request = StopReplicaRequest::default()
        .with_broker_epoch(-1)
        .with_controller_epoch(1)
        .with_delete_partitions(true);
    let v0 = request.with_ungrouped_partitions(vec![
        StopReplicaPartitionV0::default().with_topic_name(topic).with_partition_index(0),
    ]);
    let (response, changes) = broker.manager.stop_replicas(v0, 0).await;
    assert_eq!((stop_codes(&response), changes.deleted.len()), (vec![0], 1));
    let error = broker.manager.log(&partition(0)).unwrap_err();
    assert!(matches!(error, PartitionError::NotLeaderOrFollower(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_waits_for_all_live_replicas() {
    let world = World::new();
    let (leader, follower) = (world.broker(1), world.broker(2));
    let states = [state(0, 1, 0, &[1, 2], &[1, 2])];
    leader.apply(&states).await;
    follower.apply(&states).await;
    leader.produce(0, &["a"], RequiredAcks::All, 10_000).await.unwrap();
    leader.produce(0, &["b"], RequiredAcks::All, 10_000).await.unwrap();
    let deleted = leader.manager.delete_records(vec![(partition(0), Some(gregor_model::Offset(1)))], 10_000);
    assert_eq!(deleted.await[0].1.as_ref().unwrap().0, 1);
    let start = || follower.logs.log(&partition(0)).unwrap().log_start_offset().0;
    assert_eq!(start(), 1);
    let all = leader.manager.delete_records(vec![(partition(0), None)], 10_000).await;
    assert_eq!(all[0].1.as_ref().unwrap().0, 2);
    eventually("the follower too", || start() == 2).await;
}
