//! Background tasks, failing log directories, and the end (`ReplicaManager.startup`, `handleLogDirFailure`, `shutdown`).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gregor_log::FailedDir;
use gregor_model::Timestamp;
use tokio::runtime::Handle;
use tokio::time::MissedTickBehavior;

use super::ReplicaManager;
use crate::alter_partition::machine::IsrChange;
use crate::alter_partition::task;
use crate::follower_clock::HEARTBEAT_MS;
use crate::partition::isr::IsrAnswer;
use crate::purgatory::WaitOutcome;

impl ReplicaManager {
    /// Starts the background tasks (ISR shrink, high watermark checkpoints, AlterPartition, stall watch). Call it in a Tokio runtime.
    pub fn start(self: &Arc<Self>) {
        let lag_ms = u64::try_from(self.shared.config.replica_lag_time_max_ms).unwrap_or(0);
        self.every(Duration::from_millis(HEARTBEAT_MS.unsigned_abs()), |manager| {
            manager.shared.clocks.heartbeat(manager.shared.now());
        });
        self.every(Duration::from_millis((lag_ms / 2).max(1)), |manager| {
            manager.shrink_isrs(manager.shared.now())
        });
        let checkpoint_ms = self.shared.config.high_watermark_checkpoint_interval_ms.max(1);
        self.every_blocking(Duration::from_millis(checkpoint_ms), ReplicaManager::checkpoint_high_watermarks);
        self.send_isr_changes();
        self.start_moving();
    }

    /// Keeps a worker of `workers`, the runtime that serves requests, awake while others hang in a disk. Never ends; to be
    /// polled by another runtime.
    pub async fn watch_appends(self: Arc<Self>, workers: Handle) {
        self.shared.spare_worker.watch(workers).await;
    }

    /// Proposes to drop lagging replicas from the ISRs of all partitions led here (`maybeShrinkIsr`).
    pub fn shrink_isrs(&self, now: Timestamp) {
        for hosted in self.partitions.all_online() {
            hosted.check_followers(&self.shared, now);
        }
    }

    /// Writes the high watermarks of all logs, once a LeaderAndIsr came.
    pub fn checkpoint_high_watermarks(&self) {
        if self.is_announced.load(Ordering::Acquire) {
            self.logs.checkpoint_high_watermarks();
        }
    }

    /// Changes `num.replica.fetchers`: fetching stops for a moment and goes on with as many fetchers per leader.
    pub async fn set_num_replica_fetchers(self: &Arc<Self>, fetchers: u32) {
        let manager = Arc::clone(self);
        let resized = tokio::task::spawn_blocking(move || {
            // No role changes meanwhile: what the fetchers had is what the new ones get.
            let control = manager.control.lock();
            if manager.fetchers.per_leader() == fetchers.max(1) {
                return;
            }
            let starts = manager.fetchers.resize(fetchers.max(1)).into_iter().filter_map(
                |(partition, leader, term)| {
                    let log = manager.partitions.online(&partition)?.follower_log(term)?;
                    Some(manager.fetch_start(&partition, log.topic_id(), leader, term, &log))
                },
            );
            manager.fetchers.add(starts.collect());
            drop(control);
        });
        if let Err(error) = resized.await {
            tracing::error!(%error, "cannot change the number of fetchers");
        }
    }

    /// A log directory failed: its partitions go offline and their fetchers stop. What lay there is returned, so that the controller can be told.
    pub fn handle_log_dir_failure(&self, dir: &Path) -> Option<FailedDir> {
        let control = self.control.lock();
        let failed = self.logs.drop_failed_dir(dir)?;
        // Why was logged when it went offline.
        tracing::warn!(dir = %dir.display(), partitions = failed.logs.len(), "the directory's partitions go offline");
        self.take_offline(&failed.logs);
        self.forget_moves(&failed.future_logs);
        drop(control);
        Some(failed)
    }

    /// Stops fetchers and background tasks, lets every waiting request go, writes the high watermark checkpoints.
    pub async fn shutdown(self: &Arc<Self>) {
        self.cancel.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        for hosted in self.partitions.all_online() {
            hosted.release_waiters(WaitOutcome::NotLeader);
        }
        let manager = Arc::clone(self);
        if let Err(error) = tokio::task::spawn_blocking(move || manager.checkpoint_high_watermarks()).await {
            tracing::error!(%error, "the last high watermark checkpoint failed");
        }
    }

    /// Runs `work` at every interval until shutdown.
    fn every(self: &Arc<Self>, period: Duration, work: impl Fn(&ReplicaManager) + Send + 'static) {
        let (manager, cancel) = (Arc::clone(self), self.cancel.clone());
        self.tasks.spawn(async move {
            let mut interval = tokio::time::interval(period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while cancel.run_until_cancelled(interval.tick()).await.is_some() {
                work(&manager);
            }
        });
    }

    /// The same for work that waits for the disk.
    fn every_blocking(self: &Arc<Self>, period: Duration, work: fn(&ReplicaManager)) {
        let (manager, cancel) = (Arc::clone(self), self.cancel.clone());
        self.tasks.spawn(async move {
            let mut interval = tokio::time::interval(period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while cancel.run_until_cancelled(interval.tick()).await.is_some() {
                let manager = Arc::clone(&manager);
                if let Err(error) = tokio::task::spawn_blocking(move || work(&manager)).await {
                    tracing::error!(%error, "background work failed");
                }
            }
        });
    }

    fn send_isr_changes(self: &Arc<Self>) {
        let (manager, cancel) = (Arc::clone(self), self.cancel.clone());
        self.tasks.spawn(async move {
            let shared = &manager.shared;
            let deliver = |change: IsrChange, answer: IsrAnswer| {
                if let Some(hosted) = manager.partitions.online(&change.partition) {
                    hosted.on_isr_answer(shared, &change, answer, shared.now());
                }
            };
            let run = task::run(
                shared.config.broker_id,
                Arc::clone(&shared.isr_changes),
                Arc::clone(&manager.authority),
                Arc::clone(&shared.environment),
                deliver,
            );
            cancel.run_until_cancelled(run).await;
        });
    }
}
