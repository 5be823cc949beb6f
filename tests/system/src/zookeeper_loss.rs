//! ZooKeeper that goes away: one server of three, or all of them.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::SETTLE;
use gregor_harness::{Cluster, ClusterBuilder, Load, read_back, replicas, run};
use std::time::{Duration, Instant};

const TOPIC: &str = "orders";
const PARTITIONS: i32 = 3;

#[test]
fn one_zookeeper_server_dies() {
    run(async |context| {
        let mut cluster = ClusterBuilder::new(3)?
            .zookeepers(3)
            .property("zookeeper.session.timeout.ms", "6000")
            .start(context)
            .await?;
        cluster.create_topic(TOPIC, PARTITIONS, 3).await?;
        let load = Load::start(&cluster.bootstrap(), TOPIC, 1_000)?;
        load.wait_for_progress(200, SETTLE).await?;
        let sessions = broker_sessions(&cluster).await?;

        let leader = cluster.ensemble.leader().await?;
        cluster.ensemble.server(leader).kill();
        load.wait_for_progress(200, SETTLE).await?;
        cluster.create_topic("created-with-two-servers", 2, 3).await?;
        ensure!(broker_sessions(&cluster).await? == sessions, "a broker lost its session");

        cluster.ensemble.server(leader).start().await?;
        load.wait_for_progress(200, SETTLE).await?;
        ensure!(broker_sessions(&cluster).await? == sessions, "a broker lost its session");
        check(&cluster, load).await
    });
}

#[test]
fn brokers_serve_while_zookeeper_is_away() {
    run(async |context| {
        let mut cluster = ClusterBuilder::new(3)?.zookeepers(3).start(context).await?;
        cluster.create_topic(TOPIC, PARTITIONS, 3).await?;
        let load = Load::start(&cluster.bootstrap(), TOPIC, 1_000)?;
        load.wait_for_progress(200, SETTLE).await?;

        cluster.ensemble.kill_all();
        let killed = Instant::now();
        while killed.elapsed() < Duration::from_secs(20) {
            load.wait_for_progress(100, Duration::from_secs(5)).await.context("while ZooKeeper was away")?;
            let listing = cluster.kcat().metadata().await?;
            ensure!(listing.contains("3 brokers:"), "kcat saw {listing}");
        }
        cluster.ensemble.start_all().await?;
        cluster.wait_for_registrations(&[0, 1, 2]).await?;
        load.wait_for_progress(200, SETTLE).await?;
        cluster.create_topic("created-afterwards", 3, 3).await?;
        check(&cluster, load).await
    });
}

/// The ZooKeeper sessions that hold the brokers' registrations.
async fn broker_sessions(cluster: &Cluster) -> Result<Vec<Option<i64>>> {
    let mut sessions = Vec::new();
    for broker in &cluster.brokers {
        sessions.push(cluster.znodes.owner(&format!("/brokers/ids/{}", broker.id())).await?);
    }
    ensure!(sessions.iter().all(Option::is_some), "not every broker is registered: {sessions:?}");
    Ok(sessions)
}

async fn check(cluster: &Cluster, load: Load) -> Result<()> {
    for partition in 0..PARTITIONS {
        cluster.wait_for_state(TOPIC, partition, "a full ISR", |state| state.isr.len() == 3).await?;
    }
    let acknowledged = load.stop().await?;
    let topic = read_back::read_topic(&cluster.bootstrap(), TOPIC, PARTITIONS).await?;
    read_back::check_acknowledged(&acknowledged, &topic)?;
    for partition in 0..PARTITIONS {
        replicas::wait_until_equal(&cluster.data_dirs(), TOPIC, partition, SETTLE).await?;
    }
    Ok(())
}
