//! Stopping a broker (`KafkaServer.shutdown`): leaderships first, then listeners, replicas, logs, and at last the
//! ZooKeeper session, with which the registration vanishes.

use std::sync::Arc;
use std::time::Duration;

use gregor_model::Timestamp;

use super::start::RunningBroker;
use crate::controlled_shutdown::ControlledShutdown;
use crate::metrics::BrokerState;

/// How long requests in hand may take to be answered.
const GRACE: Duration = Duration::from_secs(1);

impl RunningBroker {
    /// Resolves when the broker cannot go on.
    pub async fn failed(&self) -> anyhow::Error {
        self.failed.cancelled().await;
        anyhow::anyhow!("no log directory is left")
    }

    /// Stops everything, in order.
    pub async fn stop(self) {
        let metrics = self.metrics;
        metrics.metrics.set_state(BrokerState::PendingControlledShutdown);
        if self.controlled_shutdown.enabled && !self.failed.is_cancelled() {
            let leave = ControlledShutdown {
                id: self.broker.id,
                epoch: self.broker.registration.epoch(),
                listener: self.inter_broker.clone(),
                metadata: self.broker.metadata.clone(),
                connect: self.connect.clone(),
            };
            leave.run(self.controlled_shutdown).await;
        }
        metrics.metrics.set_state(BrokerState::ShuttingDown);
        self.stop.cancel();
        self.server.stop(GRACE).await;
        self.broker.coordinators.shutdown().await;
        self.tasks.close();
        self.tasks.wait().await;
        self.broker.replicas.shutdown().await;
        let logs = Arc::clone(&self.logs);
        let closed = tokio::task::spawn_blocking(move || logs.shutdown(Timestamp::now())).await;
        match closed {
            Ok(Ok(())) => tracing::info!("logs are closed"),
            Ok(Err(error)) => tracing::error!(%error, "logs were not closed cleanly"),
            Err(panic) => tracing::error!(%panic, "logs were not closed cleanly"),
        }
        self.controller.stop().await;
        self.session.close().await;
        drop(self.control);
        metrics.close().await;
        tracing::info!("stopped");
    }
}
