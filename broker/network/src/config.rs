//! The keys this crate lives by.

use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::time::Duration;

use gregor_config::{BrokerConfig, Values};
use gregor_model::{EndPoint, ListenerName, SecurityProtocol};

use crate::creation_rate::RateWindows;

/// How to listen, and how much to take.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// The listeners, each with its own limits.
    pub listeners: Vec<ListenerConfig>,
    /// The listener of the other brokers, never kept waiting by `max.connections`.
    pub inter_broker: ListenerName,
    /// `socket.request.max.bytes`.
    pub request_bytes_max: usize,
    /// `connections.max.idle.ms`; `None` for never.
    pub idle_max: Option<Duration>,
    /// `socket.listen.backlog.size`.
    pub backlog: i32,
    /// `socket.receive.buffer.bytes` where it is set; else the operating system sizes the buffer, which a larger
    /// bandwidth-delay product needs.
    pub receive_buffer_bytes: Option<usize>,
    /// `socket.send.buffer.bytes` where it is set.
    pub send_buffer_bytes: Option<usize>,
    /// How many connections there may be.
    pub limits: ConnectionLimits,
    /// What the rates of new connections are taken over.
    pub rate_windows: RateWindows,
}

/// One listener.
#[derive(Clone, Debug)]
pub struct ListenerConfig {
    /// Where to bind, and how to speak.
    pub endpoint: EndPoint,
    /// `listener.name.<name>.max.connections`.
    pub connections_max: usize,
    /// `listener.name.<name>.max.connection.creation.rate`, where it is set.
    pub creation_rate_max: Option<u32>,
}

/// How many connections there may be; these may change at run time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// `max.connections`.
    pub connections_max: usize,
    /// `max.connections.per.ip`.
    pub per_ip_max: usize,
    /// `max.connections.per.ip.overrides`, names resolved.
    pub per_ip_overrides: HashMap<IpAddr, usize>,
    /// `max.connection.creation.rate`; `None` for no limit.
    pub creation_rate_max: Option<u32>,
}

/// Why these keys cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkConfigError {
    /// A security protocol this crate does not speak.
    #[error("listener {listener}: security protocol {protocol} cannot be served")]
    UnsupportedProtocol {
        /// The listener.
        listener: ListenerName,
        /// Its protocol.
        protocol: SecurityProtocol,
    },
    /// A host name without an address.
    #[error("max.connections.per.ip.overrides: host {0} has no address")]
    UnknownHost(String),
}

impl NetworkConfig {
    /// Takes what it needs from a broker's configuration.
    pub fn from_config(config: &BrokerConfig) -> Result<NetworkConfig, NetworkConfigError> {
        let values = &config.values;
        let listeners = config.listeners.listeners.iter().map(|endpoint| listener(config, endpoint));
        Ok(NetworkConfig {
            listeners: listeners.collect::<Result<_, _>>()?,
            inter_broker: config.listeners.inter_broker.clone(),
            request_bytes_max: size(values.i32("socket.request.max.bytes")),
            idle_max: u64::try_from(values.i64("connections.max.idle.ms")).ok().map(Duration::from_millis),
            backlog: values.i32("socket.listen.backlog.size"),
            receive_buffer_bytes: buffer_bytes(values, "socket.receive.buffer.bytes"),
            send_buffer_bytes: buffer_bytes(values, "socket.send.buffer.bytes"),
            limits: ConnectionLimits::from_values(values)?,
            rate_windows: RateWindows {
                count: u32::try_from(values.i32("quota.window.num")).unwrap_or(1),
                size_ms: i64::from(values.i32("quota.window.size.seconds")).saturating_mul(1_000),
            },
        })
    }
}

impl ConnectionLimits {
    /// Takes the limits from values that may hold dynamic layers.
    pub fn from_values(values: &Values) -> Result<ConnectionLimits, NetworkConfigError> {
        let text = values.string("max.connections.per.ip.overrides");
        let mut per_ip_overrides = HashMap::new();
        // The text was parsed when the configuration was read.
        for (host, count) in gregor_config::parse_connection_overrides(&text).unwrap_or_default() {
            let mut addresses = (host.as_str(), 0)
                .to_socket_addrs()
                .map_err(|_| NetworkConfigError::UnknownHost(host.clone()))?;
            let address = addresses.next().ok_or(NetworkConfigError::UnknownHost(host))?;
            per_ip_overrides.insert(address.ip(), size(count));
        }
        Ok(ConnectionLimits {
            connections_max: size(values.i32("max.connections")),
            per_ip_max: size(values.i32("max.connections.per.ip")),
            per_ip_overrides,
            creation_rate_max: creation_rate(values),
        })
    }

    /// How many connections one address may have.
    pub(crate) fn per_ip(&self, address: IpAddr) -> usize {
        self.per_ip_overrides.get(&address).copied().unwrap_or(self.per_ip_max)
    }
}

/// Whether all of these could be served.
///
/// # Errors
/// The first whose security protocol this crate does not speak.
pub fn check_servable(endpoints: &[EndPoint]) -> Result<(), NetworkConfigError> {
    match endpoints.iter().find(|endpoint| endpoint.protocol != SecurityProtocol::Plaintext) {
        None => Ok(()),
        Some(EndPoint { listener, protocol, .. }) => {
            Err(NetworkConfigError::UnsupportedProtocol { listener: listener.clone(), protocol: *protocol })
        }
    }
}

fn listener(config: &BrokerConfig, endpoint: &EndPoint) -> Result<ListenerConfig, NetworkConfigError> {
    check_servable(std::slice::from_ref(endpoint))?;
    let prefix = format!("listener.name.{}.", endpoint.listener.as_str().to_ascii_lowercase());
    let own = |key: &str| {
        let is_set = config.properties().contains(&format!("{prefix}{key}"));
        is_set.then(|| config.for_listener(&endpoint.listener))
    };
    let connections_max = own("max.connections").map_or(usize::MAX, |own| size(own.i32("max.connections")));
    let creation_rate_max = own("max.connection.creation.rate").and_then(|own| creation_rate(&own));
    Ok(ListenerConfig { endpoint: endpoint.clone(), connections_max, creation_rate_max })
}

fn creation_rate(values: &Values) -> Option<u32> {
    let rate = values.i32("max.connection.creation.rate");
    if rate == i32::MAX { None } else { u32::try_from(rate).ok() }
}

fn size(value: i32) -> usize {
    usize::try_from(value).unwrap_or(0)
}

fn buffer_bytes(values: &Values, key: &str) -> Option<usize> {
    if values.is_explicit(key) { usize::try_from(values.i32(key)).ok() } else { None }
}
