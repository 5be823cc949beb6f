//! Kafka's own transactional application, TransactionalMessageCopier, while both coordinators move between a Gregor broker
//! and a broker of Kafka's that is the controller.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::{SETTLE, topic_name};
use gregor_harness::group::wait_for_balance;
use gregor_harness::java;
use gregor_harness::rpc::Rpc;
use gregor_harness::{
    BrokerKind, Cluster, ClusterBuilder, Group, Load, Process, TestContext, Transactor, read_back,
    run_within, wait,
};
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::{AlterPartitionReassignmentsRequest, BrokerId, ElectLeadersRequest};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

const INPUT: &str = "orders";
const OUTPUT: &str = "copies";
const LEDGER: &str = "ledger";
const PARTITIONS: i32 = 2;
const INTERNAL: [&str; 2] = ["__consumer_offsets", "__transaction_state"];
/// The controller.
const KAFKA: i32 = 0;
const GREGOR: i32 = 1;
const MOVES: usize = 4;
/// How much is copied between two moves, and how much there is to copy.
const COPIED_BETWEEN: usize = 200;
const RECORDS: usize = (MOVES + 2) * COPIED_BETWEEN;
/// Long enough for a machine on which everything takes ten times as long.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running TransactionalMessageCopier. It ends when it has copied what was there when it joined.
struct JavaCopier {
    process: Process,
    log: PathBuf,
}

impl JavaCopier {
    fn start(context: &TestContext, bootstrap: &str) -> Result<JavaCopier> {
        let log4j = java::write_log4j(context.dir(), "WARN")?;
        let line = java::kafka("org.apache.kafka.tools.TransactionalMessageCopier", &log4j)?
            .args(["--broker-list", bootstrap, "--input-topic", INPUT, "--input-partition", "0"])
            .args(["--output-topic", OUTPUT, "--consumer-group", "copiers", "--transactional-id", "copier"])
            .args(["--transaction-size", "40", "--group-mode", "--use-group-metadata"])
            .arg("--enable-random-aborts");
        let process = Process::spawn(context, "copier", &line)?;
        Ok(JavaCopier { process, log: context.log_file("copier")? })
    }

    /// What it says it has copied.
    fn copied(&self) -> Result<usize> {
        let said = fs::read_to_string(&self.log)?;
        let count = said.rsplit("\"totalProcessed\":").next().and_then(|rest| rest.split(',').next());
        Ok(count.and_then(|count| count.parse().ok()).unwrap_or(0))
    }

    async fn wait_for_copies(&self, wanted: usize) -> Result<()> {
        wait::until_true(&format!("{wanted} copied records"), PATIENCE, || async {
            let copied = self.copied()?;
            ensure!(copied >= wanted, "{copied} are");
            Ok(true)
        })
        .await
    }
}

#[test]
fn javas_copier_works_while_coordinators_move_under_kafkas_controller() {
    run_within(Duration::from_secs(240), async |context| {
        let cluster = ClusterBuilder::of(&[BrokerKind::Kafka, BrokerKind::Gregor])
            .property("offsets.topic.num.partitions", "1")
            .property("offsets.topic.replication.factor", "2")
            .property("transaction.state.log.num.partitions", "1")
            .property("transaction.state.log.replication.factor", "2")
            .property("transaction.state.log.min.isr", "1")
            .property("group.initial.rebalance.delay.ms", "200")
            .start(context)
            .await?;
        ensure!(cluster.wait_for_controller().await? == KAFKA, "Kafka's broker is not the controller");
        for topic in [INPUT, OUTPUT, LEDGER] {
            cluster.create_topic(topic, PARTITIONS, 2).await?;
        }
        let load = Load::start(&cluster.bootstrap(), INPUT, 1_000)?;
        load.wait_for_progress(RECORDS, PATIENCE).await?;
        let acknowledged = load.stop().await?;

        let group = Group::new(&cluster.bootstrap(), "readers", INPUT, "cooperative-sticky");
        let members = [group.join()?, group.join()?];
        wait_for_balance(&[&members[0], &members[1]], PARTITIONS, SETTLE).await?;
        let ledger = Transactor::start(&cluster.bootstrap(), "ledger").await?;
        let mut copier = JavaCopier::start(context, &cluster.bootstrap())?;
        let mut committed = Vec::new();
        for round in 0..MOVES {
            copier.wait_for_copies((round + 1) * COPIED_BETWEEN).await?;
            let lines: Vec<String> = (0..10).map(|line| format!("round {round}, line {line}")).collect();
            ledger.begin_with(LEDGER, 0, &lines).await?;
            move_coordinators(&cluster, if round % 2 == 0 { GREGOR } else { KAFKA }).await?;
            // Each kind of broker commits what was begun with the other, and once aborts it.
            if round == 2 {
                ledger.abort().await?;
            } else {
                ledger.commit().await?;
                committed.extend(lines);
            }
        }
        let status = copier.process.wait_for_exit(PATIENCE).await?;
        ensure!(status.success(), "the copier ended with {status}");
        group.wait_for_all(&acknowledged, PATIENCE).await?;
        for member in members {
            member.leave().await?;
        }
        group.check_commits(PARTITIONS).await?;
        ensure!(cluster.wait_for_controller().await? == KAFKA, "Kafka's broker is no longer the controller");
        check_copies(&cluster).await?;
        let ledger = read_back::read_topic(&cluster.bootstrap(), LEDGER, PARTITIONS).await?;
        let found: Vec<String> = ledger[&0].values().cloned().collect();
        ensure!(found == committed, "committed: {committed:?}; read: {found:?}");
        Ok(())
    });
}

/// The copy holds what the original does, in order.
async fn check_copies(cluster: &Cluster) -> Result<()> {
    let input = read_back::read_topic(&cluster.bootstrap(), INPUT, PARTITIONS).await?;
    let output = read_back::read_topic(&cluster.bootstrap(), OUTPUT, PARTITIONS).await?;
    for (partition, records) in &input {
        let copies = output.get(partition).context("a partition without copies")?;
        let (wanted, found) = (records.len(), copies.len());
        ensure!(
            records.values().eq(copies.values()),
            "partition {partition}: {wanted} records, {found} copies"
        );
    }
    Ok(())
}

/// Makes the broker the leader of both internal topics; nobody is restarted for it.
async fn move_coordinators(cluster: &Cluster, to: i32) -> Result<()> {
    let replicas = [to, 1 - to].map(BrokerId).to_vec();
    let reassigned = INTERNAL.map(|topic| {
        let partition =
            ReassignablePartition::default().with_partition_index(0).with_replicas(Some(replicas.clone()));
        ReassignableTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition])
    });
    let reassign = AlterPartitionReassignmentsRequest::default()
        .with_topics(reassigned.to_vec())
        .with_timeout_ms(20_000);
    let preferred = INTERNAL
        .map(|topic| TopicPartitions::default().with_topic(topic_name(topic)).with_partitions(vec![0]));
    let elect = ElectLeadersRequest::default()
        .with_election_type(0)
        .with_topic_partitions(Some(preferred.to_vec()))
        .with_timeout_ms(20_000);
    let controller = cluster.brokers[KAFKA as usize].address();
    wait::until_true(&format!("broker {to} to lead the internal topics"), PATIENCE, || async {
        let answer = Rpc::connect(&controller).await?.call(0, &reassign).await?;
        ensure!(answer.error_code == 0, "AlterPartitionReassignments: {answer:?}");
        let answer = Rpc::connect(&controller).await?.call(1, &elect).await?;
        ensure!(answer.error_code == 0, "ElectLeaders: {answer:?}");
        for topic in INTERNAL {
            let leader = cluster.znodes.partition_state(topic, 0).await?.map(|state| state.leader);
            ensure!(leader == Some(to), "{topic} is led by {leader:?}; ElectLeaders said {answer:?}");
        }
        Ok(true)
    })
    .await
}
