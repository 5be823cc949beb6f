//! `/brokers/ids/<id>` (`BrokerIdZNode`): the registration of a live broker, and `/brokers/seqid`, which counts
//! generated broker ids.
//!
//! The czxid of a registration is the broker epoch; the data carries addresses only.

use std::collections::BTreeMap;

use gregor_model::{BrokerId, EndPoint, ListenerName, SecurityProtocol, Timestamp};
use serde::{Deserialize, Serialize};

use super::json::{self, DecodeError};

/// The parent of all registrations.
pub const IDS_PATH: &str = "/brokers/ids";
/// Its znode version is the source of generated broker ids.
pub const SEQUENCE_PATH: &str = "/brokers/seqid";

const FAMILY: &str = "/brokers/ids/<id>";

/// The path of a broker's registration.
pub fn path(id: BrokerId) -> String {
    format!("{IDS_PATH}/{id}")
}

/// The broker that a child of [`IDS_PATH`] names.
pub fn parse_child(child: &str) -> Option<BrokerId> {
    child.parse().ok().and_then(BrokerId::from_wire)
}

/// What a broker says of itself (`BrokerInfo`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerRegistration {
    /// One address per advertised listener, in the order of `advertised.listeners`.
    pub endpoints: Vec<EndPoint>,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// The port of the JVM's JMX server; -1 for none, as always here.
    pub jmx_port: i32,
    /// Supported features by name; empty for every ZooKeeper-mode broker of 3.9.
    pub features: BTreeMap<String, FeatureRange>,
}

/// The versions of a feature that a broker supports (`SupportedVersionRange`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureRange {
    /// The lowest.
    pub min_version: i16,
    /// The highest.
    pub max_version: i16,
}

#[derive(Serialize)]
struct Writer<'a> {
    version: i32,
    host: Option<&'a str>,
    port: i32,
    jmx_port: i32,
    timestamp: String,
    endpoints: Vec<String>,
    listener_security_protocol_map: BTreeMap<&'a str, &'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rack: Option<&'a str>,
    features: &'a BTreeMap<String, FeatureRange>,
}

#[derive(Deserialize)]
struct Reader {
    version: i32,
    host: Option<String>,
    port: Option<i32>,
    jmx_port: i32,
    #[serde(default)]
    endpoints: Vec<String>,
    listener_security_protocol_map: Option<BTreeMap<String, String>>,
    rack: Option<String>,
    features: Option<BTreeMap<String, FeatureRange>>,
}

/// The registration in version 5, the one of `inter.broker.protocol.version` 2.7 and later.
pub fn encode(registration: &BrokerRegistration, now: Timestamp) -> Vec<u8> {
    // For clients that know only one address: the first that speaks without security, if any.
    let plaintext = registration.endpoints.iter().find(|e| e.protocol == SecurityProtocol::Plaintext);
    json::encode(&Writer {
        version: 5,
        host: plaintext.map(|e| e.host.as_str()),
        port: plaintext.map_or(-1, |e| i32::from(e.port)),
        jmx_port: registration.jmx_port,
        timestamp: now.to_string(),
        endpoints: registration.endpoints.iter().map(connection_string).collect(),
        listener_security_protocol_map: registration
            .endpoints
            .iter()
            .map(|e| (e.listener.as_str(), e.protocol.as_str()))
            .collect(),
        rack: registration.rack.as_deref(),
        features: &registration.features,
    })
}

/// Reads a registration of any version, as Kafka does: 1 has a single plaintext address, 2 and 3 take the listener's
/// name for its protocol.
pub fn decode(data: &[u8]) -> Result<BrokerRegistration, DecodeError> {
    let error = |reason: &dyn ToString| DecodeError::new(FAMILY, data, reason.to_string());
    let content: Reader = json::decode(FAMILY, data)?;
    let endpoints = match content.version {
        ..1 => return Err(error(&"unsupported version")),
        1 => {
            let host = content.host.ok_or_else(|| error(&"no host"))?;
            let port = content.port.and_then(|port| u16::try_from(port).ok());
            vec![EndPoint {
                listener: ListenerName::new("PLAINTEXT"),
                protocol: SecurityProtocol::Plaintext,
                host,
                port: port.ok_or_else(|| error(&"no valid port"))?,
            }]
        }
        _ => {
            let protocols = content.listener_security_protocol_map.as_ref();
            let endpoints: Result<Vec<EndPoint>, String> =
                content.endpoints.iter().map(|text| parse_endpoint(text, protocols)).collect();
            endpoints.map_err(|reason| error(&reason))?
        }
    };
    for (index, endpoint) in endpoints.iter().enumerate() {
        if endpoints.iter().take(index).any(|earlier| earlier.listener == endpoint.listener) {
            return Err(error(&format!("two endpoints for listener {}", endpoint.listener)));
        }
    }
    Ok(BrokerRegistration {
        endpoints,
        rack: content.rack,
        jmx_port: content.jmx_port,
        features: content.features.unwrap_or_default(),
    })
}

fn connection_string(endpoint: &EndPoint) -> String {
    let EndPoint { listener, host, port, .. } = endpoint;
    if host.contains(':') {
        format!("{listener}://[{host}]:{port}")
    } else {
        format!("{listener}://{host}:{port}")
    }
}

fn parse_endpoint(text: &str, protocols: Option<&BTreeMap<String, String>>) -> Result<EndPoint, String> {
    let invalid = || format!("endpoint {text:?} is not NAME://host:port");
    let (name, address) = text.split_once("://").ok_or_else(invalid)?;
    let (host, port) = address.rsplit_once(':').ok_or_else(invalid)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let listener = ListenerName::new(name);
    let protocol = match protocols {
        None => listener.as_str().to_owned(),
        Some(map) => map
            .iter()
            .find(|(key, _)| ListenerName::new(key) == listener)
            .map(|(_, protocol)| protocol.clone())
            .ok_or_else(|| format!("no security protocol for listener {listener}"))?,
    };
    Ok(EndPoint {
        listener,
        protocol: protocol.parse().map_err(|error| format!("{error}"))?,
        host: host.to_owned(),
        port: port.parse().map_err(|_| invalid())?,
    })
}

#[cfg(test)]
mod tests;
