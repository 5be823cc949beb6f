//! Latency from end to end at a fixed pace, in an open loop.

use super::REPETITIONS;
use super::report::{Figure, Report};
use super::side::Side;
use anyhow::{Context as _, Result};
use gregor_harness::paced::{Pace, latencies};
use std::time::Duration;

const RATE: u32 = 1_000;
const PARTITIONS: i32 = 6;
const RECORD_BYTES: usize = 1_024;
const DURATION: Duration = Duration::from_secs(12);
/// Rounds for the JVMs to get up to speed, not counted.
const WARM_UPS: usize = 3;
const WARM_UP: Duration = Duration::from_secs(2);

/// Runs the case.
pub async fn run(sides: &mut [Side; 2], report: &mut Report) -> Result<()> {
    let name = |part: &str| format!("end to end at {RATE}/s, acks=all, replicas 3: {part}");
    let parts = [
        ("p50", 0.5, Figure::Less(1.0)),
        ("p99", 0.99, Figure::Less(0.5)),
        ("p99.9", 0.999, Figure::Less(1.0 / 3.0)),
    ];
    for repetition in 0..REPETITIONS + WARM_UPS {
        for side in &mut *sides {
            let topic = side.new_topic(PARTITIONS, 3).await?;
            let pace = Pace {
                bootstrap: side.cluster.bootstrap(),
                topic: topic.clone(),
                partitions: PARTITIONS,
                rate: RATE,
                record_bytes: RECORD_BYTES,
                duration: DURATION,
                warm_up: WARM_UP,
            };
            let latencies = latencies(pace).await?;
            for (part, share, _) in &parts {
                let at = ((latencies.len() as f64 * share) as usize).min(latencies.len().saturating_sub(1));
                let latency = latencies.get(at).context("nothing was measured")?;
                if repetition < WARM_UPS {
                    continue;
                }
                report.note(&name(part), "ms", side.kind(), latency.as_secs_f64() * 1e3);
            }
            side.remove_topic(&topic).await?;
        }
    }
    for (part, _, bound) in parts {
        report.bound(&name(part), bound);
    }
    Ok(())
}
