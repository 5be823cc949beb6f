//! Connections to the brokers of one cluster, kept and shared by all requests of the page.
//!
//! Invariant: a broker that does not answer costs a request [`TIMEOUT`] and nobody else anything.

use std::collections::HashMap;
use std::time::Duration;

use gregor_wire::client::{ApiVersions, ClientError, ClientOptions, Connection};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{ApiKey, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::{Request, StrBytes, VersionRange};
use parking_lot::Mutex;

use crate::ConsoleError;

/// How long a broker may take; somebody is looking at the page.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Host and port of a listener.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Address {
    /// Reads `host:port`, with brackets around an IPv6 address.
    ///
    /// # Errors
    /// [`ConsoleError::Address`] for anything else.
    pub fn parse(text: &str) -> Result<Address, ConsoleError> {
        let malformed = || ConsoleError::Address(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(malformed)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(malformed());
        }
        Ok(Address { host: host.to_owned(), port: port.parse().map_err(|_| malformed())? })
    }
}

#[derive(Clone, Debug)]
struct Peer {
    connection: Connection,
    versions: ApiVersions,
}

/// The cluster that is looked at.
#[derive(Debug)]
pub struct Cluster {
    bootstrap: Vec<Address>,
    peers: Mutex<HashMap<Address, Peer>>,
}

impl Cluster {
    /// The cluster behind `host:port,host:port`. Connects to nobody yet.
    ///
    /// # Errors
    /// [`ConsoleError::Address`] when an address cannot be read, or there is none.
    pub fn new(bootstrap: &str) -> Result<Cluster, ConsoleError> {
        let addresses = bootstrap.split(',').map(str::trim).filter(|address| !address.is_empty());
        let bootstrap = addresses.map(Address::parse).collect::<Result<Vec<_>, _>>()?;
        if bootstrap.is_empty() {
            return Err(ConsoleError::Address(String::from("an empty list")));
        }
        Ok(Cluster { bootstrap, peers: Mutex::default() })
    }

    /// Brokers, controller and topics: all of them, or those named. Creates no topic.
    pub(crate) async fn metadata(&self, topics: Option<&[&str]>) -> Result<MetadataResponse, ConsoleError> {
        let named = |name: &&str| {
            MetadataRequestTopic::default()
                .with_name(Some(TopicName(StrBytes::from_string((*name).to_owned()))))
        };
        let request = MetadataRequest::default()
            .with_topics(topics.map(|names| names.iter().map(named).collect()))
            .with_allow_auto_topic_creation(false);
        let mut last_error = ClientError::Disconnected("no address".to_owned());
        for address in self.known() {
            match self.exchange(&address, request.clone(), VersionRange { min: 4, max: 12 }).await {
                Ok(metadata) => return Ok(metadata),
                Err(error) => last_error = error,
            }
        }
        Err(ConsoleError::Unreachable(last_error))
    }

    /// Asks one broker, in the newest version of `versions` that it speaks.
    pub(crate) async fn ask<R: Request>(
        &self,
        broker: &Broker,
        request: R,
        versions: VersionRange,
    ) -> Result<R::Response, ConsoleError> {
        self.exchange(&broker.address, request, versions)
            .await
            .map_err(|source| ConsoleError::Broker { broker: broker.id, source })
    }

    /// Whoever answered before first: a broker that is down is asked last.
    fn known(&self) -> Vec<Address> {
        let peers = self.peers.lock();
        let open =
            peers.iter().filter(|(_, peer)| !peer.connection.is_closed()).map(|(address, _)| address.clone());
        open.chain(self.bootstrap.iter().cloned()).chain(peers.keys().cloned()).collect()
    }

    async fn exchange<R: Request>(
        &self,
        address: &Address,
        request: R,
        versions: VersionRange,
    ) -> Result<R::Response, ClientError> {
        let peer = self.peer(address).await?;
        let key =
            ApiKey::try_from(R::KEY).map_err(|()| ClientError::Disconnected("unknown API".to_owned()))?;
        let version = peer.versions.latest_common(key, versions)?;
        peer.connection.send(request, version).await
    }

    async fn peer(&self, address: &Address) -> Result<Peer, ClientError> {
        let open = self.peers.lock().get(address).filter(|peer| !peer.connection.is_closed()).cloned();
        if let Some(peer) = open {
            return Ok(peer);
        }
        let options = ClientOptions {
            client_id: "gregor-console".to_owned(),
            connect_timeout: TIMEOUT,
            request_timeout: TIMEOUT,
            ..ClientOptions::default()
        };
        let connection = Connection::connect(&address.host, address.port, options).await?;
        let versions = connection.api_versions().await?;
        let peer = Peer { connection, versions };
        self.peers.lock().insert(address.clone(), peer.clone());
        Ok(peer)
    }
}

/// A broker as metadata names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broker {
    /// `broker.id`.
    pub(crate) id: i32,
    /// Where it listens for us.
    pub(crate) address: Address,
    /// Its `broker.rack`.
    pub(crate) rack: Option<String>,
}

/// The registered brokers, by id.
pub(crate) fn brokers(metadata: &MetadataResponse) -> Vec<Broker> {
    let mut brokers: Vec<Broker> = metadata
        .brokers
        .iter()
        .filter_map(|broker| {
            Some(Broker {
                id: broker.node_id.0,
                address: Address { host: broker.host.to_string(), port: u16::try_from(broker.port).ok()? },
                rack: broker.rack.as_ref().map(ToString::to_string),
            })
        })
        .collect();
    brokers.sort_by_key(|broker| broker.id);
    brokers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_host_and_port() {
        for (text, expected) in [
            ("localhost:9092", Some(("localhost", 9092))),
            ("[::1]:1", Some(("::1", 1))),
            (":9092", None),
            ("localhost", None),
            ("localhost:ninety", None),
            ("localhost:65536", None),
        ] {
            let expected = expected.map(|(host, port)| Address { host: host.to_owned(), port });
            assert_eq!(Address::parse(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_cluster_needs_an_address() {
        assert!(Cluster::new(" , ").is_err());
        assert_eq!(Cluster::new("a:1, b:2").map(|cluster| cluster.bootstrap.len()).ok(), Some(2));
    }
}
