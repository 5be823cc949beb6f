//! When the active segment is full, and how the next one begins (`LogSegment.shouldRoll`, `UnifiedLog.roll`).

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use gregor_model::{Offset, Timestamp};

use super::{PartitionLog, Segments, Writer};
use crate::file_name::FileState;
use crate::segment::{RELATIVE_OFFSET_MAX, Segment};
use crate::segment_scan::ScanError;
use crate::{LogConfig, StorageError};

/// The random share of `segment.jitter.ms` by which the active segment rolls earlier.
#[derive(Debug)]
pub(crate) struct Roller {
    jitter_ms: i64,
}

impl Roller {
    pub(crate) fn new(config: &LogConfig) -> Roller {
        let range = config.segment_jitter_ms.min(config.segment_ms);
        // The standard hasher is keyed with random bytes; that is random enough to spread rolls.
        let random = (RandomState::new().hash_one(0u8) >> 1) as i64;
        Roller { jitter_ms: if range > 0 { random % range } else { 0 } }
    }
}

/// What decides whether to roll.
#[derive(Clone, Copy, Debug)]
struct RollInput {
    size: u64,
    incoming: u64,
    segment_bytes: u64,
    waited_ms: i64,
    segment_ms: i64,
    jitter_ms: i64,
    index_full: bool,
    offset_fits: bool,
}

fn should_roll(input: &RollInput) -> bool {
    let full = input.size + input.incoming > input.segment_bytes;
    let due = input.size > 0 && input.waited_ms > input.segment_ms.saturating_sub(input.jitter_ms);
    // An empty segment cannot get better by being replaced, unless the offset is out of its reach.
    (full && input.size > 0) || due || input.index_full || !input.offset_fits
}

/// What is about to be appended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incoming {
    pub(super) bytes: u64,
    /// The first offset; in formats before magic 2 only the last one is known.
    pub(super) first_offset: Option<Offset>,
    pub(super) last_offset: Offset,
    pub(super) max_timestamp: Option<Timestamp>,
}

impl Incoming {
    /// Where the segment begins that it goes to: where the records before it end, as a hole between two segments must not
    /// look like the end of one that a crash has lost. Kafka begins it with the first offset to come.
    fn base_from(&self, records_end: Offset) -> Offset {
        if self.last_offset - records_end <= RELATIVE_OFFSET_MAX {
            return records_end;
        }
        let first = self.first_offset.unwrap_or(self.last_offset + -RELATIVE_OFFSET_MAX);
        first.max(records_end)
    }
}

impl PartitionLog {
    /// The segment to append to, a new one if the active one is full.
    pub(super) fn roll_if_full(
        &self,
        writer: &mut Writer,
        incoming: &Incoming,
        now: Timestamp,
    ) -> Result<Arc<Segment>, StorageError> {
        let active = self.active()?;
        let config = self.config.load();
        let waited_ms =
            if active.size() > 0 { active.waited_for_roll(now, incoming.max_timestamp)? } else { 0 };
        let index_bytes = config.segment_index_bytes;
        let input = RollInput {
            size: active.size(),
            incoming: incoming.bytes,
            segment_bytes: u64::from(config.segment_bytes),
            waited_ms,
            segment_ms: config.segment_ms_max(),
            jitter_ms: writer.roller.jitter_ms,
            index_full: active.offset_index().is_full(index_bytes)?
                || active.time_index().is_full(index_bytes)?,
            offset_fits: active.can_hold(incoming.last_offset),
        };
        if !should_roll(&input) {
            return Ok(active);
        }
        self.roll(writer, |records_end| incoming.base_from(records_end), now)
    }

    /// Begins a new segment; `base_from` says where, given where the records of the active one end.
    pub(super) fn roll(
        &self,
        writer: &mut Writer,
        base_from: impl FnOnce(Offset) -> Offset,
        now: Timestamp,
    ) -> Result<Arc<Segment>, StorageError> {
        let log_end = self.log_end_offset();
        let active = self.active()?;
        let records_end = match active.read_next_offset() {
            Ok(end) => end.min(log_end),
            Err(ScanError::Storage(error)) => return Err(error),
            // Whoever reads it is told.
            Err(ScanError::Corrupt { .. }) => log_end,
        };
        let base = base_from(records_end);
        let mut segments = Segments::clone(&self.segments.load());
        if active.base() == base {
            // Only an empty segment can have the base of the next: its indexes are too small for a single entry.
            active.unlink()?;
            segments.pop();
        } else {
            active.seal()?;
        }
        if base > records_end {
            self.settle_before(base, &segments)?;
        }
        self.cover_recovery_point(None)?;
        let config = self.config.load();
        let segment = Arc::new(Segment::create(&self.dir, base, FileState::Plain, now)?);
        if config.preallocate {
            segment.log().reserve(u64::from(config.segment_bytes))?;
        }
        segments.push(Arc::clone(&segment));
        self.segments.store(Arc::new(segments));
        writer.roller = Roller::new(&config);
        writer.producers.set_map_end(base);
        writer.snapshots.take(&writer.producers)?;
        self.set_log_end(log_end)?;
        self.shared.background.flush_later(self.topic_partition());
        tracing::debug!(partition = %self.topic_partition(), %base, "rolled a new segment");
        Ok(segment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: RollInput = RollInput {
        size: 100,
        incoming: 50,
        segment_bytes: 150,
        waited_ms: 10,
        segment_ms: 10,
        jitter_ms: 0,
        index_full: false,
        offset_fits: true,
    };

    #[test]
    fn when_to_roll() {
        #[track_caller]
        fn check(input: RollInput, expected: bool) {
            assert_eq!(should_roll(&input), expected, "{input:?}");
        }
        check(CALM, false);
        check(RollInput { incoming: 51, ..CALM }, true);
        check(RollInput { size: 0, incoming: 151, ..CALM }, false);
        check(RollInput { waited_ms: 11, ..CALM }, true);
        check(RollInput { jitter_ms: 1, ..CALM }, true);
        check(RollInput { size: 0, waited_ms: 11, ..CALM }, false);
        check(RollInput { index_full: true, ..CALM }, true);
        check(RollInput { size: 0, index_full: true, ..CALM }, true);
        check(RollInput { offset_fits: false, ..CALM }, true);
        check(RollInput { waited_ms: 11, segment_ms: i64::MAX, ..CALM }, false);
    }

    #[test]
    fn where_a_segment_begins() {
        let far = RELATIVE_OFFSET_MAX;
        // (first and last offset to come, end of the records, base)
        let cases = [
            (Some(10), 12, 10, 10),
            (Some(15), 17, 10, 10),
            (Some(far), far + 10, 10, 10),
            (Some(far), far + 11, 10, far),
            (None, 17, 10, 10),
            (None, far + 11, 10, 11),
        ];
        for (first, last, end, base) in cases {
            let incoming = Incoming {
                bytes: 1,
                first_offset: first.map(Offset),
                last_offset: Offset(last),
                max_timestamp: None,
            };
            assert_eq!(incoming.base_from(Offset(end)), Offset(base), "{first:?} {last} {end}");
        }
    }
}
