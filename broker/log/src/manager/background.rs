//! The work that the server has done from time to time, and the last of it: a clean shutdown.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gregor_model::Timestamp;
use parking_lot::Mutex;

use super::{LogManager, ManagedDir};
use crate::checkpoint::clean_shutdown;
use crate::disk::Open;
use crate::{PartitionLog, StorageError};

impl LogManager {
    /// What rolls, deletions and retention have left to do: flushes segments that are no longer appended to, unlinks
    /// `.deleted` files and `-delete` directories whose delay is over. Call it every second or so.
    pub fn run_due_work(&self, now: Timestamp) {
        for partition in self.shared.background.take_to_flush() {
            for log in self.log(&partition).into_iter().chain(self.future_log(&partition)) {
                log_failure(&log, "flush", log.flush_rolled(now));
            }
        }
        self.shared.background.due(now).iter().for_each(|doomed| doomed.remove());
    }

    /// Retention of all logs that are not compacted (every `log.retention.check.interval.ms`); that of compacted ones
    /// is the cleaner's.
    pub fn run_retention(&self, now: Timestamp) {
        for log in self.all_with_future().iter().filter(|log| !log.config().cleanup_policy.compact) {
            log_failure(log, "delete old segments of", log.delete_old_segments(now).map(drop));
        }
    }

    /// Flushes logs whose last flush is `flush.ms` ago (every `log.flush.scheduler.interval.ms`).
    pub fn flush_dirty(&self, now: Timestamp) {
        for log in self.all_with_future() {
            log_failure(&log, "flush", log.flush_if_old(now));
        }
    }

    /// Forgets producers that are silent for `producer.id.expiration.ms` (every
    /// `producer.id.expiration.check.interval.ms`).
    pub fn expire_producers(&self, now: Timestamp) {
        self.all_with_future().iter().for_each(|log| log.expire_producers(now));
    }

    /// Changes `producer.id.expiration.ms` and `transaction.partition.verification.enable`, which are dynamic.
    pub fn update_producer_settings(&self, producer_id_expiration_ms: i64, verification_enable: bool) {
        self.shared.producer_id_expiration_ms.store(producer_id_expiration_ms, Ordering::Relaxed);
        self.shared.transaction_verification.store(verification_enable, Ordering::Relaxed);
    }

    /// Flushes and closes every log, writes checkpoints and `.kafka_cleanshutdown`, unlocks the directories.
    /// A directory where any of that fails stays unclean; the first failure is returned.
    pub fn shutdown(&self, now: Timestamp) -> Result<(), StorageError> {
        let _creation = self.creation.lock();
        let all = self.all_with_future();
        let failed = Mutex::new(None);
        std::thread::scope(|scope| {
            for dir in self.dirs.iter().filter(|dir| dir.is_live()) {
                let (all, failed) = (&all, &failed);
                scope.spawn(move || {
                    if let Err(error) = self.shut_down_dir(dir, all, now) {
                        failed.lock().get_or_insert(error);
                    }
                });
            }
        });
        failed.into_inner().map_or(Ok(()), Err)
    }

    fn shut_down_dir(
        &self,
        dir: &ManagedDir,
        all: &[Arc<PartitionLog>],
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let here: Vec<_> =
            all.iter().filter(|log| Arc::ptr_eq(log.partition_dir().log_dir(), &dir.log_dir)).collect();
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let close = || {
                while let Some(log) = here.get(next.fetch_add(1, Ordering::Relaxed)) {
                    log_failure(log, "close", log.close(now));
                }
            };
            for _ in 1..self.config.recovery_threads_per_data_dir.max(1) {
                scope.spawn(close);
            }
            close();
        });
        // A log that could not be closed has taken the directory offline, and no marker is written then.
        self.checkpoint_dir_fully(dir)?;
        here.iter().try_for_each(|log| log.forget_epochs_after_close())?;
        let marker = dir.log_dir.path().join(clean_shutdown::NAME);
        dir.log_dir.run("write", &marker, |disk| {
            let file = disk.open(&marker, Open::OrCreate)?;
            file.set_len(0)?;
            file.write_all_at(&[clean_shutdown::CONTENT], 0)?;
            file.sync()
        })?;
        *dir.lock.lock() = None;
        Ok(())
    }
}

fn log_failure(log: &PartitionLog, what: &str, result: Result<(), StorageError>) {
    match result {
        // Deleted meanwhile.
        Ok(()) | Err(StorageError::Closed(_)) => {}
        // Its directory is offline, which was logged once for all of its logs.
        Err(error) => tracing::debug!(partition = %log.topic_partition(), %error, "cannot {what} the log"),
    }
}
