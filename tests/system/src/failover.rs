//! Brokers that die: leaders and controllers, killed with -9 under load.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::{SESSION_TIMEOUT, SETTLE};
use gregor_harness::{Cluster, ClusterBuilder, Load, read_back, replicas, run, wait};
use std::time::{Duration, Instant};

const TOPIC: &str = "orders";
const PARTITIONS: i32 = 3;

#[test]
fn acknowledged_messages_survive_the_leaders_death() {
    run(async |context| {
        let mut cluster = ClusterBuilder::new(3)?.property("min.insync.replicas", "2").start(context).await?;
        cluster.create_topic(TOPIC, PARTITIONS, 3).await?;
        let load = Load::start(&cluster.bootstrap(), TOPIC, 2_000)?;
        load.wait_for_progress(1_000, SETTLE).await?;

        let leader = cluster.wait_for_state(TOPIC, 0, "a leader", |state| state.leader >= 0).await?.leader;
        cluster.broker(leader)?.kill();
        let killed = Instant::now();
        let took = wait_for_new_leader(&cluster, leader, killed).await?;
        println!("a new leader served {took:?} after the kill");
        ensure!(took <= SESSION_TIMEOUT + Duration::from_secs(1), "a new leader served only after {took:?}");
        load.wait_for_progress(1_000, SETTLE).await?;

        cluster.broker(leader)?.start().await?;
        wait_for_full_isr(&cluster).await?;
        load.wait_for_progress(500, SETTLE).await?;
        let acknowledged = load.stop().await?;
        read_everything_back(&cluster, &acknowledged).await
    });
}

#[test]
fn a_dead_process_is_replaced_before_its_session_ends() {
    replaced_before_its_session_ends(false);
}

#[test]
fn a_dead_controller_is_replaced_before_its_session_ends() {
    replaced_before_its_session_ends(true);
}

/// Kills a leader, which is the controller or is not, with sessions that outlast the test.
fn replaced_before_its_session_ends(controller_dies: bool) {
    run(async move |context| {
        let mut cluster = ClusterBuilder::new(3)?
            .property("zookeeper.session.timeout.ms", "45000")
            .property("min.insync.replicas", "2")
            .start(context)
            .await?;
        cluster.create_topic(TOPIC, PARTITIONS, 3).await?;
        let load = Load::start(&cluster.bootstrap(), TOPIC, 500)?;
        load.wait_for_progress(200, SETTLE).await?;

        let controller = cluster.wait_for_controller().await?;
        let victim = if controller_dies { controller } else { (controller + 1) % 3 };
        let mut led = Vec::new();
        for partition in 0..PARTITIONS {
            let state =
                cluster.wait_for_state(TOPIC, partition, "a leader", |state| state.leader >= 0).await?;
            led.extend((state.leader == victim).then_some(partition));
        }
        ensure!(!led.is_empty(), "broker {victim} leads nothing");
        cluster.broker(victim)?.kill();
        let killed = Instant::now();
        for partition in led {
            cluster
                .wait_for_state(TOPIC, partition, "another leader", |state| {
                    state.leader >= 0 && state.leader != victim
                })
                .await?;
        }
        println!("other leaders {:?} after the kill", killed.elapsed());
        ensure!(cluster.znodes.broker_ids().await?.contains(&victim), "its session ended first");
        load.wait_for_progress(200, SETTLE).await?;
        let acknowledged = load.stop().await?;
        let topic = read_back::read_topic(&cluster.bootstrap(), TOPIC, PARTITIONS).await?;
        read_back::check_acknowledged(&acknowledged, &topic)
    });
}

#[test]
fn another_broker_becomes_controller() {
    run(async |context| {
        let mut cluster = ClusterBuilder::new(3)?.start(context).await?;
        cluster.create_topic(TOPIC, PARTITIONS, 3).await?;
        let load = Load::start(&cluster.bootstrap(), TOPIC, 500)?;
        load.wait_for_progress(200, SETTLE).await?;

        let first = cluster.wait_for_controller().await?;
        let epoch = cluster.znodes.controller_epoch().await?.context("no controller epoch")?;
        cluster.broker(first)?.kill();
        let second = wait::until("another controller", SETTLE, || async {
            Ok(cluster.znodes.controller().await?.filter(|controller| *controller != first))
        })
        .await?;
        let next_epoch = cluster.znodes.controller_epoch().await?;
        ensure!(next_epoch == Some(epoch + 1), "epoch {epoch} was followed by {next_epoch:?}");
        // The second controller may still count the dead broker when it places replicas; it will be back.
        cluster.request_topic("created-by-the-second", 4, 2, &[]).await?;
        cluster
            .wait_for_state(TOPIC, 0, "a living leader", |state| state.leader >= 0 && state.leader != first)
            .await?;

        cluster.broker(first)?.start().await?;
        wait_for_full_isr(&cluster).await?;
        cluster.wait_for_topic("created-by-the-second", 4, 2).await?;
        ensure!(
            cluster.znodes.controller().await? == Some(second),
            "the returning broker took the controller's place"
        );
        let acknowledged = load.stop().await?;
        read_everything_back(&cluster, &acknowledged).await
    });
}

#[test]
fn a_stopping_broker_hands_its_leaders_over() {
    run(async |context| {
        let mut cluster = ClusterBuilder::new(3)?.property("min.insync.replicas", "2").start(context).await?;
        cluster.create_topic(TOPIC, PARTITIONS, 3).await?;
        let load = Load::start(&cluster.bootstrap(), TOPIC, 1_000)?;
        load.wait_for_progress(500, SETTLE).await?;

        for id in 0..3 {
            let status = cluster.broker(id)?.stop().await?;
            ensure!(
                status.code().is_some_and(|code| code == 0 || code == 143),
                "broker {id} ended with {status}"
            );
            // No session had to expire: the leaders had moved before the broker left.
            for partition in 0..PARTITIONS {
                let state = cluster.znodes.partition_state(TOPIC, partition).await?.context("no state")?;
                ensure!(state.leader != id, "broker {id} left and still leads {TOPIC}-{partition}");
            }
            load.wait_for_progress(200, SETTLE).await?;
            cluster.broker(id)?.start().await?;
            wait_for_full_isr(&cluster).await?;
        }
        let acknowledged = load.stop().await?;
        read_everything_back(&cluster, &acknowledged).await
    });
}

/// How long after `killed` some other broker acknowledged a message for the partition that `old` led.
async fn wait_for_new_leader(cluster: &Cluster, old: i32, killed: Instant) -> Result<Duration> {
    wait::until("a new leader that acknowledges", SETTLE, || async {
        let state = cluster.znodes.partition_state(TOPIC, 0).await?.context("no state")?;
        if state.leader == old || state.leader < 0 {
            return Ok(None);
        }
        cluster.produce_to(state.leader, TOPIC, 0, "first to the new leader").await?;
        Ok(Some(killed.elapsed()))
    })
    .await
}

async fn wait_for_full_isr(cluster: &Cluster) -> Result<()> {
    for partition in 0..PARTITIONS {
        cluster.wait_for_state(TOPIC, partition, "a full ISR", |state| state.isr.len() == 3).await?;
    }
    Ok(())
}

async fn read_everything_back(
    cluster: &Cluster,
    acknowledged: &[gregor_harness::Acknowledged],
) -> Result<()> {
    let topic = read_back::read_topic(&cluster.bootstrap(), TOPIC, PARTITIONS).await?;
    read_back::check_acknowledged(acknowledged, &topic)?;
    println!("{} acknowledged messages read back", acknowledged.len());
    for partition in 0..PARTITIONS {
        replicas::wait_until_equal(&cluster.data_dirs(), TOPIC, partition, SETTLE).await?;
    }
    Ok(())
}
