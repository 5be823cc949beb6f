use std::collections::BTreeMap;

use gregor_model::{BrokerId, ClusterId, EndPoint, ListenerName, SecurityProtocol, Timestamp, ZnodeVersion};
use gregor_zookeeper::registration::{
    self, RegisterError, Registered, cluster_id, create_persistent_paths, generate_broker_id, register_broker,
};
use gregor_zookeeper::schema::broker::{self, BrokerRegistration};
use gregor_zookeeper::schema::{PERSISTENT_PATHS, producer_id};
use gregor_zookeeper::store::Store;
use gregor_zookeeper::{Generation, Session, SessionId};

use crate::fixture::{RecordingConnector, Server, eventually, soon};

const ID: BrokerId = BrokerId(7);
const NOW: Timestamp = Timestamp(1_727_771_234_567);

fn addresses(port: u16) -> BrokerRegistration {
    BrokerRegistration {
        endpoints: vec![EndPoint {
            listener: ListenerName::new("PLAINTEXT"),
            protocol: SecurityProtocol::Plaintext,
            host: "localhost".to_owned(),
            port,
        }],
        rack: None,
        jmx_port: -1,
        features: BTreeMap::new(),
    }
}

async fn register(session: &Session, previous: Option<SessionId>) -> Result<Registered, RegisterError> {
    register_broker(session, ID, &addresses(9092), previous, NOW).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_broker_finds_nothing_and_makes_everything() {
    let server = Server::start().await;
    let session = server.session().await;
    create_persistent_paths(&session).await.unwrap();
    create_persistent_paths(&session).await.unwrap();
    for path in PERSISTENT_PATHS {
        assert!(session.exists(path).await.unwrap().is_some(), "{path}");
    }
    // With empty data in it, Kafka could not read it.
    assert_eq!(session.exists(producer_id::PATH).await, Ok(None));

    let first = ClusterId::from_random([1; 16]);
    assert_eq!(cluster_id(&session, &first).await, Ok(first.clone()));
    assert_eq!(cluster_id(&session, &ClusterId::from_random([2; 16])).await, Ok(first));

    assert_eq!(generate_broker_id(&session, 1000).await, Ok(BrokerId(1001)));
    assert_eq!(generate_broker_id(&session, 1000).await, Ok(BrokerId(1002)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_epoch_is_the_czxid_and_outlives_a_change_of_address() {
    let server = Server::start().await;
    let session = server.session().await;
    create_persistent_paths(&session).await.unwrap();
    let registered = register(&session, None).await.unwrap();
    let node = session.get(&broker::path(ID)).await.unwrap();
    assert_eq!(node.stat.czxid, registered.epoch.0);
    assert_eq!(node.stat.version, ZnodeVersion(1), "as Kafka registers: created, then set");
    assert_eq!(node.stat.ephemeral_owner, Some(registered.session));

    registration::update_broker(&session, ID, &addresses(9093), NOW).await.unwrap();
    let seen = Store::new(session.clone()).broker(ID).await.unwrap().unwrap();
    assert_eq!((seen.epoch, seen.registration), (registered.epoch, addresses(9093)));
    // Registering again in the same session is no conflict.
    assert_eq!(register(&session, None).await, Ok(registered));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_of_another_session_is_a_conflict_until_that_session_ends() {
    let server = Server::start().await;
    let (first, second) = (server.session().await, server.session().await);
    create_persistent_paths(&first).await.unwrap();
    let registered = register(&first, None).await.unwrap();
    let conflict = RegisterError::AlreadyRegistered { id: ID, owner: registered.session };
    assert_eq!(register(&second, None).await, Err(conflict.clone()));
    // Having registered with yet another session before does not help.
    assert_eq!(register(&second, Some(SessionId(5))).await, Err(conflict));
    first.close().await;
    let second_time = register(&second, None).await.unwrap();
    assert!(second_time.epoch > registered.epoch);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_our_previous_session_is_replaced() {
    let server = Server::start().await;
    let (previous, current) = (server.session().await, server.session().await);
    create_persistent_paths(&previous).await.unwrap();
    let before = register(&previous, None).await.unwrap();
    let after = register(&current, Some(before.session)).await.unwrap();
    assert!(after.epoch > before.epoch);
    assert_eq!(after.session, current.id().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_expiry_the_broker_registers_anew() {
    let server = Server::start().await;
    let config = server.config("/kafka", 4_000);
    let connector = RecordingConnector::new(&config);
    let session = Session::connect_with(&config, connector.clone()).await.unwrap();
    create_persistent_paths(&session).await.unwrap();
    let before = register(&session, None).await.unwrap();
    let mut statuses = session.statuses();
    connector.expire().await;
    soon("a new session", statuses.wait_for(|s| s.generation > Generation(1))).await.unwrap();
    eventually("the old registration is gone", async || session.exists(&broker::path(ID)).await == Ok(None))
        .await;
    let after = register(&session, Some(before.session)).await.unwrap();
    assert!(after.epoch > before.epoch);
    assert_ne!(after.session, before.session);
}
