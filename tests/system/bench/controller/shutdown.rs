//! Controlled shutdown of a broker that leads 2,000 partitions, in a cluster of three real brokers: from SIGTERM until clients
//! are told another leader for the last partition, and until the process is gone.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::SETTLE;
use gregor_harness::rpc::Rpc;
use gregor_harness::{BrokerKind, Cluster, ClusterBuilder, TestContext, wait};
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::{BrokerId, CreateTopicsRequest, MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use std::time::{Duration, Instant};

const TOPICS: usize = 20;
const PARTITIONS_PER_TOPIC: i32 = 100;
/// The broker that leads them all, and the one that takes over.
const LEADER: i32 = 1;
const FOLLOWER: i32 = 2;
const RUNS_OF_GREGOR: usize = 3;
const CREATION: Duration = Duration::from_secs(90);

#[derive(Clone, Copy, Debug)]
struct Figures {
    moved: Duration,
    gone: Duration,
}

/// Runs the case and prints its table.
pub async fn run(context: &TestContext, with_kafka: bool) -> Result<()> {
    println!(
        "controlled shutdown of a broker that leads 2,000 partitions of 20 topics, 2 replicas (medians)"
    );
    println!("{:8} {:>18} {:>18}", "", "all leaders moved", "process gone");
    let gregor = measure(context, BrokerKind::Gregor, RUNS_OF_GREGOR).await?;
    print("Gregor", gregor, "   target 1 s");
    if with_kafka {
        print("Kafka", measure(context, BrokerKind::Kafka, 1).await?, "");
    }
    Ok(())
}

fn print(name: &str, figures: Figures, target: &str) {
    let (moved, gone) = (figures.moved.as_secs_f64() * 1e3, figures.gone.as_secs_f64() * 1e3);
    println!("{name:8} {moved:>15.0} ms {gone:>15.0} ms{target}");
}

async fn measure(context: &TestContext, kind: BrokerKind, runs: usize) -> Result<Figures> {
    let context = TestContext::in_directory(context.create_dir(&format!("shutdown-{kind:?}"))?);
    let mut cluster = ClusterBuilder::of(&[kind; 3])
        .property("auto.leader.rebalance.enable", "false")
        .property("num.replica.fetchers", "2")
        .start(&context)
        .await?;
    create_topics(&cluster).await?;
    let mut figures = Vec::new();
    for _ in 0..runs {
        lead_everything(&cluster).await?;
        figures.push(shut_down(&mut cluster).await?);
        cluster.broker(LEADER)?.start().await?;
    }
    figures.sort_by_key(|figures| figures.moved);
    figures.get(figures.len() / 2).copied().context("no run")
}

async fn create_topics(cluster: &Cluster) -> Result<()> {
    let assignment = |index| {
        let brokers = vec![BrokerId(LEADER), BrokerId(FOLLOWER)];
        CreatableReplicaAssignment::default().with_partition_index(index).with_broker_ids(brokers)
    };
    let topics = (0..TOPICS).map(|index| {
        CreatableTopic::default()
            .with_name(TopicName(StrBytes::from_string(topic(index))))
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_assignments((0..PARTITIONS_PER_TOPIC).map(assignment).collect())
    });
    let request = CreateTopicsRequest::default().with_topics(topics.collect()).with_timeout_ms(25_000);
    let controller = cluster.wait_for_controller().await?;
    let broker = cluster.brokers.iter().find(|broker| broker.id() == controller).context("no controller")?;
    let answer = Rpc::connect(&broker.address()).await?.call(5, &request).await?;
    let failed = answer.topics.iter().find(|topic| topic.error_code != 0);
    ensure!(failed.is_none(), "creating topics: {failed:?}");
    Ok(())
}

fn topic(index: usize) -> String {
    format!("led-{index}")
}

/// Waits until every replica is in sync, and elects the preferred leader everywhere.
async fn lead_everything(cluster: &Cluster) -> Result<()> {
    for index in 0..TOPICS {
        for partition in 0..PARTITIONS_PER_TOPIC {
            let what = format!("{}-{partition} to be in sync", topic(index));
            wait::until_true(&what, CREATION, || async {
                let state = cluster.znodes.partition_state(&topic(index), partition).await?;
                Ok(state.is_some_and(|state| state.isr.len() == 2))
            })
            .await?;
        }
    }
    let controller = cluster.wait_for_controller().await?;
    let broker = cluster.brokers.iter().find(|broker| broker.id() == controller).context("no controller")?;
    let request = kafka_protocol::messages::ElectLeadersRequest::default()
        .with_topic_partitions(None)
        .with_timeout_ms(20_000);
    Rpc::connect(&broker.address()).await?.call(1, &request).await?;
    wait::until_true("broker 1 to lead everything", SETTLE, || async {
        Ok(leaders(cluster, controller).await?.iter().all(|leader| *leader == LEADER))
    })
    .await
}

/// The leaders of all partitions, as a broker tells clients.
async fn leaders(cluster: &Cluster, asked: i32) -> Result<Vec<i32>> {
    let broker = cluster.brokers.iter().find(|broker| broker.id() == asked).context("no such broker")?;
    let metadata =
        Rpc::connect(&broker.address()).await?.call(5, &MetadataRequest::default().with_topics(None)).await?;
    let topics = metadata
        .topics
        .iter()
        .filter(|topic| topic.name.as_ref().is_some_and(|name| name.starts_with("led-")));
    Ok(topics.flat_map(|topic| topic.partitions.iter().map(|partition| partition.leader_id.0)).collect())
}

async fn shut_down(cluster: &mut Cluster) -> Result<Figures> {
    let controller = cluster.wait_for_controller().await?;
    ensure!(controller != LEADER, "the broker to be shut down is the controller");
    let count = TOPICS * usize::try_from(PARTITIONS_PER_TOPIC)?;
    let start = Instant::now();
    cluster.broker(LEADER)?.process()?.terminate();
    let mut moved = None;
    let gone = loop {
        if moved.is_none() {
            // What clients are told: the controller has written and spread the last new leader.
            let leaders = leaders(cluster, controller).await?;
            if leaders.len() == count && leaders.iter().all(|leader| *leader == FOLLOWER) {
                moved = Some(start.elapsed());
            }
        }
        if cluster.broker(LEADER)?.process()?.exited().is_some() {
            break start.elapsed();
        }
        ensure!(start.elapsed() < SETTLE, "the broker does not end");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    // Reaps it, and makes room for the next start.
    cluster.broker(LEADER)?.kill();
    Ok(Figures { moved: moved.unwrap_or(gone), gone })
}
