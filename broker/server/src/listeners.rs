//! Listeners and connection limits that change while the broker runs: `listeners`, `advertised.listeners`, the protocols of
//! both (`DynamicListenerConfig`), and `max.connections`, `.per.ip`, `.per.ip.overrides` and
//! `max.connection.creation.rate` (`ConnectionQuotas`).
//!
//! One task follows the dynamic configuration. What clients are told follows what is served: first listeners end and begin,
//! then the registration tells of them, from which the controller tells everyone.

use std::sync::Arc;

use gregor_config::BrokerConfig;
use gregor_network::{Listeners, NetworkConfig};
use gregor_zookeeper::Session;
use tokio_util::sync::CancellationToken;

use crate::config_admin::BrokerLayers;
use crate::lifecycle::host_name;
use crate::registration::Registration;

/// What follows the configuration.
pub struct FollowedListeners {
    layers: Arc<BrokerLayers>,
    listeners: Listeners,
    registration: Arc<Registration>,
    session: Session,
}

impl FollowedListeners {
    /// What is configured by `layers`, served as `listeners` and told of by `registration`.
    pub fn new(
        layers: Arc<BrokerLayers>,
        listeners: Listeners,
        registration: Arc<Registration>,
        session: &Session,
    ) -> FollowedListeners {
        FollowedListeners { layers, listeners, registration, session: session.clone() }
    }

    /// Applies what is configured now, and whenever that changes, until the broker stops.
    pub async fn follow(self, stop: CancellationToken) {
        let mut changes = self.layers.changes();
        loop {
            changes.mark_unchanged();
            let current = self.layers.current();
            let config = current.layered.config.clone();
            // Host names among the overrides are looked up, which may take its time.
            let read = tokio::task::spawn_blocking(move || {
                let network = NetworkConfig::from_config(&config);
                network.map(|network| (config, network))
            });
            match read.await {
                Ok(Ok((config, network))) => {
                    if stop.run_until_cancelled(self.apply(&config, network)).await.is_none() {
                        return;
                    }
                }
                Ok(Err(error)) => tracing::error!(%error, "listeners and their limits stay as they were"),
                Err(error) => tracing::error!(%error, "the listeners' configuration could not be read"),
            }
            if !matches!(stop.run_until_cancelled(changes.changed()).await, Some(Ok(()))) {
                return;
            }
        }
    }

    async fn apply(&self, config: &BrokerConfig, network: NetworkConfig) {
        self.listeners.limiter().set(&network);
        if let Err(error) = self.listeners.replace(network).await {
            // What is advertised stays, too: nobody is sent to where nothing listens.
            tracing::error!(%error, "the broker does not listen as configured");
            return;
        }
        let endpoints = config.listeners.advertised_endpoints(&host_name(), &self.listeners.ports());
        match self.registration.advertise(endpoints, &self.session).await {
            Ok(true) => tracing::info!("the broker is registered with other addresses"),
            Ok(false) => {}
            // Registering anew tells of them.
            Err(error) => tracing::error!(%error, "the broker's addresses could not be registered"),
        }
    }
}
