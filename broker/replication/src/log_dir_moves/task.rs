//! The workers that copy replicas to other log directories. Owned by the manager; they end with its cancellation.

use std::sync::Arc;
use std::time::Duration;

use gregor_log::LogManager;
use gregor_model::{Timestamp, TopicPartition};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::queue::MoveQueue;
use crate::hosted_partition::{MoveError, MoveStep};
use crate::manager::PartitionMap;
use crate::shared::Shared;

/// What is to be moved; the lock is a leaf.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    queue: Mutex<MoveQueue>,
    changed: Notify,
}

impl Moves {
    /// Has a worker look at the partition's copy.
    pub(crate) fn add(&self, partition: TopicPartition, now: Timestamp) {
        self.queue.lock().add(partition, now);
        self.changed.notify_waiters();
    }
}

/// One worker.
pub(crate) struct Worker {
    pub(crate) moves: Arc<Moves>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) partitions: Arc<PartitionMap>,
    pub(crate) logs: Arc<LogManager>,
    pub(crate) cancel: CancellationToken,
}

/// What a worker does after a step.
enum Next {
    GoOn,
    /// Let go of the partition; `true`: and try it again after the back-off.
    LetGo(bool),
}

impl Worker {
    /// Moves one partition after the other until the broker stops.
    pub(crate) async fn run(self) {
        while !self.cancel.is_cancelled() {
            // Registered before the queue is looked at, so that nothing added in between is missed.
            let changed = self.moves.changed.notified();
            let now = self.shared.now();
            let taken = self.moves.queue.lock().take(now);
            match taken {
                Some(partition) => self.move_partition(partition).await,
                None => {
                    let next = self.moves.queue.lock().next_ready();
                    let wait = next.map(|ready| until(ready, now)).unwrap_or(Duration::MAX);
                    let woken = tokio::time::timeout(wait, changed);
                    let _ = self.cancel.run_until_cancelled(woken).await;
                }
            }
        }
    }

    /// Copies until the partition has moved, cannot be moved now, or the broker stops.
    async fn move_partition(&self, partition: TopicPartition) {
        let backoff = Duration::from_millis(u64::try_from(self.backoff_ms()).unwrap_or(0));
        let again = loop {
            if self.cancel.is_cancelled() {
                break false;
            }
            if self.shared.move_throttle.is_exceeded(self.shared.now()) {
                let _ = self.cancel.run_until_cancelled(tokio::time::sleep(backoff)).await;
                continue;
            }
            match self.step(&partition).await {
                Next::GoOn => {}
                Next::LetGo(again) => break again,
            }
        };
        let again = again.then(|| self.shared.now() + self.backoff_ms());
        self.moves.queue.lock().give_back(partition, again);
        self.moves.changed.notify_waiters();
    }

    fn backoff_ms(&self) -> i64 {
        self.shared.config.replica_fetch_backoff_ms.max(1)
    }

    /// Copies once, on a thread that may block.
    async fn step(&self, partition: &TopicPartition) -> Next {
        let Some(hosted) = self.partitions.online(partition) else { return Next::LetGo(false) };
        let (shared, logs) = (Arc::clone(&self.shared), Arc::clone(&self.logs));
        let step = tokio::task::spawn_blocking(move || -> Result<Next, MoveError> {
            let max_bytes = usize::try_from(shared.config.replica_fetch_max_bytes).unwrap_or(0);
            let step = hosted.copy_to_future(&shared, max_bytes, shared.now())?;
            if let MoveStep::Copied(bytes) | MoveStep::CaughtUp(bytes) = step {
                shared.move_throttle.record(bytes as u64, shared.now());
            }
            Ok(match step {
                MoveStep::Gone => Next::LetGo(false),
                MoveStep::Stuck => Next::LetGo(true),
                MoveStep::Copied(_) => Next::GoOn,
                MoveStep::CaughtUp(_) if hosted.finish_move(&logs, max_bytes, shared.now())? => {
                    Next::LetGo(false)
                }
                MoveStep::CaughtUp(_) => Next::GoOn,
            })
        });
        match step.await {
            Ok(Ok(next)) => next,
            Ok(Err(error)) => {
                tracing::warn!(%partition, %error, "cannot copy the log to another directory, trying again");
                Next::LetGo(true)
            }
            Err(error) => {
                tracing::error!(%partition, %error, "copying the log to another directory failed");
                Next::LetGo(false)
            }
        }
    }
}

fn until(ready: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(ready - now).unwrap_or(0).max(1))
}
