//! Who the brokers are (`Node`, `DescribeClusterResult`).

use std::collections::BTreeMap;
use std::fmt;

use kafka_protocol::messages::{ApiKey, MetadataRequest, MetadataResponse};

use super::{Admin, AdminError, Target};

/// A broker that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: i32,
    /// Where it listens for clients.
    pub host: String,
    /// At which port.
    pub port: u16,
    /// Its rack, if it says so.
    pub rack: Option<String>,
}

impl Node {
    /// Host and port.
    pub fn address(&self) -> (String, u16) {
        (self.host.clone(), self.port)
    }
}

/// As Kafka's tools print a broker.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rack = self.rack.as_deref().unwrap_or("null");
        write!(f, "{}:{} (id: {} rack: {rack})", self.host, self.port, self.id)
    }
}

/// The brokers that live, and which of them is controller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// The controller, if there is one at the moment.
    pub controller: Option<i32>,
    /// The brokers by id.
    pub nodes: BTreeMap<i32, Node>,
    /// The cluster's id.
    pub id: Option<String>,
}

impl Cluster {
    /// From the answer to Metadata; a broker whose port is none is left out.
    pub fn from_metadata(metadata: &MetadataResponse) -> Cluster {
        let nodes = metadata.brokers.iter().filter_map(|broker| {
            let node = Node {
                id: broker.node_id.0,
                host: broker.host.to_string(),
                port: u16::try_from(broker.port).ok()?,
                rack: broker.rack.as_ref().map(ToString::to_string),
            };
            Some((node.id, node))
        });
        Cluster {
            controller: Some(metadata.controller_id.0).filter(|id| *id >= 0),
            nodes: nodes.collect(),
            id: metadata.cluster_id.as_ref().map(ToString::to_string),
        }
    }
}

impl Admin {
    /// Who the brokers are now.
    pub async fn describe_cluster(&mut self) -> Result<Cluster, AdminError> {
        let build = |_| MetadataRequest::default().with_topics(Some(Vec::new()));
        let answer = self.call("describeCluster", ApiKey::Metadata, Target::Any, build, |_| 0).await?;
        Ok(Cluster::from_metadata(&answer))
    }
}
