//! What is known of a connection while it lives.

use std::fmt;
use std::net::SocketAddr;
use std::sync::OnceLock;

use gregor_model::{ListenerName, SecurityProtocol};

/// Who is at the other end (`KafkaPrincipal`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    /// `User`, for everyone Gregor knows.
    pub principal_type: String,
    /// The name.
    pub name: String,
}

impl Principal {
    /// Whoever has not logged in.
    pub fn anonymous() -> Principal {
        Principal { principal_type: "User".to_owned(), name: "ANONYMOUS".to_owned() }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.principal_type, self.name)
    }
}

/// What a client says it is, in ApiVersions (KIP-511).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSoftware {
    /// For example `apache-kafka-java`.
    pub name: String,
    /// For example `3.9.1`.
    pub version: String,
}

/// A connection, as handlers see it (`RequestContext`).
#[derive(Debug)]
pub struct ConnectionContext {
    /// `<local>-<remote>-<index>`, as in Kafka's request log.
    pub id: String,
    /// The listener it came in by; Metadata answers with addresses of this listener.
    pub listener: ListenerName,
    /// How that listener speaks.
    pub protocol: SecurityProtocol,
    /// The other end.
    pub peer: SocketAddr,
    /// This end.
    pub local: SocketAddr,
    /// Who is there.
    pub principal: Principal,
    client_software: OnceLock<ClientSoftware>,
}

impl ConnectionContext {
    pub(crate) fn new(
        listener: ListenerName,
        protocol: SecurityProtocol,
        local: SocketAddr,
        peer: SocketAddr,
        index: u64,
    ) -> ConnectionContext {
        ConnectionContext {
            id: format!("{local}-{peer}-{index}"),
            listener,
            protocol,
            peer,
            local,
            principal: Principal::anonymous(),
            client_software: OnceLock::new(),
        }
    }

    /// What the client said it is; `None` until ApiVersions told.
    pub fn client_software(&self) -> Option<&ClientSoftware> {
        self.client_software.get()
    }

    /// Remembers what the client says it is; the first word counts.
    pub fn set_client_software(&self, software: ClientSoftware) {
        // A second word is dropped on purpose.
        let _ = self.client_software.set(software);
    }
}
