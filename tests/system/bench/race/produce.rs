//! Producing with Kafka's own perf tool: records of several sizes, acks, replicas, partitions and codecs.

use super::REPETITIONS;
use super::report::{Figure, Report};
use super::side::Side;
use anyhow::{Context as _, Result, ensure};
use gregor_harness::TestContext;
use gregor_harness::java::{for_speed, kafka, run_with_input, write_log4j};

/// Of the tools.
const CLIENTS_HEAP_MEBIBYTES: u32 = 512;
const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

/// What is produced.
struct Case {
    record_bytes: u64,
    acks: &'static str,
    replicas: i16,
    partitions: i32,
    codec: &'static str,
    mebibytes: u64,
}

const fn case(record_bytes: u64, acks: &'static str, replicas: i16, partitions: i32) -> Case {
    Case { record_bytes, acks, replicas, partitions, codec: "none", mebibytes: 96 }
}

const CASES: [Case; 15] = [
    case(1024, "all", 3, 12),
    Case { codec: "lz4", ..case(1024, "all", 3, 12) },
    Case { mebibytes: 48, ..case(100, "all", 3, 12) },
    case(10240, "all", 3, 12),
    case(1024, "all", 3, 1),
    case(1024, "all", 3, 200),
    case(1024, "1", 3, 12),
    case(1024, "all", 1, 12),
    case(1024, "1", 1, 1),
    case(1024, "1", 1, 12),
    Case { codec: "lz4", ..case(1024, "1", 1, 12) },
    case(1024, "1", 1, 200),
    Case { mebibytes: 48, ..case(100, "1", 1, 1) },
    Case { mebibytes: 48, ..case(100, "1", 1, 12) },
    case(10240, "1", 1, 12),
];

impl Case {
    fn name(&self) -> String {
        let Case { record_bytes, acks, replicas, partitions, codec, .. } = self;
        format!(
            "produce {record_bytes} B, acks={acks}, replicas {replicas}, partitions {partitions}, {codec}"
        )
    }

    fn records(&self) -> u64 {
        self.mebibytes * 1024 * 1024 / self.record_bytes
    }
}

/// Runs the cases.
pub async fn run(context: &TestContext, sides: &mut [Side; 2], report: &mut Report) -> Result<()> {
    for case in &CASES {
        for repetition in 0..=REPETITIONS {
            for side in &mut *sides {
                let before = side.processor_time()?;
                let topic = side.new_topic(case.partitions, case.replicas).await?;
                let rate = send(context, side, &topic, case).await?;
                let used = side.processor_time()? - before;
                side.remove_topic(&topic).await?;
                // The first is for the JVM to warm up.
                if repetition > 0 {
                    let gibibytes = case.mebibytes as f64 / 1024.0;
                    report.note(&case.name(), "MiB/s", side.kind(), rate);
                    let name = format!("{}: brokers' work", case.name());
                    report.note(&name, "CPU s/GiB", side.kind(), used.as_secs_f64() / gibibytes);
                }
            }
        }
        report.bound(&case.name(), Figure::More(1.0));
        let work =
            if case.replicas == 3 && case.acks == "all" { Figure::Less(0.5) } else { Figure::Less(1.0) };
        report.bound(&format!("{}: brokers' work", case.name()), work);
    }
    Ok(())
}

/// Sends with `kafka-producer-perf-test`; gives MiB per second.
async fn send(context: &TestContext, side: &Side, topic: &str, case: &Case) -> Result<f64> {
    let properties = [
        format!("bootstrap.servers={}", side.cluster.bootstrap()),
        format!("acks={}", case.acks),
        format!("compression.type={}", case.codec),
        "linger.ms=5".to_owned(),
        "batch.size=65536".to_owned(),
    ];
    let (records, bytes) = (case.records().to_string(), case.record_bytes.to_string());
    let line = tool(context, "org.apache.kafka.tools.ProducerPerformance")?
        .args(["--topic", topic, "--num-records", &records, "--record-size", &bytes, "--throughput", "-1"])
        .arg("--producer-props")
        .args(properties);
    let output = run_with_input(line.command(), b"").await?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    // 98304 records sent, 56123.4 records/sec (54.81 MB/sec), 12.3 ms avg latency, ...
    let last = said.lines().rfind(|line| line.contains("MB/sec")).context("no summary")?;
    let (before, _) = last.split_once(" MB/sec").context("no rate")?;
    let (_, rate) = before.rsplit_once('(').context("no rate")?;
    Ok(rate.parse()?)
}

/// One of Kafka's tools, as fast as it runs in the field.
pub fn tool(context: &TestContext, class: &str) -> Result<gregor_harness::process::CommandLine> {
    Ok(for_speed(kafka(class, &write_log4j(context.dir(), "OFF")?)?, CLIENTS_HEAP_MEBIBYTES))
}

/// Bytes in GiB.
pub fn gibibytes(bytes: u64) -> f64 {
    bytes as f64 / GIB
}
