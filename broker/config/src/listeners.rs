//! Listeners: the addresses a broker binds and those it advertises (`SocketServerConfigs`, `CoreUtils`, `EndPoint`).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gregor_model::{EndPoint, ListenerName, SecurityProtocol};

use crate::error::ConfigError;
use crate::values::Values;

/// The listeners of a broker, checked against each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenersConfig {
    /// What to bind; an empty host is every address, port 0 any free port.
    pub listeners: Vec<EndPoint>,
    /// What to tell clients; an empty host is this machine's name, port 0 the port that was bound.
    pub advertised: Vec<EndPoint>,
    /// The listener brokers use among themselves.
    pub inter_broker: ListenerName,
    /// How that one speaks.
    pub inter_broker_protocol: SecurityProtocol,
    /// `control.plane.listener.name`.
    pub control_plane: Option<ListenerName>,
}

impl ListenersConfig {
    /// Reads and checks all keys about listeners.
    pub(crate) fn from_values(values: &Values) -> Result<ListenersConfig, ConfigError> {
        let protocols = parse_protocol_map(&values.string("listener.security.protocol.map"))?;
        let listeners = parse_end_points(&values.string("listeners"), &protocols)?;
        check_distinct(&values.string("listeners"), &listeners, Ports::Distinct)?;
        let advertised = match values.opt_string("advertised.listeners") {
            None => listeners.clone(),
            Some(text) => {
                let advertised = parse_end_points(&text, &protocols)?;
                check_distinct(&text, &advertised, Ports::MayRepeat)?;
                advertised
            }
        };
        let (inter_broker, inter_broker_protocol) = inter_broker(values, &protocols)?;
        let control_plane = match values.opt_string("control.plane.listener.name") {
            None => None,
            Some(name) => {
                let name = ListenerName::new(&name);
                if !protocols.contains_key(&name) {
                    return Err(ConfigError::conflict(format!(
                        "Listener with {name} defined in control.plane.listener.name not found in listener.security.protocol.map."
                    )));
                }
                Some(name)
            }
        };
        let config =
            ListenersConfig { listeners, advertised, inter_broker, inter_broker_protocol, control_plane };
        config.check()?;
        Ok(config)
    }

    /// What to write into the registration, once the ports are bound: empty hosts become `host_name`, port 0 the
    /// port bound for that listener.
    pub fn advertised_endpoints(
        &self,
        host_name: &str,
        bound_ports: &HashMap<ListenerName, u16>,
    ) -> Vec<EndPoint> {
        let complete = |endpoint: &EndPoint| {
            let mut endpoint = endpoint.clone();
            if endpoint.host.is_empty() {
                endpoint.host = host_name.to_owned();
            }
            if endpoint.port == 0 {
                endpoint.port = bound_ports.get(&endpoint.listener).copied().unwrap_or(0);
            }
            endpoint
        };
        self.advertised.iter().map(complete).collect()
    }

    /// How a listener speaks, when it is one of ours.
    pub fn protocol(&self, listener: &ListenerName) -> Option<SecurityProtocol> {
        self.listeners
            .iter()
            .find(|endpoint| endpoint.listener == *listener)
            .map(|endpoint| endpoint.protocol)
    }

    /// The checks across keys of `KafkaConfig.validateValues`.
    fn check(&self) -> Result<(), ConfigError> {
        let is_advertised = |name: &ListenerName| self.advertised.iter().any(|end| end.listener == *name);
        let advertised_names = names(&self.advertised);
        if self.advertised.is_empty() {
            return Err(ConfigError::conflict("There must be at least one broker advertised listener."));
        }
        if !is_advertised(&self.inter_broker) {
            return Err(ConfigError::conflict(format!(
                "inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid options based on currently configured listeners are {advertised_names}"
            )));
        }
        if self.advertised.iter().any(|advertised| self.protocol(&advertised.listener).is_none()) {
            return Err(ConfigError::conflict(format!(
                "advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. Found {advertised_names}. The valid options based on the current configuration are {}",
                names(&self.listeners)
            )));
        }
        if self.advertised.iter().any(|endpoint| endpoint.host == "0.0.0.0") {
            return Err(ConfigError::conflict(
                "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.",
            ));
        }
        if let Some(control_plane) = &self.control_plane {
            if !is_advertised(control_plane) {
                return Err(ConfigError::conflict(format!(
                    "control.plane.listener.name must be a listener name defined in advertised.listeners. The valid options based on currently configured listeners are {advertised_names}"
                )));
            }
            if *control_plane == self.inter_broker {
                return Err(ConfigError::conflict(format!(
                    "control.plane.listener.name, when defined, should have a different value from the inter broker listener name. Currently they both have the value {control_plane}"
                )));
            }
        }
        Ok(())
    }
}

fn names(endpoints: &[EndPoint]) -> String {
    endpoints.iter().map(|endpoint| endpoint.listener.as_str()).collect::<Vec<_>>().join(",")
}

fn inter_broker(
    values: &Values,
    protocols: &HashMap<ListenerName, SecurityProtocol>,
) -> Result<(ListenerName, SecurityProtocol), ConfigError> {
    match values.opt_string("inter.broker.listener.name") {
        Some(_) if values.is_explicit("security.inter.broker.protocol") => Err(ConfigError::conflict(
            "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.",
        )),
        Some(name) => {
            let name = ListenerName::new(&name);
            match protocols.get(&name) {
                Some(protocol) => Ok((name, *protocol)),
                None => Err(ConfigError::conflict(format!(
                    "Listener with name {name} defined in inter.broker.listener.name not found in listener.security.protocol.map."
                ))),
            }
        }
        None => {
            let protocol = parse_protocol(
                &values.string("security.inter.broker.protocol"),
                "security.inter.broker.protocol",
            )?;
            Ok((ListenerName::new(protocol.as_str()), protocol))
        }
    }
}

fn parse_protocol(text: &str, key: &str) -> Result<SecurityProtocol, ConfigError> {
    text.parse()
        .map_err(|_| ConfigError::conflict(format!("Invalid security protocol `{text}` defined in {key}")))
}

/// `NAME:PROTOCOL,...` (`Csv.parseCsvMap`: the last colon parts a pair).
fn parse_protocol_map(text: &str) -> Result<HashMap<ListenerName, SecurityProtocol>, ConfigError> {
    const KEY: &str = "listener.security.protocol.map";
    let mut map = HashMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((name, protocol)) = pair.rsplit_once(':') else {
            return Err(ConfigError::conflict(format!(
                "Error parsing configuration property '{KEY}': {pair:?} is not NAME:PROTOCOL"
            )));
        };
        map.insert(ListenerName::new(name.trim()), parse_protocol(protocol.trim(), KEY)?);
    }
    Ok(map)
}

fn parse_end_points(
    text: &str,
    protocols: &HashMap<ListenerName, SecurityProtocol>,
) -> Result<Vec<EndPoint>, ConfigError> {
    text.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            parse_end_point(entry, protocols).map_err(|reason| {
                ConfigError::conflict(format!("Error creating broker listeners from '{text}': {reason}"))
            })
        })
        .collect()
}

/// One `NAME://host:port`; the host may be empty, or an IPv6 address in brackets.
fn parse_end_point(
    entry: &str,
    protocols: &HashMap<ListenerName, SecurityProtocol>,
) -> Result<EndPoint, String> {
    let unparsable = || format!("Unable to parse {entry} to a broker endpoint");
    let (name, address) = entry.rsplit_once("://").ok_or_else(unparsable)?;
    let (host, port) = address.rsplit_once(':').ok_or_else(unparsable)?;
    let host = host.strip_prefix('[').unwrap_or(host);
    let host = host.strip_suffix(']').unwrap_or(host);
    let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-%._:".contains(&byte);
    if !host.bytes().all(is_host_byte) {
        return Err(unparsable());
    }
    let port: i64 = port.parse().map_err(|_| unparsable())?;
    let port = u16::try_from(port).map_err(|_| format!("port {port} of {entry} is outside 0 to 65535"))?;
    let listener = ListenerName::new(name);
    let protocol = *protocols
        .get(&listener)
        .ok_or_else(|| format!("No security protocol defined for listener {listener}"))?;
    Ok(EndPoint { listener, protocol, host: host.to_owned(), port })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ports {
    Distinct,
    MayRepeat,
}

/// Names are unique; ports too, but for one IPv4 and one IPv6 address on the same port.
fn check_distinct(text: &str, endpoints: &[EndPoint], ports: Ports) -> Result<(), ConfigError> {
    for (index, endpoint) in endpoints.iter().enumerate() {
        let earlier = &endpoints[..index];
        if earlier.iter().any(|other| other.listener == endpoint.listener) {
            return Err(ConfigError::conflict(format!(
                "Each listener must have a different name, listeners: {text}"
            )));
        }
        let same_port: Vec<_> =
            earlier.iter().filter(|other| other.port != 0 && other.port == endpoint.port).collect();
        let may_share = match same_port.as_slice() {
            [] => true,
            [other] => one_is_v4_and_one_v6(&other.host, &endpoint.host),
            _ => false,
        };
        if ports == Ports::Distinct && !may_share {
            return Err(ConfigError::conflict(format!(
                "Each listener must have a different port unless exactly one listener has an IPv4 address and the other IPv6 address, listeners: {text}, port: {}",
                endpoint.port
            )));
        }
    }
    Ok(())
}

fn one_is_v4_and_one_v6(first: &str, second: &str) -> bool {
    let v4 = |host: &str| host.parse::<Ipv4Addr>().is_ok();
    let v6 = |host: &str| host.parse::<Ipv6Addr>().is_ok();
    (v4(first) && v6(second)) || (v6(first) && v4(second))
}

/// `host:count,...` of `max.connections.per.ip.overrides`; hosts are names or addresses.
pub fn parse_connection_overrides(text: &str) -> Result<HashMap<String, i32>, ConfigError> {
    const KEY: &str = "max.connections.per.ip.overrides";
    let mut map = HashMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let parsed = pair.rsplit_once(':').and_then(|(host, count)| {
            let host = host.trim().trim_start_matches('[').trim_end_matches(']');
            Some((host, count.trim().parse::<i32>().ok()?))
        });
        let Some((host, count)) = parsed else {
            return Err(ConfigError::conflict(format!(
                "Error parsing configuration property '{KEY}': {pair:?} is not host:count"
            )));
        };
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-%._".contains(&byte);
        let valid = !host.is_empty() && (host.parse::<IpAddr>().is_ok() || host.bytes().all(is_name_byte));
        if !valid {
            return Err(ConfigError::conflict(format!("{KEY} contains invalid addresses : {host}")));
        }
        map.insert(host.to_owned(), count);
    }
    Ok(map)
}
