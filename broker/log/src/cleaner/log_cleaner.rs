//! The cleaner itself (`LogCleaner`, `LogCleanerManager`): chooses logs, cleans them, remembers those it cannot clean.
//!
//! As many threads as `log.cleaner.threads` call [`LogCleaner::clean_once`]; no log is cleaned by two of them. Kafka has
//! truncations, deletions and moves of a log pause its cleaning and wait; here the cleaning notices at its end that the
//! log is another one, and nothing waits for it.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use gregor_model::{Offset, Timestamp, TopicPartition};
use parking_lot::Mutex;

use super::filter::BatchFilter;
use super::grouping::{GroupFacts, GroupLimits, group_segments};
use super::indexing::index;
use super::offset_map::{KeyHash, OffsetMap};
use super::pace::{Pace, SharedRate};
use super::rewrite::{Rewrite, legacy_horizon};
use super::selection::{Cleanable, LogFacts, SegmentFacts, cleanable, filthiest};
use super::transactions::CleanedTransactions;
use super::{CleanError, CleanerConfig, CleanerGauges, CleanerStats};
use crate::partition_log::CompactionView;
use crate::segment::Segment;
use crate::segment_scan::{HeaderScan, ScanError};
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
            let mut state = self.state.lock();
            state.uncleanable.retain(|(_, partition)| self.manager.log(partition).is_some());
            (state.uncleanable.clone(), state.gauges, state.last_run)
        };
        gauges.uncleanable_partitions_count = uncleanable.len();
        gauges.uncleanable_bytes = uncleanable
            .iter()
            .filter_map(|(_, partition)| self.manager.log(partition))
            .filter_map(|log| self.look_at(&log, now).ok().flatten())
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
        let mut found = Vec::new();
        for log in self.idle_logs(&state) {
            match self.look_at(&log, now) {
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

    /// What could be cleaned of a log.
    fn look_at(
        &self,
        log: &PartitionLog,
        now: Timestamp,
    ) -> Result<Option<(CompactionView, Cleanable)>, CleanError> {
        let view = log.compaction_view()?;
        let config = log.config();
        let log_dir = log.partition_dir().log_dir();
        let checkpoint = log_dir.cleaner_checkpoint().get(log_dir, log.topic_partition())?;
        let with_lag = (config.min_compaction_lag_ms > 0, config.max_compaction_lag_ms < i64::MAX);
        let facts = view.segments.iter().map(|segment| segment_facts(segment, with_lag));
        let segments = facts.collect::<Result<Vec<_>, _>>()?;
        let facts = LogFacts {
            log_start: view.log_start,
            log_end: view.log_end,
            last_stable: view.last_stable,
            checkpoint,
            segments: &segments,
            min_compaction_lag_ms: config.min_compaction_lag_ms,
            max_compaction_lag_ms: config.max_compaction_lag_ms,
            min_cleanable_dirty_ratio: config.min_cleanable_dirty_ratio,
        };
        let Some(found) = cleanable(&facts, now) else { return Ok(None) };
        if found.checkpoint_invalid {
            tracing::warn!(partition = %log.topic_partition(), ?checkpoint, first_dirty = %found.first_dirty, "the cleaner checkpoint is not in the log, which is cleaned anew");
            log.checkpoint_cleaning(&view, found.first_dirty)?;
        }
        Ok(Some((view, found)))
    }

    /// `Cleaner.doClean`.
    fn clean(
        &self,
        log: &Arc<PartitionLog>,
        view: &CompactionView,
        found: &Cleanable,
        now: Timestamp,
        stop: &dyn Fn() -> bool,
    ) -> Result<CleanerStats, CleanError> {
        let started = Instant::now();
        let config = self.config();
        let log_config = log.config();
        let partition = log.topic_partition();
        let (first_dirty, first_uncleanable) = (found.first_dirty, found.first_uncleanable);
        tracing::info!(%partition, %first_dirty, %first_uncleanable, "cleaning");
        let mut stats = CleanerStats::default();
        let pace = || Pace::new(log, stop, &self.rate, config.io_bytes_per_second_max);
        let hash = self.hash.clone();
        let mut map =
            OffsetMap::new(hash, config.map_bytes(), config.load_factor, first_dirty, first_uncleanable);
        index(&view.segments, first_dirty, first_uncleanable, &mut map, &mut pace(), &mut stats)?;
        stats.map_utilization = map.utilization();
        let end = map.latest_offset() + 1;
        let count = view.segments.partition_point(|segment| segment.base() < end);
        let limits = GroupLimits {
            segment_bytes: u64::from(log_config.segment_bytes),
            index_bytes: u64::from(log_config.segment_index_bytes),
            first_uncleanable,
        };
        let facts = view.segments.iter().take(count).map(|segment| group_facts(segment));
        let groups = group_segments(&facts.collect::<Result<Vec<_>, _>>()?, limits);
        let mut rewrite = Rewrite {
            log,
            view,
            map: &map,
            now,
            delete_retention_ms: log_config.delete_retention_ms,
            index_interval_bytes: log_config.index_interval_bytes,
            legacy_horizon: legacy_horizon(&view.segments, first_dirty, log_config.delete_retention_ms)?,
            write_buffer_bytes: config.write_buffer_bytes(),
            pace: pace(),
            stats: &mut stats,
            transactions: CleanedTransactions::default(),
            filter: BatchFilter::default(),
        };
        groups.into_iter().try_for_each(|group| rewrite.clean_group(group))?;
        if !log.checkpoint_cleaning(view, end)? {
            return Err(CleanError::Aborted);
        }
        stats.elapsed = started.elapsed();
        self.note(partition, end, &stats);
        Ok(stats)
    }

    fn note(&self, partition: &TopicPartition, end: Offset, stats: &CleanerStats) {
        tracing::info!(
            %partition, up_to = %end, bytes_read = stats.bytes_read, bytes_written = stats.bytes_written,
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
            CleanError::Storage(error) => tracing::error!(%partition, %error, "cannot clean"),
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
                Err(error) => tracing::error!(partition = %log.topic_partition(), %error, "cannot delete old segments"),
            }
        }
    }
}

fn segment_facts(segment: &Segment, (min_lag, max_lag): (bool, bool)) -> Result<SegmentFacts, CleanError> {
    let largest_timestamp = if min_lag { Some(segment.retention_timestamp()?) } else { None };
    let first_batch_timestamp = if max_lag { first_batch_timestamp(segment)? } else { None };
    Ok(SegmentFacts { base: segment.base(), size: segment.size(), largest_timestamp, first_batch_timestamp })
}

fn first_batch_timestamp(segment: &Segment) -> Result<Option<Timestamp>, CleanError> {
    let first: Result<_, ScanError> = HeaderScan::new(segment.log(), 0, segment.size()).next();
    let first = first.map_err(|error| CleanError::of_scan(segment, error))?;
    Ok(first.and_then(|first| first.header.max_timestamp))
}

fn group_facts(segment: &Segment) -> Result<GroupFacts, StorageError> {
    const OFFSET_ENTRY_BYTES: u64 = 8;
    const TIME_ENTRY_BYTES: u64 = 12;
    Ok(GroupFacts {
        base: segment.base(),
        size: segment.size(),
        offset_index_bytes: u64::from(segment.offset_index().count()?) * OFFSET_ENTRY_BYTES,
        time_index_bytes: u64::from(segment.time_index().count()?) * TIME_ENTRY_BYTES,
    })
}
