//! The cleaner itself (`LogCleaner`, `LogCleanerManager`): chooses logs, cleans them, remembers those it cannot clean.
//!
//! As many threads as `log.cleaner.threads` call [`LogCleaner::clean_once`]; no log is cleaned by two of them. Kafka has
//! truncations, deletions and moves of a log pause its cleaning and wait; here the cleaning notices at its end that the
//! log is another one or on its way to another directory, and nothing waits for it.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use gregor_model::{Timestamp, TopicPartition};
use parking_lot::Mutex;

use super::cleaning::{CleaningMeans, clean, look_at};
use super::offset_map::KeyHash;
use super::pace::SharedRate;
use super::selection::{Cleanable, filthiest};
use super::{CleanError, CleanerConfig, CleanerGauges, CleanerStats};
use crate::partition_log::CompactionView;
use crate::{LogManager, PartitionLog, StorageError};

/// What one call of [`LogCleaner::clean_once`] did.
#[derive(Clone, Debug, PartialEq)]
pub enum CleanOutcome {
    /// A log was cleaned; there may be another.
    Cleaned {
        /// Which.
        partition: TopicPartition,
        /// How it went.
        stats: CleanerStats,
    },
    /// The cleaning of a log was given up, as it changed meanwhile, failed, or the cleaner was to stop.
    GivenUp(TopicPartition),
    /// There was nothing to clean: wait for `log.cleaner.backoff.ms`.
    Nothing,
}

/// Compacts the logs of a [`LogManager`].
#[derive(Debug)]
pub struct LogCleaner {
    manager: Arc<LogManager>,
    config: ArcSwap<CleanerConfig>,
    hash: KeyHash,
    rate: SharedRate,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Being cleaned, or having old segments deleted, by one of the threads.
    in_progress: HashSet<TopicPartition>,
    /// Those that failed, with the directory they failed in.
    uncleanable: HashSet<(PathBuf, TopicPartition)>,
    last_run: Option<Timestamp>,
    gauges: CleanerGauges,
}

/// A log that is reserved for one thread, until dropped.
struct Reservation<'a> {
    cleaner: &'a LogCleaner,
    partition: TopicPartition,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.cleaner.state.lock().in_progress.remove(&self.partition);
    }
}

impl LogCleaner {
    /// A cleaner of the manager's logs.
    pub fn new(manager: Arc<LogManager>, config: CleanerConfig) -> LogCleaner {
        LogCleaner {
            manager,
            config: ArcSwap::from_pointee(config),
            hash: KeyHash::default(),
            rate: SharedRate::default(),
            state: Mutex::default(),
        }
    }

    /// Changes the configuration; a cleaning under way keeps the one it began with.
    pub fn set_config(&self, config: CleanerConfig) {
        self.config.store(Arc::new(config));
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<CleanerConfig> {
        self.config.load_full()
    }

    /// Cleans the log that needs it most, if any does, and deletes old segments of all compacted logs. May take long;
    /// it ends early when `stop` says so. Call it again at once if it cleaned something.
    pub fn clean_once(&self, now: Timestamp, stop: &dyn Fn() -> bool) -> CleanOutcome {
        let outcome = match self.reserve_filthiest(now) {
            None => CleanOutcome::Nothing,
            Some((reservation, log, view, found)) => {
                let partition = reservation.partition.clone();
                match self.clean(&log, &view, &found, now, stop) {
                    Ok(stats) => CleanOutcome::Cleaned { partition, stats },
                    Err(error) => {
                        self.on_failure(&log, &error);
                        CleanOutcome::GivenUp(partition)
                    }
                }
            }
        };
        self.delete_old_segments(now);
        outcome
    }

    /// Partitions that are not cleaned any more because that failed, by log directory.
    pub fn uncleanable_partitions(&self) -> Vec<(PathBuf, TopicPartition)> {
        self.state.lock().uncleanable.iter().cloned().collect()
    }

    /// The metrics.
    pub fn gauges(&self, now: Timestamp) -> CleanerGauges {
        let (uncleanable, mut gauges, last_run) = {
            let state = self.state.lock();
            (state.uncleanable.clone(), state.gauges, state.last_run)
        };
        gauges.uncleanable_partitions_count = uncleanable.len();
        gauges.uncleanable_bytes = uncleanable
            .iter()
            .filter_map(|(_, partition)| self.manager.log(partition))
            .filter_map(|log| look_at(&log, now).ok().flatten())
            .map(|(_, found)| found.cleanable_bytes)
            .sum();
        gauges.time_since_last_run_ms = last_run.map_or(0, |last_run| now - last_run);
        gauges
    }

    /// The compacted logs that no thread works on and that can be cleaned.
    fn idle_logs(&self, state: &State) -> Vec<Arc<PartitionLog>> {
        let mut logs = self.manager.all();
        logs.retain(|log| {
            log.config().cleanup_policy.compact
                && !log.is_moving()
                && !state.in_progress.contains(log.topic_partition())
                && !state.uncleanable.contains(&(log.parent_dir(), log.topic_partition().clone()))
        });
        logs
    }

    /// `grabFilthiestCompactedLog`.
    fn reserve_filthiest(
        &self,
        now: Timestamp,
    ) -> Option<(Reservation<'_>, Arc<PartitionLog>, CompactionView, Cleanable)> {
        let mut state = self.state.lock();
        state.last_run = Some(now);
        // A partition that is created again is another one.
        state.uncleanable.retain(|(_, partition)| self.manager.log(partition).is_some());
        let mut found = Vec::new();
        for log in self.idle_logs(&state) {
            match look_at(&log, now) {
                Ok(None) => {}
                Ok(Some((view, cleanable))) => found.push(((log, view), cleanable)),
                // The log is gone, or its directory is: that is told elsewhere.
                Err(CleanError::Storage(_) | CleanError::Aborted) => {}
                Err(error) => {
                    tracing::error!(partition = %log.topic_partition(), %error, "cannot tell what to clean; the partition is uncleanable");
                    state.uncleanable.insert((log.parent_dir(), log.topic_partition().clone()));
                }
            }
        }
        let dirtiest = found.iter().map(|(_, found)| found.ratio()).fold(0.0, f64::max);
        let delay_ms = found.iter().map(|(_, found)| found.delay_ms).max().unwrap_or(0);
        state.gauges.max_dirty_percent = (dirtiest * 100.0) as u32;
        state.gauges.max_compaction_delay_secs = delay_ms / 1000;
        let ((log, view), cleanable) = filthiest(found)?;
        let partition = log.topic_partition().clone();
        state.in_progress.insert(partition.clone());
        Some((Reservation { cleaner: self, partition }, log, view, cleanable))
    }

    fn clean(
        &self,
        log: &PartitionLog,
        view: &CompactionView,
        found: &Cleanable,
        now: Timestamp,
        stop: &dyn Fn() -> bool,
    ) -> Result<CleanerStats, CleanError> {
        let config = self.config();
        let means = CleaningMeans { config: &config, hash: &self.hash, rate: &self.rate, stop };
        let started = Instant::now();
        let mut stats = clean(log, view, found, &means, now)?;
        stats.elapsed = started.elapsed();
        self.note(log.topic_partition(), &stats);
        Ok(stats)
    }

    fn note(&self, partition: &TopicPartition, stats: &CleanerStats) {
        tracing::info!(
            %partition, bytes_read = stats.bytes_read, bytes_written = stats.bytes_written,
            records_read = stats.records_read, records_written = stats.records_written,
            invalid_records = stats.invalid_records, elapsed_ms = stats.elapsed.as_millis() as u64, "cleaned"
        );
        let gauges = &mut self.state.lock().gauges;
        gauges.max_buffer_utilization_percent = (stats.map_utilization * 100.0) as u32;
        gauges.cleaner_recopy_percent =
            (stats.bytes_written as f64 / stats.bytes_read.max(1) as f64 * 100.0) as u32;
        gauges.max_clean_time_secs = stats.elapsed.as_secs();
    }

    fn on_failure(&self, log: &PartitionLog, error: &CleanError) {
        let partition = log.topic_partition();
        match error {
            CleanError::Aborted | CleanError::Storage(StorageError::Closed(_)) => {
                tracing::info!(%partition, "cleaning given up");
            }
            // The directory is offline, and that was logged.
            CleanError::Storage(error) => tracing::debug!(%partition, %error, "cannot clean"),
            CleanError::Corrupt { .. } | CleanError::Batch { .. } => {
                tracing::error!(%partition, %error, "cannot clean; the partition is uncleanable until the next start");
                self.state.lock().uncleanable.insert((log.parent_dir(), partition.clone()));
            }
        }
    }

    /// Retention of compacted logs, which is not the manager's, so that it does not delete what is being cleaned.
    fn delete_old_segments(&self, now: Timestamp) {
        let logs = {
            let state = self.state.lock();
            self.idle_logs(&state)
        };
        for log in logs {
            let partition = log.topic_partition().clone();
            if !self.state.lock().in_progress.insert(partition.clone()) {
                continue;
            }
            let _reservation = Reservation { cleaner: self, partition };
            match log.delete_old_segments(now) {
                Ok(_) | Err(StorageError::Closed(_)) => {}
                // As above.
                Err(error) => {
                    tracing::debug!(partition = %log.topic_partition(), %error, "cannot delete old segments");
                }
            }
        }
    }
}
