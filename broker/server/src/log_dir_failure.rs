//! When a log directory fails (`ReplicaManager.handleLogDirFailure`): its partitions go offline, the controller is
//! told through ZooKeeper, and a broker without any directory left stops.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gregor_log::LogManager;
use gregor_model::BrokerId;
use gregor_replication::ReplicaManager;
use gregor_zookeeper::store::Store;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// More than any broker has directories; what does not fit is found offline by the next who touches it.
const QUEUE_LENGTH: usize = 1024;

/// How long to wait before telling the controller again.
const RETRY_BACKOFF: Duration = Duration::from_secs(1);

/// Directories that failed, in the order they did. The log manager must be given this before anything can fail.
pub fn listen(logs: &LogManager) -> mpsc::Receiver<PathBuf> {
    let (sender, failures) = mpsc::channel(QUEUE_LENGTH);
    logs.set_failure_listener(Box::new(move |dir: &Path| {
        // Full means that a thousand failures wait to be handled already.
        let _ = sender.try_send(dir.to_owned());
    }));
    failures
}

/// The parts that a failure concerns.
pub struct LogDirFailures {
    /// This broker.
    pub id: BrokerId,
    /// All logs.
    pub logs: Arc<LogManager>,
    /// All partitions.
    pub replicas: Arc<ReplicaManager>,
    /// Where the controller is told.
    pub store: Store,
}

impl LogDirFailures {
    /// Handles failures until the broker stops. Returns `true` when there is no directory left: nothing can be served any more.
    pub async fn handle(self, mut failures: mpsc::Receiver<PathBuf>, stop: CancellationToken) -> bool {
        while let Some(Some(dir)) = stop.run_until_cancelled(failures.recv()).await {
            let replicas = Arc::clone(&self.replicas);
            let failed = dir.clone();
            let dropped = tokio::task::spawn_blocking(move || replicas.handle_log_dir_failure(&failed)).await;
            match dropped {
                // Not waited for: a write may hang in there for ever.
                Ok(Some(dropped)) => drop(tokio::task::spawn_blocking(move || dropped.close_logs())),
                Ok(None) => {}
                Err(panic) => {
                    tracing::error!(dir = %dir.display(), %panic, "cannot take the directory's partitions offline");
                }
            }
            if self.logs.live_dirs().is_empty() {
                tracing::error!("no log directory is left: this broker stops");
                return true;
            }
            self.tell_controller(&stop).await;
        }
        false
    }

    async fn tell_controller(&self, stop: &CancellationToken) {
        while let Err(error) = self.store.notify_log_dir_failure(self.id).await {
            tracing::warn!(%error, "cannot tell the controller of a failed log directory");
            if stop.run_until_cancelled(tokio::time::sleep(RETRY_BACKOFF)).await.is_none() {
                return;
            }
        }
    }
}
