//! Apache Kafka's own command-line tools against Gregor brokers.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::SETTLE;
use gregor_harness::java::{kafka, kafka_tool, write_log4j};
use gregor_harness::process::Process;
use gregor_harness::{BrokerKind, ClusterBuilder, TestContext, run, wait};
use std::fs;

#[test]
fn kafkas_tools_work_on_gregor() {
    run(async |context| {
        let cluster = ClusterBuilder::of(&[BrokerKind::Gregor; 2]).start(context).await?;
        let bootstrap = cluster.bootstrap();
        let topics = "org.apache.kafka.tools.TopicCommand";
        let create = ["--create", "--topic", "orders", "--partitions", "1", "--replication-factor", "2"];
        let created = tool(context, &bootstrap, topics, &create, "").await?;
        ensure!(created == "Created topic orders.\n", "kafka-topics said {created:?}");
        let listed = tool(context, &bootstrap, topics, &["--list"], "").await?;
        ensure!(listed == "orders\n", "kafka-topics listed {listed:?}");

        let described = tool(context, &bootstrap, topics, &["--describe", "--topic", "orders"], "").await?;
        ensure!(
            described.contains("PartitionCount: 1\tReplicationFactor: 2"),
            "kafka-topics described {described:?}"
        );

        let lines: String = (0..1_000).map(|number| format!("line {number}\n")).collect();
        let produce = ["--topic", "orders", "--producer-property", "enable.idempotence=false"];
        tool(context, &bootstrap, "kafka.tools.ConsoleProducer", &produce, &lines).await?;
        let consume =
            ["--topic", "orders", "--partition", "0", "--offset", "earliest", "--max-messages", "1000"];
        let consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
        let read = tool(context, &bootstrap, consumer, &consume, "").await?;
        ensure!(read == lines, "{} bytes sent, {} read", lines.len(), read.len());

        tool(context, &bootstrap, topics, &["--delete", "--topic", "orders"], "").await?;
        wait::until_true("the topic to be gone", SETTLE, || async {
            Ok(cluster.znodes.data("/brokers/topics/orders").await?.is_none())
        })
        .await
    });
}

/// The tool goes on until it is ended, and says of each interval by how much replicas differ.
#[test]
fn kafkas_replica_verification_finds_gregors_and_kafkas_replicas_alike() {
    run(async |context| {
        let cluster = ClusterBuilder::of(&[BrokerKind::Gregor, BrokerKind::Kafka]).start(context).await?;
        cluster.create_topic("orders", 4, 2).await?;
        for at in 0..40 {
            let led =
                cluster.wait_for_state("orders", at % 4, "two in sync", |state| state.isr.len() == 2).await?;
            // Kafka's broker leads before it has the metadata to say so.
            wait::until_true("the order to be taken", SETTLE, || async {
                cluster.produce_to(led.leader, "orders", at % 4, &format!("order {at}")).await.map(|_| true)
            })
            .await?;
        }
        let line =
            kafka("org.apache.kafka.tools.ReplicaVerificationTool", &write_log4j(context.dir(), "OFF")?)?
                .args(["--broker-list", &cluster.bootstrap()])
                .args(["--topics-include", "orders", "--report-interval-ms", "500"]);
        let _tool = Process::spawn(context, "replica-verification", &line)?;
        let log = context.log_file("replica-verification")?;
        wait::until_true("every replica to be compared", SETTLE, || async {
            let said = fs::read_to_string(&log)?;
            let differs =
                ["doesn't match", "unmatched checksum", "Exception"].iter().any(|bad| said.contains(bad));
            ensure!(!differs, "it says {said}");
            let reports = said.lines().filter(|line| line.contains("max lag is 0 for partition"));
            Ok(reports.filter(|line| line.ends_with("among 4 partitions")).count() >= 2)
        })
        .await
    });
}

/// What a tool prints; it must succeed.
pub async fn tool(
    context: &TestContext,
    bootstrap: &str,
    main_class: &str,
    arguments: &[&str],
    input: &str,
) -> Result<String> {
    let words = [&["--bootstrap-server", bootstrap], arguments].concat();
    let output = kafka_tool(context.dir(), main_class, &words, input.as_bytes()).await?;
    let stdout = String::from_utf8(output.stdout).context("not text")?;
    ensure!(
        output.status.success(),
        "{main_class} {arguments:?} ended with {}: {stdout}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(stdout)
}
