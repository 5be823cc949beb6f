//! The same logs compacted by Apache Kafka's cleaner and by Gregor's: of two copies of one directory the same batches and
//! records are left, twice in a row, so that what the first cleaning kept back (tombstones, markers) goes with the second.

mod input;
mod survivors;

use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::SETTLE;
use gregor_harness::java::kafka_tool;
use gregor_harness::{BrokerKind, Cluster, ClusterBuilder, TestContext, run, wait};
use gregor_log::{
    CleanOutcome, CleanerConfig, CleanupPolicy, LogCleaner, LogConfig, LogManager, LogManagerConfig,
};
use gregor_model::{Timestamp, TopicPartition};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use survivors::{Batch, batches_of};

/// One log each, filled from its number as the seed.
const TOPICS: u64 = 6;
const SEGMENT_BYTES: u32 = 10_000;
const INDEX_INTERVAL_BYTES: u32 = 300;

#[test]
fn both_cleaners_leave_the_same_records() {
    run(async |context| {
        let mut cluster = start_and_create(context).await?;
        let start = now()?;
        let by_kafka = cluster.broker(0)?.data_dir();
        fill(&by_kafka, 1, start)?;
        let by_gregor = context.dir().join("by-gregor");
        copy(&by_kafka, &by_gregor)?;
        for round in 1..=2 {
            if round > 1 {
                fill(&by_kafka, round, start)?;
                fill(&by_gregor, round, start)?;
            }
            let before = read_all(&by_gregor)?;
            clean_with_kafka(&mut cluster).await?;
            clean_with_gregor(&by_gregor)?;
            compare(&before, &read_all(&by_kafka)?, &read_all(&by_gregor)?)
                .with_context(|| format!("after cleaning {round}"))?;
        }
        check_files(context, &by_gregor).await
    });
}

fn now() -> Result<Timestamp> {
    Ok(Timestamp(i64::try_from(std::time::UNIX_EPOCH.elapsed()?.as_millis())?))
}

fn topic(seed: u64) -> String {
    format!("compacted-{seed}")
}

/// A Kafka broker that has stopped again, and leads the topics when it starts.
async fn start_and_create(context: &TestContext) -> Result<Cluster> {
    let mut cluster = ClusterBuilder::of(&[BrokerKind::Kafka])
        .property("log.cleaner.backoff.ms", "50")
        .start(context)
        .await?;
    let (segment_bytes, interval) = (SEGMENT_BYTES.to_string(), INDEX_INTERVAL_BYTES.to_string());
    let configs = [
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0"),
        ("delete.retention.ms", "0"),
        ("segment.bytes", &segment_bytes),
        ("index.interval.bytes", &interval),
    ];
    for seed in 0..TOPICS {
        cluster.create_topic_with(&topic(seed), 1, 1, &configs).await?;
    }
    cluster.broker(0)?.stop().await?;
    Ok(cluster)
}

fn open(dir: &Path) -> Result<LogManager> {
    let config = LogManagerConfig {
        log_dirs: vec![dir.to_owned()],
        defaults: LogConfig {
            cleanup_policy: CleanupPolicy { delete: false, compact: true },
            min_cleanable_dirty_ratio: 0.0,
            delete_retention_ms: 0,
            segment_bytes: SEGMENT_BYTES,
            index_interval_bytes: INDEX_INTERVAL_BYTES,
            file_delete_delay_ms: 0,
            ..LogConfig::default()
        },
        ..LogManagerConfig::default()
    };
    Ok(LogManager::open(config, HashMap::new(), now()?)?)
}

fn fill(dir: &Path, round: u64, start: Timestamp) -> Result<()> {
    let manager = open(dir)?;
    for seed in 0..TOPICS {
        let log = manager.log(&TopicPartition::new(&*topic(seed), 0)).context("a log is missing")?;
        input::append_round(&log, seed, round, start)?;
    }
    Ok(manager.shutdown(now()?)?)
}

/// With the times of the files, which tombstones of old formats depend on.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(status.success(), "{} could not be copied", from.display());
    Ok(())
}

async fn clean_with_kafka(cluster: &mut Cluster) -> Result<()> {
    let broker = cluster.broker(0)?;
    let dir = broker.data_dir();
    broker.start().await?;
    wait::until_true("Kafka to clean every log", SETTLE, || async {
        let clean = checkpoint(&dir)?;
        for seed in 0..TOPICS {
            let active = segments(&partition_dir(&dir, seed), "log")?.pop().context("no segment")?;
            if clean.get(&topic(seed)) != Some(&base_offset(&active)?) {
                return Ok(false);
            }
        }
        Ok(true)
    })
    .await?;
    cluster.broker(0)?.stop().await?;
    Ok(())
}

fn clean_with_gregor(dir: &Path) -> Result<()> {
    let manager = Arc::new(open(dir)?);
    for log in manager.all() {
        log.set_high_watermark(log.log_end_offset());
    }
    let cleaner = LogCleaner::new(Arc::clone(&manager), CleanerConfig::default());
    let mut cleaned = 0;
    loop {
        match cleaner.clean_once(now()?, &|| false) {
            CleanOutcome::Cleaned { .. } => cleaned += 1,
            CleanOutcome::Nothing => break,
            CleanOutcome::GivenUp(partition) => anyhow::bail!("cleaning {partition} failed"),
        }
    }
    ensure!(cleaned == TOPICS, "{cleaned} logs were cleaned");
    manager.run_due_work(now()? + 1);
    Ok(manager.shutdown(now()?)?)
}

/// The first dirty offset by topic.
fn checkpoint(dir: &Path) -> Result<BTreeMap<String, i64>> {
    let text = fs::read_to_string(dir.join("cleaner-offset-checkpoint"))?;
    let mut found = BTreeMap::new();
    for line in text.lines().skip(2) {
        if let [topic, _, offset] = line.split(' ').collect::<Vec<_>>()[..] {
            found.insert(topic.to_owned(), offset.parse()?);
        }
    }
    Ok(found)
}

fn partition_dir(dir: &Path, seed: u64) -> PathBuf {
    dir.join(format!("{}-0", topic(seed)))
}

/// Files with this extension, in the order of their offsets.
fn segments(dir: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|is| is == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn base_offset(segment: &Path) -> Result<i64> {
    Ok(segment.file_stem().and_then(|stem| stem.to_str()).context("no name")?.parse()?)
}

/// The batches of every topic, in order.
fn read_all(dir: &Path) -> Result<Vec<Vec<Batch>>> {
    (0..TOPICS)
        .map(|seed| {
            let mut all = Vec::new();
            for segment in segments(&partition_dir(dir, seed), "log")? {
                all.extend(batches_of(&fs::read(&segment)?).with_context(|| segment.display().to_string())?);
            }
            Ok(all)
        })
        .collect()
}

/// What has records must be equal. Of emptied batches Gregor may keep one more, the last of a round, lest a replica built
/// from this log end before it (KAFKA-17076).
fn compare(before: &[Vec<Batch>], by_kafka: &[Vec<Batch>], by_gregor: &[Vec<Batch>]) -> Result<()> {
    for (seed, ((before, kafkas), ours)) in before.iter().zip(by_kafka).zip(by_gregor).enumerate() {
        let (kafkas_full, kafkas_empty) = survivors::split(kafkas);
        let (our_full, our_empty) = survivors::split(ours);
        for (kafkas, ours) in kafkas_full.iter().zip(&our_full) {
            ensure!(kafkas == ours, "of log {seed} Kafka leaves {kafkas:#?}\nand Gregor {ours:#?}");
        }
        ensure!(kafkas_full.len() == our_full.len(), "of log {seed} a different number of batches is left");
        ensure!(
            kafkas_empty.iter().all(|batch| our_empty.contains(batch)),
            "of log {seed} Kafka keeps {kafkas_empty:#?}\nand Gregor {our_empty:#?}"
        );
        ensure!(our_empty.len() <= kafkas_empty.len() + 2, "of log {seed} too many empty batches are left");
        let records = |batches: &[Batch]| batches.iter().map(|batch| batch.records.len()).sum::<usize>();
        println!(
            "log {seed}: {} batches with {} records, {} with {} after both cleaners, {} emptied",
            before.len(),
            records(before),
            our_full.len(),
            records(ours),
            our_empty.len()
        );
        ensure!(records(ours) < records(before), "nothing went from log {seed}");
    }
    Ok(())
}

/// Kafka's verdict on the indexes of what Gregor cleaned.
async fn check_files(context: &TestContext, dir: &Path) -> Result<()> {
    let mut files = Vec::new();
    for seed in 0..TOPICS {
        for extension in ["log", "index", "timeindex", "txnindex"] {
            let found = segments(&partition_dir(dir, seed), extension)?;
            files.extend(found.iter().map(|path| path.display().to_string()));
        }
    }
    let arguments = ["--files", &files.join(","), "--deep-iteration", "--verify-index-only"];
    let output = kafka_tool(context.dir(), "kafka.tools.DumpLogSegments", &arguments, b"").await?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    // That offsets are missing is what compaction is for.
    let expected =
        |line: &str| line.starts_with("Non-consecutive offsets in") || line.contains(" is followed by ");
    let complaints: Vec<&str> = complaints.lines().filter(|line| !expected(line)).collect();
    ensure!(output.status.success() && complaints.is_empty(), "kafka-dump-log complains: {complaints:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(text.contains("isvalid: true") && !text.contains("isvalid: false"), "kafka-dump-log: {text}");
    Ok(())
}
