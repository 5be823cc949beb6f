use std::collections::BTreeSet;

use futures::future::join_all;
use gregor_model::{BrokerId, ReplicaAssignment, Timestamp, TopicName};
use gregor_zookeeper::registration::create_persistent_paths;
use gregor_zookeeper::schema::config::{self, Entity};
use gregor_zookeeper::schema::topic::TopicAssignment;
use gregor_zookeeper::store::Store;
use gregor_zookeeper::watch::{ChangeNotifications, ChildrenWatch, NodeWatch, TopicsWatch};
use gregor_zookeeper::{CreateMode, Session, SessionState, ZooKeeperError};

use crate::fixture::{RecordingConnector, Server, soon};

fn assignment(replica: i32) -> TopicAssignment {
    let partitions = [(0, ReplicaAssignment::new(vec![BrokerId(replica)]))].into();
    TopicAssignment { topic_id: None, partitions }
}

fn name(n: usize) -> TopicName {
    // As long as real names are: the paths of 5,000 exceed by far what the client could restore one by one.
    TopicName::new(&format!("topic-with-a-name-of-usual-length-{n:05}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_topics_survive_a_restart_of_the_server() {
    const TOPICS: usize = 5_000;
    let mut server = Server::start().await;
    let config = server.config("/kafka", 10_000);
    let session = Session::connect(&config).await.unwrap();
    create_persistent_paths(&session).await.unwrap();
    let store = Store::new(session.clone());
    let created = join_all((0..TOPICS).map(|n| {
        let store = store.clone();
        async move { store.create_topic(&name(n), &assignment(1)).await }
    }));
    assert!(created.await.into_iter().all(|result| result.is_ok()));

    let mut watch = TopicsWatch::new(session.pinned());
    let first = soon("the watch stands", watch.next()).await.unwrap();
    assert!(first.listed);
    let names = store.topic_names().await.unwrap();
    assert_eq!(names.len(), TOPICS);
    let topics = store.topics(&names).await.unwrap();
    watch.know(topics.into_iter().map(|topic| (topic.name, topic.mzxid)));

    // Events come while connected.
    store.replace_topic(&name(3), &assignment(2)).await.unwrap();
    let change = soon("a change", watch.next()).await.unwrap();
    assert_eq!((change.listed, change.changed), (false, BTreeSet::from([name(3)])));

    // Events of states are spared, changes of topics found all the same.
    watch.suspend();
    store.replace_topic(&name(4), &assignment(2)).await.unwrap();
    let change = soon("a change", watch.next()).await.unwrap();
    assert_eq!((change.listed, change.changed), (false, BTreeSet::from([name(3), name(4)])));

    for round in 0..2 {
        // Changes made while this session is cut off: by another one, which is the first to be back.
        let mut statuses = session.statuses();
        server.kill();
        soon("disconnected", statuses.wait_for(|s| s.state == SessionState::Disconnected)).await.unwrap();
        server.restart().await;
        let other = Store::new(Session::connect(&config).await.unwrap());
        other.replace_topic(&name(100 + round), &assignment(3)).await.unwrap();
        other.create_topic(&TopicName::new(&format!("new-{round}")), &assignment(1)).await.unwrap();

        let mut seen = (false, BTreeSet::new());
        while !(seen.0 && seen.1.contains(&name(100 + round))) {
            let change = soon("the changes are seen", watch.next()).await.unwrap();
            seen.0 |= change.listed;
            seen.1.extend(change.changed);
        }
        // And the watch is armed again.
        other.replace_topic(&name(200 + round), &assignment(4)).await.unwrap();
        while !seen.1.contains(&name(200 + round)) {
            seen.1.extend(soon("a later change is seen", watch.next()).await.unwrap().changed);
        }
        other.session().close().await;
    }
    assert_eq!(session.status().generation.0, 1, "the session was never lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_and_node_watches_follow_over_a_restart_and_an_expiry() {
    let mut server = Server::start().await;
    let config = server.config("", 4_000);
    let connector = RecordingConnector::new(&config);
    let session = Session::connect_with(&config, connector.clone()).await.unwrap();
    session.ensure_path("/parent").await.unwrap();
    let mut children = ChildrenWatch::new(session.clone(), "/parent");
    let mut node = NodeWatch::new(session.clone(), "/node");
    let mut pinned = NodeWatch::new(session.pinned(), "/other");
    assert_eq!(children.next().await, Ok(vec![]));
    assert_eq!(node.next().await, Ok(None));
    assert_eq!(pinned.next().await, Ok(None));

    session.create("/parent/a", b"", CreateMode::Persistent).await.unwrap();
    session.create("/node", b"1", CreateMode::Persistent).await.unwrap();
    assert_eq!(soon("a child", children.next()).await, Ok(vec!["a".to_owned()]));
    assert_eq!(soon("the node", node.next()).await.unwrap().unwrap().data, b"1");

    server.restart().await;
    session.create("/parent/b", b"", CreateMode::Persistent).await.unwrap();
    session.set("/node", b"2", None).await.unwrap();
    while soon("another child", children.next()).await.unwrap().len() != 2 {}
    while soon("new data", node.next()).await.unwrap().unwrap().data != b"2" {}

    connector.expire().await;
    assert_eq!(soon("the pinned watch ends", pinned.next()).await, Err(ZooKeeperError::SessionExpired));
    let other = server.session().await;
    other.delete("/parent/a", None).await.unwrap();
    other.delete("/node", None).await.unwrap();
    while soon("a child less", children.next()).await.unwrap().len() != 1 {}
    while soon("no node", node.next()).await.unwrap().is_some() {}

    session.close().await;
    assert_eq!(soon("closed", children.next()).await, Err(ZooKeeperError::Closed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn config_changes_are_given_once_in_order_and_purged_when_old() {
    let server = Server::start().await;
    let session = server.session().await;
    create_persistent_paths(&session).await.unwrap();
    let store = Store::new(session.clone());
    let topic = |n: i32| Entity::topic(&TopicName::new(&format!("t{n}")));
    for n in 0..12 {
        store.notify_config_change(&topic(n)).await.unwrap();
    }
    let mut changes =
        ChangeNotifications::new(session.clone(), config::CHANGES_PATH, config::CHANGE_NAME_PREFIX);
    let entities = |contents: Vec<Vec<u8>>| -> Vec<Entity> {
        contents.iter().map(|data| config::decode_change(data).unwrap()).collect()
    };
    let first = changes.next(Timestamp::now).await.unwrap();
    assert_eq!(entities(first), (0..12).map(topic).collect::<Vec<_>>());

    store.notify_config_change(&topic(99)).await.unwrap();
    let later = || Timestamp::now() + 16 * 60 * 1000;
    let mut fresh = Vec::new();
    while fresh.is_empty() {
        fresh = entities(soon("one more", changes.next(later)).await.unwrap());
    }
    assert_eq!(fresh, [topic(99)]);
    assert_eq!(session.children(config::CHANGES_PATH).await.unwrap(), Vec::<String>::new());
}
