//! A client for the tools: finds a broker or the controller, speaks the newest version both know, and tries again while the
//! cluster changes, up to Kafka's API timeout (`KafkaAdminClient`).
//!
//! Owned by one tool run, used by one task; holds a connection per broker asked.

pub mod acls;
pub mod cluster;
pub mod configs;
pub mod coordinator;
pub mod election;
pub mod error;
mod exception;
pub mod group_offsets;
pub mod groups;
pub mod leaders;
pub mod log_dirs;
pub mod offsets;
pub mod principal;
pub mod producers;
pub mod quotas;
pub mod reassignments;
pub mod records;
pub mod scram;
pub mod tokens;
pub mod topics;
pub mod transactions;

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use gregor_config::Properties;
use gregor_wire::client::{ApiVersions, ClientError, ClientOptions, Connection};
use kafka_protocol::messages::{ApiKey, MetadataRequest, TopicName};
use kafka_protocol::protocol::{Request, StrBytes};

use crate::command_line::Given;
pub use cluster::{Cluster, Node};
pub use error::AdminError;

/// `default.api.timeout.ms`.
const API_TIMEOUT: Duration = Duration::from_secs(60);
/// `request.timeout.ms`; also what brokers are told they may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// `retry.backoff.ms`.
const RETRY_BACKOFF: Duration = Duration::from_millis(100);

/// How long a broker, topic or partition may be unknown before that is the answer: what was just made takes a moment to be
/// known everywhere. Kafka's client waits for its whole timeout.
const UNKNOWN_DEADLINE: Duration = Duration::from_secs(3);

const NOT_CONTROLLER: i16 = 41;

/// Which broker a call goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Whichever answers.
    Any,
    /// The controller.
    Controller,
    /// The broker with this id.
    Broker(i32),
}

/// A connection to a broker, and what it speaks.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The connection.
    pub connection: Connection,
    /// The versions it speaks.
    pub versions: ApiVersions,
}

/// The client.
#[derive(Debug)]
pub struct Admin {
    bootstrap: Vec<(String, u16)>,
    api_timeout: Duration,
    options: ClientOptions,
    peers: HashMap<(String, u16), Peer>,
    /// Who the brokers are, as last heard; None after a failure.
    cluster: Option<Cluster>,
}

/// The client for a tool's `--bootstrap-server` and `--command-config`. Connects to nobody yet.
pub fn connect(given: &Given) -> Result<Admin, AdminError> {
    let value = |name| given.value(name).map_err(|error| AdminError::Configuration(error.to_string()));
    open(value("bootstrap-server")?.unwrap_or_default(), value("command-config")?)
}

/// The client of the cluster behind `bootstrap`, with the properties in the file `command_config`.
pub fn open(bootstrap: &str, command_config: Option<&str>) -> Result<Admin, AdminError> {
    Admin::new(bootstrap, &load_properties(command_config)?)
}

/// The client properties in a file; none without a file.
pub fn load_properties(path: Option<&str>) -> Result<Properties, AdminError> {
    match path {
        Some(path) => {
            Properties::load(Path::new(path)).map_err(|error| AdminError::Configuration(error.to_string()))
        }
        None => Ok(Properties::new()),
    }
}

impl Admin {
    /// A client of the cluster behind `bootstrap` ("host:port,host:port"), with a tool's `--command-config` properties.
    /// Connects to nobody yet.
    pub fn new(bootstrap: &str, properties: &Properties) -> Result<Admin, AdminError> {
        let addresses = bootstrap.split(',').map(str::trim).filter(|address| !address.is_empty());
        let bootstrap = addresses.map(parse_address).collect::<Result<Vec<_>, _>>()?;
        if bootstrap.is_empty() {
            return Err(AdminError::Configuration("no bootstrap address".to_owned()));
        }
        match properties.get("security.protocol") {
            None | Some("PLAINTEXT") => {}
            Some(other) => {
                return Err(AdminError::Configuration(format!("cannot speak security.protocol={other}")));
            }
        }
        let milliseconds = |key: &str, default: Duration| match properties.get(key).map(str::parse) {
            None => Ok(default),
            Some(Ok(value)) => Ok(Duration::from_millis(value)),
            Some(Err(_)) => Err(AdminError::Configuration(format!("{key} is no number"))),
        };
        Ok(Admin {
            bootstrap,
            api_timeout: milliseconds("default.api.timeout.ms", API_TIMEOUT)?,
            options: ClientOptions {
                client_id: properties.get("client.id").unwrap_or("adminclient-1").to_owned(),
                request_timeout: milliseconds("request.timeout.ms", REQUEST_TIMEOUT)?,
                ..ClientOptions::default()
            },
            peers: HashMap::new(),
            cluster: None,
        })
    }

    /// Gives every call this long (`--timeout` of some tools).
    pub fn set_api_timeout(&mut self, timeout: Duration) {
        self.api_timeout = timeout;
        self.options.request_timeout = self.options.request_timeout.min(timeout);
    }

    /// Sends what `build` makes for the version spoken to `target`, until it is answered, cannot be, or time is up.
    /// `code_of` gives the error code of the whole answer: one that passes by itself is waited out.
    pub async fn call<R: Request>(
        &mut self,
        call: &'static str,
        key: ApiKey,
        target: Target,
        build: impl Fn(i16) -> R,
        code_of: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, AdminError> {
        let start = Instant::now();
        let deadline = start + self.api_timeout;
        loop {
            let mut last_error = None;
            match self.attempt(key, target, &build).await {
                Ok(answer) => {
                    let code = code_of(&answer);
                    if !passes(code) || Instant::now() >= deadline {
                        return Ok(answer);
                    }
                    if code == NOT_CONTROLLER {
                        self.cluster = None;
                    }
                }
                Err(ClientError::NoCommonVersion(key)) => return Err(AdminError::Unsupported(key)),
                Err(error) => {
                    if let Target::Broker(id) = target
                        && self.cluster.as_ref().is_some_and(|cluster| !cluster.nodes.contains_key(&id))
                        && start.elapsed() > UNKNOWN_DEADLINE
                    {
                        return Err(AdminError::NoSuchBroker(id));
                    }
                    last_error = Some(error);
                    self.peers.clear();
                    self.cluster = None;
                }
            }
            if Instant::now() + RETRY_BACKOFF >= deadline {
                return Err(AdminError::NoNode { call, source: last_error });
            }
            tokio::time::sleep(RETRY_BACKOFF).await;
        }
    }

    async fn attempt<R: Request>(
        &mut self,
        key: ApiKey,
        target: Target,
        build: impl Fn(i16) -> R,
    ) -> Result<R::Response, ClientError> {
        let peer = self.peer(target).await?;
        let version = peer.versions.latest_common(key, R::VERSIONS)?;
        peer.connection.send(build(version), version).await
    }

    /// A connection to a broker.
    pub async fn peer(&mut self, target: Target) -> Result<Peer, ClientError> {
        let disconnected = |reason: String| ClientError::Disconnected(reason);
        let address = match target {
            Target::Any => return self.any_peer().await,
            Target::Controller => {
                let cluster = self.cluster().await?;
                let controller = cluster.controller.and_then(|id| cluster.nodes.get(&id));
                controller
                    .map(Node::address)
                    .ok_or_else(|| disconnected("the cluster has no controller at the moment".to_owned()))?
            }
            Target::Broker(id) => {
                let cluster = self.cluster().await?;
                cluster
                    .nodes
                    .get(&id)
                    .map(Node::address)
                    .ok_or_else(|| disconnected(format!("broker {id} is not there")))?
            }
        };
        self.peer_at(&address).await
    }

    async fn any_peer(&mut self) -> Result<Peer, ClientError> {
        if let Some(peer) = self.peers.values().find(|peer| !peer.connection.is_closed()) {
            return Ok(peer.clone());
        }
        let mut last_error = ClientError::Disconnected("no bootstrap address".to_owned());
        for address in self.bootstrap.clone() {
            match self.peer_at(&address).await {
                Ok(peer) => return Ok(peer),
                Err(error) => last_error = error,
            }
        }
        Err(last_error)
    }

    /// Who the brokers are, asked for unless it is known.
    async fn cluster(&mut self) -> Result<&Cluster, ClientError> {
        if self.cluster.as_ref().is_none_or(|cluster| cluster.controller.is_none()) {
            let peer = self.any_peer().await?;
            let version = peer.versions.latest_common(ApiKey::Metadata, metadata_versions())?;
            let request = MetadataRequest::default().with_topics(Some(Vec::new()));
            let metadata = peer.connection.send(request, version).await?;
            self.cluster = Some(Cluster::from_metadata(&metadata));
        }
        self.cluster.as_ref().ok_or_else(|| ClientError::Disconnected("no metadata".to_owned()))
    }

    async fn peer_at(&mut self, address: &(String, u16)) -> Result<Peer, ClientError> {
        if let Some(peer) = self.peers.get(address).filter(|peer| !peer.connection.is_closed()) {
            return Ok(peer.clone());
        }
        let connection = Connection::connect(&address.0, address.1, self.options.clone()).await?;
        let versions = connection.api_versions().await?;
        let peer = Peer { connection, versions };
        self.peers.insert(address.clone(), peer.clone());
        Ok(peer)
    }

    /// What brokers are told in `timeoutMs` fields.
    fn request_timeout_ms(&self) -> i32 {
        i32::try_from(self.options.request_timeout.as_millis()).unwrap_or(i32::MAX)
    }
}

/// A string as the protocol has it.
fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

/// A topic's name as the protocol has it.
fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// Whether an error code passes by itself, and a client is to try again.
fn passes(code: i16) -> bool {
    const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
    const COORDINATOR_NOT_AVAILABLE: i16 = 15;
    [NOT_CONTROLLER, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE].contains(&code)
}

/// The versions that name the controller.
fn metadata_versions() -> kafka_protocol::protocol::VersionRange {
    use kafka_protocol::protocol::Message as _;
    kafka_protocol::protocol::VersionRange { min: 1, max: MetadataRequest::VERSIONS.max }
}

fn parse_address(address: &str) -> Result<(String, u16), AdminError> {
    let malformed = || AdminError::Configuration(format!("{address} is not host:port"));
    let (host, port) = address.rsplit_once(':').ok_or_else(malformed)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok((host.to_owned(), port.parse().map_err(|_| malformed())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bootstrap_addresses() {
        for (text, expected) in [
            ("localhost:9092", Some(vec![("localhost", 9092)])),
            ("a:1, b:2", Some(vec![("a", 1), ("b", 2)])),
            ("[::1]:9092", Some(vec![("::1", 9092)])),
            ("localhost", None),
            ("localhost:port", None),
            ("", None),
        ] {
            let expected =
                expected.map(|list| list.into_iter().map(|(h, p)| (h.to_owned(), p)).collect::<Vec<_>>());
            assert_eq!(
                Admin::new(text, &Properties::new()).ok().map(|admin| admin.bootstrap),
                expected,
                "{text:?}"
            );
        }
    }
}
