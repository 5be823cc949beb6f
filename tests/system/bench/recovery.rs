//! Starting on 4,000 partitions with 40,000 segments after kill -9: until every log is ready, and memory per partition. Beside
//! it Apache Kafka on a copy of the same directory, with as many partitions as it may open files for.
//!
//! Filling and opening each run in a process of their own, this program again with a hidden case: the first ends with
//! kill -9, and the other one's memory is nothing but that of its logs.

use crate::{KAFKAS_HEAP_MEBIBYTES, stored};
use anyhow::{Context as _, Result, ensure};
use gregor_harness::java;
use gregor_harness::{BrokerKind, ClusterBuilder, Process, TestContext, wait};
use gregor_log::{LogConfig, LogManager};
use gregor_model::Offset;
use gregor_records::Compression;
use rustix::process::{Resource, Signal, getpid, getrlimit, kill_process};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const PARTITIONS: usize = 4_000;
const SEGMENTS_PER_PARTITION: usize = 10;
const BATCHES_PER_SEGMENT: usize = 2;
const BATCH_BYTES: usize = 1024;
const TOPIC: &str = "recovered";
const CHECKPOINT: &str = "recovery-point-offset-checkpoint";
/// Filled by one manager.
const PARTITIONS_AT_ONCE: usize = 100;
/// Files that Kafka opens beside one per segment.
const OTHER_FILES: u64 = 1_000;
const KAFKAS_PATIENCE: Duration = Duration::from_secs(90);

/// What one start came to.
struct Figures {
    ready: Duration,
    bytes_per_partition: u64,
}

/// Runs the case and prints its table.
pub async fn run(context: &TestContext, with_kafka: bool) -> Result<()> {
    println!("recovery: start after kill -9, 10 segments per partition, one recovery thread");
    let dir = context.create_dir("logs")?;
    fill_and_kill(&dir, PARTITIONS)?;
    let checkpoint = fs::read_to_string(dir.join(CHECKPOINT))?;
    print("Gregor, checkpointed", PARTITIONS, &open_in_child(&dir)?, "  targets < 5 s, < 40 KiB");
    fs::remove_file(dir.join(CHECKPOINT))?;
    print("Gregor, all to recover", PARTITIONS, &open_in_child(&dir)?, "");
    if !with_kafka {
        return Ok(());
    }
    let partitions = partitions_for_kafka();
    if partitions < PARTITIONS {
        fs::remove_dir_all(&dir)?;
        fs::create_dir_all(&dir)?;
        fill_and_kill(&dir, partitions)?;
    } else {
        fs::write(dir.join(CHECKPOINT), checkpoint)?;
    }
    let kafka = kafka_on_copy(context, &dir).await?;
    let gregor = open_in_child(&dir)?;
    print("Gregor, beside Kafka", partitions, &gregor, "");
    println!("{:24} {partitions:>6} {:>9.0} ms", "Kafka", kafka.as_secs_f64() * 1e3);
    println!(
        "{:24} {:>6} {:>9.2}      target <= 0.33",
        "ratio",
        "",
        gregor.ready.as_secs_f64() / kafka.as_secs_f64()
    );
    Ok(())
}

fn print(name: &str, partitions: usize, figures: &Figures, target: &str) {
    println!(
        "{name:24} {partitions:>6} {:>9.0} ms {:>6.1} KiB per partition{target}",
        figures.ready.as_secs_f64() * 1e3,
        figures.bytes_per_partition as f64 / 1024.0
    );
}

/// Kafka opens the file of every segment.
fn partitions_for_kafka() -> usize {
    let files = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let segments = files.saturating_sub(OTHER_FILES);
    usize::try_from(segments).unwrap_or(usize::MAX).min(PARTITIONS * SEGMENTS_PER_PARTITION)
        / SEGMENTS_PER_PARTITION
}

fn fill_and_kill(dir: &Path, partitions: usize) -> Result<()> {
    let status = Command::new(std::env::current_exe()?)
        .arg("recovery-fill")
        .arg(dir)
        .arg(partitions.to_string())
        .status()?;
    ensure!(!status.success(), "the filling process was not killed");
    ensure!(!dir.join(".kafka_cleanshutdown").exists(), "the directory was closed cleanly");
    ensure!(dir.join(CHECKPOINT).exists(), "the filling process ended early");
    Ok(())
}

/// The hidden case `recovery-fill`: fills a directory, and dies of kill -9. What lies before the active segments is on disk
/// and noted in the checkpoint, as the background work of a broker does in the course of time.
pub fn fill(dir: &Path, partitions: usize) -> Result<()> {
    let mut points = String::new();
    for first in (0..partitions).step_by(PARTITIONS_AT_ONCE) {
        // Files of more logs than this would be closed meanwhile, and synced for that, each by itself.
        let own_dir = dir.join("filling");
        let manager = stored::open(&own_dir, segments_of_two_batches()?)?;
        for number in first..partitions.min(first + PARTITIONS_AT_ONCE) {
            let last_segment = fill_log(&manager, i32::try_from(number)?)?;
            writeln!(points, "{TOPIC} {number} {last_segment}")?;
            let name = format!("{TOPIC}-{number}");
            fs::rename(own_dir.join(&name), dir.join(&name))?;
        }
        fs::remove_dir_all(own_dir)?;
    }
    rustix::fs::sync();
    fs::write(dir.join(CHECKPOINT), format!("0\n{partitions}\n{points}"))?;
    kill_process(getpid(), Signal::KILL)?;
    Ok(())
}

fn segments_of_two_batches() -> Result<LogConfig> {
    let segment_bytes = u32::try_from(BATCHES_PER_SEGMENT * BATCH_BYTES)?;
    Ok(LogConfig { segment_bytes, ..LogConfig::default() })
}

/// Appends until the log has its segments; says where the last one begins.
fn fill_log(manager: &LogManager, partition: i32) -> Result<Offset> {
    let batch = stored::batch(BATCH_BYTES, BATCH_BYTES / 8, Compression::default(), || 7, |_| {})?;
    let log = stored::log_of(manager, TOPIC, partition)?;
    let mut end = log.log_end_offset();
    while log.segment_count() < SEGMENTS_PER_PARTITION {
        end = log.log_end_offset();
        stored::append(&log, batch.clone(), stored::now()?)?;
    }
    Ok(end)
}

fn open_in_child(dir: &Path) -> Result<Figures> {
    let output = Command::new(std::env::current_exe()?).arg("recovery-open").arg(dir).output()?;
    let text = String::from_utf8(output.stdout)?;
    let mut numbers = text.split_whitespace().map(str::parse::<u64>);
    let mut next = || numbers.next().with_context(|| format!("the opening process said {text:?}"));
    let (micros, bytes, segments) = (next()??, next()??, next()??);
    ensure!(segments > 0, "nothing was opened");
    Ok(Figures { ready: Duration::from_micros(micros), bytes_per_partition: bytes })
}

/// The hidden case `recovery-open`: opens a directory, prints microseconds, bytes of memory per partition, and segments.
pub fn open(dir: &Path) -> Result<()> {
    let before = resident_bytes()?;
    let start = Instant::now();
    let manager = stored::open(dir, LogConfig::default())?;
    let elapsed = start.elapsed();
    let logs = manager.all();
    let bytes = resident_bytes()?.saturating_sub(before) / logs.len().max(1) as u64;
    let segments: usize = logs.iter().map(|log| log.segment_count()).sum();
    println!("{} {bytes} {segments}", elapsed.as_micros());
    // As after a kill: the directory stays one to recover.
    kill_process(getpid(), Signal::KILL)?;
    Ok(())
}

fn resident_bytes() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS line")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024)
}

/// How long Kafka's own log says that loading took, on a copy of `dir`.
async fn kafka_on_copy(context: &TestContext, dir: &Path) -> Result<Duration> {
    let cluster = ClusterBuilder::of(&[BrokerKind::Kafka]).prepare(context).await?;
    let broker = cluster.brokers.first().context("no broker")?;
    let copied =
        Command::new("cp").arg("-a").arg(format!("{}/.", dir.display())).arg(broker.data_dir()).status()?;
    ensure!(copied.success(), "the directory could not be copied");
    let line = java::for_speed(broker.command_line()?, KAFKAS_HEAP_MEBIBYTES);
    let mut process = Process::spawn(context, "broker-0", &line)?;
    wait::until("Kafka to have loaded its logs", KAFKAS_PATIENCE, || {
        let found = broker.log().map(|log| loading_time(&log));
        let ended = process.exited();
        async move {
            ensure!(ended.is_none(), "Kafka ended");
            found
        }
    })
    .await
}

/// From `Loaded 4000 logs in 1234ms`.
fn loading_time(log: &str) -> Option<Duration> {
    let (_, rest) = log.split_once("Loaded ")?;
    let (_, rest) = rest.split_once(" logs in ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().map(Duration::from_millis)
}
