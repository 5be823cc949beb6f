//! Why a request to another broker got no answer.

use std::io;
use std::time::Duration;

use kafka_protocol::messages::ApiKey;

use crate::decode::DecodeError;
use crate::frame::FrameError;

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection could be made.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// `host:port`.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// No connection was made in time.
    #[error("cannot connect to {address} within {timeout:?}")]
    ConnectTimeout {
        /// `host:port`.
        address: String,
        /// How long was waited.
        timeout: Duration,
    },
    /// The listener speaks a security protocol this connector does not.
    #[error("cannot speak {0} to this listener")]
    UnsupportedProtocol(gregor_model::SecurityProtocol),
    /// The connection ended before the answer came. The request may have been executed.
    #[error("disconnected: {0}")]
    Disconnected(String),
    /// The answer did not come in time; the connection was closed, as Kafka's `NetworkClient` does.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The other side sent a frame of an impossible length; the connection was closed.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The answer is not one to this request; the connection was closed.
    #[error("malformed answer: {0}")]
    Malformed(#[from] DecodeError),
    /// The request does not fit the version it is to be sent in.
    #[error("cannot encode the request: {0}")]
    Unencodable(String),
    /// The other side does not speak any version of this API that we do.
    #[error("no common version of {0:?}")]
    NoCommonVersion(ApiKey),
    /// The other side answered ApiVersions with an error code.
    #[error("ApiVersions was answered with error code {0}")]
    Negotiation(i16),
}

impl ClientError {
    /// Whether the host answered that nobody listens at that port.
    pub fn is_refusal(&self) -> bool {
        matches!(self, ClientError::Connect { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused)
    }
}
