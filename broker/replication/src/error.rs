//! Why a partition cannot do what is asked of it, one type per operation. `broker/server` maps them to Kafka's codes.

use std::sync::Arc;

use gregor_log::{AppendError, AppendInfo, ReadError};
use gregor_model::{BrokerId, Offset, TopicPartition};

use crate::partition::leader_epoch_check::LeaderEpochError;

/// The partition is not here, or not in the role asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartitionError {
    /// UNKNOWN_TOPIC_OR_PARTITION: neither here nor in the metadata cache.
    #[error("{0} is not known")]
    Unknown(TopicPartition),
    /// NOT_LEADER_OR_FOLLOWER.
    #[error("this broker is not the leader or follower asked for of {0}")]
    NotLeaderOrFollower(TopicPartition),
    /// FENCED_LEADER_EPOCH.
    #[error("the leader epoch of the request for {0} is older than the broker's")]
    FencedLeaderEpoch(TopicPartition),
    /// UNKNOWN_LEADER_EPOCH.
    #[error("the leader epoch of the request for {0} is newer than the broker's")]
    UnknownLeaderEpoch(TopicPartition),
    /// UNKNOWN_TOPIC_ID: the request names a topic id that no topic here has.
    #[error("the topic id of the request for {0} is not known")]
    UnknownTopicId(TopicPartition),
    /// INCONSISTENT_TOPIC_ID: the log belongs to another topic of that name.
    #[error("the topic id of the request for {0} is not the log's")]
    InconsistentTopicId(TopicPartition),
    /// KAFKA_STORAGE_ERROR: the replica is in a log directory that failed.
    #[error("{0} is in an offline log directory")]
    Offline(TopicPartition),
}

impl PartitionError {
    /// The error of an epoch check on `partition`.
    pub(crate) fn of_epoch(partition: &TopicPartition, error: LeaderEpochError) -> PartitionError {
        match error {
            LeaderEpochError::Fenced => PartitionError::FencedLeaderEpoch(partition.clone()),
            LeaderEpochError::Unknown => PartitionError::UnknownLeaderEpoch(partition.clone()),
            LeaderEpochError::NotLeader => PartitionError::NotLeaderOrFollower(partition.clone()),
        }
    }
}

/// Why records of one partition were not appended, or are not known to be replicated.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProduceError {
    /// The partition is not led here.
    #[error(transparent)]
    Partition(#[from] PartitionError),
    /// INVALID_TOPIC_EXCEPTION: clients may not write to internal topics.
    #[error("cannot append to internal topic {0}")]
    InternalTopic(TopicPartition),
    /// INVALID_REQUIRED_ACKS: another value than -1, 0 or 1.
    #[error("acks must be -1, 0 or 1")]
    InvalidRequiredAcks,
    /// NOT_ENOUGH_REPLICAS: nothing was written.
    #[error("{in_sync} replicas of {partition} are in sync, {min} are needed")]
    NotEnoughReplicas {
        /// The partition.
        partition: TopicPartition,
        /// The size of the ISR.
        in_sync: usize,
        /// `min.insync.replicas`, at most the number of replicas.
        min: usize,
    },
    /// Written, but not known to be replicated.
    #[error("{cause}")]
    AfterAppend {
        /// What was written: the answer tells where, in spite of the error.
        info: Box<AppendInfo>,
        /// Why the wait ended.
        cause: Unreplicated,
    },
    /// The log refused them.
    #[error(transparent)]
    Append(#[from] Arc<AppendError>),
}

/// Why records that were written are not known to be replicated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreplicated {
    /// NOT_ENOUGH_REPLICAS_AFTER_APPEND: replicated less often than asked for.
    #[error("too few replicas are in sync since the records were appended")]
    NotEnoughReplicas,
    /// REQUEST_TIMED_OUT: not replicated in time.
    #[error("the records were not replicated within the request's timeout")]
    TimedOut,
    /// The partition is not led here any more.
    #[error(transparent)]
    Partition(#[from] PartitionError),
}

/// Why a partition cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// The partition is not here in the role asked for.
    #[error(transparent)]
    Partition(#[from] PartitionError),
    /// OFFSET_OUT_OF_RANGE; also when the follower's last epoch is not in the leader's history.
    #[error("offset {offset} of {partition} is out of range")]
    OffsetOutOfRange {
        /// The partition.
        partition: TopicPartition,
        /// What was asked for.
        offset: Offset,
    },
    /// The fetch of a broker that is no replica: UNKNOWN_LEADER_EPOCH if it carried an epoch, else NOT_LEADER_OR_FOLLOWER.
    #[error("broker {replica} is not a replica of {partition}")]
    NotAReplica {
        /// The partition.
        partition: TopicPartition,
        /// Who fetches.
        replica: BrokerId,
        /// Whether the request carried a leader epoch.
        with_epoch: bool,
    },
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] Arc<ReadError>),
}

/// Why offsets cannot be listed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ListOffsetsError {
    /// The partition is not led here.
    #[error(transparent)]
    Partition(#[from] PartitionError),
    /// OFFSET_NOT_AVAILABLE (LEADER_NOT_AVAILABLE before v5): the new leader's high watermark has not yet reached its term's start.
    #[error("the high watermark of {0} has not reached the start of the leader's term")]
    NotAvailable(TopicPartition),
    /// UNSUPPORTED_VERSION: a negative timestamp that means nothing.
    #[error("timestamp {0} has no meaning")]
    UnsupportedTimestamp(i64),
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] Arc<ReadError>),
}

/// Why records were not deleted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeleteRecordsFailure {
    /// The partition is not led here.
    #[error(transparent)]
    Partition(#[from] PartitionError),
    /// INVALID_TOPIC_EXCEPTION: an internal topic.
    #[error("cannot delete records of internal topic {0}")]
    InternalTopic(TopicPartition),
    /// The log refuses.
    #[error(transparent)]
    Refused(#[from] Arc<gregor_log::DeleteRecordsError>),
    /// REQUEST_TIMED_OUT: done here, but not on all replicas in time.
    #[error("the replicas did not delete the records within the request's timeout")]
    TimedOut {
        /// The low watermark when they were deleted here; none if a replica had not told its own.
        low_watermark: Option<Offset>,
    },
}
