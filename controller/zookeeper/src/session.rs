//! The broker's ZooKeeper session: opened once, kept, and replaced when it expires.
//!
//! One task owns the client. When the client gives its session up, the task first tries to take the same session over
//! (ZooKeeper may still hold it) and only when ZooKeeper says that it has expired opens a new one, under the next
//! [`Generation`]. An operation that was cut off is sent again until it is answered, as Kafka does
//! (`retryRequestUntilConnected`); unlike there, [`operations`] finds out whether the first attempt had succeeded.
//! An operation never moves from one generation to the next: it fails with `SessionExpired`.

mod metrics;
mod operations;
mod owner;
mod sending;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use metrics::SessionMetrics;

use crate::client::published::PublishedConnector;
use crate::client::{Client, Connector, SessionId};
use crate::connect_string::ConnectString;
use crate::error::ZooKeeperError;

/// How to reach ZooKeeper.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// `zookeeper.connect`.
    pub connect: ConnectString,
    /// `zookeeper.session.timeout.ms`.
    pub session_timeout: Duration,
    /// `zookeeper.connection.timeout.ms`: bounds the first connect only.
    pub connection_timeout: Duration,
    /// `zookeeper.max.in.flight.requests`.
    pub max_in_flight_requests: usize,
    /// `zookeeper.set.acl`.
    pub set_acl: bool,
}

impl SessionConfig {
    /// Kafka's defaults for that ensemble.
    pub fn new(connect: ConnectString) -> SessionConfig {
        SessionConfig {
            connect,
            session_timeout: Duration::from_millis(18_000),
            connection_timeout: Duration::from_millis(18_000),
            max_in_flight_requests: 10,
            set_acl: false,
        }
    }
}

/// Why the first connect failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// No server of the ensemble answered in time.
    #[error("no ZooKeeper server answered at {connect} within {} ms", timeout.as_millis())]
    Timeout {
        /// `zookeeper.connect`.
        connect: String,
        /// `zookeeper.connection.timeout.ms`.
        timeout: Duration,
    },
    /// ZooKeeper answered, and refused.
    #[error("ZooKeeper at {connect}: {error}")]
    Refused {
        /// `zookeeper.connect`.
        connect: String,
        /// Its answer.
        error: ZooKeeperError,
    },
}

/// Counts the sessions of this process: each new session has the next number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// How the session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Connected to a server.
    Connected,
    /// Not connected; ZooKeeper may or may not still hold the session.
    Disconnected,
    /// This generation is over, and its ephemeral nodes with it; the next is being opened.
    Expired,
    /// Closed by us.
    Closed,
}

/// The state of the session, as owners watch it. A watcher that is slow may miss states, never a changed generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionStatus {
    /// Which session.
    pub generation: Generation,
    /// How it is.
    pub state: SessionState,
}

/// What operations need to know: which client serves now.
struct Attachment {
    status: SessionStatus,
    // Counts clients: raised when a client is put in place, for a session taken over as well as for a new one.
    number: u64,
    client: Option<Arc<dyn Client>>,
}

struct Shared {
    attachment: watch::Sender<Attachment>,
    statuses: watch::Sender<SessionStatus>,
    permits: Semaphore,
    metrics: SessionMetrics,
}

/// A handle on the session. Cheap to clone; the session closes with the last handle or by [`Session::close`].
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
    stop: CancellationToken,
    _owner: Arc<DropGuard>,
    pinned: Option<Generation>,
}

impl Session {
    /// Opens a session, creating the chroot when it is missing.
    pub async fn connect(config: &SessionConfig) -> Result<Session, ConnectError> {
        let connector =
            PublishedConnector::new(config.connect.clone(), config.session_timeout, config.set_acl);
        Session::connect_with(config, Arc::new(connector)).await
    }

    /// Opens a session through a connector of the caller's.
    pub async fn connect_with(
        config: &SessionConfig,
        connector: Arc<dyn Connector>,
    ) -> Result<Session, ConnectError> {
        let opening = owner::open(connector.as_ref());
        let connect = config.connect.to_string();
        let client = match tokio::time::timeout(config.connection_timeout, opening).await {
            Err(_) => return Err(ConnectError::Timeout { connect, timeout: config.connection_timeout }),
            Ok(Err(error)) => return Err(ConnectError::Refused { connect, error }),
            Ok(Ok(client)) => client,
        };
        let status = SessionStatus { generation: Generation(1), state: SessionState::Connected };
        let shared = Arc::new(Shared {
            attachment: watch::channel(Attachment { status, number: 1, client: Some(client.clone()) }).0,
            statuses: watch::channel(status).0,
            permits: Semaphore::new(config.max_in_flight_requests.max(1)),
            metrics: SessionMetrics::default(),
        });
        let stop = CancellationToken::new();
        tokio::spawn(owner::own(shared.clone(), connector, client, stop.clone()));
        Ok(Session { shared, stop: stop.clone(), _owner: Arc::new(stop.drop_guard()), pinned: None })
    }

    /// A handle that serves only as long as the present session lives: what must not outlive it (the controller's work)
    /// goes through such a handle.
    pub fn pinned(&self) -> Session {
        let generation = self.status().generation;
        Session { pinned: Some(self.pinned.unwrap_or(generation)), ..self.clone() }
    }

    /// A handle that serves only the session of that generation.
    pub fn pinned_to(&self, generation: Generation) -> Session {
        Session { pinned: Some(generation), ..self.clone() }
    }

    /// Whether this handle serves one session only.
    pub fn is_pinned(&self) -> bool {
        self.pinned.is_some()
    }

    /// How the session is now.
    pub fn status(&self) -> SessionStatus {
        *self.shared.statuses.borrow()
    }

    /// What was counted since the start.
    pub fn metrics(&self) -> &SessionMetrics {
        &self.shared.metrics
    }

    /// How the session is, now and later.
    pub fn statuses(&self) -> watch::Receiver<SessionStatus> {
        self.shared.statuses.subscribe()
    }

    /// The id of the present session, once there is one.
    pub async fn id(&self) -> Result<SessionId, ZooKeeperError> {
        Ok(self.sending(0).client().await?.session_id())
    }

    /// Closes the session: its ephemeral nodes vanish at once, and every operation from now on fails with `Closed`.
    pub async fn close(&self) {
        // In this order: the owner, once stopped, would drop the client without waiting for the server's answer.
        let client = self.shared.close();
        self.stop.cancel();
        if let Some(client) = client {
            client.close().await;
        }
    }
}

impl Shared {
    fn publish(&self, change: impl FnOnce(&mut Attachment)) {
        self.attachment.send_modify(change);
        // Read under the lock of what is written, so that of two publishers the later state stays.
        self.statuses.send_if_modified(|current| {
            let status = self.attachment.borrow().status;
            std::mem::replace(current, status) != status
        });
    }

    /// Says how the connection is; after the close nothing more.
    fn set_state(&self, state: SessionState) {
        let mut before = state;
        self.publish(|attachment| {
            before = attachment.status.state;
            if before != SessionState::Closed {
                attachment.status.state = state;
            }
        });
        if before != state {
            self.count(state);
        }
    }

    fn count(&self, state: SessionState) {
        match state {
            SessionState::Connected => self.metrics.connects.increment(),
            SessionState::Disconnected => self.metrics.disconnects.increment(),
            SessionState::Expired => self.metrics.expires.increment(),
            SessionState::Closed => {}
        }
    }

    /// Ends it all; the client that served.
    fn close(&self) -> Option<Arc<dyn Client>> {
        let mut client = None;
        self.publish(|attachment| {
            attachment.status.state = SessionState::Closed;
            client = attachment.client.take();
        });
        client
    }
}
