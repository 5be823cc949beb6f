//! The log: segments, indexes, producer state, recovery and retention of every partition of this broker, in the
//! files of Apache Kafka 3.9.
//!
//! [`LogManager`] owns the log directories and every [`PartitionLog`] in them. A log has one writer, under its
//! mutex; readers work on snapshots and are handed [`FileSlice`]s, never bytes. Nothing here knows a network or
//! ZooKeeper, and nothing starts threads but recovery: background work is a set of functions that the server calls.

mod append;
mod background;
mod checkpoint;
mod cleaner;
mod config;
mod disk;
mod error;
mod fetch;
mod file_name;
mod leader_epochs;
mod log_dir;
mod manager;
mod offset_index;
mod offsets;
mod open_files;
mod partition_dir;
mod partition_log;
mod producer_snapshots;
mod producer_state;
mod recovery;
mod recovery_points;
mod segment;
mod segment_file;
mod segment_scan;
mod sparse_index;
pub mod stored;
mod stored_batch;
#[cfg(test)]
mod testing;
mod time_index;
mod timestamp_query;
mod transaction_index;

pub use append::AppendInfo;
pub use cleaner::{CleanOutcome, CleanerConfig, CleanerGauges, CleanerStats, LogCleaner};
pub use config::{CleanupPolicy, LogConfig, LogManagerConfig};
pub use error::{AppendError, DeleteRecordsError, LogError, OpenError, ReadError, StorageError};
pub use fetch::{AbortedTransaction, EpochEndOffset, FetchData, FetchIsolation, FileSlice};
pub use gregor_records::validate::AppendOrigin;
pub use leader_epochs::LeaderEpochs;
pub use manager::{FailedDir, LoadProgress, LogDirUsage, LogManager};
pub use offsets::{LogOffsets, OffsetPosition};
pub use partition_log::{LogStartReason, PartitionLog};
pub use producer_state::{
    Admission, BatchMetadata, CompletedTxn, Marker, ProducerBatch, ProducerSequences, ProducerState,
    ProducerSummary, SequencedBatch, Updates, VerificationGuard,
};
pub use timestamp_query::{ListedOffset, TimestampQuery};
