//! All listeners of a broker (`SocketServer`). They may come and go while it runs; `change` lets one change happen at a time,
//! `running` is held for a few lines.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gregor_model::{EndPoint, ListenerName};
use parking_lot::Mutex;
use socket2::Socket;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use crate::acceptor::Acceptor;
use crate::bind::{self, BindError};
use crate::config::NetworkConfig;
use crate::dispatch::Dispatch;
use crate::listener_stats::ListenerStats;
use crate::quotas::{ConnectionLimiter, ConnectionQuotas};

/// Listeners whose addresses are taken: a port in use is known before anything else is done. Connections are refused
/// until the broker is ready.
#[derive(Debug)]
pub struct BoundServer {
    config: NetworkConfig,
    sockets: Vec<(EndPoint, Socket)>,
}

impl BoundServer {
    /// Binds every listener, or none.
    pub fn bind(config: NetworkConfig) -> Result<BoundServer, BindError> {
        let bound = config.listeners.iter().map(|listener| {
            let socket = bind::bind(&listener.endpoint, &config)?;
            Ok((listener.endpoint.clone(), socket))
        });
        let sockets = bound.collect::<Result<_, BindError>>()?;
        Ok(BoundServer { config, sockets })
    }

    /// The ports that were bound; they differ from the configured ones where those are 0.
    pub fn ports(&self) -> HashMap<ListenerName, u16> {
        self.sockets.iter().map(|(endpoint, socket)| (endpoint.listener.clone(), port(socket))).collect()
    }

    /// Begins to accept and serve. Must be called within a tokio runtime.
    pub fn start(self, dispatch: Arc<dyn Dispatch>) -> Result<Server, BindError> {
        let listeners = Listeners(Arc::new(Inner {
            dispatch,
            quotas: ConnectionQuotas::new(&self.config),
            running: Mutex::new(Vec::with_capacity(self.sockets.len())),
            change: tokio::sync::Mutex::new(()),
            acceptors: TaskTracker::new(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
        }));
        let server = Server { listeners };
        let config = Arc::new(self.config);
        for (endpoint, socket) in self.sockets {
            server.listeners.serve(endpoint, socket, &config)?;
        }
        Ok(server)
    }
}

fn port(socket: &Socket) -> u16 {
    let address = socket.local_addr().ok().and_then(|address| address.as_socket());
    address.map_or(0, |address| address.port())
}

/// Listeners that are served, until this is stopped or dropped.
#[derive(Debug)]
pub struct Server {
    listeners: Listeners,
}

impl Server {
    /// Stops: no further connection, no further request; requests in hand get `grace` to be answered, then every
    /// connection is closed.
    pub async fn stop(self, grace: Duration) {
        let inner = &self.listeners.0;
        inner.stop.cancel();
        inner.acceptors.close();
        inner.acceptors.wait().await;
        inner.tasks.close();
        if tokio::time::timeout(grace, inner.tasks.wait()).await.is_err() {
            inner.abort.cancel();
            inner.tasks.wait().await;
        }
    }

    /// Who changes the listeners and their limits while they are served.
    pub fn listeners(&self) -> Listeners {
        self.listeners.clone()
    }

    /// How many connections a listener has.
    pub fn connection_count(&self, listener: &ListenerName) -> usize {
        self.listeners.0.quotas.count(listener)
    }
}

impl Drop for Server {
    /// Whoever drops a server without stopping it gives up the requests in hand.
    fn drop(&mut self) {
        self.listeners.0.stop.cancel();
        self.listeners.0.abort.cancel();
    }
}

/// The listeners of a server, for those who look at them or change them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Listeners(Arc<Inner>);

struct Inner {
    dispatch: Arc<dyn Dispatch>,
    quotas: Arc<ConnectionQuotas>,
    running: Mutex<Vec<Running>>,
    change: tokio::sync::Mutex<()>,
    acceptors: TaskTracker,
    tasks: TaskTracker,
    stop: CancellationToken,
    abort: CancellationToken,
}

impl fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Inner").field("running", &self.running).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Running {
    port: u16,
    stats: Arc<ListenerStats>,
    stop: CancellationToken,
    abort: CancellationToken,
    acceptor: JoinHandle<()>,
}

impl Listeners {
    /// What is counted of each listener's connections.
    pub fn stats(&self) -> Vec<Arc<ListenerStats>> {
        self.0.running.lock().iter().map(|running| running.stats.clone()).collect()
    }

    /// The ports that are bound.
    pub fn ports(&self) -> HashMap<ListenerName, u16> {
        let running = self.0.running.lock();
        running.iter().map(|running| (running.stats.listener.clone(), running.port)).collect()
    }

    /// Who changes the connection limits.
    pub fn limiter(&self) -> ConnectionLimiter {
        ConnectionLimiter(self.0.quotas.clone())
    }

    /// From now on the listeners are those of this configuration (`DynamicListenerConfig`): those it does not name end with
    /// their connections, then those that are new begin. One that stays is left as it is, even if its address is another.
    ///
    /// # Errors
    /// A new listener's address cannot be had; others that are new may not have begun.
    pub async fn replace(&self, config: NetworkConfig) -> Result<(), BindError> {
        let _change = self.0.change.lock().await;
        let config = Arc::new(config);
        let wanted: Vec<EndPoint> =
            config.listeners.iter().map(|listener| listener.endpoint.clone()).collect();
        let is_wanted = |one: &mut Running| wanted.iter().any(|other| other.listener == one.stats.listener);
        let removed: Vec<Running> = self.0.running.lock().extract_if(.., |one| !is_wanted(one)).collect();
        for removed in removed {
            removed.stop.cancel();
            removed.abort.cancel();
            // Its address is free when it has ended; that it panicked is no reason to keep the others.
            let _ = removed.acceptor.await;
            info!(listener = %removed.stats.listener, "no longer listening");
        }
        let known = self.ports();
        for endpoint in wanted.into_iter().filter(|endpoint| !known.contains_key(&endpoint.listener)) {
            let socket = bind::bind(&endpoint, &config)?;
            info!(listener = %endpoint.listener, port = port(&socket), "listening");
            self.serve(endpoint, socket, &config)?;
        }
        Ok(())
    }

    /// Begins to accept on a bound socket.
    fn serve(
        &self,
        endpoint: EndPoint,
        socket: Socket,
        config: &Arc<NetworkConfig>,
    ) -> Result<(), BindError> {
        let inner = &self.0;
        let port = port(&socket);
        let failed = |source| BindError { endpoint: endpoint.listener.to_string(), source };
        let socket = bind::listen(socket, config.backlog).and_then(tokio::net::TcpListener::from_std);
        let socket = socket.map_err(failed)?;
        let stats = ListenerStats::new(endpoint.listener.clone());
        let (stop, abort) = (inner.stop.child_token(), inner.abort.child_token());
        let acceptor = Acceptor {
            endpoint,
            stats: stats.clone(),
            config: config.clone(),
            dispatch: inner.dispatch.clone(),
            quotas: inner.quotas.clone(),
            tasks: inner.tasks.clone(),
            stop: stop.clone(),
            abort: abort.clone(),
        };
        let acceptor = inner.acceptors.spawn(acceptor.run(socket));
        inner.running.lock().push(Running { port, stats, stop, abort, acceptor });
        Ok(())
    }
}
