//! The consumer protocol (KIP-848) with Apache Kafka's newest Java client, which asks for it by `group.protocol=consumer`;
//! and what becomes of it when a broker of Apache Kafka 3.9, which does not have it, comes into the cluster.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::SETTLE;
use gregor_harness::consumer::{ConsumerMember, beat_until_balanced};
use gregor_harness::group::wait_for_balance;
use gregor_harness::java::{client_program, kafka_tool, run_with_input};
use gregor_harness::rpc::Rpc;
use gregor_harness::{BrokerKind, Cluster, ClusterBuilder, Group, Load, TestContext, run_within, wait};
use kafka_protocol::messages::ConsumerGroupHeartbeatResponse;
use std::path::Path;
use std::time::Duration;

const TOPIC: &str = "orders";
const OFFSETS: &str = "__consumer_offsets";
const UNSUPPORTED_VERSION: i16 = 35;
/// What a consumer commits for partition 0.
const COMMITTED: i64 = 17;
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

/// The answer of one broker to a heartbeat, whoever coordinates the group.
async fn answer_of(
    cluster: &Cluster,
    id: usize,
    member: &ConsumerMember,
) -> Result<ConsumerGroupHeartbeatResponse> {
    Rpc::connect(&cluster.brokers[id].address()).await?.call(0, &member.heartbeat()).await
}

#[test]
fn a_broker_of_kafka_ends_the_protocol_and_serves_what_it_knows_of_the_group() {
    run_within(DEADLINE, async |context| {
        let mut cluster = ClusterBuilder::of(&[BrokerKind::Gregor; 2])
            .property("offsets.topic.replication.factor", "2")
            .property("group.initial.rebalance.delay.ms", "200")
            .start(context)
            .await?;
        cluster.create_topic(TOPIC, 2, 2).await?;
        let load = Load::start(&cluster.bootstrap(), TOPIC, 300)?;
        let mut members = [
            ConsumerMember::join(&cluster, "consumers", TOPIC, "a").await?,
            ConsumerMember::join(&cluster, "consumers", TOPIC, "b").await?,
        ];
        beat_until_balanced(&mut members, 2).await?;
        ensure!(members[0].commit(0, COMMITTED, members[0].epoch()).await? == 0, "not committed");

        // Broker 1 becomes one of Kafka's; its followers' logs hold the group's records.
        in_sync(&cluster).await?;
        cluster.broker(1)?.stop().await?;
        cluster.broker(1)?.set_kind(BrokerKind::Kafka);
        cluster.broker(1)?.start().await?;
        wait::until_true("the protocol to be refused everywhere", SETTLE, || async {
            let (gregor, kafka) =
                (answer_of(&cluster, 0, &members[0]).await?, answer_of(&cluster, 1, &members[0]).await?);
            ensure!(gregor == kafka, "Gregor says {gregor:?}, Kafka {kafka:?}");
            Ok(true)
        })
        .await?;
        ensure!(answer_of(&cluster, 0, &members[0]).await?.error_code == UNSUPPORTED_VERSION, "not refused");

        // Kafka's broker coordinates the group: it knows its offsets, and nothing else of it.
        in_sync(&cluster).await?;
        cluster.broker(0)?.stop().await?;
        cluster.wait_for_state(OFFSETS, 0, "Kafka's broker as leader", |state| state.leader == 1).await?;
        let group = Group::new(&cluster.bootstrap(), "consumers", TOPIC, "range");
        ensure!(group.committed(2).await?[&0] == Some(COMMITTED), "the commit is gone");
        let classic = group.join()?;
        wait_for_balance(&[&classic], 2, SETTLE).await?;
        group.wait_for_progress(200, SETTLE).await?;
        let log = cluster.broker(1)?.log()?;
        for version in 3..=8 {
            ensure!(log.contains(&format!("Unknown message key with version {version} ")), "key {version}");
        }
        let loading = log.lines().find(|line| line.contains("Error loading offsets"));
        ensure!(loading.is_none(), "{loading:?}");

        // Back on a Gregor broker the group is the classic one that it was last.
        cluster.broker(0)?.start().await?;
        in_sync(&cluster).await?;
        cluster.broker(1)?.stop().await?;
        group.wait_for_progress(200, SETTLE).await?;
        let mut sent = load.stop().await?;
        sent.retain(|message| message.partition != 0 || message.offset >= COMMITTED);
        group.wait_for_all(&sent, SETTLE).await?;
        classic.leave().await?;
        group.check_commits(2).await?;
        let refused = answer_of(&cluster, 0, &members[0]).await?;
        ensure!(
            refused.error_code != UNSUPPORTED_VERSION,
            "all live brokers are Gregor's again: {refused:?}"
        );
        decode_offsets_topic(context, &cluster).await
    });
}

/// Waits until either broker may go.
async fn in_sync(cluster: &Cluster) -> Result<()> {
    cluster.wait_for_topic(OFFSETS, 1, 2).await?;
    cluster.wait_for_topic(TOPIC, 2, 2).await
}

/// Kafka's decoder on all that was written to the topic of groups.
async fn decode_offsets_topic(context: &TestContext, cluster: &Cluster) -> Result<()> {
    let file = cluster.data_dirs()[0].join(format!("{OFFSETS}-0/00000000000000000000.log"));
    let arguments = ["--offsets-decoder", "--files", &file.display().to_string()];
    let dumped = kafka_tool(context.dir(), "kafka.tools.DumpLogSegments", &arguments, b"").await?;
    let text = String::from_utf8_lossy(&dumped.stdout);
    ensure!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    // Keys by their version: the epoch, topics, a member, the target's epoch, a target, and what a member owns.
    for version in ["3", "4", "5", "6", "7", "8"] {
        ensure!(text.contains(&format!("\"type\":\"{version}\"")), "no key of version {version}:\n{text}");
    }
    ensure!(!text.contains("Could not decode"), "{text}");
    Ok(())
}
