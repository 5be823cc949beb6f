//! Apache Kafka's tools for groups and transactions against Gregor brokers, and its decoders on the internal topics that
//! Gregor wrote.

use crate::kafka_tools::tool;
use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::{SETTLE, topic_name};
use gregor_harness::java::kafka_tool;
use gregor_harness::rpc::Rpc;
use gregor_harness::{
    BrokerKind, Cluster, ClusterBuilder, Group, TestContext, Transactor, replicas, run_within, wait,
};
use gregor_model::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};
use gregor_records::{BatchBuilder, BatchOptions, Producer};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ListOffsetsRequest, ProduceRequest, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use std::time::Duration;

const TOPIC: &str = "orders";
const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
const TRANSACTIONS: &str = "org.apache.kafka.tools.TransactionsCommand";
/// A JVM starts for every command.
const DEADLINE: Duration = Duration::from_secs(240);

async fn gregor(context: &TestContext) -> Result<Cluster> {
    let cluster = ClusterBuilder::of(&[BrokerKind::Gregor; 2])
        .property("transaction.state.log.replication.factor", "2")
        .property("transaction.state.log.min.isr", "1")
        .property("transaction.state.log.num.partitions", "1")
        .property("group.initial.rebalance.delay.ms", "200")
        .start(context)
        .await?;
    cluster.create_topic(TOPIC, 1, 2).await?;
    Ok(cluster)
}

#[test]
fn kafkas_group_tools_work_on_gregor() {
    run_within(DEADLINE, async |context| {
        let cluster = gregor(context).await?;
        let bootstrap = cluster.bootstrap();
        let produce = ["--topic", TOPIC, "--max-messages", "500", "--acks", "-1"];
        let said =
            tool(context, &bootstrap, "org.apache.kafka.tools.VerifiableProducer", &produce, "").await?;
        ensure!(said.contains("\"sent\":500,\"acked\":500"), "kafka-verifiable-producer: {said}");
        let consume = [
            "--topic",
            TOPIC,
            "--group-id",
            "verifiers",
            "--max-messages",
            "500",
            "--reset-policy",
            "earliest",
        ];
        let said =
            tool(context, &bootstrap, "org.apache.kafka.tools.VerifiableConsumer", &consume, "").await?;
        ensure!(said.contains("offsets_committed"), "kafka-verifiable-consumer: {said}");
        ensure!(!said.contains("\"success\":false"), "kafka-verifiable-consumer: {said}");

        let groups = async |arguments: &[&str]| tool(context, &bootstrap, GROUPS, arguments, "").await;
        let listed = groups(&["--list"]).await?;
        ensure!(listed == "verifiers\n", "kafka-consumer-groups listed {listed:?}");
        let described = groups(&["--describe", "--group", "verifiers"]).await?;
        ensure!(columns(&described, TOPIC)?.starts_with("verifiers orders 0 500 500 0"), "{described}");
        let name = ["--group", "verifiers"];
        let reset = ["--reset-offsets", "--to-offset", "100", "--topic", TOPIC, "--execute"];
        groups(&[&reset[..], &name].concat()).await?;

        let group = Group::new(&bootstrap, "verifiers", TOPIC, "range");
        let member = group.join()?;
        group.wait_for_progress(400, SETTLE).await?;
        ensure!(group.records_read() == 400, "{} read of the 400 after the reset", group.records_read());
        let described = groups(&["--describe", "--group", "verifiers", "--members"]).await?;
        ensure!(columns(&described, "rdkafka")?.ends_with(" 1"), "{described}");
        let described = groups(&["--describe", "--group", "verifiers", "--state"]).await?;
        ensure!(columns(&described, "verifiers")?.ends_with("range Stable 1"), "{described}");
        member.leave().await?;

        let said = groups(&["--delete-offsets", "--topic", TOPIC, "--group", "verifiers"]).await?;
        ensure!(columns(&said, TOPIC)?.contains("Successful"), "{said}");
        let left = group.committed(1).await?;
        ensure!(left[&0].is_none(), "still committed: {left:?}");
        groups(&["--delete", "--group", "verifiers"]).await?;
        let listed = groups(&["--list"]).await?;
        ensure!(listed.trim().is_empty(), "after the deletion: {listed:?}");

        let text = dump(context, &cluster, "__consumer_offsets", "--offsets-decoder").await?;
        ensure!(
            text.contains("group_metadata::group=verifiers") || text.contains("\"group\":\"verifiers\""),
            "{text}"
        );
        Ok(())
    });
}

#[test]
fn kafkas_transaction_tools_work_on_gregor() {
    run_within(DEADLINE, async |context| {
        let cluster = gregor(context).await?;
        let bootstrap = cluster.bootstrap();
        let transactor = Transactor::start(&bootstrap, "payments").await?;
        transactor.begin_with(TOPIC, 0, &["committed".to_owned()]).await?;
        transactor.commit().await?;
        transactor.begin_with(TOPIC, 0, &["aborted".to_owned()]).await?;

        let transactions =
            async |arguments: &[&str]| tool(context, &bootstrap, TRANSACTIONS, arguments, "").await;
        let listed = transactions(&["list"]).await?;
        ensure!(columns(&listed, "payments")?.ends_with("Ongoing"), "{listed}");
        let described = transactions(&["describe", "--transactional-id", "payments"]).await?;
        let line = columns(&described, "payments")?;
        ensure!(line.contains("Ongoing") && line.ends_with("orders-0"), "{described}");
        let partition = ["--topic", TOPIC, "--partition", "0"];
        let producers = transactions(&[&["describe-producers"][..], &partition].concat()).await?;
        // The record, its marker, and then the first record of the open transaction.
        ensure!(producers.lines().nth(1).is_some_and(|line| line.trim().ends_with('2')), "{producers}");
        transactions(&[&["abort", "--start-offset", "2"][..], &partition].concat()).await?;
        let producers = transactions(&[&["describe-producers"][..], &partition].concat()).await?;
        ensure!(producers.lines().nth(1).is_some_and(|line| line.trim().ends_with("None")), "{producers}");
        transactor.abort().await?;
        wait::until_true("the transaction to be over", SETTLE, || async {
            Ok(columns(&transactions(&["list"]).await?, "payments")?.ends_with("CompleteAbort"))
        })
        .await?;
        let read = gregor_harness::read_back::read_topic(&bootstrap, TOPIC, 1).await?;
        ensure!(read[&0].values().eq(["committed"]), "read: {read:?}");

        let text = dump(context, &cluster, "__transaction_state", "--transaction-log-decoder").await?;
        for state in ["Ongoing", "PrepareCommit", "CompleteCommit", "PrepareAbort", "CompleteAbort"] {
            ensure!(text.contains("payments") && text.contains(state), "no {state}: {text}");
        }
        Ok(())
    });
}

/// A producer that nobody coordinates has written in a transaction, long ago: what is left when a marker is lost.
#[test]
fn kafka_transactions_finds_and_ends_a_hanging_transaction() {
    run_within(DEADLINE, async |context| {
        let cluster = ClusterBuilder::of(&[BrokerKind::Gregor])
            .property("transaction.state.log.replication.factor", "1")
            .property("transaction.state.log.min.isr", "1")
            .property("transaction.state.log.num.partitions", "1")
            .property("transaction.partition.verification.enable", "false")
            .start(context)
            .await?;
        cluster.create_topic(TOPIC, 1, 1).await?;
        // There must be a coordinator to be asked about.
        let transactor = Transactor::start(&cluster.bootstrap(), "payments").await?;
        transactor.begin_with(TOPIC, 0, &["committed".to_owned()]).await?;
        transactor.commit().await?;
        // A commit is acknowledged before its markers are written.
        wait::until_true("the marker", SETTLE, || async { Ok(end_offset(&cluster).await? == 2) }).await?;
        produce_and_vanish(&cluster).await?;

        let bootstrap = cluster.bootstrap();
        let transactions =
            async |arguments: &[&str]| tool(context, &bootstrap, TRANSACTIONS, arguments, "").await;
        let found = transactions(&["find-hanging", "--broker-id", "0"]).await?;
        // Topic, partition, producer, its epoch, no coordinator epoch, where it starts.
        ensure!(columns(&found, TOPIC)?.starts_with("orders 0 4242 3 -1 2 "), "{found}");
        let partition = ["--topic", TOPIC, "--partition", "0"];
        transactions(&[&["abort", "--start-offset", "2"][..], &partition].concat()).await?;
        let found = transactions(&[&["find-hanging"][..], &partition].concat()).await?;
        ensure!(found.lines().count() <= 1, "{found}");
        transactor.begin_with(TOPIC, 0, &["after it".to_owned()]).await?;
        transactor.commit().await?;
        let read = gregor_harness::read_back::read_topic(&bootstrap, TOPIC, 1).await?;
        ensure!(read[&0].values().eq(["committed", "after it"]), "read: {read:?}");
        Ok(())
    });
}

async fn end_offset(cluster: &Cluster) -> Result<i64> {
    const LATEST: i64 = -1;
    let partition = ListOffsetsPartition::default().with_timestamp(LATEST);
    let topic = ListOffsetsTopic::default().with_name(topic_name(TOPIC)).with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
    let answer = Rpc::connect(&cluster.brokers[0].address()).await?.call(5, &request).await?;
    let partition = answer.topics.first().and_then(|topic| topic.partitions.first()).context("no answer")?;
    Ok(partition.offset)
}

async fn produce_and_vanish(cluster: &Cluster) -> Result<()> {
    const TWO_HOURS_MS: i64 = 7_200_000;
    let producer =
        Producer { id: ProducerId(4242), epoch: ProducerEpoch(3), base_sequence: Some(Sequence(0)) };
    let options = BatchOptions { producer: Some(producer), transactional: true, ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(options)?;
    builder.append(Offset(0), Some(Timestamp::now() + -TWO_HOURS_MS), None, Some(b"lost"), &[])?;
    let data = PartitionProduceData::default().with_records(Some(builder.finish()?.into()));
    let topic = TopicProduceData::default().with_name(topic_name(TOPIC)).with_partition_data(vec![data]);
    let request = ProduceRequest::default()
        .with_transactional_id(Some(TransactionalId(StrBytes::from_static_str("vanished"))))
        .with_acks(-1)
        .with_timeout_ms(5_000)
        .with_topic_data(vec![topic]);
    let answer = Rpc::connect(&cluster.brokers[0].address()).await?.call(8, &request).await?;
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
    ensure!(partitions.map(|partition| partition.error_code).eq([0]), "Produce: {answer:?}");
    Ok(())
}

/// The columns of the first line with `word` below the heading, one space between them.
fn columns(table: &str, word: &str) -> Result<String> {
    let line = table.lines().skip(1).find(|line| line.contains(word));
    let line = line.with_context(|| format!("no line with {word} in {table}"))?;
    Ok(line.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// What kafka-dump-log says of the only partition of an internal topic.
async fn dump(context: &TestContext, cluster: &Cluster, topic: &str, decoder: &str) -> Result<String> {
    let dirs = cluster.data_dirs().into_iter().map(|dir| dir.join(format!("{topic}-0")));
    let dir = dirs.into_iter().find(|dir| dir.exists()).context("nobody has the internal topic")?;
    let names: Vec<String> = replicas::segments(&dir)?.into_keys().collect();
    let files = names.iter().map(|name| dir.join(name).display().to_string()).collect::<Vec<_>>().join(",");
    let arguments = ["--files", &files, decoder];
    let output = kafka_tool(context.dir(), "kafka.tools.DumpLogSegments", &arguments, b"").await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success() && output.stderr.is_empty(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(!text.contains("isvalid: false"), "{text}");
    Ok(text)
}
