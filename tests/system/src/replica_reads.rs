//! Reading from followers: consumers that are sent to the replica in their rack (KIP-392), and replicas that are held back by
//! a throttle (KIP-73).

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use gregor_harness::cluster::{SETTLE, topic_name};
use gregor_harness::rpc::Rpc;
use gregor_harness::{Cluster, ClusterBuilder, TestContext, run, wait};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{FetchRequest, IncrementalAlterConfigsRequest};
use kafka_protocol::protocol::StrBytes;
use std::time::{Duration, Instant};

const TOPIC: &str = "read";
const BROKER_RESOURCE: i8 = 4;

#[test]
fn consumers_are_sent_to_the_follower_in_their_rack() {
    run(async |context| {
        let builder = ClusterBuilder::new(2)?
            .property("replica.selector.class", "org.apache.kafka.common.replica.RackAwareReplicaSelector");
        let mut cluster = builder.prepare(context).await?;
        for id in 0..2 {
            cluster.broker(id)?.set_property("broker.rack", &format!("rack-{id}"));
        }
        cluster.start_brokers().await?;
        cluster.create_topic(TOPIC, 1, 2).await?;
        let leader = leader(&cluster).await?;
        let follower = 1 - leader;
        for number in 0..10 {
            produce(&cluster, leader, &format!("message {number}")).await?;
        }

        // The leader learns with each fetch how far its follower is.
        wait::until_true("a consumer to be sent to the follower", SETTLE, || async {
            let (preferred, records) = fetch(&cluster, leader, &format!("rack-{follower}")).await?;
            ensure!(preferred == follower && records.is_empty(), "sent to {preferred}, {}", records.len());
            Ok(true)
        })
        .await?;
        let (preferred, from_leader) = fetch(&cluster, leader, &format!("rack-{leader}")).await?;
        ensure!(preferred == -1 && !from_leader.is_empty(), "who is near was sent to {preferred}");
        let (preferred, _) = fetch(&cluster, leader, "").await?;
        ensure!(preferred == -1, "who names no rack was sent to {preferred}");
        // What all have is committed at the follower a fetch later.
        wait::until_true("the follower to give what the leader gives", SETTLE, || async {
            let (preferred, records) = fetch(&cluster, follower, &format!("rack-{follower}")).await?;
            Ok(preferred == -1 && records == from_leader)
        })
        .await?;

        // Nobody is sent to the dead.
        cluster.broker(follower)?.kill();
        wait::until_true("a consumer to stay", SETTLE, || async {
            let (preferred, records) = fetch(&cluster, leader, &format!("rack-{follower}")).await?;
            Ok(preferred == -1 && records == from_leader)
        })
        .await
    });
}

#[test]
fn a_replica_is_held_back_by_its_leader_until_the_throttle_is_gone() {
    run(async |context| held_back(context, Side::Leader).await);
}

#[test]
fn a_replica_holds_itself_back_until_the_throttle_is_gone() {
    run(async |context| held_back(context, Side::Follower).await);
}

/// Who throttles; the other one does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Leader,
    Follower,
}

impl Side {
    fn replicas(self) -> &'static str {
        match self {
            Side::Leader => "leader.replication.throttled.replicas",
            Side::Follower => "follower.replication.throttled.replicas",
        }
    }

    fn rate(self) -> &'static str {
        match self {
            Side::Leader => "leader.replication.throttled.rate",
            Side::Follower => "follower.replication.throttled.rate",
        }
    }
}

async fn held_back(context: &TestContext, side: Side) -> Result<()> {
    let mut cluster = ClusterBuilder::new(2)?.start(context).await?;
    cluster.create_topic_with(TOPIC, 1, 2, &[(side.replicas(), "*")]).await?;
    let leader = leader(&cluster).await?;
    let follower = 1 - leader;
    // Of 6 MB a tenth may pass at once, and the rest takes minutes.
    let throttling = if side == Side::Leader { leader } else { follower };
    set_rate(&cluster, throttling, side.rate(), Some("50000")).await?;
    cluster.broker(follower)?.kill();
    cluster
        .wait_for_state(TOPIC, 0, "one member in its ISR", |state| state.isr.len() == 1)
        .await
        .context("after a replica's death")?;
    let payload = "x".repeat(500_000);
    for _ in 0..12 {
        produce(&cluster, leader, &payload).await?;
    }
    cluster.broker(follower)?.start().await?;
    let log = cluster.data_dirs()[usize::try_from(follower)?].join("read-0/00000000000000000000.log");
    let length = || log.metadata().map_or(0, |metadata| metadata.len());
    wait::until_true("something to be replicated", SETTLE, || async { Ok(length() > 0) }).await?;
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(4) {
        let held = length();
        ensure!(held < 4_000_000, "{held} bytes after {:?}", since.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let state = cluster.znodes.partition_state(TOPIC, 0).await?.context("no state")?;
    ensure!(state.isr == [leader], "{state:?}");
    set_rate(&cluster, throttling, side.rate(), None).await?;
    cluster.wait_for_topic(TOPIC, 1, 2).await
}

/// Produces one record, though the leader may not have heard of its topic yet.
async fn produce(cluster: &Cluster, leader: i32, payload: &str) -> Result<i64> {
    wait::until("a record to be taken", SETTLE, || async {
        cluster.produce_to(leader, TOPIC, 0, payload).await.map(Some)
    })
    .await
}

async fn leader(cluster: &Cluster) -> Result<i32> {
    Ok(cluster.wait_for_state(TOPIC, 0, "a leader", |state| state.leader >= 0).await?.leader)
}

/// Reads from the beginning as a consumer in that rack: the replica it is sent to, and the records.
async fn fetch(cluster: &Cluster, broker: i32, rack: &str) -> Result<(i32, Bytes)> {
    let partition = FetchPartition::default()
        .with_partition(0)
        .with_current_leader_epoch(-1)
        .with_fetch_offset(0)
        .with_log_start_offset(-1)
        .with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(topic_name(TOPIC)).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_wait_ms(100)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
        .with_rack_id(StrBytes::from_string(rack.to_owned()));
    let address = cluster.brokers[usize::try_from(broker)?].address();
    let answer = Rpc::connect(&address).await?.call(11, &request).await?;
    let topic = answer.responses.into_iter().next().context("an empty answer")?;
    let partition = topic.partitions.into_iter().next().context("an empty topic")?;
    ensure!(partition.error_code == 0, "Fetch answered error {}", partition.error_code);
    Ok((partition.preferred_read_replica.0, partition.records.unwrap_or_default()))
}

/// Sets or removes a rate of a broker, which it keeps over a restart.
async fn set_rate(cluster: &Cluster, broker: i32, name: &'static str, rate: Option<&str>) -> Result<()> {
    let config = AlterableConfig::default()
        .with_name(StrBytes::from_static_str(name))
        .with_config_operation(i8::from(rate.is_none()))
        .with_value(rate.map(|rate| StrBytes::from_string(rate.to_owned())));
    let resource = AlterConfigsResource::default()
        .with_resource_type(BROKER_RESOURCE)
        .with_resource_name(StrBytes::from_string(broker.to_string()))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let address = cluster.brokers[usize::try_from(broker)?].address();
    let answer = Rpc::connect(&address).await?.call(1, &request).await?;
    ensure!(answer.responses.iter().all(|response| response.error_code == 0), "{answer:?}");
    Ok(())
}
