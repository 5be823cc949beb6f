//! The consumer protocol (KIP-848) with Apache Kafka's newest Java client, which asks for it by `group.protocol=consumer`.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::java::{client_program, run_with_input};
use gregor_harness::{BrokerKind, Cluster, ClusterBuilder, TestContext, run_within};
use std::path::Path;
use std::time::Duration;

const TOPIC: &str = "orders";
/// `group.consumer.heartbeat.interval.ms`.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
/// A JVM starts, and compiles before that.
const DEADLINE: Duration = Duration::from_secs(240);

async fn members(context: &TestContext, cluster: &Cluster, count: usize) -> Result<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/Members.java");
    let line = client_program(context.dir(), &source).await?.args([
        &cluster.bootstrap(),
        "consumers",
        TOPIC,
        &count.to_string(),
    ]);
    let output = run_with_input(line.command(), b"").await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    Ok(said)
}

#[test]
fn one_of_a_hundred_members_leaves() {
    run_within(DEADLINE, async |context| {
        let cluster = ClusterBuilder::of(&[BrokerKind::Gregor; 2])
            .property("offsets.topic.replication.factor", "2")
            .start(context)
            .await?;
        cluster.create_topic(TOPIC, 250, 1).await?;
        let said = members(context, &cluster, 100).await?;
        println!("{said}");
        let steady = said.lines().find_map(|line| line.strip_prefix("steady ")?.split(' ').next());
        let steady = Duration::from_millis(steady.context("it never said how long it took")?.parse()?);
        let limit = HEARTBEAT_INTERVAL + Duration::from_secs(1);
        ensure!(steady <= limit, "steady after {steady:?}, {limit:?} are allowed");
        Ok(())
    });
}
