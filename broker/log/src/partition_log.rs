//! The log of one partition (`UnifiedLog`).
//!
//! One writer at a time, under the log's mutex; readers take a snapshot of the segment list and of the offsets and
//! never wait for the writer. Invariant: log start <= last stable offset <= high watermark <= log end.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use gregor_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp, TopicId, TopicPartition};

use crate::fetch::EpochEndOffset;
use crate::{
    AppendError, AppendInfo, AppendOrigin, DeleteRecordsError, FetchData, FetchIsolation, ListedOffset,
    LogConfig, LogError, LogOffsets, OffsetPosition, ProducerSummary, ReadError, StorageError,
    TimestampQuery, VerificationGuard,
};

/// Why the log start offset moves (`LogStartOffsetIncrementReason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStartReason {
    /// A follower adopts its leader's.
    LeaderOffset,
    /// Retention removed segments.
    SegmentDeletion,
    /// DeleteRecords.
    ClientRecordDeletion,
}

/// The log of one partition. Cheap to share; all methods may be called from any thread and may block on the disk.
#[derive(Debug)]
pub struct PartitionLog {
    _private: (),
}

impl PartitionLog {
    /// Appends what a producer, a coordinator or a marker brings: validates, gives offsets, stamps `leader_epoch`.
    ///
    /// Nothing is appended when a batch is refused; a duplicate is no error, see [`AppendInfo::duplicate`].
    /// With `flush.messages` reached, returns after the data is on disk. `verification` is what
    /// [`PartitionLog::start_transaction_verification`] gave for this request.
    pub fn append_as_leader(
        &self,
        records: Bytes,
        leader_epoch: LeaderEpoch,
        origin: AppendOrigin,
        verification: Option<VerificationGuard>,
        now: Timestamp,
    ) -> Result<AppendInfo, AppendError> {
        let _ = (records, leader_epoch, origin, verification, now);
        unimplemented!()
    }

    /// Appends what was fetched from the leader, byte for byte; an incomplete last batch is left out.
    pub fn append_as_follower(&self, records: Bytes, now: Timestamp) -> Result<AppendInfo, AppendError> {
        let _ = (records, now);
        unimplemented!()
    }

    /// Reads from `from` on: whole batches from the one that holds it, within one segment and about `max_bytes`.
    /// With `min_one_message` the first batch is given whole whatever its size.
    pub fn read(
        &self,
        from: Offset,
        max_bytes: usize,
        isolation: FetchIsolation,
        min_one_message: bool,
    ) -> Result<FetchData, ReadError> {
        let _ = (from, max_bytes, isolation, min_one_message);
        unimplemented!()
    }

    /// Which partition this is the log of.
    pub fn topic_partition(&self) -> &TopicPartition {
        unimplemented!()
    }

    /// The topic's id, once known.
    pub fn topic_id(&self) -> Option<TopicId> {
        unimplemented!()
    }

    /// Notes the topic's id and writes `partition.metadata`; refused if another one is on disk.
    pub fn assign_topic_id(&self, id: TopicId) -> Result<(), LogError> {
        let _ = id;
        unimplemented!()
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<LogConfig> {
        unimplemented!()
    }

    /// The log's directory (`.../topic-0`, or its `-future` or `-delete` form).
    pub fn dir(&self) -> PathBuf {
        unimplemented!()
    }

    /// The log directory (an entry of `log.dirs`) it lies in.
    pub fn parent_dir(&self) -> PathBuf {
        unimplemented!()
    }

    /// Whether this is the copy that is being moved to another log directory.
    pub fn is_future(&self) -> bool {
        unimplemented!()
    }

    /// All offsets at one moment.
    pub fn offsets(&self) -> LogOffsets {
        unimplemented!()
    }

    /// The first readable offset.
    pub fn log_start_offset(&self) -> Offset {
        unimplemented!()
    }

    /// The next offset to be written.
    pub fn log_end_offset(&self) -> Offset {
        unimplemented!()
    }

    /// The high watermark.
    pub fn high_watermark(&self) -> Offset {
        unimplemented!()
    }

    /// The last stable offset.
    pub fn last_stable_offset(&self) -> Offset {
        unimplemented!()
    }

    /// Sets the high watermark, clamped to [log start, log end]; it may go down. Returns what it is now
    /// (`UnifiedLog.updateHighWatermark`): for followers and for a new leader.
    pub fn set_high_watermark(&self, offset: Offset) -> Offset {
        let _ = offset;
        unimplemented!()
    }

    /// Raises the high watermark to `offset` if that is higher, at most to the log end. Returns the new one if it
    /// rose, or if it now lies in a newer segment (`maybeIncrementHighWatermark`); for leaders.
    pub fn maybe_increment_high_watermark(&self, offset: Offset) -> Option<Offset> {
        let _ = offset;
        unimplemented!()
    }

    /// Where `offset` lies, for waiters that count bytes; `None` if it is outside of the log.
    pub fn position_of(&self, offset: Offset) -> Option<OffsetPosition> {
        let _ = offset;
        unimplemented!()
    }

    /// Raises the log start offset if `offset` is higher (at most to the high watermark). Returns whether it rose.
    pub fn increment_log_start_offset(
        &self,
        offset: Offset,
        reason: LogStartReason,
    ) -> Result<bool, ReadError> {
        let _ = (offset, reason);
        unimplemented!()
    }

    /// DeleteRecords up to `offset`, exclusive; `None` is the wire's -1, the high watermark. Returns the new log
    /// start offset; segments go with the next retention run.
    pub fn delete_records(&self, offset: Option<Offset>) -> Result<Offset, DeleteRecordsError> {
        let _ = offset;
        unimplemented!()
    }

    /// Truncates so that `offset` is the log end offset. Returns whether anything was cut.
    pub fn truncate_to(&self, offset: Offset, now: Timestamp) -> Result<bool, StorageError> {
        let _ = (offset, now);
        unimplemented!()
    }

    /// Empties the log and lets it start at `offset`.
    pub fn truncate_fully_and_start_at(&self, offset: Offset, now: Timestamp) -> Result<(), StorageError> {
        let _ = (offset, now);
        unimplemented!()
    }

    /// The newest leader epoch in the log.
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        unimplemented!()
    }

    /// The largest epoch at or below `epoch`, and where the next one starts (`endOffsetForEpoch`). `None`: unknown.
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<EpochEndOffset> {
        let _ = epoch;
        unimplemented!()
    }

    /// Notes that `epoch` starts at `offset`, on disk too: what a new leader does before its first append.
    pub fn assign_epoch_start(&self, epoch: LeaderEpoch, offset: Offset) -> Result<(), StorageError> {
        let _ = (epoch, offset);
        unimplemented!()
    }

    /// Where `epoch` starts, if it is in the log.
    pub fn epoch_start_offset(&self, epoch: LeaderEpoch) -> Option<Offset> {
        let _ = epoch;
        unimplemented!()
    }

    /// ListOffsets. `None`: no record has such a timestamp.
    pub fn offset_for_timestamp(&self, query: TimestampQuery) -> Result<Option<ListedOffset>, ReadError> {
        let _ = query;
        unimplemented!()
    }

    /// ListOffsets version 0: offsets before `timestamp` (-1 latest, -2 earliest), newest first, at most `max`.
    pub fn legacy_offsets_before(
        &self,
        timestamp: i64,
        max: usize,
        now: Timestamp,
    ) -> Result<Vec<Offset>, ReadError> {
        let _ = (timestamp, max, now);
        unimplemented!()
    }

    /// Writes everything to disk, the active segment included.
    pub fn flush(&self, now: Timestamp) -> Result<(), StorageError> {
        let _ = now;
        unimplemented!()
    }

    /// Deletes what retention allows to; returns how many segments went.
    pub fn delete_old_segments(&self, now: Timestamp) -> Result<usize, StorageError> {
        let _ = now;
        unimplemented!()
    }

    /// Bytes of all segments.
    pub fn size(&self) -> u64 {
        unimplemented!()
    }

    /// How many segments there are.
    pub fn segment_count(&self) -> usize {
        unimplemented!()
    }

    /// Begins to verify a transaction with its coordinator, unless the producer has one open here
    /// (`maybeStartTransactionVerification`); `None`: nothing to verify.
    pub fn start_transaction_verification(
        &self,
        producer_id: ProducerId,
        sequence: i32,
        epoch: ProducerEpoch,
        now: Timestamp,
    ) -> Option<VerificationGuard> {
        let _ = (producer_id, sequence, epoch, now);
        unimplemented!()
    }

    /// Whether the producer has a transaction open here.
    pub fn has_ongoing_transaction(&self, producer_id: ProducerId) -> bool {
        let _ = producer_id;
        unimplemented!()
    }

    /// Whether a transaction is open for longer than transactions may be.
    pub fn has_late_transaction(&self, now: Timestamp) -> bool {
        let _ = now;
        unimplemented!()
    }

    /// The producers known here (DescribeProducers).
    pub fn active_producers(&self) -> Vec<ProducerSummary> {
        unimplemented!()
    }
}
