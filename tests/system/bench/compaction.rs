//! Compaction of the same segments by Gregor's cleaner, in this process, and by that of an Apache Kafka broker, each with its
//! default of memory; bytes of log per second, as Kafka's own log line counts them.

use crate::{KAFKAS_HEAP_MEBIBYTES, stored};
use anyhow::{Context as _, Result, bail, ensure};
use gregor_harness::java;
use gregor_harness::{BrokerKind, Cluster, ClusterBuilder, Process, TestContext, wait};
use gregor_log::{CleanOutcome, CleanerConfig, CleanerStats, CleanupPolicy, LogCleaner, LogConfig};
use gregor_records::{Codec, Compression};
use rand::rngs::SmallRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const TOPIC: &str = "compacted";
const LOG_BYTES: u64 = 512 << 20;
const SEGMENT_BYTES: u32 = 64 << 20;
const BATCH_BYTES: usize = 16 << 10;
const VALUE_BYTES: usize = 200;
const KEYS: u64 = 400_000;
const PATIENCE: Duration = Duration::from_secs(90);

/// Runs the case and prints its table.
pub async fn run(context: &TestContext, with_kafka: bool) -> Result<()> {
    println!("compaction: 512 MiB in batches of 16 KiB, records of 200 B with 400,000 keys");
    for codec in [Codec::None, Codec::Lz4] {
        let context = TestContext::in_directory(context.create_dir(codec.as_str())?);
        let filled = context.create_dir("filled")?;
        fill(&filled, codec)?;
        let partition = filled.join(format!("{TOPIC}-0"));
        let kafka = if with_kafka { Some(clean_by_kafka(&context, &partition).await?) } else { None };
        let stats = clean_by_gregor(&filled)?;
        let gregor = mebibytes_per_second(&stats);
        println!(
            "{:8} Gregor {gregor:>7.1} MiB/s ({} of {} records left)",
            codec.as_str(),
            stats.records_written,
            stats.records_read
        );
        if let Some(kafka) = kafka {
            println!(
                "{:8} Kafka  {kafka:>7.1} MiB/s, ratio {:.2}   target >= 1",
                codec.as_str(),
                gregor / kafka
            );
        }
    }
    Ok(())
}

/// As Kafka's "MB of log processed in N seconds": what was read to copy it, over the time for both passes.
fn mebibytes_per_second(stats: &CleanerStats) -> f64 {
    stats.bytes_read as f64 / f64::from(1 << 20) / stats.elapsed.as_secs_f64()
}

fn compacted() -> LogConfig {
    LogConfig {
        segment_bytes: SEGMENT_BYTES,
        cleanup_policy: CleanupPolicy { delete: false, compact: true },
        min_cleanable_dirty_ratio: 0.01,
        ..LogConfig::default()
    }
}

fn fill(dir: &Path, codec: Codec) -> Result<()> {
    let manager = stored::open(dir, compacted())?;
    let log = stored::log_of(&manager, TOPIC, 0)?;
    let mut random = SmallRng::seed_from_u64(7);
    let mut keys = SmallRng::seed_from_u64(8);
    while log.size() < LOG_BYTES {
        let key = || keys.random_range(0..KEYS);
        // Half noise, half text that compresses.
        let value = |value: &mut [u8]| random.fill_bytes(&mut value[..VALUE_BYTES / 2]);
        let batch = stored::batch(BATCH_BYTES, VALUE_BYTES, Compression::of(codec), key, value)?;
        stored::append(&log, batch, stored::now()?)?;
    }
    manager.shutdown(stored::now()?)?;
    Ok(())
}

fn clean_by_gregor(dir: &Path) -> Result<CleanerStats> {
    let manager = Arc::new(stored::open(dir, compacted())?);
    let log = stored::log_of(&manager, TOPIC, 0)?;
    log.set_high_watermark(log.log_end_offset());
    let cleaner = LogCleaner::new(manager, CleanerConfig::default());
    match cleaner.clean_once(stored::now()?, &|| false) {
        CleanOutcome::Cleaned { stats, .. } => Ok(stats),
        other => bail!("the cleaner did not clean: {other:?}"),
    }
}

/// Kafka makes the topic, so that it leads it, and finds the segments in its place at the next start.
async fn clean_by_kafka(context: &TestContext, filled: &Path) -> Result<f64> {
    let mut cluster = ClusterBuilder::of(&[BrokerKind::Kafka])
        .property("log.cleaner.dedupe.buffer.size", "134217728")
        .property("log.cleaner.backoff.ms", "200")
        .start(context)
        .await?;
    let segment_bytes = SEGMENT_BYTES.to_string();
    let configs = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", &segment_bytes),
        ("min.cleanable.dirty.ratio", "0.01"),
    ];
    cluster.create_topic_with(TOPIC, 1, 1, &configs).await?;
    cluster.broker(0)?.stop().await?;
    let partition = cluster.broker(0)?.data_dir().join(format!("{TOPIC}-0"));
    for entry in fs::read_dir(filled)? {
        let (from, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if name != "partition.metadata" {
            fs::copy(from, partition.join(name))?;
        }
    }
    // The page cache is warm for both.
    let line = java::for_speed(cluster.broker(0)?.command_line()?, KAFKAS_HEAP_MEBIBYTES);
    let mut process = Process::spawn(context, "broker-0", &line)?;
    let figure = wait_for_cleaning(&cluster, &mut process).await;
    process.kill();
    figure
}

async fn wait_for_cleaning(cluster: &Cluster, process: &mut Process) -> Result<f64> {
    let broker = cluster.brokers.first().context("no broker")?;
    wait::until("Kafka to have cleaned the log", PATIENCE, || {
        let found = broker.log().map(|log| processed_per_second(&log));
        let ended = process.exited();
        async move {
            ensure!(ended.is_none(), "Kafka ended");
            found
        }
    })
    .await
}

/// From `512.0 MB of log processed in 9.9 seconds (51.7 MB/sec).`
fn processed_per_second(log: &str) -> Option<f64> {
    let (_, rest) = log.split_once(" MB of log processed in ")?;
    let (_, rest) = rest.split_once('(')?;
    let (figure, _) = rest.split_once(" MB/sec")?;
    figure.replace(',', "").parse().ok()
}
