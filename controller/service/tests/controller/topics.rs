use std::sync::Arc;

use gregor_controller_service::admin::change_configs;
use gregor_model::{BrokerId, LeaderEpoch, TopicName, TopicPartition};
use gregor_zookeeper::schema::config::{self, Configs, Entity};
use gregor_zookeeper::schema::partition::PartitionState;
use kafka_protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use kafka_protocol::messages::{
    AlterPartitionRequest, BrokerId as WireBrokerId, ControlledShutdownRequest, RequestKind,
};

use crate::brokers::{Brokers, Candidate, topic};
use crate::fixture::{Server, eventually};

async fn state(candidate: &Candidate, name: &str, partition: i32) -> Option<PartitionState> {
    let partition = TopicPartition::new(name, partition);
    candidate.store().partition_states(&[partition]).await.unwrap().pop().flatten()
}

async fn three(server: &Server, brokers: &Arc<Brokers>) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for id in 1..=3 {
        candidates.push(Candidate::start(server, id, brokers).await);
    }
    let first = &candidates[0];
    let known = async || first.controller.statistics().await.active_brokers == 3;
    eventually("the first one is the controller and knows all", known).await;
    candidates
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_gets_leaders_loses_one_and_is_deleted() {
    let server = Server::start().await;
    let brokers = Arc::new(Brokers::default());
    let mut candidates = three(&server, &brokers).await;
    let controller = candidates.remove(0);
    let name = TopicName::new("t");
    controller.store().create_topic(&name, &topic(&[&[2, 3], &[3, 1], &[1, 2]])).await.unwrap();
    eventually("every broker knows the leaders", async || {
        (1..=3).all(|broker| {
            (0..3)
                .all(|p| brokers.leader_told(broker, "t", p) == Some([2, 3, 1][usize::try_from(p).unwrap()]))
        })
    })
    .await;
    let created = state(&controller, "t", 0).await.unwrap();
    assert_eq!((created.leadership.leader_epoch, created.leadership.isr.len()), (LeaderEpoch(0), 2));
    let led = brokers.received(2).iter().any(|request| match request {
        RequestKind::LeaderAndIsr(request) => request.topic_states.iter().any(|topic| {
            topic.partition_states.iter().any(|state| state.partition_index == 0 && state.is_new)
        }),
        _ => false,
    });
    assert!(led, "the leader was told to lead a new partition");

    // Broker 2 dies: its session ends.
    let dead = candidates.remove(0);
    assert_eq!(dead.id, BrokerId(2));
    dead.stop().await;
    eventually("broker 3 leads and broker 2 is out of the ISR", async || {
        let state = state(&controller, "t", 0).await.unwrap();
        state.leadership.leader == Some(BrokerId(3)) && state.leadership.isr == [BrokerId(3)]
    })
    .await;
    eventually("the others hear of it", async || {
        [1, 3].into_iter().all(|broker| brokers.leader_told(broker, "t", 0) == Some(3))
    })
    .await;

    // It comes back, and the topic is deleted.
    let back = Candidate::start(&server, 2, &brokers).await;
    controller.store().mark_for_deletion(&name).await.unwrap();
    eventually("the topic is gone", async || {
        !controller.store().topic_exists(&name).await.unwrap()
            && !controller.store().is_marked_for_deletion(&name).await.unwrap()
    })
    .await;
    assert_eq!(brokers.leader_told(3, "t", 0), Some(-2));
    for candidate in candidates.into_iter().chain([back, controller]) {
        candidate.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_requests_are_answered_in_the_protocols_terms() {
    let server = Server::start().await;
    let brokers = Arc::new(Brokers::default());
    let candidates = three(&server, &brokers).await;
    let controller = &candidates[0];
    let assignment = topic(&[&[2, 3]]);
    controller.store().create_topic(&TopicName::new("t"), &assignment).await.unwrap();
    eventually("led", async || brokers.leader_told(2, "t", 0) == Some(2)).await;

    let members = |isr: &[i32]| -> Vec<BrokerState> {
        isr.iter().map(|id| BrokerState::default().with_broker_id(WireBrokerId(*id))).collect()
    };
    let shrink = PartitionData::default()
        .with_leader_epoch(0)
        .with_new_isr_with_epochs(members(&[2]))
        .with_partition_epoch(0);
    let topic_data =
        TopicData::default().with_topic_id(assignment.topic_id.unwrap().uuid()).with_partitions(vec![shrink]);
    let request = AlterPartitionRequest::default()
        .with_broker_id(WireBrokerId(2))
        .with_broker_epoch(candidates[1].epoch().0)
        .with_topics(vec![topic_data]);
    let answer = controller.controller.alter_partition(request.clone(), 3).await;
    assert_eq!(answer.error_code, 0);
    let partition = &answer.topics[0].partitions[0];
    assert_eq!((partition.error_code, partition.partition_epoch, partition.isr.len()), (0, 1, 1));
    assert_eq!(state(controller, "t", 0).await.unwrap().leadership.isr, [BrokerId(2)]);
    let stale = controller.controller.alter_partition(request.with_broker_epoch(1), 3).await;
    assert_eq!(stale.error_code, 77);

    // Broker 2 cannot be relieved: nobody else is in sync.
    let shutdown = ControlledShutdownRequest::default()
        .with_broker_id(WireBrokerId(2))
        .with_broker_epoch(candidates[1].epoch().0);
    let answer = controller.controller.controlled_shutdown(shutdown).await;
    assert_eq!((answer.error_code, answer.remaining_partitions.len()), (0, 1));
    for candidate in candidates.into_iter().rev() {
        candidate.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn added_partitions_get_leaders_and_changed_configs_are_notified() {
    let server = Server::start().await;
    let brokers = Arc::new(Brokers::default());
    let candidate = Candidate::start(&server, 1, &brokers).await;
    eventually("active", async || candidate.controller.is_active()).await;
    let store = candidate.store();
    let name = TopicName::new("t");
    store.create_topic(&name, &topic(&[&[1]])).await.unwrap();
    eventually("led", async || brokers.leader_told(1, "t", 0) == Some(1)).await;

    store.replace_topic(&name, &topic(&[&[1], &[1], &[1]])).await.unwrap();
    eventually("all led", async || (0..3).all(|p| brokers.leader_told(1, "t", p) == Some(1))).await;
    let kept = store.topic(&name).await.unwrap().unwrap().assignment;
    assert_eq!((kept.topic_id, kept.partitions.len()), (topic(&[]).topic_id, 3));
    let standing = candidate.controller.topic_standing(&name).await.unwrap();
    assert!(!standing.queued_for_deletion && !standing.being_reassigned);

    let app = Entity::parse("users/alice/clients/app").unwrap();
    let configs = Configs::from([("producer_byte_rate".to_owned(), "1".to_owned())]);
    change_configs(&store, &app, &configs).await.unwrap();
    assert_eq!(store.configs(&app).await, Ok(configs));
    change_configs(&store, &app, &Configs::new()).await.unwrap();
    assert_eq!(store.session().children("/config/users").await, Ok(vec![]), "no empty node is left");
    assert_eq!(store.session().children(config::CHANGES_PATH).await.unwrap().len(), 2);
    candidate.stop().await;
}
