//! The race: Gregor and Apache Kafka on the same machine in one run, in turns, with the same client and the same configs. Each
//! case runs [`REPETITIONS`] times on either side; medians, their ratios and the bounds that we set ourselves go into
//! `RESULTS.md` and a plot beside it. A part that runs alone renews its own rows and keeps the others as they were.

mod connections;
mod consume;
mod floor;
mod latency;
mod librdkafka;
mod lifecycle;
mod produce;
mod report;
mod side;

use anyhow::{Context as _, Result, bail};
use gregor_harness::{BrokerKind, TestContext};
use report::{Figure, Report};
use side::Side;

/// Of every case, on either side.
const REPETITIONS: usize = 5;
/// The brokers of either side.
const BROKERS: usize = 3;

/// What can run by itself, in the order of the table.
pub const PARTS: [&str; 10] = [
    "start",
    "idle",
    "produce",
    "consume",
    "librdkafka",
    "latency",
    "connections",
    "floor",
    "leader",
    "controller",
];

/// Runs these parts and writes the results.
pub async fn run(context: &TestContext, with_kafka: bool, parts: &[&str]) -> Result<()> {
    if !with_kafka {
        bail!("there is no race without Apache Kafka: `tests/run interop` fetches its jars");
    }
    let mut report = Report::load()?;
    for part in parts {
        let dir = context.create_dir(part)?;
        let context = TestContext::in_directory(&dir);
        run_part(&context, part, &mut report).await.with_context(|| format!("race.{part}"))?;
        report.write()?;
        std::fs::remove_dir_all(&dir)?;
    }
    Ok(())
}

async fn run_part(context: &TestContext, part: &str, report: &mut Report) -> Result<()> {
    match part {
        "start" => return lifecycle::start(context, report).await,
        "idle" => return lifecycle::idle(context, report).await,
        "floor" => return floor::run(context, report).await,
        _ => {}
    }
    let mut sides = [
        Side::start(context, BrokerKind::Gregor, BROKERS).await?,
        Side::start(context, BrokerKind::Kafka, BROKERS).await?,
    ];
    match part {
        "produce" => produce::run(context, &mut sides, report).await?,
        "consume" => consume::run(context, &mut sides, report).await?,
        "librdkafka" => librdkafka::run(&mut sides, report).await?,
        "latency" => latency::run(&mut sides, report).await?,
        "connections" => connections::run(&mut sides, report).await?,
        "leader" => return lifecycle::failover(&mut sides, report, false).await,
        _ => return lifecycle::failover(&mut sides, report, true).await,
    }
    let name = format!("{part}: memory");
    for side in &mut sides {
        let peak = side.peak_bytes()?;
        report.note(&name, "MiB, the most of a broker", side.kind(), peak as f64 / 1048576.0);
    }
    report.bound(&name, Figure::Less(0.1));
    Ok(())
}
