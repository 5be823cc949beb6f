//! Cleaning one log, from a look at it to the checkpoint (`Cleaner.doClean`).

use std::ops::Range;
use std::sync::Arc;

use gregor_model::Timestamp;

use super::filter::BatchFilter;
use super::grouping::{GroupFacts, GroupLimits, group_segments};
use super::indexing::index;
use super::offset_map::{KeyHash, OffsetMap};
use super::pace::{Pace, SharedRate};
use super::rewrite::{Rewrite, legacy_horizon};
use super::selection::{Cleanable, LogFacts, SegmentFacts, cleanable};
use super::transactions::CleanedTransactions;
use super::{CleanError, CleanerConfig, CleanerStats};
use crate::partition_log::CompactionView;
use crate::segment::Segment;
use crate::segment_scan::{HeaderScan, ScanError};
use crate::{LogConfig, PartitionLog, StorageError};

/// What a cleaning works with.
pub(super) struct CleaningMeans<'a> {
    pub(super) config: &'a CleanerConfig,
    pub(super) hash: &'a KeyHash,
    pub(super) rate: &'a SharedRate,
    pub(super) stop: &'a dyn Fn() -> bool,
}

/// What could be cleaned of a log.
pub(super) fn look_at(
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

/// Cleans what was `found` in `view` of a log.
pub(super) fn clean(
    log: &PartitionLog,
    view: &CompactionView,
    found: &Cleanable,
    means: &CleaningMeans<'_>,
    now: Timestamp,
) -> Result<CleanerStats, CleanError> {
    let (config, log_config) = (means.config, log.config());
    let (first_dirty, first_uncleanable) = (found.first_dirty, found.first_uncleanable);
    tracing::info!(partition = %log.topic_partition(), %first_dirty, %first_uncleanable, "cleaning");
    let mut stats = CleanerStats::default();
    let pace = || Pace::new(log, means.stop, means.rate, config.io_bytes_per_second_max);
    let mut map = OffsetMap::new(
        means.hash.clone(),
        config.map_bytes(),
        config.load_factor,
        first_dirty,
        first_uncleanable,
    );
    index(&view.segments, first_dirty, first_uncleanable, &mut map, &mut pace(), &mut stats)?;
    stats.map_utilization = map.utilization();
    let end = map.latest_offset() + 1;
    let count = view.segments.partition_point(|segment| segment.base() < end);
    if let Some(next) = view.segments.get(count) {
        log.settle_for_compaction(next.base(), now)?;
    }
    let groups = groups(view.segments.get(..count).unwrap_or_default(), found, &log_config)?;
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
    if log.checkpoint_cleaning(view, end)? { Ok(stats) } else { Err(CleanError::Aborted) }
}

fn groups(
    segments: &[Arc<Segment>],
    found: &Cleanable,
    config: &LogConfig,
) -> Result<Vec<Range<usize>>, StorageError> {
    let limits = GroupLimits {
        segment_bytes: u64::from(config.segment_bytes),
        index_bytes: u64::from(config.segment_index_bytes),
        first_uncleanable: found.first_uncleanable,
    };
    let facts = segments.iter().map(|segment| group_facts(segment));
    Ok(group_segments(&facts.collect::<Result<Vec<_>, _>>()?, limits))
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
