//! The cluster behind a bootstrap address: metadata, and a connection to each broker that was needed.
//!
//! Owned by the client; clones are the same. Invariant: one connection per broker and lane, and one attempt at it at a time;
//! the lock held meanwhile is that connection's alone.

mod view;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use gregor_model::{BrokerId, EndPoint, ListenerName, SecurityProtocol, TopicName};
use gregor_wire::client::{ApiVersions, ClientError, ClientOptions, Connect, Connection, PlaintextConnect};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{ApiKey, MetadataRequest};
use kafka_protocol::protocol::{Request, StrBytes};
use parking_lot::Mutex;

pub use view::{Address, PartitionView, TopicView, View};

use crate::config::CommonConfig;
use crate::error::Error;

/// A connection, and what is spoken over it.
#[derive(Clone, Debug)]
pub struct Peer {
    connection: Connection,
    versions: ApiVersions,
}

impl Peer {
    /// The newest version of request `R` that both sides speak.
    ///
    /// # Errors
    /// None is.
    pub fn version<R: Request>(&self) -> Result<i16, ClientError> {
        let key =
            ApiKey::try_from(R::KEY).map_err(|()| ClientError::Unencodable(format!("API {}", R::KEY)))?;
        self.versions.latest_common(key, R::VERSIONS)
    }

    /// Sends what `build` makes for the newest common version.
    ///
    /// # Errors
    /// No answer came.
    pub async fn call<R: Request>(&self, build: impl FnOnce(i16) -> R) -> Result<R::Response, ClientError> {
        let version = self.version::<R>()?;
        self.connection.send(build(version), version).await
    }

    /// As [`Peer::call`], waiting longer or shorter than usual.
    ///
    /// # Errors
    /// No answer came.
    pub async fn call_within<R: Request>(
        &self,
        timeout: Duration,
        build: impl FnOnce(i16) -> R,
    ) -> Result<R::Response, ClientError> {
        let version = self.version::<R>()?;
        self.connection.send_with_timeout(build(version), version, timeout).await
    }

    /// The connection itself.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// Which topics to ask for.
#[derive(Clone, Copy, Debug)]
pub enum Topics<'a> {
    /// Every topic.
    All,
    /// These; they are created if brokers do so and `create` says so.
    Named {
        /// Their names.
        names: &'a [TopicName],
        /// Whether they may be created.
        create: bool,
    },
}

/// Which of the connections to a broker a request takes. Brokers answer a connection's requests one after the other, so
/// that those which wait for something must not hold up others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// What is answered at once, and produce.
    Ordinary,
    /// Fetch: waits for records.
    Fetch,
    /// The coordinator of a group: JoinGroup waits for others.
    Coordinator,
}

type Slot = Arc<tokio::sync::Mutex<Option<Peer>>>;

/// A cluster.
#[derive(Clone)]
pub struct Cluster {
    shared: Arc<Shared>,
}

struct Shared {
    config: CommonConfig,
    connect: Arc<dyn Connect>,
    view: ArcSwap<View>,
    slots: Mutex<HashMap<(Address, Lane), Slot>>,
}

impl Cluster {
    /// The cluster of `config`, over connections that `connect` makes. Connects to nobody yet.
    pub fn new(config: CommonConfig, connect: Arc<dyn Connect>) -> Cluster {
        let shared = Shared { config, connect, view: ArcSwap::default(), slots: Mutex::default() };
        Cluster { shared: Arc::new(shared) }
    }

    /// The same over plain TCP. Answers may be as large as `answer_bytes_max`.
    pub fn plaintext(config: CommonConfig, answer_bytes_max: usize) -> Cluster {
        let options = ClientOptions {
            request_timeout: config.request_timeout,
            response_bytes_max: answer_bytes_max,
            ..ClientOptions::default()
        };
        Cluster::new(config, Arc::new(PlaintextConnect::new(options)))
    }

    /// How the cluster is found.
    pub fn config(&self) -> &CommonConfig {
        &self.shared.config
    }

    /// What is known.
    pub fn view(&self) -> Arc<View> {
        self.shared.view.load_full()
    }

    /// The ordinary connection to a broker.
    ///
    /// # Errors
    /// It is not in the metadata, or cannot be reached.
    pub async fn peer(&self, broker: BrokerId) -> Result<Peer, Error> {
        self.peer_on(Lane::Ordinary, broker).await
    }

    /// One of the connections to a broker.
    ///
    /// # Errors
    /// It is not in the metadata, or cannot be reached.
    pub async fn peer_on(&self, lane: Lane, broker: BrokerId) -> Result<Peer, Error> {
        let address = self.view().brokers.get(&broker).cloned();
        let address = address.ok_or_else(|| Error::unknown_broker(broker))?;
        Ok(self.peer_at(address, lane).await?)
    }

    /// A connection to any broker: one that is there already, or else the first that can be reached.
    ///
    /// # Errors
    /// None can.
    pub async fn any_peer(&self) -> Result<Peer, Error> {
        let view = self.view();
        let known = view.brokers.values().cloned().chain(self.shared.config.bootstrap.iter().cloned());
        let mut addresses: Vec<Address> = known.collect();
        let connected = |address: &Address| self.connected(address);
        addresses.sort_by_key(|address| !connected(address));
        let mut last_error = Error::Config("no bootstrap address".to_owned());
        for address in addresses {
            match self.peer_at(address, Lane::Ordinary).await {
                Ok(peer) => return Ok(peer),
                Err(error) => last_error = error.into(),
            }
        }
        Err(last_error)
    }

    fn connected(&self, address: &Address) -> bool {
        let slot = self.shared.slots.lock().get(&(address.clone(), Lane::Ordinary)).cloned();
        slot.is_some_and(|slot| {
            slot.try_lock().is_ok_and(|peer| peer.as_ref().is_some_and(|peer| !peer.connection.is_closed()))
        })
    }

    async fn peer_at(&self, address: Address, lane: Lane) -> Result<Peer, ClientError> {
        let slot = self.shared.slots.lock().entry((address.clone(), lane)).or_default().clone();
        let mut slot = slot.lock().await;
        if let Some(peer) = slot.as_ref().filter(|peer| !peer.connection.is_closed()) {
            return Ok(peer.clone());
        }
        let endpoint = EndPoint {
            listener: ListenerName::new("PLAINTEXT"),
            protocol: SecurityProtocol::Plaintext,
            host: address.0,
            port: address.1,
        };
        let connection = self.shared.connect.connect(&endpoint, &self.shared.config.client_id).await?;
        let versions = connection.api_versions().await?;
        Ok(slot.insert(Peer { connection, versions }).clone())
    }

    /// Asks any broker for metadata, and takes its answer in.
    ///
    /// # Errors
    /// No broker answered.
    pub async fn refresh(&self, topics: Topics<'_>) -> Result<Arc<View>, Error> {
        let peer = self.any_peer().await?;
        let answer = peer.call(|version| metadata_request(topics, version)).await?;
        let whole = matches!(topics, Topics::All);
        let view = Arc::new(self.view().update(&answer, whole));
        self.shared.view.store(view.clone());
        Ok(view)
    }
}

fn metadata_request(topics: Topics<'_>, version: i16) -> MetadataRequest {
    let request = MetadataRequest::default();
    match topics {
        // Before version 1 an empty list meant all.
        Topics::All if version == 0 => request.with_topics(Some(Vec::new())),
        Topics::All => request.with_topics(None),
        Topics::Named { names, create } => {
            let topic = |name: &TopicName| {
                let name = StrBytes::from_string(name.as_str().to_owned());
                MetadataRequestTopic::default().with_name(Some(name.into()))
            };
            let request = request.with_topics(Some(names.iter().map(topic).collect()));
            if version >= 4 { request.with_allow_auto_topic_creation(create) } else { request }
        }
    }
}
