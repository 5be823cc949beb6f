//! One listener's accept loop.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gregor_model::{EndPoint, Timestamp};
use gregor_wire::FrameBuffer;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use crate::bind::configure;
use crate::config::NetworkConfig;
use crate::connection::{Connection, End};
use crate::context::ConnectionContext;
use crate::dispatch::Dispatch;
use crate::idle::IdleTimer;
use crate::listener_stats::{CountedConnection, ListenerStats};
use crate::quotas::{ConnectionQuotas, Slot};
use crate::timing::UnsentAnswers;
use crate::writer::Outgoing;

/// How long to wait when the process cannot accept (no more file descriptors).
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

#[derive(Clone)]
pub(crate) struct Acceptor {
    pub(crate) endpoint: EndPoint,
    pub(crate) config: Arc<NetworkConfig>,
    pub(crate) dispatch: Arc<dyn Dispatch>,
    pub(crate) quotas: Arc<ConnectionQuotas>,
    pub(crate) stats: Arc<ListenerStats>,
    pub(crate) tasks: TaskTracker,
    /// Cancelled when no further connection or request is to be taken.
    pub(crate) stop: CancellationToken,
    /// Cancelled when even the requests in hand are given up.
    pub(crate) abort: CancellationToken,
}

impl Acceptor {
    /// Accepts until stopped.
    pub(crate) async fn run(self, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let admitted = tokio::select! {
                        () = self.stop.cancelled() => return,
                        admitted = self.admit(stream) => admitted,
                    };
                    if let Err(error) = admitted {
                        debug!(listener = %self.endpoint.listener, %error, "a connection ended before it began");
                    }
                }
                Err(error) => {
                    warn!(listener = %self.endpoint.listener, %error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_BACKOFF).await;
                }
            }
        }
    }

    /// Waits for a slot and serves the connection in a task of its own.
    async fn admit(&self, stream: TcpStream) -> io::Result<()> {
        let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
        let listener = &self.endpoint.listener;
        let begun = Instant::now();
        let delay = self.quotas.creation_delay(listener, Timestamp::now());
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let slot = self.quotas.slot(listener, peer.ip().to_canonical()).await;
        self.stats.blocked_nanos.add(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
        let Some(slot) = slot else {
            info!(%listener, %peer, "too many connections from this address");
            self.stats.refused.increment();
            return Ok(());
        };
        configure(&stream, &self.config)?;
        let context =
            ConnectionContext::new(listener.clone(), self.endpoint.protocol, local, peer, slot.index);
        let counted = CountedConnection::new(&self.stats);
        self.tasks.spawn(serve(self.connection(stream, context, slot), counted, self.abort.clone()));
        Ok(())
    }

    fn connection(&self, stream: TcpStream, context: ConnectionContext, slot: Slot) -> Connection {
        Connection {
            stream,
            context,
            slot,
            dispatch: self.dispatch.clone(),
            frames: FrameBuffer::new(self.config.request_bytes_max),
            idle: IdleTimer::new(self.config.idle_max),
            stop: self.stop.clone(),
            outgoing: Outgoing::default(),
            unsent: UnsentAnswers::new(&self.stats),
            read_at: Instant::now(),
        }
    }
}

async fn serve(connection: Connection, _counted: CountedConnection, abort: CancellationToken) {
    let (context, end) = tokio::select! {
        () = abort.cancelled() => return,
        ended = connection.serve() => ended,
    };
    match end {
        End::Frame(_) | End::Wire(_) | End::Encode(_) => {
            warn!(connection = %context.id, listener = %context.listener, reason = %end, "closed a connection");
        }
        _ => {
            debug!(connection = %context.id, listener = %context.listener, reason = %end, "connection ended")
        }
    }
}
