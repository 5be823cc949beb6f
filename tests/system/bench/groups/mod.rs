//! Consumer groups: commits per second, the time of a rebalance, and the time until a new coordinator serves. Gregor and
//! Apache Kafka in turn, each with the same clients, which cost next to nothing.

mod commits;
mod committers;
pub mod driver;
mod loading;
mod rebalance;

use crate::KAFKAS_HEAP_MEBIBYTES;
use anyhow::{Result, ensure};
use driver::{Client, Running, i16_at};
use gregor_harness::java;
use gregor_harness::rpc::Rpc;
use gregor_harness::{BrokerKind, Cluster, ClusterBuilder, TestContext};
use kafka_protocol::messages::FindCoordinatorRequest;
use kafka_protocol::protocol::StrBytes;
use std::time::{Duration, Instant};

const TOPIC: &str = "orders";
const PATIENCE: Duration = Duration::from_secs(30);
/// Codes that tell to ask again: loading, not available, not the coordinator.
const ASK_AGAIN: [i16; 3] = [14, 15, 16];

/// How many times as good as Kafka each figure is to be.
const TARGET: f64 = 3.0;

/// What can be measured alone, as `groups.PART`.
pub const PARTS: [&str; 3] = ["commits", "rebalance", "loading"];

/// Runs the parts named and prints their tables: each measurement of both kinds of broker, one right after the other.
pub async fn run(context: &TestContext, with_kafka: bool, parts: &[&str]) -> Result<()> {
    println!("groups: one broker, but for the failover; targets: {TARGET} times Kafka");
    let kinds: &[BrokerKind] =
        if with_kafka { &[BrokerKind::Gregor, BrokerKind::Kafka] } else { &[BrokerKind::Gregor] };
    for part in parts {
        let mut figures = Vec::new();
        for kind in kinds {
            let dir = context.create_dir(&format!("{kind:?}-{part}"))?;
            figures.push(measure(&TestContext::in_directory(dir), *kind, part).await?);
        }
        if let [gregor, kafka] = *figures {
            let ratio = gregor / kafka;
            let verdict = if ratio >= TARGET { "as wanted" } else { "too little" };
            println!("{:8} {ratio:>9.1} times as good: {verdict}", "ratio");
        }
    }
    Ok(())
}

/// Measures one kind of broker and prints what that came to. The more, the better.
async fn measure(context: &TestContext, kind: BrokerKind, part: &str) -> Result<f64> {
    let name = format!("{kind:?}");
    let (took, of_what) = match part {
        "commits" => {
            let commits::Figures { per_second, cpu_us, clients_us } = commits::measure(context, kind).await?;
            println!(
                "{name:8} {per_second:>9.0} commits/s of 1,000 groups, {} partitions each \
                 (CPU: {cpu_us:.1} µs each, and {clients_us:.1} µs of the clients)",
                commits::PARTITIONS
            );
            return Ok(per_second);
        }
        "rebalance" => (rebalance::measure(context, kind).await?, "for a rebalance of 200 members"),
        _ => (loading::measure(context, kind).await?, "to load 1,000,000 offset records"),
    };
    println!("{name:8} {:>9.1} ms {of_what}", took.as_secs_f64() * 1e3);
    Ok(1.0 / took.as_secs_f64())
}

/// Brokers that run as they do in the field.
struct Setup {
    cluster: Cluster,
    running: Vec<Running>,
}

impl Setup {
    async fn start(
        context: &TestContext,
        kind: BrokerKind,
        count: usize,
        properties: &[(&str, &str)],
    ) -> Result<Setup> {
        let builder = ClusterBuilder::of(&vec![kind; count]);
        let builder = properties.iter().fold(builder, |builder, (key, value)| builder.property(key, value));
        let mut setup = Setup { cluster: builder.prepare(context).await?, running: Vec::new() };
        for id in 0..count {
            let running = setup.start_broker(context, id).await?;
            setup.running.push(running);
        }
        Ok(setup)
    }

    async fn start_broker(&self, context: &TestContext, id: usize) -> Result<Running> {
        let tune = |line| java::for_speed(line, KAFKAS_HEAP_MEBIBYTES);
        Running::start(context, &self.cluster.brokers[id], tune).await
    }

    async fn stop(self) -> Result<()> {
        for running in self.running {
            running.stop().await?;
        }
        Ok(())
    }
}

/// Asks until the answer has no code that tells to ask again; it must be 0 then.
async fn wait_for_code(client: &mut Client, request: &[u8], at: usize) -> Result<()> {
    let start = Instant::now();
    loop {
        let code = i16_at(client.ask(request).await?, at)?;
        if !ASK_AGAIN.contains(&code) {
            ensure!(code == 0, "refused with {code}");
            return Ok(());
        }
        ensure!(start.elapsed() < PATIENCE, "still refused with {code}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Has the topic of groups made.
async fn ask_for_coordinator(address: &str) -> Result<()> {
    let request =
        FindCoordinatorRequest::default().with_coordinator_keys(vec![StrBytes::from_static_str("group-0")]);
    let start = Instant::now();
    loop {
        let answer = Rpc::connect(address).await?.call(4, &request).await?;
        if answer.coordinators.iter().all(|coordinator| coordinator.error_code == 0) {
            return Ok(());
        }
        ensure!(start.elapsed() < PATIENCE, "no coordinator: {answer:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
