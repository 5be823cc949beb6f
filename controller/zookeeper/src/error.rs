//! What a ZooKeeper operation may answer.

use crate::schema::DecodeError;

/// Why an operation on ZooKeeper failed. Connection loss is not among the errors a caller of [`crate::Session`] sees:
/// the session sends again until there is an answer or the session is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZooKeeperError {
    /// The connection broke before the answer came: the operation may or may not have been performed.
    #[error("connection to ZooKeeper lost")]
    ConnectionLoss,
    /// The session is over, and its ephemeral nodes with it.
    #[error("ZooKeeper session expired")]
    SessionExpired,
    /// We closed the session.
    #[error("ZooKeeper session closed")]
    Closed,
    /// ZooKeeper refused our identity.
    #[error("ZooKeeper authentication failed")]
    AuthFailed,
    /// No such znode (or no parent for a create).
    #[error("no such znode")]
    NoNode,
    /// The znode to create exists.
    #[error("znode exists")]
    NodeExists,
    /// The znode's version is not the expected one.
    #[error("znode has another version")]
    BadVersion,
    /// The znode to delete has children.
    #[error("znode has children")]
    NotEmpty,
    /// The znode's ACL forbids it.
    #[error("not permitted by the znode's ACL")]
    NoAuth,
    /// The server does not know the operation: multi reads and recursive watches need ZooKeeper 3.6.
    #[error("not supported by this ZooKeeper server (3.6 or later is needed)")]
    Unsupported,
    /// The request is larger than the server takes (`jute.maxbuffer` there).
    #[error("a request of {bytes} bytes is more than the ZooKeeper server takes (jute.maxbuffer)")]
    RequestTooLarge {
        /// Size of the request.
        bytes: usize,
    },
    /// A znode's content does not parse.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Anything else, as the client words it.
    #[error("{0}")]
    Other(String),
}

/// Why a multi failed: as a whole, or because of one of its operations. Nothing of it was performed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MultiError {
    /// The request failed.
    #[error("{0}")]
    Request(#[from] ZooKeeperError),
    /// The operation at this index failed.
    #[error("operation {index}: {error}")]
    Operation {
        /// Index of the first operation that failed.
        index: usize,
        /// Its error.
        error: ZooKeeperError,
    },
}

impl From<MultiError> for ZooKeeperError {
    fn from(error: MultiError) -> ZooKeeperError {
        match error {
            MultiError::Request(error) | MultiError::Operation { error, .. } => error,
        }
    }
}
