//! What tests of several modules need.

pub(crate) mod faulty_disk;
pub(crate) mod random;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};

use bytes::Bytes;
use gregor_model::{Offset, Timestamp, TopicPartition};
use gregor_records::{BatchBuilder, BatchOptions};
use tempfile::TempDir;

use crate::background::Background;
use crate::checkpoint::offsets;

use crate::disk::{Disk, OsDisk};
use crate::log_dir::{FailureChannel, LogDir};
use crate::open_files::OpenFiles;
use crate::partition_dir::PartitionDir;
use crate::partition_log::Shared;
use crate::recovery::{Checkpoint, load_log};
use crate::{FetchIsolation, LogConfig, PartitionLog, StorageError};

/// A temporary directory, in memory where there is such a file system.
pub(crate) fn temporary_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// The directory of partition `t-0` on `disk`, with few open files.
pub(crate) fn partition_dir_on(root: &std::path::Path, disk: Arc<dyn Disk>) -> Arc<PartitionDir> {
    let failures = Arc::new(FailureChannel::default());
    let log_dir = LogDir::new(root, disk, OpenFiles::new(16), failures);
    let path = root.join("t-0");
    std::fs::create_dir_all(&path).unwrap();
    PartitionDir::new(TopicPartition::new("t", 0), log_dir, path)
}

/// The same on the operating system's file system.
pub(crate) fn partition_dir() -> (TempDir, Arc<PartitionDir>) {
    let root = temporary_dir();
    let dir = partition_dir_on(root.path(), Arc::new(OsDisk));
    (root, dir)
}

/// The bytes of a producer's batch: `count` records of `bytes` bytes, at `timestamp` and the milliseconds after it.
pub(crate) fn client_batch(count: i32, bytes: usize, timestamp: i64) -> Bytes {
    batch_with(BatchOptions::default(), count, bytes, timestamp)
}

/// The same of a batch with other options.
pub(crate) fn batch_with(options: BatchOptions, count: i32, bytes: usize, timestamp: i64) -> Bytes {
    let base = options.base_offset;
    let mut builder = BatchBuilder::new(options).unwrap();
    for n in 0..count {
        let value = vec![b'a' + (n % 26) as u8; bytes];
        let timestamp = Some(Timestamp(timestamp + i64::from(n)));
        builder.append(base + i64::from(n), timestamp, Some(b"k"), Some(&value), &[]).unwrap();
    }
    builder.finish().unwrap().into()
}

/// What tests load a log with.
pub(crate) fn checkpoint(clean: bool, recovery_point: i64) -> Checkpoint {
    Checkpoint {
        clean,
        recovery_point: Some(Offset(recovery_point)),
        log_start: Offset::ZERO,
        now: NOW,
        producer_expiration_ms: i64::MAX,
        index_interval_bytes: 4096,
    }
}

/// The clock of tests.
pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// What tests share between logs.
pub(crate) fn shared() -> Arc<Shared> {
    Arc::new(Shared {
        background: Background::default(),
        producer_id_expiration_ms: AtomicI64::new(i64::MAX),
        transaction_verification: AtomicBool::new(false),
        transaction_max_timeout_ms: 900_000,
        flush_time: Default::default(),
    })
}

/// Loads the log in `dir`.
pub(crate) fn load(
    dir: &Arc<PartitionDir>,
    config: LogConfig,
    mut checkpoint: Checkpoint,
) -> Result<PartitionLog, StorageError> {
    checkpoint.index_interval_bytes = config.index_interval_bytes;
    let loaded = load_log(dir, &checkpoint)?;
    Ok(PartitionLog::new(Arc::clone(dir), shared(), Arc::new(config), loaded, false, checkpoint.now))
}

/// Loads the log in `dir` as one that a crash left.
pub(crate) fn load_unclean(dir: &Arc<PartitionDir>, config: LogConfig) -> PartitionLog {
    load(dir, config, checkpoint(false, 0)).unwrap()
}

/// Loads the log in `dir` as one that a crash left, with the recovery point that its log directory has on file.
pub(crate) fn load_crashed(dir: &Arc<PartitionDir>, config: LogConfig) -> Result<PartitionLog, StorageError> {
    let file = dir.log_dir().path().join(offsets::RECOVERY_POINT);
    let known = std::fs::read(file).map(|bytes| offsets::parse(&bytes).unwrap()).unwrap_or_default();
    dir.log_dir().recovery_points().assume(known.clone());
    let recovery_point = known.get(dir.partition()).copied();
    load(dir, config, Checkpoint { recovery_point, ..checkpoint(false, 0) })
}

/// All records' bytes of a log, read as a follower reads.
pub(crate) fn read_all(log: &PartitionLog) -> Vec<u8> {
    let mut all = Vec::new();
    let mut at = log.log_start_offset();
    while at < log.log_end_offset() {
        let data = log.read(at, 1 << 20, FetchIsolation::LogEnd, true).unwrap();
        let Some(slice) = data.records else { break };
        let bytes = slice.read_to_bytes().unwrap();
        let next =
            gregor_records::batches(&bytes).filter_map(Result::ok).last().map(|batch| batch.next_offset());
        let whole: usize =
            gregor_records::batches(&bytes).filter_map(Result::ok).map(|b| b.size_in_bytes).sum();
        all.extend_from_slice(&bytes[..whole]);
        at = next.expect("a whole batch");
    }
    all
}
