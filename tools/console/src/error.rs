//! Why a view cannot be drawn.

use gregor_wire::client::ClientError;

/// Why a view cannot be drawn; the page shows the text.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// A bootstrap address that is not `host:port`.
    #[error("{0} is not host:port")]
    Address(String),
    /// No broker answers.
    #[error("no broker can be reached: {0}")]
    Unreachable(ClientError),
    /// A broker did not answer.
    #[error("broker {broker} does not answer: {source}")]
    Broker {
        /// Its id.
        broker: i32,
        /// Why.
        source: ClientError,
    },
    /// A broker refused; the code is the protocol's.
    #[error("{what}: error code {code}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// The protocol's error code.
        code: i16,
    },
    /// The cluster has no such thing.
    #[error("{0}")]
    NotFound(String),
    /// A query parameter that makes no sense.
    #[error("{0}")]
    Query(&'static str),
}
