//! Which log to compact next, and how much of it (`LogCleanerManager`): decided from facts that the caller has gathered.

use gregor_model::{Offset, Timestamp};

/// What is to be known of one segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SegmentFacts {
    pub(crate) base: Offset,
    /// Bytes of its `.log`.
    pub(crate) size: u64,
    /// Its largest timestamp, or when it was last written; needed only with a minimum compaction lag.
    pub(crate) largest_timestamp: Option<Timestamp>,
    /// The timestamp of its first batch; needed only with a maximum compaction lag.
    pub(crate) first_batch_timestamp: Option<Timestamp>,
}

/// What is to be known of one log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogFacts<'a> {
    pub(crate) log_start: Offset,
    pub(crate) log_end: Offset,
    pub(crate) last_stable: Offset,
    /// What the cleaner checkpoint says.
    pub(crate) checkpoint: Option<Offset>,
    /// All segments in order; the last one is active.
    pub(crate) segments: &'a [SegmentFacts],
    /// `min.compaction.lag.ms`.
    pub(crate) min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`.
    pub(crate) max_compaction_lag_ms: i64,
    /// `min.cleanable.dirty.ratio`.
    pub(crate) min_cleanable_dirty_ratio: f64,
}

/// What could be cleaned of a log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cleanable {
    /// Everything before this was cleaned before.
    pub(crate) first_dirty: Offset,
    /// Nothing from here on may be touched: the base of a segment.
    pub(crate) first_uncleanable: Offset,
    /// The checkpoint was not a place in the log, and is to be set to `first_dirty`.
    pub(crate) checkpoint_invalid: bool,
    /// Bytes of the segments that begin before `first_dirty`.
    pub(crate) clean_bytes: u64,
    /// Bytes of the segments from the one holding `first_dirty` to `first_uncleanable`.
    pub(crate) cleanable_bytes: u64,
    /// By how many milliseconds the oldest dirty record is older than `max.compaction.lag.ms` allows; 0 if it is not.
    pub(crate) delay_ms: i64,
    /// Whether the log may be compacted now.
    pub(crate) eligible: bool,
}

impl Cleanable {
    /// The part of the bytes that is dirty and may be cleaned, 0 to 1.
    pub(crate) fn ratio(&self) -> f64 {
        let total = self.clean_bytes + self.cleanable_bytes;
        if total == 0 { 0.0 } else { self.cleanable_bytes as f64 / total as f64 }
    }
}

/// What could be cleaned of the log; `None` when it holds nothing.
pub(crate) fn cleanable(log: &LogFacts<'_>, now: Timestamp) -> Option<Cleanable> {
    let active = log.segments.last()?;
    let (first_dirty, checkpoint_invalid) = first_dirty(log);
    let young = young_segment(log, first_dirty, now);
    let limit = log.last_stable.min(active.base).min(young.unwrap_or(Offset(i64::MAX))).max(first_dirty);
    // Rounded to a segment: the one that holds the limit is left alone as a whole.
    let first_uncleanable = inactive_from(log.segments, limit).first().unwrap_or(active).base;
    let clean_bytes = sizes(log.segments.iter().filter(|segment| segment.base < first_dirty));
    let from = first_dirty.min(first_uncleanable);
    let cleanable =
        inactive_from(log.segments, from).iter().filter(|segment| segment.base < first_uncleanable);
    let cleanable_bytes = sizes(cleanable);
    if clean_bytes + cleanable_bytes == 0 {
        return None;
    }
    let delay_ms = delay_ms(log, first_dirty, now);
    let found = Cleanable {
        first_dirty,
        first_uncleanable,
        checkpoint_invalid,
        clean_bytes,
        cleanable_bytes,
        delay_ms,
        eligible: false,
    };
    let must = delay_ms > 0 && cleanable_bytes > 0;
    let eligible = must || found.ratio() > log.min_cleanable_dirty_ratio;
    Some(Cleanable { eligible, ..found })
}

/// Which of the logs to clean: the one with the highest ratio among those that may be.
pub(crate) fn filthiest<T>(logs: impl IntoIterator<Item = (T, Cleanable)>) -> Option<(T, Cleanable)> {
    logs.into_iter()
        .filter(|(_, cleanable)| cleanable.eligible)
        .max_by(|(_, one), (_, other)| one.ratio().total_cmp(&other.ratio()))
}

/// The checkpoint if it lies in the log, else the log's start.
fn first_dirty(log: &LogFacts<'_>) -> (Offset, bool) {
    match log.checkpoint {
        None => (log.log_start, false),
        Some(offset) if offset < log.log_start || offset > log.log_end => (log.log_start, true),
        Some(offset) => (offset, false),
    }
}

/// The first dirty segment with a record that is younger than `min.compaction.lag.ms`.
fn young_segment(log: &LogFacts<'_>, first_dirty: Offset, now: Timestamp) -> Option<Offset> {
    if log.min_compaction_lag_ms <= 0 {
        return None;
    }
    let old_enough = now + log.min_compaction_lag_ms.saturating_neg();
    let young =
        |segment: &&SegmentFacts| segment.largest_timestamp.is_some_and(|largest| largest > old_enough);
    inactive_from(log.segments, first_dirty).iter().find(young).map(|segment| segment.base)
}

fn delay_ms(log: &LogFacts<'_>, first_dirty: Offset, now: Timestamp) -> i64 {
    let clean_until = now + log.max_compaction_lag_ms.max(0).saturating_neg();
    inactive_from(log.segments, first_dirty)
        .iter()
        .filter_map(|segment| segment.first_batch_timestamp)
        .filter(|timestamp| timestamp.0 > 0)
        .min()
        .map_or(0, |earliest| (clean_until - earliest).max(0))
}

/// The segments from the one that holds `from`, without the active one.
pub(crate) fn inactive_from(segments: &[SegmentFacts], from: Offset) -> &[SegmentFacts] {
    let inactive = segments.split_last().map_or(&[][..], |(_, inactive)| inactive);
    if segments.last().is_none_or(|active| from >= active.base) {
        return &[];
    }
    let after = inactive.partition_point(|segment| segment.base <= from);
    inactive.get(after.saturating_sub(1)..).unwrap_or_default()
}

fn sizes<'a>(segments: impl IntoIterator<Item = &'a SegmentFacts>) -> u64 {
    segments.into_iter().map(|segment| segment.size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    /// Four segments of 100 bytes and 10 offsets, the last one active, the log ending at 35.
    fn segments() -> Vec<SegmentFacts> {
        (0..4)
            .map(|i| SegmentFacts {
                base: Offset(i * 10),
                size: 100,
                largest_timestamp: Some(Timestamp(NOW.0 - 1000 + i * 100)),
                first_batch_timestamp: Some(Timestamp(NOW.0 - 2000 + i * 100)),
            })
            .collect()
    }

    fn facts(segments: &[SegmentFacts]) -> LogFacts<'_> {
        LogFacts {
            log_start: Offset(0),
            log_end: Offset(35),
            last_stable: Offset(35),
            checkpoint: None,
            segments,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_cleanable_dirty_ratio: 0.5,
        }
    }

    #[test]
    fn ranges() {
        #[track_caller]
        fn check(facts: LogFacts<'_>, range: (i64, i64), bytes: (u64, u64), invalid: bool) {
            let found = cleanable(&facts, NOW).unwrap();
            assert_eq!((found.first_dirty.0, found.first_uncleanable.0), range);
            assert_eq!((found.clean_bytes, found.cleanable_bytes), bytes);
            assert_eq!(found.checkpoint_invalid, invalid);
        }
        let segments = segments();
        let log = facts(&segments);
        let at = |offset| Some(Offset(offset));
        check(log, (0, 30), (0, 300), false);
        check(LogFacts { checkpoint: at(10), ..log }, (10, 30), (100, 200), false);
        // A segment astride the checkpoint counts on both sides.
        check(LogFacts { checkpoint: at(15), ..log }, (15, 30), (200, 200), false);
        check(LogFacts { checkpoint: at(30), ..log }, (30, 30), (300, 0), false);
        check(LogFacts { checkpoint: at(35), ..log }, (35, 30), (400, 0), false);
        // Outside the log: everything is dirty.
        check(LogFacts { checkpoint: at(36), ..log }, (0, 30), (0, 300), true);
        check(LogFacts { checkpoint: at(3), log_start: Offset(5), ..log }, (5, 30), (100, 300), true);
        // The last stable offset, rounded down to its segment.
        check(LogFacts { last_stable: Offset(20), ..log }, (0, 20), (0, 200), false);
        check(LogFacts { last_stable: Offset(19), ..log }, (0, 10), (0, 100), false);
        check(LogFacts { last_stable: Offset(5), checkpoint: at(10), ..log }, (10, 10), (100, 0), false);
        // Segments 1 and 2 have records younger than 950 ms.
        check(LogFacts { min_compaction_lag_ms: 950, ..log }, (0, 10), (0, 100), false);
    }

    #[test]
    fn nothing_to_clean() {
        let segments = segments();
        let young = LogFacts { min_compaction_lag_ms: 5000, ..facts(&segments) };
        assert_eq!(cleanable(&young, NOW), None);
        assert_eq!(cleanable(&facts(&segments[3..]), NOW), None);
        assert_eq!(cleanable(&facts(&[]), NOW), None);
    }

    #[test]
    fn eligibility() {
        #[track_caller]
        fn check(checkpoint: i64, min_ratio: f64, max_lag: i64, delay: i64, eligible: bool) {
            let segments = segments();
            let log = LogFacts {
                checkpoint: Some(Offset(checkpoint)),
                min_cleanable_dirty_ratio: min_ratio,
                max_compaction_lag_ms: max_lag,
                ..facts(&segments)
            };
            let found = cleanable(&log, NOW).unwrap();
            assert_eq!((found.delay_ms, found.eligible), (delay, eligible));
        }
        check(0, 0.5, i64::MAX, 0, true);
        check(0, 1.0, i64::MAX, 0, false); // not above the ratio
        check(10, 0.6, i64::MAX, 0, true);
        check(10, 0.7, i64::MAX, 0, false);
        check(10, 0.7, 1500, 400, true); // the first dirty batch is 1900 ms old
        check(20, 0.7, 1800, 0, false); // 1800 ms old
        check(20, 0.7, 1799, 1, true);
        check(30, 0.0, 0, 0, false); // nothing to clean
    }

    #[test]
    fn timestamps_that_say_nothing_do_not_hurry() {
        let mut segments = segments();
        for (segment, timestamp) in segments.iter_mut().zip([None, Some(0), Some(-5), Some(1)]) {
            segment.first_batch_timestamp = timestamp.map(Timestamp);
        }
        let log = LogFacts { max_compaction_lag_ms: 1, ..facts(&segments) };
        assert_eq!(cleanable(&log, NOW).unwrap().delay_ms, 0);
    }

    #[test]
    fn the_filthiest_is_chosen() {
        let segments = segments();
        let with = |checkpoint: i64, min_ratio| {
            let log = LogFacts {
                checkpoint: Some(Offset(checkpoint)),
                min_cleanable_dirty_ratio: min_ratio,
                ..facts(&segments)
            };
            cleanable(&log, NOW).unwrap()
        };
        let logs = [
            ("clean", with(30, 0.0)),
            ("half", with(10, 0.0)),
            ("waits", with(0, 1.0)),
            ("third", with(20, 0.0)),
        ];
        assert_eq!(filthiest(logs).map(|(name, _)| name), Some("half"));
        assert!(filthiest([("waits", with(0, 1.0))]).is_none());
    }
}
