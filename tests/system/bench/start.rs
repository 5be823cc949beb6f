//! From process start to ready with an empty directory, beside a ZooKeeper that serves already; and resident memory of the
//! idle broker. Ready means that the broker answers Metadata and knows itself, so it is registered.

use anyhow::Result;
use gregor_harness::{BrokerKind, ClusterBuilder, TestContext, wait};
use std::fs;
use std::time::{Duration, Instant};

const RUNS: usize = 7;
const RUNS_OF_KAFKA: usize = 2;
/// How long memory must not have grown for the broker to count as idle.
const IDLE: Duration = Duration::from_secs(2);

/// What one start came to.
#[derive(Clone, Copy, Debug)]
struct Figures {
    ready: Duration,
    resident_bytes: u64,
}

/// Runs the case and prints its table.
pub async fn run(context: &TestContext, with_kafka: bool) -> Result<()> {
    println!("start: empty directory to ready, and idle memory (medians)");
    println!("{:8} {:>6} {:>12} {:>12} {:>12}", "", "runs", "ready", "slowest", "resident");
    let gregor = measure(context, BrokerKind::Gregor, RUNS).await?;
    print("Gregor", &gregor);
    if with_kafka {
        let kafka = measure(context, BrokerKind::Kafka, RUNS_OF_KAFKA).await?;
        print("Kafka", &kafka);
        let (gregor, kafka) = (median(&gregor), median(&kafka));
        println!(
            "{:8} {:>6} {:>11.1}x {:>12} {:>11.1}x",
            "ratio",
            "",
            kafka.ready.as_secs_f64() / gregor.ready.as_secs_f64(),
            "",
            kafka.resident_bytes as f64 / gregor.resident_bytes as f64
        );
    }
    Ok(())
}

async fn measure(context: &TestContext, kind: BrokerKind, runs: usize) -> Result<Vec<Figures>> {
    let mut cluster = ClusterBuilder::of(&[kind]).prepare(context).await?;
    let mut figures = Vec::new();
    for _ in 0..runs {
        cluster.wait_for_registrations(&[]).await?;
        let data = cluster.brokers[0].data_dir();
        fs::remove_dir_all(&data)?;
        fs::create_dir_all(&data)?;
        let broker = cluster.broker(0)?;
        let start = Instant::now();
        broker.spawn()?;
        broker.wait_until_ready().await?;
        let ready = start.elapsed();
        figures.push(Figures { ready, resident_bytes: idle_bytes(broker.process()?).await? });
        broker.stop().await?;
    }
    figures.sort_by_key(|figures| figures.ready);
    Ok(figures)
}

/// Resident memory once it has stopped changing.
async fn idle_bytes(process: &gregor_harness::Process) -> Result<u64> {
    let mut last = (process.resident_bytes()?, Instant::now());
    wait::until("memory to settle", Duration::from_secs(20), || {
        let now = process.resident_bytes();
        let settled = now.map(|now| {
            // A page more or less is no change.
            if now.abs_diff(last.0) > 256 * 1024 {
                last = (now, Instant::now());
            }
            (last.1.elapsed() >= IDLE).then_some(now)
        });
        async move { settled }
    })
    .await
}

fn median(figures: &[Figures]) -> Figures {
    figures[figures.len() / 2]
}

fn print(name: &str, figures: &[Figures]) {
    let Figures { ready, resident_bytes } = median(figures);
    let slowest = figures[figures.len() - 1].ready;
    println!(
        "{name:8} {:>6} {:>9.0} ms {:>9.0} ms {:>8.1} MiB",
        figures.len(),
        ready.as_secs_f64() * 1e3,
        slowest.as_secs_f64() * 1e3,
        resident_bytes as f64 / (1024.0 * 1024.0)
    );
}
