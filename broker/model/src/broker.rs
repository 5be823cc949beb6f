//! Brokers: their ids and the endpoints they advertise.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::BrokerEpoch;

/// `broker.id`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BrokerId(pub i32);

impl BrokerId {
    /// The id, or `None` for the wire's -1 ("no leader", "no controller", "a consumer, not a follower").
    pub fn from_wire(value: i32) -> Option<BrokerId> {
        (value >= 0).then_some(BrokerId(value))
    }

    /// The wire's form of a broker that may be absent: -1 for `None`.
    pub fn to_wire(id: Option<BrokerId>) -> i32 {
        id.map_or(-1, |id| id.0)
    }
}

impl fmt::Display for BrokerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a listener, in upper case (`PLAINTEXT`, `INTERNAL`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerName(Arc<str>);

impl ListenerName {
    /// A listener name; Kafka compares them in upper case (`ListenerName.normalised`).
    pub fn new(name: &str) -> ListenerName {
        ListenerName(name.to_ascii_uppercase().into())
    }

    /// The name in upper case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ListenerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a listener speaks (`SecurityProtocol`); the discriminant is the id on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecurityProtocol {
    /// No encryption, no authentication.
    Plaintext = 0,
    /// TLS.
    Ssl = 1,
    /// SASL without encryption.
    SaslPlaintext = 2,
    /// SASL over TLS.
    SaslSsl = 3,
}

/// A security protocol that Kafka does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown security protocol {0:?}")]
pub struct UnknownSecurityProtocol(pub String);

impl SecurityProtocol {
    const ALL: [SecurityProtocol; 4] = [
        SecurityProtocol::Plaintext,
        SecurityProtocol::Ssl,
        SecurityProtocol::SaslPlaintext,
        SecurityProtocol::SaslSsl,
    ];

    /// The name in configs and znodes.
    pub fn as_str(self) -> &'static str {
        match self {
            SecurityProtocol::Plaintext => "PLAINTEXT",
            SecurityProtocol::Ssl => "SSL",
            SecurityProtocol::SaslPlaintext => "SASL_PLAINTEXT",
            SecurityProtocol::SaslSsl => "SASL_SSL",
        }
    }

    /// The id in UpdateMetadata requests.
    pub fn id(self) -> i16 {
        self as i16
    }

    /// The protocol with that id on the wire.
    pub fn from_id(id: i16) -> Option<SecurityProtocol> {
        Self::ALL.into_iter().find(|protocol| protocol.id() == id)
    }
}

impl FromStr for SecurityProtocol {
    type Err = UnknownSecurityProtocol;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.as_str().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownSecurityProtocol(name.to_owned()))
    }
}

impl fmt::Display for SecurityProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// One address of a broker, for one listener.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndPoint {
    /// The listener this address belongs to.
    pub listener: ListenerName,
    /// How that listener speaks.
    pub protocol: SecurityProtocol,
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// A live broker as its registration says: who it is and where it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerEndpoints {
    /// `broker.id`.
    pub id: BrokerId,
    /// czxid of the registration.
    pub epoch: BrokerEpoch,
    /// One address per listener.
    pub endpoints: Vec<EndPoint>,
    /// `broker.rack`.
    pub rack: Option<String>,
}

impl BrokerEndpoints {
    /// The address for one listener, when the broker has that listener.
    pub fn endpoint(&self, listener: &ListenerName) -> Option<&EndPoint> {
        self.endpoints.iter().find(|endpoint| endpoint.listener == *listener)
    }
}
