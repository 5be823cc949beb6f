//! Compaction of logs (`LogCleaner`): of each key only the last record is kept.
//!
//! What to clean and what survives is decided by pure modules (`selection`, `offset_map`, `transactions`, `retention`,
//! `filter`, `grouping`); `indexing` and `rewrite` read and write segments; [`LogCleaner`] chooses, runs and remembers. A
//! cleaning works on a view of the log and holds no lock of it until the new segments take the place of the old ones.

mod checkpoint;
mod cleaning;
mod config;
mod filter;
mod grouping;
mod indexing;
mod log_cleaner;
mod offset_map;
mod pace;
mod plain;
mod retention;
mod rewrite;
mod selection;
mod stats;
mod throttle;
mod transactions;

pub(crate) use checkpoint::CleanerCheckpoint;
pub use checkpoint::NAME as CLEANER_CHECKPOINT;
pub use config::CleanerConfig;
pub use log_cleaner::{CleanOutcome, LogCleaner};
pub(crate) use retention::LastRecord;
pub use stats::{CleanerGauges, CleanerStats};

use std::path::PathBuf;

use gregor_model::Offset;
use gregor_records::BatchError;

use self::filter::FilterError;
use crate::StorageError;
use crate::segment::Segment;
use crate::segment_scan::ScanError;

/// Why a cleaning ended before it was done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CleanError {
    /// The log changed, or the cleaner is to stop: nothing is wrong, it is tried again later.
    #[error("given up")]
    Aborted,
    /// The segment's bytes are damaged.
    #[error("damaged batch in {} at position {position}: {problem}", path.display())]
    Corrupt { path: PathBuf, position: u64, problem: BatchError },
    /// The records of a batch cannot be read, or not be written again.
    #[error("cannot clean the batch at offset {offset} in {}: {problem}", path.display())]
    Batch { path: PathBuf, offset: Offset, problem: FilterError },
    /// The directory failed, or the log was closed meanwhile.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl CleanError {
    fn of_scan(segment: &Segment, error: ScanError) -> CleanError {
        match error {
            ScanError::Storage(error) => CleanError::Storage(error),
            ScanError::Corrupt { position, problem } => {
                CleanError::Corrupt { path: segment.path(), position, problem }
            }
        }
    }
}

#[cfg(test)]
mod tests;
