//! Offsets by time and by epoch.

use gregor_log::{FetchIsolation, ListedOffset, TimestampQuery};
use gregor_model::{LeaderEpoch, Offset, Timestamp, TopicPartition};

use super::{EpochEnd, ReplicaManager};
use crate::error::{ListOffsetsError, PartitionError};

impl ReplicaManager {
    /// ListOffsets v1+ of one partition; `None`: no such record. `isolation` is a consumer's; `None` is a replica or
    /// a debugging tool, which sees up to the log end. `leader_only`: all but the debugging tool (replica id -2).
    pub fn list_offset(
        &self,
        partition: &TopicPartition,
        query: TimestampQuery,
        isolation: Option<FetchIsolation>,
        current_leader_epoch: Option<LeaderEpoch>,
        leader_only: bool,
    ) -> Result<Option<ListedOffset>, ListOffsetsError> {
        self.hosted(partition)?.list_offset(query, isolation, current_leader_epoch, leader_only)
    }

    /// ListOffsets v0: offsets before `timestamp`, newest first. `from_consumer`: none above the high watermark.
    pub fn legacy_offsets_before(
        &self,
        partition: &TopicPartition,
        timestamp: i64,
        max: usize,
        from_consumer: bool,
        leader_only: bool,
        now: Timestamp,
    ) -> Result<Vec<Offset>, ListOffsetsError> {
        self.hosted(partition)?.legacy_offsets_before(timestamp, max, from_consumer, leader_only, now)
    }

    /// OffsetForLeaderEpoch of one partition; an undefined answer is `EpochEnd` without values, not an error.
    pub fn offset_for_leader_epoch(
        &self,
        partition: &TopicPartition,
        current_leader_epoch: Option<LeaderEpoch>,
        epoch: LeaderEpoch,
    ) -> Result<EpochEnd, PartitionError> {
        self.hosted(partition)?.offset_for_leader_epoch(current_leader_epoch, epoch)
    }
}
