//! The seam by which other crates ask for a connection to a broker.

use async_trait::async_trait;
use gregor_model::{EndPoint, SecurityProtocol};

use super::{ClientError, ClientOptions, Connection};

/// How to get a ready connection to a broker: connected, and logged in where the listener wants it. Replication and the
/// controller state their need by this; the server supplies it.
#[async_trait]
pub trait Connect: Send + Sync {
    /// Connects to a listener of a broker.
    async fn connect(&self, endpoint: &EndPoint, client_id: &str) -> Result<Connection, ClientError>;
}

/// Connects to PLAINTEXT listeners.
#[derive(Clone, Debug, Default)]
pub struct PlaintextConnect {
    options: ClientOptions,
}

impl PlaintextConnect {
    /// Every connection gets these options, with its own client id.
    pub fn new(options: ClientOptions) -> PlaintextConnect {
        PlaintextConnect { options }
    }
}

#[async_trait]
impl Connect for PlaintextConnect {
    async fn connect(&self, endpoint: &EndPoint, client_id: &str) -> Result<Connection, ClientError> {
        if endpoint.protocol != SecurityProtocol::Plaintext {
            return Err(ClientError::UnsupportedProtocol(endpoint.protocol));
        }
        let options = ClientOptions { client_id: client_id.to_owned(), ..self.options.clone() };
        Connection::connect(&endpoint.host, endpoint.port, options).await
    }
}
