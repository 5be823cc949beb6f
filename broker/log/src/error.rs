//! Errors of the log, one type per operation. `broker/server` maps them to Kafka's codes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gregor_model::{Offset, ProducerEpoch, ProducerId, TopicId, TopicPartition};
use gregor_records::validate::ValidationError;

/// A log directory cannot be used (KAFKA_STORAGE_ERROR). The directory is offline from then on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StorageError {
    /// An operation failed; the directory was marked offline by it.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// The directory had failed before.
    #[error("log directory {} is offline", dir.display())]
    Offline {
        /// The directory.
        dir: Arc<Path>,
    },
    /// The log was closed or deleted meanwhile.
    #[error("the log of {0} is closed")]
    Closed(TopicPartition),
}

/// Why an append was refused.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A batch breaks the rules of a leader's append (INVALID_RECORD, INVALID_TIMESTAMP, ...).
    #[error(transparent)]
    Invalid(#[from] ValidationError),
    /// A batch's checksum or length is wrong (CORRUPT_MESSAGE).
    #[error("corrupt batch: {0}")]
    Corrupt(String),
    /// All batches together are larger than a segment (RECORD_LIST_TOO_LARGE).
    #[error("the batches have {size} bytes, more than segment.bytes {max}")]
    RecordListTooLarge {
        /// Their size in bytes.
        size: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// A newer instance of the producer wrote before (INVALID_PRODUCER_EPOCH).
    #[error("producer {producer_id} has epoch {epoch}, older than the last seen {current}")]
    InvalidProducerEpoch {
        /// The producer.
        producer_id: ProducerId,
        /// The batch's epoch.
        epoch: ProducerEpoch,
        /// The newest epoch seen.
        current: ProducerEpoch,
    },
    /// A gap in a producer's sequences (OUT_OF_ORDER_SEQUENCE_NUMBER).
    #[error("out of order sequence of producer {producer_id}: got {sequence}, last was {last}")]
    OutOfOrderSequence {
        /// The producer.
        producer_id: ProducerId,
        /// The batch's first sequence.
        sequence: i32,
        /// The last sequence in the log, -1 if none.
        last: i32,
    },
    /// The batch does not fit the state of the producer's transaction (INVALID_TXN_STATE).
    #[error("batch of producer {producer_id} does not fit its transaction: {problem}")]
    InvalidTxnState {
        /// The producer.
        producer_id: ProducerId,
        /// What does not fit.
        problem: &'static str,
    },
    /// A marker of a former transaction coordinator (TRANSACTION_COORDINATOR_FENCED).
    #[error("coordinator epoch {epoch} of producer {producer_id} is older than the last seen {current}")]
    TransactionCoordinatorFenced {
        /// The producer.
        producer_id: ProducerId,
        /// The marker's coordinator epoch.
        epoch: i32,
        /// The newest coordinator epoch seen.
        current: i32,
    },
    /// A follower's batches do not start at or after the log end (`UnexpectedAppendOffsetException`).
    #[error("first offset {first} of the fetched batches is below the log end offset {log_end}")]
    UnexpectedOffset {
        /// The first offset of what came.
        first: Offset,
        /// The log end offset.
        log_end: Offset,
    },
    /// A follower's batches are not in offset order (`OffsetsOutOfOrderException`).
    #[error("offsets of the fetched batches are out of order at {0}")]
    OffsetsOutOfOrder(Offset),
    /// A fetched v2 batch has no leader epoch: no leader writes such.
    #[error("the fetched batch at {0} has no leader epoch")]
    MissingLeaderEpoch(Offset),
    /// The directory failed (KAFKA_STORAGE_ERROR).
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a read was refused.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Outside of [log start, log end] (OFFSET_OUT_OF_RANGE).
    #[error("offset {offset} is not in [{log_start}, {log_end}]")]
    OutOfRange {
        /// What was asked for.
        offset: Offset,
        /// The log start offset.
        log_start: Offset,
        /// The log end offset.
        log_end: Offset,
    },
    /// The bytes on disk are not batches (CORRUPT_MESSAGE).
    #[error("corrupt batch in {}: {problem}", path.display())]
    Corrupt {
        /// The segment file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The directory failed (KAFKA_STORAGE_ERROR).
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why DeleteRecords was refused.
#[derive(Debug, thiserror::Error)]
pub enum DeleteRecordsError {
    /// The topic's `cleanup.policy` has no `delete` (POLICY_VIOLATION).
    #[error("records of {0} cannot be deleted: its cleanup.policy has no delete")]
    Policy(TopicPartition),
    /// Above the high watermark (OFFSET_OUT_OF_RANGE).
    #[error("offset {offset} is above the high watermark {high_watermark}")]
    OutOfRange {
        /// What was asked for.
        offset: Offset,
        /// The high watermark.
        high_watermark: Offset,
    },
    /// The directory failed (KAFKA_STORAGE_ERROR).
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a log cannot be given, created or changed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The partition's directory has another topic's id (INCONSISTENT_TOPIC_ID).
    #[error("the log of {partition} belongs to topic id {found}, not {expected}")]
    InconsistentTopicId {
        /// The partition.
        partition: TopicPartition,
        /// The id asked for.
        expected: TopicId,
        /// The id on disk.
        found: TopicId,
    },
    /// The log may be in a directory that is offline (KAFKA_STORAGE_ERROR).
    #[error("{0} is not in an online log directory, and a directory is offline that may hold it")]
    MayBeOffline(TopicPartition),
    /// There is no such directory among the configured ones (LOG_DIR_NOT_FOUND).
    #[error("log directory {} is not among the configured ones", .0.display())]
    NoSuchDir(PathBuf),
    /// There is no log of that partition.
    #[error("there is no log of {0}")]
    NoSuchLog(TopicPartition),
    /// The name of the `-future` directory would be longer than 255 characters (INVALID_TOPIC_EXCEPTION).
    #[error("the name of {0} is too long to be moved between log directories")]
    NameTooLong(TopicPartition),
    /// The directory failed (KAFKA_STORAGE_ERROR).
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why the broker cannot start on its log directories.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// None of the directories can be used.
    #[error("none of the log directories can be used: {0}")]
    NoLiveDirs(String),
    /// Two entries of `log.dirs` are one directory.
    #[error("log directory {} is configured twice", .0.display())]
    DuplicateDir(PathBuf),
    /// Another broker process has the directory.
    #[error("log directory {} is locked: a Kafka or Gregor process is using it", .0.display())]
    Locked(PathBuf),
    /// A directory that is no partition's (`lost+found`).
    #[error("{} is not a partition's directory (it should be named topic-partition); remove or move it", .0.display())]
    ForeignDirectory(PathBuf),
    /// One partition in two directories.
    #[error(
        "{partition} is in both {} and {}: a move between them may have been cut short; remove one of them, that in the \
         directory that failed if one did",
        first.display(), second.display()
    )]
    DuplicateLog {
        /// The partition.
        partition: TopicPartition,
        /// One directory.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A log that cannot be loaded although its directory is readable.
    #[error(transparent)]
    Log(#[from] LogError),
}
