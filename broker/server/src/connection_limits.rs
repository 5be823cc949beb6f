//! Connection limits that change while the broker runs (`max.connections`, `.per.ip` and `.per.ip.overrides`;
//! `SocketServer`'s `ConnectionQuotas` as a reconfigurable).

use std::sync::Arc;

use gregor_network::{ConnectionLimiter, NetworkConfig};
use tokio_util::sync::CancellationToken;

use crate::config_admin::BrokerLayers;

/// Gives the server the limits of the dynamic configuration, now and whenever that changes, until the broker stops.
pub async fn follow(layers: Arc<BrokerLayers>, limiter: ConnectionLimiter, stop: CancellationToken) {
    let mut changes = layers.changes();
    loop {
        changes.mark_unchanged();
        let current = layers.current();
        // Host names among the overrides are looked up, which may take its time.
        let read = tokio::task::spawn_blocking(move || NetworkConfig::from_config(&current.layered.config));
        match read.await {
            Ok(Ok(config)) => limiter.set(&config),
            Ok(Err(error)) => tracing::error!(%error, "connection limits stay as they were"),
            Err(error) => tracing::error!(%error, "connection limits could not be read"),
        }
        if !matches!(stop.run_until_cancelled(changes.changed()).await, Some(Ok(()))) {
            return;
        }
    }
}
