//! The log of one partition (`UnifiedLog`).
//!
//! One writer at a time, under the log's mutex; readers take the offsets and then the segment list, and never wait for
//! the writer. Invariant: log start <= last stable offset <= high watermark <= log end.
//!
//! Lock order: `flush_turns`, `writer`, `epochs`, `marks`, `recent`.

mod append;
mod compaction;
#[cfg(test)]
mod corruption_tests;
#[cfg(test)]
mod crash_tests;
mod epochs;
mod flush;
mod flush_turns;
#[cfg(test)]
mod hole_tests;
mod lifecycle;
mod marks;
mod producers;
mod read;
mod recent;
mod retention;
mod roll;
#[cfg(test)]
mod tests;
mod timestamps;
mod truncate;

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gregor_metrics::Histogram;
use gregor_model::{Offset, Timestamp, TopicId, TopicPartition};
use parking_lot::{Mutex, RwLock};

pub(crate) use self::compaction::CompactionView;
pub use self::retention::LogStartReason;
pub(crate) use self::roll::Roller;

use self::flush_turns::FlushTurns;
use self::marks::Marks;
use self::recent::RecentAppends;
use crate::background::Background;
use crate::leader_epochs::LeaderEpochs;
use crate::partition_dir::PartitionDir;
use crate::producer_snapshots::ProducerSnapshots;
use crate::producer_state::ProducerState;
use crate::segment::Segment;
use crate::{LogConfig, LogError, LogOffsets, StorageError};

/// What all logs of a broker share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) background: Background,
    pub(crate) producer_id_expiration_ms: std::sync::atomic::AtomicI64,
    pub(crate) transaction_verification: std::sync::atomic::AtomicBool,
    pub(crate) transaction_max_timeout_ms: i64,
    /// How long flushes took, in microseconds (`LogFlushRateAndTimeMs`).
    pub(crate) flush_time: Histogram,
}

impl Shared {
    pub(crate) fn producer_id_expiration_ms(&self) -> i64 {
        self.producer_id_expiration_ms.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// The segments of a log in order, never empty.
type Segments = Vec<Arc<Segment>>;

/// The log of one partition. Cheap to share; all methods may be called from any thread and may block on the disk.
#[derive(Debug)]
pub struct PartitionLog {
    dir: Arc<PartitionDir>,
    shared: Arc<Shared>,
    config: ArcSwap<LogConfig>,
    topic_id: RwLock<Option<TopicId>>,
    segments: ArcSwap<Segments>,
    marks: RwLock<Marks>,
    recent: Mutex<RecentAppends>,
    epochs: RwLock<LeaderEpochs>,
    writer: Mutex<Writer>,
    flush_turns: FlushTurns,
    is_future: std::sync::atomic::AtomicBool,
    /// A copy is being made in another directory, during which nothing is compacted here. Set under the writer's lock.
    is_moving: std::sync::atomic::AtomicBool,
}

/// What only the one who appends, truncates or deletes may touch.
#[derive(Debug)]
struct Writer {
    producers: ProducerState,
    snapshots: ProducerSnapshots,
    roller: Roller,
    /// Counts truncations, so that a flush that ran beside one does not believe its own offset.
    truncations: u64,
    /// Closed, deleted, or its directory failed: nothing is written any more.
    closed: bool,
}

/// What loading found, from which a log is made.
#[derive(Debug)]
pub(crate) struct LoadedLog {
    pub(crate) segments: Segments,
    pub(crate) log_start: Offset,
    pub(crate) log_end: Offset,
    pub(crate) recovery_point: Offset,
    pub(crate) epochs: LeaderEpochs,
    pub(crate) producers: ProducerState,
    pub(crate) snapshots: ProducerSnapshots,
    pub(crate) topic_id: Option<TopicId>,
}

impl PartitionLog {
    pub(crate) fn new(
        dir: Arc<PartitionDir>,
        shared: Arc<Shared>,
        config: Arc<LogConfig>,
        loaded: LoadedLog,
        is_future: bool,
        now: Timestamp,
    ) -> PartitionLog {
        let mut log_end =
            crate::OffsetPosition { offset: loaded.log_end, segment_base: loaded.log_end, position: 0 };
        if let Some(active) = loaded.segments.last() {
            log_end =
                crate::OffsetPosition { segment_base: active.base(), position: active.size(), ..log_end };
        }
        let mut marks = Marks::new(loaded.log_start, log_end, loaded.recovery_point, now);
        let roller = Roller::new(&config);
        marks.set_first_unstable(loaded.producers.first_unstable_offset());
        PartitionLog {
            dir,
            shared,
            config: ArcSwap::new(config),
            topic_id: RwLock::new(loaded.topic_id),
            segments: ArcSwap::from_pointee(loaded.segments),
            marks: RwLock::new(marks),
            recent: Mutex::default(),
            epochs: RwLock::new(loaded.epochs),
            writer: Mutex::new(Writer {
                producers: loaded.producers,
                snapshots: loaded.snapshots,
                roller,
                truncations: 0,
                closed: false,
            }),
            flush_turns: FlushTurns::default(),
            is_future: std::sync::atomic::AtomicBool::new(is_future),
            is_moving: std::sync::atomic::AtomicBool::new(false),
        }
    }

    /// Which partition this is the log of.
    pub fn topic_partition(&self) -> &TopicPartition {
        self.dir.partition()
    }

    /// The topic's id, once known.
    pub fn topic_id(&self) -> Option<TopicId> {
        *self.topic_id.read()
    }

    /// Notes the topic's id and writes `partition.metadata`; refused if another one is on disk.
    pub fn assign_topic_id(&self, id: TopicId) -> Result<(), LogError> {
        use crate::checkpoint::partition_metadata;
        let mut known = self.topic_id.write();
        match *known {
            Some(found) if found == id => Ok(()),
            Some(found) => {
                let partition = self.topic_partition().clone();
                Err(LogError::InconsistentTopicId { partition, expected: id, found })
            }
            None => {
                let content = partition_metadata::format(id);
                self.dir.run("write", partition_metadata::NAME, |disk, path| disk.replace(path, &content))?;
                *known = Some(id);
                Ok(())
            }
        }
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<LogConfig> {
        self.config.load_full()
    }

    /// Puts another configuration in force.
    pub(crate) fn set_config(&self, config: Arc<LogConfig>) {
        self.config.store(config);
    }

    /// The log's directory (`.../topic-0`, or its `-future` or `-delete` form).
    pub fn dir(&self) -> PathBuf {
        self.dir.path()
    }

    /// The log directory (an entry of `log.dirs`) it lies in.
    pub fn parent_dir(&self) -> PathBuf {
        self.dir.log_dir().path().to_path_buf()
    }

    pub(crate) fn partition_dir(&self) -> &Arc<PartitionDir> {
        &self.dir
    }

    /// Whether this is the copy that is being moved to another log directory.
    pub fn is_future(&self) -> bool {
        self.is_future.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// All offsets at one moment.
    pub fn offsets(&self) -> LogOffsets {
        let marks = *self.marks.read();
        LogOffsets {
            log_start_offset: marks.log_start,
            last_stable_offset: self.place_or_segment_start(marks.last_stable(), &marks),
            high_watermark: self.place_or_segment_start(marks.high_watermark, &marks),
            log_end_offset: marks.log_end,
        }
    }

    /// The first readable offset.
    pub fn log_start_offset(&self) -> Offset {
        self.marks.read().log_start
    }

    /// The next offset to be written.
    pub fn log_end_offset(&self) -> Offset {
        self.marks.read().log_end.offset
    }

    /// The high watermark.
    pub fn high_watermark(&self) -> Offset {
        self.marks.read().high_watermark
    }

    /// The last stable offset.
    pub fn last_stable_offset(&self) -> Offset {
        self.marks.read().last_stable()
    }

    /// The first offset that recovery would look at after a crash.
    pub fn recovery_point(&self) -> Offset {
        self.marks.read().recovery_point
    }

    /// Sets the high watermark, clamped to [log start, log end]; it may go down. Returns what it is now
    /// (`UnifiedLog.updateHighWatermark`): for followers and for a new leader.
    pub fn set_high_watermark(&self, offset: Offset) -> Offset {
        let clamped = {
            let marks = self.marks.read();
            offset.min(marks.log_end.offset).max(marks.log_start)
        };
        self.move_high_watermark(|marks| (clamped != marks.high_watermark).then_some(clamped));
        self.high_watermark()
    }

    /// Raises the high watermark to `offset` if that is higher, at most to the log end. Returns the new one if it
    /// rose (`maybeIncrementHighWatermark`); for leaders.
    pub fn maybe_increment_high_watermark(&self, offset: Offset) -> Option<Offset> {
        self.move_high_watermark(|marks| {
            let bounded = offset.min(marks.log_end.offset);
            (bounded > marks.high_watermark).then_some(bounded)
        })
    }

    /// Moves the high watermark to what `decide` says, and lets go of the transactions it passes.
    fn move_high_watermark(&self, decide: impl Fn(&Marks) -> Option<Offset>) -> Option<Offset> {
        let moved = {
            let mut marks = self.marks.write();
            let to = decide(&marks)?;
            if to < marks.high_watermark {
                tracing::debug!(partition = %self.topic_partition(), from = %marks.high_watermark, %to, "high watermark goes back");
            }
            marks.high_watermark = to;
            if marks.first_unstable.is_none() {
                return Some(to);
            }
            to
        };
        let mut writer = self.writer.lock();
        self.update_first_unstable(&mut writer);
        Some(moved)
    }

    /// Works out again where the oldest undecided transaction starts.
    fn update_first_unstable(&self, writer: &mut Writer) {
        let mut marks = self.marks.write();
        writer.producers.on_high_watermark(marks.high_watermark);
        marks.set_first_unstable(writer.producers.first_unstable_offset());
    }

    /// Bytes of all segments.
    pub fn size(&self) -> u64 {
        self.segments.load().iter().map(|segment| segment.size()).sum()
    }

    /// How many segments there are.
    pub fn segment_count(&self) -> usize {
        self.segments.load().len()
    }

    /// The segment appended to.
    fn active(&self) -> Result<Arc<Segment>, StorageError> {
        self.segments.load().last().cloned().ok_or_else(|| self.closed_error())
    }

    fn closed_error(&self) -> StorageError {
        StorageError::Closed(self.topic_partition().clone())
    }

    /// An error if nothing may be written any more.
    fn check_open(&self, writer: &Writer) -> Result<(), StorageError> {
        self.dir.log_dir().check_online()?;
        if writer.closed { Err(self.closed_error()) } else { Ok(()) }
    }

    /// The log end moved, or lies in another segment now.
    fn set_log_end(&self, offset: Offset) -> Result<(), StorageError> {
        let active = self.active()?;
        let mut marks = self.marks.write();
        marks.log_end =
            crate::OffsetPosition { offset, segment_base: active.base(), position: active.size() };
        marks.high_watermark = marks.high_watermark.min(offset);
        Ok(())
    }
}
