//! The log: segments, indexes, producer state, recovery and retention of every partition of this broker, in the
//! files of Apache Kafka 3.9.
//!
//! [`LogManager`] owns the log directories and every [`PartitionLog`] in them. A log has one writer, under its
//! mutex; readers work on snapshots and are handed [`FileSlice`]s, never bytes. Nothing here knows a network or
//! ZooKeeper, and nothing starts threads but recovery: background work is a set of functions that the server calls.

mod append;
mod config;
mod error;
mod fetch;
mod manager;
mod offsets;
mod partition_log;
mod producer_state;
mod timestamp_query;

pub use append::{AppendInfo, AppendOrigin};
pub use config::{CleanupPolicy, CompressionType, LogConfig, LogManagerConfig, TimestampType};
pub use error::{AppendError, DeleteRecordsError, LogError, OpenError, ReadError, StorageError};
pub use fetch::{AbortedTransaction, FetchData, FetchIsolation, FileSlice};
pub use manager::{FailedDir, LogDirUsage, LogManager};
pub use offsets::{LogOffsets, OffsetPosition};
pub use partition_log::{LogStartReason, PartitionLog};
pub use producer_state::{ProducerSummary, VerificationGuard};
pub use timestamp_query::{ListedOffset, TimestampQuery};
