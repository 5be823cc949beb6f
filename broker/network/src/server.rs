//! All listeners of a broker (`SocketServer`).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gregor_model::{EndPoint, ListenerName};
use socket2::Socket;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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
        let address = |socket: &Socket| socket.local_addr().ok()?.as_socket();
        let port = |socket: &Socket| address(socket).map_or(0, |address| address.port());
        self.sockets.iter().map(|(endpoint, socket)| (endpoint.listener.clone(), port(socket))).collect()
    }

    /// Begins to accept and serve. Must be called within a tokio runtime.
    pub fn start(self, dispatch: Arc<dyn Dispatch>) -> Result<Server, BindError> {
        let quotas = ConnectionQuotas::new(&self.config);
        let config = Arc::new(self.config);
        let (acceptors, tasks) = (TaskTracker::new(), TaskTracker::new());
        let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
        let mut stats = Vec::with_capacity(self.sockets.len());
        for (endpoint, socket) in self.sockets {
            let failed = |source| BindError { endpoint: endpoint.listener.to_string(), source };
            let socket = bind::listen(socket, config.backlog).and_then(tokio::net::TcpListener::from_std);
            let socket = socket.map_err(failed)?;
            let counted = ListenerStats::new(endpoint.listener.clone());
            stats.push(counted.clone());
            let acceptor = Acceptor {
                endpoint,
                stats: counted,
                config: config.clone(),
                dispatch: dispatch.clone(),
                quotas: quotas.clone(),
                tasks: tasks.clone(),
                stop: stop.clone(),
                abort: abort.clone(),
            };
            acceptors.spawn(acceptor.run(socket));
        }
        acceptors.close();
        Ok(Server { quotas, stats, acceptors, tasks, stop, abort })
    }
}

/// Listeners that are served.
#[derive(Debug)]
pub struct Server {
    quotas: Arc<ConnectionQuotas>,
    stats: Vec<Arc<ListenerStats>>,
    acceptors: TaskTracker,
    tasks: TaskTracker,
    stop: CancellationToken,
    abort: CancellationToken,
}

impl Server {
    /// Stops: no further connection, no further request; requests in hand get `grace` to be answered, then every
    /// connection is closed.
    pub async fn stop(self, grace: Duration) {
        self.stop.cancel();
        self.acceptors.wait().await;
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            self.abort.cancel();
            self.tasks.wait().await;
        }
    }

    /// Who changes the connection limits while it runs.
    pub fn limiter(&self) -> ConnectionLimiter {
        ConnectionLimiter(self.quotas.clone())
    }

    /// What is counted of each listener's connections.
    pub fn listener_stats(&self) -> &[Arc<ListenerStats>] {
        &self.stats
    }

    /// How many connections a listener has.
    pub fn connection_count(&self, listener: &ListenerName) -> usize {
        self.quotas.count(listener)
    }
}

impl Drop for Server {
    /// Whoever drops a server without stopping it gives up the requests in hand.
    fn drop(&mut self) {
        self.stop.cancel();
        self.abort.cancel();
    }
}
