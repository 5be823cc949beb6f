//! Brokers that live but are not heard: paused past their session, or cut off from the network.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::SETTLE;
use gregor_harness::{Cluster, ClusterBuilder, Load, namespace, read_back, replicas, run, wait};

const TOPIC: &str = "orders";
const PARTITIONS: i32 = 3;

#[test]
fn a_broker_paused_past_its_session_is_fenced_and_returns() {
    run(async |context| {
        let cluster = ClusterBuilder::new(3)?.property("min.insync.replicas", "2").start(context).await?;
        cluster.create_topic(TOPIC, PARTITIONS, 3).await?;
        let load = Load::start(&cluster.bootstrap(), TOPIC, 1_000)?;
        load.wait_for_progress(500, SETTLE).await?;

        let before = cluster.wait_for_state(TOPIC, 0, "a leader", |state| state.leader >= 0).await?;
        let paused = before.leader;
        let session =
            cluster.znodes.owner(&format!("/brokers/ids/{paused}")).await?.context("not registered")?;
        cluster.brokers[paused as usize].pause();
        cluster
            .wait_for_state(TOPIC, 0, "another leader", |state| state.leader >= 0 && state.leader != paused)
            .await?;
        load.wait_for_progress(500, SETTLE).await?;

        cluster.brokers[paused as usize].resume();
        wait::until_true("the paused broker to register with a new session", SETTLE, || async {
            let owner = cluster.znodes.owner(&format!("/brokers/ids/{paused}")).await?;
            Ok(owner.is_some_and(|owner| owner != session))
        })
        .await?;
        check(&cluster, load).await
    });
}

#[test]
fn a_follower_cut_off_from_the_network_returns() {
    if !namespace::available() {
        println!("skipped: network namespaces need root");
        return;
    }
    run(async |context| {
        let cluster =
            ClusterBuilder::new(3)?.isolated().property("min.insync.replicas", "2").start(context).await?;
        cluster.create_topic(TOPIC, PARTITIONS, 3).await?;
        let load = Load::start(&cluster.bootstrap(), TOPIC, 1_000)?;
        load.wait_for_progress(500, SETTLE).await?;

        let state = cluster.wait_for_state(TOPIC, 0, "a leader", |state| state.leader >= 0).await?;
        let controller = cluster.wait_for_controller().await?;
        let follower =
            (0..3).find(|id| *id != state.leader && *id != controller).context("no follower to cut off")?;
        cluster.cut_off(follower)?;
        for partition in 0..PARTITIONS {
            cluster
                .wait_for_state(TOPIC, partition, "the follower out of the ISR", |state| {
                    !state.isr.contains(&follower)
                })
                .await?;
        }
        load.wait_for_progress(500, SETTLE).await?;
        cluster.reconnect(follower)?;
        check(&cluster, load).await
    });
}

#[test]
fn a_leader_cut_off_from_the_network_returns() {
    if !namespace::available() {
        println!("skipped: network namespaces need root");
        return;
    }
    run(async |context| {
        let cluster =
            ClusterBuilder::new(3)?.isolated().property("min.insync.replicas", "2").start(context).await?;
        cluster.create_topic(TOPIC, PARTITIONS, 3).await?;
        let load = Load::start(&cluster.bootstrap(), TOPIC, 1_000)?;
        load.wait_for_progress(500, SETTLE).await?;

        // The controller too, if it happens to be the same broker: it must find that its epoch is over.
        let leader = cluster.wait_for_state(TOPIC, 0, "a leader", |state| state.leader >= 0).await?.leader;
        cluster.cut_off(leader)?;
        cluster
            .wait_for_state(TOPIC, 0, "another leader", |state| state.leader >= 0 && state.leader != leader)
            .await?;
        load.wait_for_progress(500, SETTLE).await?;
        cluster.reconnect(leader)?;
        check(&cluster, load).await
    });
}

async fn check(cluster: &Cluster, load: Load) -> Result<()> {
    for partition in 0..PARTITIONS {
        cluster.wait_for_state(TOPIC, partition, "a full ISR", |state| state.isr.len() == 3).await?;
    }
    load.wait_for_progress(200, SETTLE).await?;
    let acknowledged = load.stop().await?;
    let topic = read_back::read_topic(&cluster.bootstrap(), TOPIC, PARTITIONS).await?;
    read_back::check_acknowledged(&acknowledged, &topic)?;
    ensure!(!acknowledged.is_empty(), "nothing was acknowledged");
    for partition in 0..PARTITIONS {
        replicas::wait_until_equal(&cluster.data_dirs(), TOPIC, partition, SETTLE).await?;
    }
    Ok(())
}
