//! The race: Gregor and Apache Kafka on the same machine in one run, in turns, with the same client and the same configs. Each
//! case runs [`REPETITIONS`] times on either side; medians, their ratios and the bounds that we set ourselves go into
//! `RESULTS.md` and a plot beside it.

mod consume;
mod latency;
mod lifecycle;
mod produce;
mod report;
mod side;

use anyhow::{Result, bail};
use gregor_harness::{BrokerKind, TestContext};
use report::{Figure, Report};
use side::Side;

/// Of every case, on either side.
const REPETITIONS: usize = 5;
/// The brokers of either side.
const BROKERS: usize = 3;

/// Runs everything and writes the results.
pub async fn run(context: &TestContext, with_kafka: bool) -> Result<()> {
    if !with_kafka {
        bail!("there is no race without Apache Kafka: `tests/run interop` fetches its jars");
    }
    let mut report = Report::default();
    lifecycle::start(context, &mut report).await?;
    let mut sides = [
        Side::start(context, BrokerKind::Gregor, BROKERS).await?,
        Side::start(context, BrokerKind::Kafka, BROKERS).await?,
    ];
    produce::run(context, &mut sides, &mut report).await?;
    consume::run(context, &mut sides, &mut report).await?;
    latency::run(&mut sides, &mut report).await?;
    for side in &mut sides {
        let peak = side.peak_bytes()?;
        report.note(
            "memory, all of the above",
            "MiB at most, a broker",
            side.kind(),
            peak as f64 / 1048576.0,
        );
    }
    report.bound("memory, all of the above", Figure::Less(0.1));
    lifecycle::restart_and_failover(&mut sides, &mut report).await?;
    report.write()
}
