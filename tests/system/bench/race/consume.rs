//! Consuming with Kafka's own perf tool: what is in the page cache, and what must come from the disk.

use super::librdkafka::{self, PARTITIONS, RECORD_BYTES};
use super::report::{Figure, Report};
use super::side::Side;
use super::{REPETITIONS, produce};
use anyhow::{Context as _, Result, ensure};
use gregor_harness::TestContext;
use gregor_harness::java::run_with_input;
use rustix::fs::{Advice, fadvise};
use std::fs::{self, File};

const RECORDS: u64 = 1024 * 1024;
/// Of the brokers' work, as a part of Kafka's.
pub const WORK_FROM_THE_CACHE_MAX: f64 = 1.0 / 3.0;

/// Runs both cases.
pub async fn run(context: &TestContext, sides: &mut [Side; 2], report: &mut Report) -> Result<()> {
    let mut topics = Vec::new();
    for side in &mut *sides {
        let topic = side.new_topic(PARTITIONS, 1).await?;
        // Every partition gets as much, in batches as large: one that ends before the others makes the tool wait for
        // more of it, half a second at a time.
        librdkafka::send(&side.cluster.bootstrap(), &topic, "1", RECORDS).await?;
        topics.push(topic);
    }
    for (name, cold) in [("consume from the cache", false), ("consume from cold files", true)] {
        for repetition in 0..=REPETITIONS {
            for (side, topic) in sides.iter_mut().zip(&topics) {
                if cold {
                    forget(side, topic)?;
                }
                let before = side.processor_time()?;
                let rate = receive(context, side, topic).await?;
                let used = side.processor_time()? - before;
                if repetition > 0 {
                    report.note(name, "MiB/s", side.kind(), rate);
                    let work = used.as_secs_f64() / produce::gibibytes(RECORDS * RECORD_BYTES);
                    report.note(&format!("{name}: brokers' work"), "CPU s/GiB", side.kind(), work);
                }
            }
        }
        report.bound(name, Figure::More(1.0));
        report.bound(
            &format!("{name}: brokers' work"),
            Figure::Less(if cold { 1.0 } else { WORK_FROM_THE_CACHE_MAX }),
        );
    }
    for (side, topic) in sides.iter().zip(&topics) {
        side.remove_topic(topic).await?;
    }
    Ok(())
}

/// Drops the topic's files from the page cache.
fn forget(side: &Side, topic: &str) -> Result<()> {
    for dir in side.cluster.data_dirs() {
        for partition in fs::read_dir(dir)?.flatten() {
            if !partition.file_name().to_string_lossy().starts_with(&format!("{topic}-")) {
                continue;
            }
            for file in fs::read_dir(partition.path())?.flatten() {
                let file = File::open(file.path())?;
                file.sync_all()?;
                fadvise(&file, 0, None, Advice::DontNeed)?;
            }
        }
    }
    Ok(())
}

/// Reads all of it with `kafka-consumer-perf-test`; gives MiB per second of fetching, without the time to join a group.
async fn receive(context: &TestContext, side: &Side, topic: &str) -> Result<f64> {
    let line = produce::tool(context, "org.apache.kafka.tools.ConsumerPerformance")?
        .args(["--bootstrap-server", &side.cluster.bootstrap(), "--topic", topic])
        .args(["--messages", &RECORDS.to_string(), "--timeout", "60000", "--hide-header"]);
    let output = run_with_input(line.command(), b"").await?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    // start, end, MB, MB/sec, records, records/sec, rebalance ms, fetch ms, fetch MB/sec, fetch records/sec
    let fields: Vec<&str> =
        said.lines().rfind(|line| line.contains(", ")).unwrap_or_default().split(", ").collect();
    println!("{}", fields.join(", ").trim());
    let rate = fields.get(8).with_context(|| format!("no rate in {said:?}"))?;
    Ok(rate.trim().parse()?)
}
