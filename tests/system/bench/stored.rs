//! Logs that benchmarks of the storage engine fill in their own process, and the batches they fill them with.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use gregor_log::{AppendOrigin, LogConfig, LogManager, LogManagerConfig, PartitionLog};
use gregor_model::{LeaderEpoch, Offset, Timestamp, TopicPartition};
use gregor_records::{BatchBuilder, BatchOptions, Compression};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// The epoch of every append.
const EPOCH: LeaderEpoch = LeaderEpoch(0);

/// The time now.
pub fn now() -> Result<Timestamp> {
    Ok(Timestamp(i64::try_from(std::time::UNIX_EPOCH.elapsed()?.as_millis())?))
}

/// Opens the logs in `dir` with the broker's defaults and `defaults` for topics; deleted files go at once.
pub fn open(dir: &Path, defaults: LogConfig) -> Result<LogManager> {
    let config = LogManagerConfig {
        log_dirs: vec![dir.to_owned()],
        defaults,
        segment_delete_delay_ms: 0,
        ..LogManagerConfig::default()
    };
    Ok(LogManager::open(config, HashMap::new(), now()?)?)
}

/// The log of a partition, made if need be.
pub fn log_of(manager: &LogManager, topic: &str, partition: i32) -> Result<Arc<PartitionLog>> {
    Ok(manager.get_or_create(&TopicPartition::new(topic, partition), None, true, now()?)?)
}

/// Appends as the leader of an idle partition does.
pub fn append(log: &PartitionLog, batch: Bytes, now: Timestamp) -> Result<()> {
    log.append_as_leader(batch, EPOCH, AppendOrigin::Client, None, now)?;
    Ok(())
}

/// A producer's batch of about `bytes` bytes: records of `value_bytes`, with the key that `key` gives for each.
pub fn batch(
    bytes: usize,
    value_bytes: usize,
    compression: Compression,
    mut key: impl FnMut() -> u64,
    mut fill: impl FnMut(&mut [u8]),
) -> Result<Bytes> {
    /// About what a record and its key take beside the value.
    const OVERHEAD: usize = 20;
    let mut builder = BatchBuilder::new(BatchOptions { compression, ..BatchOptions::default() })?;
    let mut value = vec![0; value_bytes];
    let count = (bytes / (value_bytes + OVERHEAD)).max(1);
    for offset in 0..i64::try_from(count)? {
        fill(&mut value);
        let key = key().to_be_bytes();
        builder.append(Offset(offset), Some(now()?), Some(&key), Some(&value), &[])?;
    }
    Ok(builder.finish()?.into())
}

/// The middle one.
pub fn median(mut figures: Vec<f64>) -> Result<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().context("no figures")
}

/// How long this thread has been on a processor, in seconds.
pub fn thread_cpu_seconds() -> Result<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").context("this kernel tells no schedstat")?;
    let nanoseconds: u64 = text.split(' ').next().context("an empty schedstat")?.parse()?;
    Ok(nanoseconds as f64 / 1e9)
}
