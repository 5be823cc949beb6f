//! Group and transaction coordinators that move from a Gregor broker to an Apache Kafka broker and back, during running
//! groups and open transactions: each reads in the internal topics what the other wrote.

use anyhow::{Result, ensure};
use gregor_harness::cluster::{SETTLE, topic_name};
use gregor_harness::copier::{check_copies, wait_for_copies};
use gregor_harness::group::wait_for_balance;
use gregor_harness::rpc::Rpc;
use gregor_harness::{
    BrokerKind, Cluster, ClusterBuilder, Copier, CopyJob, Group, Load, Transactor, read_back, run_within,
    wait,
};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::{BrokerId, CreateTopicsRequest, ElectLeadersRequest};
use kafka_protocol::protocol::StrBytes;
use std::time::Duration;

const INPUT: &str = "orders";
const OUTPUT: &str = "copies";
const LEDGER: &str = "ledger";
const PARTITIONS: i32 = 3;
const INTERNAL: [&str; 2] = ["__consumer_offsets", "__transaction_state"];
/// Kafka's broker, first among the replicas of both internal topics; the controller is broker 0.
const KAFKA: i32 = 2;

#[test]
fn coordinators_move_between_gregor_and_kafka() {
    // Kafka's broker starts three times.
    run_within(Duration::from_secs(240), async |context| {
        let mut cluster = ClusterBuilder::of(&[BrokerKind::Gregor, BrokerKind::Gregor, BrokerKind::Kafka])
            .property("offsets.topic.replication.factor", "3")
            .property("transaction.state.log.replication.factor", "3")
            .property("transaction.state.log.num.partitions", "1")
            .property("group.initial.rebalance.delay.ms", "200")
            .start(context)
            .await?;
        for topic in INTERNAL {
            create_for_kafka(&cluster, topic).await?;
        }
        for topic in [INPUT, OUTPUT, LEDGER] {
            cluster.create_topic(topic, PARTITIONS, 3).await?;
        }
        let load = Load::start(&cluster.bootstrap(), INPUT, 300)?;
        let group = Group::new(&cluster.bootstrap(), "readers", INPUT, "cooperative-sticky");
        let members = [group.join()?, group.join()?];
        wait_for_balance(&[&members[0], &members[1]], PARTITIONS, SETTLE).await?;
        let copiers = [Copier::start(CopyJob {
            bootstrap: cluster.bootstrap(),
            group: "copiers".to_owned(),
            transactional_id: "copier".to_owned(),
            from: INPUT.to_owned(),
            to: OUTPUT.to_owned(),
        })];
        wait_for_copies(&copiers, 100, SETTLE).await?;
        let ledger = Transactor::start(&cluster.bootstrap(), "ledger").await?;
        let mut committed = Vec::new();
        for round in 0..4 {
            let lines: Vec<String> = (0..10).map(|line| format!("round {round}, line {line}")).collect();
            ledger.begin_with(LEDGER, 0, &lines).await?;
            match round {
                0 => cluster.broker(KAFKA)?.kill(),
                2 => drop(cluster.broker(KAFKA)?.stop().await?),
                _ => give_to_kafka(&mut cluster).await?,
            }
            for topic in INTERNAL {
                let to_kafka = round % 2 == 1;
                let wanted = if to_kafka { "Kafka's broker as leader" } else { "a Gregor broker as leader" };
                cluster
                    .wait_for_state(topic, 0, wanted, |s| s.leader >= 0 && (s.leader == KAFKA) == to_kafka)
                    .await?;
            }
            group.wait_for_progress(200, SETTLE).await?;
            wait_for_copies(&copiers, copiers[0].copied() + 200, SETTLE).await?;
            // Committed by Gregor what was begun with Kafka, and by Kafka what was begun with Gregor; the last is aborted.
            if round < 3 {
                ledger.commit().await?;
                committed.extend(lines);
            } else {
                ledger.abort().await?;
            }
        }
        let acknowledged = load.stop().await?;
        group.wait_for_all(&acknowledged, SETTLE).await?;
        for member in members {
            member.leave().await?;
        }
        group.check_commits(PARTITIONS).await?;
        let input = read_back::read_topic(&cluster.bootstrap(), INPUT, PARTITIONS).await?;
        wait_for_copies(&copiers, input.values().map(|records| records.len()).sum(), SETTLE).await?;
        for copier in copiers {
            copier.stop().await?;
        }
        check_copies(&input, &read_back::read_topic(&cluster.bootstrap(), OUTPUT, PARTITIONS).await?)?;
        let ledger = read_back::read_topic(&cluster.bootstrap(), LEDGER, PARTITIONS).await?;
        let found: Vec<String> = ledger[&0].values().cloned().collect();
        ensure!(found == committed, "committed: {committed:?}; read: {found:?}");
        Ok(())
    });
}

/// Creates an internal topic of one partition whose preferred leader is Kafka's broker.
async fn create_for_kafka(cluster: &Cluster, topic: &str) -> Result<()> {
    let assignment = CreatableReplicaAssignment::default()
        .with_partition_index(0)
        .with_broker_ids([KAFKA, 0, 1].map(BrokerId).to_vec());
    let compact = CreatableTopicConfig::default()
        .with_name(StrBytes::from_static_str("cleanup.policy"))
        .with_value(Some(StrBytes::from_static_str("compact")));
    let creatable = CreatableTopic::default()
        .with_name(topic_name(topic))
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_assignments(vec![assignment])
        .with_configs(vec![compact]);
    let request = CreateTopicsRequest::default().with_topics(vec![creatable]).with_timeout_ms(20_000);
    let answer = Rpc::connect(&cluster.brokers[0].address()).await?.call(5, &request).await?;
    ensure!(answer.topics.iter().all(|topic| topic.error_code == 0), "CreateTopics: {:?}", answer.topics);
    cluster.wait_for_topic(topic, 1, 3).await
}

/// Kafka's broker returns and becomes the leader of both internal topics.
async fn give_to_kafka(cluster: &mut Cluster) -> Result<()> {
    cluster.broker(KAFKA)?.start().await?;
    let asked = INTERNAL
        .map(|topic| TopicPartitions::default().with_topic(topic_name(topic)).with_partitions(vec![0]));
    let request = ElectLeadersRequest::default()
        .with_election_type(0)
        .with_topic_partitions(Some(asked.to_vec()))
        .with_timeout_ms(20_000);
    for topic in INTERNAL {
        cluster.wait_for_topic(topic, 1, 3).await?;
    }
    wait::until_true("Kafka's broker to lead the internal topics", SETTLE, || async {
        let answer = Rpc::connect(&cluster.brokers[0].address()).await?.call(1, &request).await?;
        ensure!(answer.error_code == 0, "ElectLeaders: {answer:?}");
        for topic in INTERNAL {
            let leader = cluster.znodes.partition_state(topic, 0).await?.map(|state| state.leader);
            ensure!(leader == Some(KAFKA), "{topic} is led by {leader:?}; ElectLeaders said {answer:?}");
        }
        Ok(true)
    })
    .await
}
