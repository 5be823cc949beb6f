//! Requests that were performed though their answers were lost: what the session makes of the second attempt.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use gregor_model::{BrokerId, ControllerEpoch, Timestamp, ZnodeVersion};
use gregor_zookeeper::client::published::PublishedConnector;
use gregor_zookeeper::client::{Changed, Client, ClientState, Connector, TreeWatch};
use gregor_zookeeper::registration::{create_persistent_paths, register_broker};
use gregor_zookeeper::schema::broker::BrokerRegistration;
use gregor_zookeeper::store::{Candidacy, Store};
use gregor_zookeeper::{
    CreateMode, Created, MultiError, Node, Session, SessionConfig, SessionId, Stat, Write, Written,
    ZooKeeperError,
};
use tokio::sync::watch;

use crate::fixture::Server;

type Result<T, E = ZooKeeperError> = std::result::Result<T, E>;

/// Loses the answer to the next write.
#[derive(Clone, Default)]
struct Loss(Arc<AtomicBool>);

impl Loss {
    fn next(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn of<T, E: From<ZooKeeperError>>(&self, answer: Result<T, E>) -> Result<T, E> {
        match self.0.swap(false, Ordering::SeqCst) {
            true => Err(ZooKeeperError::ConnectionLoss.into()),
            false => answer,
        }
    }
}

struct LossyConnector {
    inner: PublishedConnector,
    loss: Loss,
}

struct LossyClient {
    inner: Arc<dyn Client>,
    loss: Loss,
}

#[async_trait]
impl Connector for LossyConnector {
    async fn connect(&self) -> Result<Arc<dyn Client>> {
        Ok(Arc::new(LossyClient { inner: self.inner.connect().await?, loss: self.loss.clone() }))
    }

    async fn reattach(&self, previous: &dyn Client) -> Result<Arc<dyn Client>> {
        self.inner.reattach(previous).await
    }

    async fn create_chroot(&self) -> Result<()> {
        self.inner.create_chroot().await
    }
}

#[async_trait]
impl Client for LossyClient {
    fn session_id(&self) -> SessionId {
        self.inner.session_id()
    }
    fn states(&self) -> watch::Receiver<ClientState> {
        self.inner.states()
    }
    fn resumable(&self) -> Option<Box<dyn Any + Send>> {
        self.inner.resumable()
    }
    async fn create(&self, path: &str, data: &[u8], mode: CreateMode) -> Result<Created> {
        self.loss.of(self.inner.create(path, data, mode).await)
    }
    async fn delete(&self, path: &str, version: Option<ZnodeVersion>) -> Result<()> {
        self.loss.of(self.inner.delete(path, version).await)
    }
    async fn get(&self, path: &str) -> Result<Node> {
        self.inner.get(path).await
    }
    async fn exists(&self, path: &str) -> Result<Option<Stat>> {
        self.inner.exists(path).await
    }
    async fn set(&self, path: &str, data: &[u8], version: Option<ZnodeVersion>) -> Result<Stat> {
        self.loss.of(self.inner.set(path, data, version).await)
    }
    async fn children(&self, path: &str) -> Result<Vec<String>> {
        self.inner.children(path).await
    }
    async fn read_many(&self, paths: &[String]) -> Result<Vec<Option<Node>>> {
        self.inner.read_many(paths).await
    }
    async fn write_many(&self, writes: &[Write]) -> Result<Vec<Written>, MultiError> {
        self.loss.of(self.inner.write_many(writes).await)
    }
    async fn watch_node(&self, path: &str) -> Result<(Option<Node>, Changed)> {
        self.inner.watch_node(path).await
    }
    async fn watch_children(&self, path: &str) -> Result<(Vec<String>, Changed)> {
        self.inner.watch_children(path).await
    }
    async fn watch_tree(&self, path: &str) -> Result<Box<dyn TreeWatch>> {
        self.inner.watch_tree(path).await
    }
    async fn close(&self) {
        self.inner.close().await;
    }
}

async fn lossy(config: &SessionConfig) -> (Session, Loss) {
    let loss = Loss::default();
    let inner = PublishedConnector::new(config.connect.clone(), config.session_timeout, false);
    let connector = LossyConnector { inner, loss: loss.clone() };
    let session = Session::connect_with(config, Arc::new(connector)).await.unwrap();
    create_persistent_paths(&session).await.unwrap();
    (session, loss)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_answer_was_lost_succeeds() {
    let server = Server::start().await;
    let (session, loss) = lossy(&server.config("", 10_000)).await;
    loss.next();
    session.create("/a", b"1", CreateMode::Persistent).await.unwrap();
    loss.next();
    assert_eq!(session.set("/a", b"2", Some(ZnodeVersion(0))).await.unwrap().version, ZnodeVersion(1));
    loss.next();
    session.delete("/a", Some(ZnodeVersion(1))).await.unwrap();
    assert_eq!(session.exists("/a").await, Ok(None));
    loss.next();
    let created = session.create("/e", b"", CreateMode::Ephemeral).await.unwrap();
    assert_eq!(created.stat.ephemeral_owner, Some(session.id().await.unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_does_not_hide_a_conflict() {
    let server = Server::start().await;
    let (session, loss) = lossy(&server.config("", 10_000)).await;
    session.create("/a", b"theirs", CreateMode::Persistent).await.unwrap();
    loss.next();
    let create = session.create("/a", b"ours", CreateMode::Persistent).await;
    assert_eq!(create.err(), Some(ZooKeeperError::NodeExists));
    session.set("/a", b"theirs again", None).await.unwrap();
    loss.next();
    let set = session.set("/a", b"ours", Some(ZnodeVersion(0))).await;
    assert_eq!(set, Err(ZooKeeperError::BadVersion));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_election_and_a_registration_whose_answers_were_lost_are_won() {
    let server = Server::start().await;
    let (session, loss) = lossy(&server.config("", 10_000)).await;
    let store = Store::new(session.clone());
    // The epoch exists, so that the lost answer is that of the election itself.
    let Candidacy::Won { fence, .. } = store.elect(BrokerId(1), Timestamp(1)).await.unwrap() else {
        panic!("lost");
    };
    store.delete_controller(fence).await.unwrap();
    loss.next();
    match store.elect(BrokerId(1), Timestamp(1)).await.unwrap() {
        Candidacy::Won { epoch, fence } => {
            assert_eq!(epoch, ControllerEpoch(2));
            store.delete_controller(fence).await.unwrap();
        }
        Candidacy::Lost => panic!("lost"),
    }

    let registration =
        BrokerRegistration { endpoints: Vec::new(), rack: None, jmx_port: -1, features: Default::default() };
    loss.next();
    let registered = register_broker(&session, BrokerId(1), &registration, None, Timestamp(1)).await.unwrap();
    let stat = session.exists("/brokers/ids/1").await.unwrap().unwrap();
    assert_eq!(registered.epoch.0, stat.czxid);
}
