use std::collections::BTreeSet;

use gregor_model::{
    BrokerId, ControllerEpoch, LeaderAndIsr, LeaderEpoch, LeaderRecoveryState, PartitionEpoch,
    ReplicaAssignment, Timestamp, TopicName, TopicPartition, ZnodeVersion,
};
use gregor_zookeeper::registration::create_persistent_paths;
use gregor_zookeeper::schema::config::{Configs, Entity};
use gregor_zookeeper::schema::partition::PartitionState;
use gregor_zookeeper::schema::producer_id::ProducerIdBlock;
use gregor_zookeeper::schema::topic::TopicAssignment;
use gregor_zookeeper::schema::{admin, controller, notification, topic};
use gregor_zookeeper::store::{Candidacy, Fence, FencedError, Store, TopicWriteError, WriteUnit};
use gregor_zookeeper::{CreateMode, Session, Write, ZooKeeperError};

use crate::fixture::Server;

const NOW: Timestamp = Timestamp(1);

async fn store(server: &Server) -> Store {
    let session = Session::connect(&server.config("/kafka", 10_000)).await.unwrap();
    create_persistent_paths(&session).await.unwrap();
    Store::new(session)
}

async fn win(store: &Store, broker: i32) -> (ControllerEpoch, Fence) {
    match store.elect(BrokerId(broker), NOW).await.unwrap() {
        Candidacy::Won { epoch, fence } => (epoch, fence),
        Candidacy::Lost => panic!("lost"),
    }
}

fn state(leader: i32, leader_epoch: i32) -> PartitionState {
    PartitionState {
        leadership: LeaderAndIsr {
            leader: Some(BrokerId(leader)),
            leader_epoch: LeaderEpoch(leader_epoch),
            isr: vec![BrokerId(leader)],
            recovery: LeaderRecoveryState::Recovered,
            partition_epoch: PartitionEpoch(0),
        },
        controller_epoch: ControllerEpoch(1),
    }
}

fn assignment(partitions: i32) -> TopicAssignment {
    let replicas = |index| (index, ReplicaAssignment::new(vec![BrokerId(1)]));
    TopicAssignment { topic_id: None, partitions: (0..partitions).map(replicas).collect() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_candidate_wins_and_each_win_raises_the_epoch() {
    let server = Server::start().await;
    let (a, b) = (store(&server).await, store(&server).await);
    assert_eq!(a.controller().await, Ok(None));
    let (epoch, fence) = win(&a, 1).await;
    assert_eq!(epoch, ControllerEpoch(1));
    assert_eq!(b.elect(BrokerId(2), NOW).await, Ok(Candidacy::Lost));
    assert_eq!(b.controller().await.unwrap().unwrap().registration.broker, BrokerId(1));

    a.delete_controller(fence).await.unwrap();
    let (epoch, _) = win(&b, 2).await;
    assert_eq!(epoch, ControllerEpoch(2));
    let stored = b.session().get(controller::EPOCH_PATH).await.unwrap();
    assert_eq!(controller::decode_epoch(&stored.data), Ok(epoch));
    // The first one is fenced now, and cannot push the second one out either.
    assert_eq!(a.delete_controller(fence).await, Err(FencedError::ControllerMoved));
    let deletion = a.delete_all(fence, vec!["/consumers".to_owned()]).await;
    assert_eq!(deletion, Err(FencedError::ControllerMoved));
    assert!(a.session().exists("/consumers").await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partition_states_in_batches_succeed_and_fail_one_by_one() {
    const PARTITIONS: i32 = 1_000;
    let server = Server::start().await;
    let store = store(&server).await;
    let (_, fence) = win(&store, 1).await;
    let name = TopicName::new("t");
    store.create_topic(&name, &assignment(PARTITIONS)).await.unwrap();
    let exists = store.create_topic(&name, &assignment(1)).await;
    assert_eq!(exists, Err(TopicWriteError::Exists(name.clone())));
    let partition = |index| TopicPartition::new(name.clone(), index);

    let states: Vec<_> = (0..PARTITIONS).map(|index| (partition(index), state(1, 0))).collect();
    let created = store.create_partition_states(fence, &states).await.unwrap();
    assert!(created.iter().all(Result::is_ok));
    // A partition added later: the containers exist, one of the states too.
    let more = [(partition(5), state(1, 0)), (partition(PARTITIONS), state(1, 0))];
    let created = store.create_partition_states(fence, &more).await.unwrap();
    assert_eq!(created, [Err(ZooKeeperError::NodeExists), Ok(())]);

    // Every 50th has another version than expected, and one does not exist.
    let expected = |index| ZnodeVersion(if index % 50 == 7 { 3 } else { 0 });
    let sets: Vec<_> =
        (0..PARTITIONS + 2).map(|index| (partition(index), state(2, 1), expected(index))).collect();
    let written = store.set_partition_states(fence, &sets).await.unwrap();
    for (index, result) in written.iter().enumerate() {
        let wanted = match index {
            1001 => Err(ZooKeeperError::NoNode),
            index if index % 50 == 7 => Err(ZooKeeperError::BadVersion),
            _ => Ok(ZnodeVersion(1)),
        };
        assert_eq!(*result, wanted, "{index}");
    }
    let partitions: Vec<_> = (0..PARTITIONS + 2).map(partition).collect();
    let read = store.partition_states(&partitions).await.unwrap();
    let epoch = |index: usize| read[index].as_ref().map(|state| state.leadership.partition_epoch.0);
    assert_eq!((epoch(0), epoch(7), epoch(1000), epoch(1001)), (Some(1), Some(0), Some(1), None));
    assert_eq!(store.created_partitions(&name).await.unwrap().len(), 1001);

    store.mark_for_deletion(&name).await.unwrap();
    store.set_configs_for_test(&name).await;
    store.delete_topic(fence, &name).await.unwrap();
    store.delete_topic(fence, &name).await.unwrap();
    for path in [topic::path(&name), Entity::topic(&name).path(), admin::delete_topic_path(&name)] {
        assert_eq!(store.session().exists(&path).await, Ok(None), "{path}");
    }
}

trait ConfigsForTest {
    async fn set_configs_for_test(&self, topic: &TopicName);
}

impl ConfigsForTest for Store {
    async fn set_configs_for_test(&self, topic: &TopicName) {
        let version = self.controller().await.unwrap().unwrap().version;
        self.set_configs(&Entity::topic(topic), &Configs::new(), version).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configs_are_written_under_the_eye_of_a_controller() {
    let server = Server::start().await;
    let store = store(&server).await;
    win(&store, 1).await;
    let version = store.controller().await.unwrap().unwrap().version;
    let user = Entity::parse("users/alice/clients/app").unwrap();
    let configs = Configs::from([("producer_byte_rate".to_owned(), "1024".to_owned())]);
    assert_eq!(store.configs(&user).await, Ok(Configs::new()));
    store.set_configs(&user, &configs, version).await.unwrap();
    assert_eq!(store.configs(&user).await, Ok(configs.clone()));
    // The parent was made on the way, without configs of its own.
    let parent = Entity::parse("users/alice").unwrap();
    assert_eq!(store.configs_of(&[parent, user.clone()]).await, Ok(vec![Configs::new(), configs.clone()]));
    let result = store.set_configs(&user, &configs, ZnodeVersion(9)).await;
    assert_eq!(result, Err(ZooKeeperError::BadVersion));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_administrators_and_notifications() {
    let server = Server::start().await;
    let store = store(&server).await;
    let (_, fence) = win(&store, 1).await;
    let moves = vec![(TopicPartition::new("t", 0), vec![BrokerId(4)])];
    assert_eq!(store.reassignments().await, Ok(None));
    store.set_reassignments(fence, &moves).await.unwrap();
    store.set_reassignments(fence, &moves).await.unwrap();
    assert_eq!(store.reassignments().await, Ok(Some(moves)));
    store.session().set(admin::REASSIGN_PARTITIONS_PATH, b"junk", None).await.unwrap();
    assert_eq!(store.reassignments().await, Ok(Some(vec![])));

    assert_eq!(store.mark_for_deletion(&TopicName::new("t")).await, Ok(true));
    assert_eq!(store.mark_for_deletion(&TopicName::new("t")).await, Ok(false));
    assert_eq!(store.deletion_markers().await, Ok(vec![TopicName::new("t")]));

    store.notify_log_dir_failure(BrokerId(3)).await.unwrap();
    let junk = notification::LOG_DIR_EVENT_PREFIX;
    store.session().create(junk, b"junk", CreateMode::PersistentSequential).await.unwrap();
    let (names, brokers) = store.log_dir_events().await.unwrap();
    assert_eq!((names.len(), brokers), (2, vec![BrokerId(3)]));
    store.delete_notifications(fence, notification::LOG_DIR_EVENT_PATH, &names).await.unwrap();
    assert_eq!(store.log_dir_events().await, Ok((vec![], vec![])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn producer_id_blocks_do_not_overlap() {
    let server = Server::start().await;
    let stores = [store(&server).await, store(&server).await];
    let mut tasks = Vec::new();
    for (broker, store) in stores.into_iter().enumerate() {
        let broker = BrokerId(i32::try_from(broker).unwrap());
        tasks.push(tokio::spawn(async move {
            let mut blocks = Vec::new();
            while blocks.len() < 20 {
                let (latest, version) = match store.producer_id_block().await.unwrap() {
                    None => (None, None),
                    Some((latest, version)) => (latest, Some(version)),
                };
                let next = ProducerIdBlock::after(latest.as_ref(), broker).unwrap();
                if store.set_producer_id_block(&next, version).await.unwrap() {
                    blocks.push(next.first.0);
                }
            }
            blocks
        }));
    }
    let mut all = BTreeSet::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    assert_eq!(all, (0..40).map(|n| n * 1000).collect());
}

/// ZooKeeper limits what it is sent, not what it answers: it is Kafka's client that gives up at `jute.maxbuffer`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_beyond_a_megabyte_is_read() {
    const TOPICS: usize = 6_000;
    let server = Server::start().await;
    let store = store(&server).await;
    let name = |number: usize| format!("{}-{number:05}", "n".repeat(200));
    let create = |number| {
        let path = format!("{}/{}", topic::PARENT, name(number));
        WriteUnit::new(Write::Create { path, data: Vec::new(), mode: CreateMode::Persistent })
    };
    let created = store.write_each(None, (0..TOPICS).map(create).collect()).await.unwrap();
    assert!(created.iter().all(Result::is_ok));
    let listed = store.topic_names().await.unwrap();
    assert_eq!(listed.len(), TOPICS);
    assert!(listed.iter().map(|name| name.as_str().len()).sum::<usize>() > 1 << 20);
    assert_eq!(store.session().metrics().oversized_listings.get(), 1, "the operator is told");
}
