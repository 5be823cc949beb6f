//! Below `inter.broker.protocol.version` 2.7-IV2 leaders write ISRs into ZooKeeper themselves and announce them: Gregor's
//! leader beneath Kafka's controller, Kafka's beneath Gregor's, and Gregor alone.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::{SETTLE, topic_name};
use gregor_harness::rpc::Rpc;
use gregor_harness::znodes::PartitionState;
use gregor_harness::{BrokerKind, Cluster, ClusterBuilder, Load, run, wait};
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{BrokerId, CreateTopicsRequest, MetadataRequest};

const TOPIC: &str = "orders";

#[test]
fn gregors_leader_beneath_kafkas_controller() {
    live_through(&[BrokerKind::Kafka, BrokerKind::Gregor, BrokerKind::Gregor]);
}

#[test]
fn kafkas_leader_beneath_gregors_controller() {
    live_through(&[BrokerKind::Gregor, BrokerKind::Kafka, BrokerKind::Gregor]);
}

#[test]
fn gregors_leader_beneath_gregors_controller() {
    live_through(&[BrokerKind::Gregor; 3]);
}

/// Broker 0 is the controller, 1 leads, 2 stands still for a while, though not so long that its session ends.
fn live_through(kinds: &[BrokerKind]) {
    run(async |context| {
        let mut cluster = ClusterBuilder::of(kinds)
            .property("inter.broker.protocol.version", "2.6")
            .property("replica.lag.time.max.ms", "2000")
            .property("zookeeper.session.timeout.ms", "40000")
            .start(context)
            .await?;
        ensure!(cluster.wait_for_controller().await? == 0, "broker 0 is not the controller");
        create_led_by_1(&cluster).await?;
        let before = state(&cluster).await?;
        let load = Load::start(&cluster.brokers[1].address(), TOPIC, 200)?;
        load.wait_for_progress(100, SETTLE).await?;

        cluster.broker(2)?.pause();
        cluster.wait_for_state(TOPIC, 0, "an ISR without 2", |state| !state.isr.contains(&2)).await?;
        let shrunk = state(&cluster).await?;
        ensure!(
            (shrunk.leader, shrunk.leader_epoch, shrunk.controller_epoch)
                == (1, before.leader_epoch, before.controller_epoch),
            "{before:?} became {shrunk:?}"
        );
        wait_until_announced(&cluster, 2).await?;
        cluster.broker(2)?.resume();
        wait_until_announced(&cluster, 3).await?;
        ensure!(state(&cluster).await?.isr.len() == 3, "the ISR is not whole");
        load.stop().await?;
        no_notification_is_left(&cluster).await
    });
}

async fn create_led_by_1(cluster: &Cluster) -> Result<()> {
    let replicas = [1, 2, 0].map(BrokerId).to_vec();
    let assignment = CreatableReplicaAssignment::default().with_broker_ids(replicas);
    let topic = CreatableTopic::default()
        .with_name(topic_name(TOPIC))
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_assignments(vec![assignment]);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(20_000);
    let answer = Rpc::connect(&cluster.brokers[0].address()).await?.call(4, &request).await?;
    ensure!(answer.topics.iter().all(|topic| topic.error_code == 0), "{answer:?}");
    cluster.wait_for_topic(TOPIC, 1, 3).await
}

async fn state(cluster: &Cluster) -> Result<PartitionState> {
    cluster.znodes.partition_state(TOPIC, 0).await?.context("the partition has no state")
}

/// Waits until the controller has told brokers 0 and 1 of an ISR of so many.
async fn wait_until_announced(cluster: &Cluster, members: usize) -> Result<()> {
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name(TOPIC)));
    let request = MetadataRequest::default().with_topics(Some(vec![topic]));
    for broker in &cluster.brokers[..2] {
        let what = format!("broker {} to know of {members} in the ISR", broker.id());
        wait::until_true(&what, SETTLE, || async {
            let answer = Rpc::connect(&broker.address()).await?.call(4, &request).await?;
            let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
            Ok(partition.is_some_and(|partition| partition.isr_nodes.len() == members))
        })
        .await?;
    }
    Ok(())
}

/// The controller removes what it has read; that there were any tells who changed the ISR.
async fn no_notification_is_left(cluster: &Cluster) -> Result<()> {
    let path = "/isr_change_notification";
    wait::until_true("the notifications to be removed", SETTLE, || async {
        Ok(cluster.znodes.children(path).await?.is_empty())
    })
    .await?;
    let changes = cluster.znodes.changes_of_children(path).await?;
    // Two were created and removed at least.
    ensure!(changes >= 4, "only {changes} changes below {path}");
    Ok(())
}
