//! The seam between us and the published ZooKeeper client: one session, plain operations, no retries.
//!
//! [`published`] implements it over the `zookeeper-client` crate; tests and simulations put their own in its place.
//! Paths are relative to the chroot and so are the paths in watch events.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use gregor_model::ZnodeVersion;
use tokio::sync::watch;

use crate::error::{MultiError, ZooKeeperError};

pub mod published;

/// The id of a ZooKeeper session, as `ephemeralOwner` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub i64);

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// What ZooKeeper knows of a znode besides its data; the members Kafka uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Transaction that created the znode; a broker's epoch.
    pub czxid: i64,
    /// Transaction that last changed its data.
    pub mzxid: i64,
    /// Version of its data.
    pub version: ZnodeVersion,
    /// Milliseconds since 1970 at creation, by the server's clock.
    pub created_ms: i64,
    /// The session it dies with, when it is ephemeral.
    pub ephemeral_owner: Option<SessionId>,
    /// How many children it has.
    pub children: i32,
}

/// A znode read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its data; empty stands for null too.
    pub data: Vec<u8>,
    /// Its stat.
    pub stat: Stat,
}

/// A znode created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Its path, with the number ZooKeeper appended when it is sequential.
    pub path: String,
    /// Its stat.
    pub stat: Stat,
}

/// What kind of znode to create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateMode {
    /// Stays until deleted.
    Persistent,
    /// Stays until deleted; ZooKeeper appends a counter to the name.
    PersistentSequential,
    /// Dies with the session.
    Ephemeral,
}

/// One operation of a multi.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// The znode has this version.
    Check {
        /// The znode.
        path: String,
        /// The version it must have.
        version: ZnodeVersion,
    },
    /// Create a znode.
    Create {
        /// The znode.
        path: String,
        /// Its data.
        data: Vec<u8>,
        /// Its kind.
        mode: CreateMode,
    },
    /// Replace a znode's data.
    Set {
        /// The znode.
        path: String,
        /// The new data.
        data: Vec<u8>,
        /// The version it must have, `None` for any.
        version: Option<ZnodeVersion>,
    },
    /// Delete a znode.
    Delete {
        /// The znode.
        path: String,
        /// The version it must have, `None` for any.
        version: Option<ZnodeVersion>,
    },
}

impl Write {
    /// The znode concerned.
    pub fn path(&self) -> &str {
        match self {
            Write::Check { path, .. }
            | Write::Create { path, .. }
            | Write::Set { path, .. }
            | Write::Delete { path, .. } => path,
        }
    }

    /// About how many bytes it takes in a request.
    pub fn size(&self) -> usize {
        const FRAMING: usize = 64;
        let data = match self {
            Write::Create { data, .. } | Write::Set { data, .. } => data.len(),
            Write::Check { .. } | Write::Delete { .. } => 0,
        };
        self.path().len() + data + FRAMING
    }
}

/// What one operation of a successful multi gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// A check held.
    Checked,
    /// A znode was created; ZooKeeper reports no usable stat for a create within a multi.
    Created,
    /// A znode's data was replaced.
    Set(Stat),
    /// A znode was deleted.
    Deleted,
}

/// The state of one client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientState {
    /// Answers come.
    Connected,
    /// The connection is lost; the client is looking for a server.
    Disconnected,
    /// The client has given the session up. Terminal.
    Expired,
    /// ZooKeeper refused our identity. Terminal.
    AuthFailed,
}

impl ClientState {
    /// Whether this client will never serve again.
    pub fn is_terminal(self) -> bool {
        matches!(self, ClientState::Expired | ClientState::AuthFailed)
    }
}

/// Resolves when the znode (or child list) that was read has changed, or the client is over: read again.
pub type Changed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a recursive watch reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeEvent {
    /// A znode appeared.
    Created(String),
    /// A znode is gone.
    Deleted(String),
    /// A znode's data changed.
    DataChanged(String),
    /// The connection was lost or came back: the watch may be gone and events may be missing.
    Interrupted,
    /// The client is over; nothing more will come.
    Ended,
}

/// A recursive watch. Dropped, it is taken off the server before any request that follows.
#[async_trait]
pub trait TreeWatch: Send {
    /// The next event; after [`TreeEvent::Ended`] always that.
    async fn next(&mut self) -> TreeEvent;
}

type Result<T, E = ZooKeeperError> = std::result::Result<T, E>;

/// One ZooKeeper session seen by one client. Dropping the last handle closes the session.
#[async_trait]
pub trait Client: Send + Sync + 'static {
    /// The session's id.
    fn session_id(&self) -> SessionId;
    /// The connection's state, now and later.
    fn states(&self) -> watch::Receiver<ClientState>;
    /// Creates a znode.
    async fn create(&self, path: &str, data: &[u8], mode: CreateMode) -> Result<Created>;
    /// Deletes a znode.
    async fn delete(&self, path: &str, version: Option<ZnodeVersion>) -> Result<()>;
    /// Reads a znode.
    async fn get(&self, path: &str) -> Result<Node>;
    /// A znode's stat, if it exists.
    async fn exists(&self, path: &str) -> Result<Option<Stat>>;
    /// Replaces a znode's data.
    async fn set(&self, path: &str, data: &[u8], version: Option<ZnodeVersion>) -> Result<Stat>;
    /// Names of a znode's children.
    async fn children(&self, path: &str) -> Result<Vec<String>>;
    /// Reads many znodes in one request: `None` for one that does not exist.
    async fn read_many(&self, paths: &[String]) -> Result<Vec<Option<Node>>>;
    /// Performs all of the writes or none.
    async fn write_many(&self, writes: &[Write]) -> Result<Vec<Written>, MultiError>;
    /// Reads a znode and watches it, whether it exists or not.
    async fn watch_node(&self, path: &str) -> Result<(Option<Node>, Changed)>;
    /// Names of a znode's children, and a watch on that list.
    async fn watch_children(&self, path: &str) -> Result<(Vec<String>, Changed)>;
    /// Watches a znode and everything below it.
    async fn watch_tree(&self, path: &str) -> Result<Box<dyn TreeWatch>>;
    /// What [`Connector::reattach`] needs to take this session over, in the connector's own form; `None` when it cannot.
    fn resumable(&self) -> Option<Box<dyn std::any::Any + Send>>;
    /// Closes the session, so that its ephemeral nodes vanish at once.
    async fn close(&self);
}

/// Makes clients.
#[async_trait]
pub trait Connector: Send + Sync + 'static {
    /// Opens a new session below the chroot.
    async fn connect(&self) -> Result<Arc<dyn Client>>;
    /// Takes a session over from a client that gave it up; [`ZooKeeperError::SessionExpired`] when ZooKeeper has ended it.
    async fn reattach(&self, previous: &dyn Client) -> Result<Arc<dyn Client>>;
    /// Creates what is missing of the chroot path, through a session of its own without chroot.
    async fn create_chroot(&self) -> Result<()>;
}
