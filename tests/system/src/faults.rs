//! What an idempotent acks=all load of librdkafka lives through while brokers, ZooKeeper and the network fail: nothing is lost, nothing
//! comes twice, the order is kept, and the longest time without progress is printed.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::{SESSION_TIMEOUT, SETTLE};
use gregor_harness::{
    Cluster, ClusterBuilder, Load, TestContext, namespace, read_back, replicas, run, run_within,
};
use std::time::{Duration, Instant};

/// What the load writes to.
pub const TOPIC: &str = "orders";
/// Of that topic.
pub const PARTITIONS: i32 = 3;
/// After kill -9 of a leader its partitions take records again within this, with a session timeout of 3 s. Mostly it is a
/// little more than a second: the port's refusals tell before the session ends.
const FAILOVER_MAX: Duration = Duration::from_secs(4);
/// How often a leader is killed.
const KILLS: usize = 20;

/// Three brokers, of which one may be away.
pub fn three() -> Result<ClusterBuilder> {
    Ok(ClusterBuilder::new(3)?.property("min.insync.replicas", "2"))
}

/// Puts a cluster under load, lets `fault` come and go, and looks at everything that was written.
async fn live_through<F>(context: &TestContext, builder: ClusterBuilder, fault: F) -> Result<()>
where
    F: AsyncFnOnce(&mut Cluster, &Load) -> Result<()>,
{
    let mut cluster = builder.start(context).await?;
    cluster.create_topic(TOPIC, PARTITIONS, 3).await?;
    survive(&mut cluster, fault).await
}

/// The same in a cluster that runs and has the topic.
pub async fn survive<F>(cluster: &mut Cluster, fault: F) -> Result<()>
where
    F: AsyncFnOnce(&mut Cluster, &Load) -> Result<()>,
{
    let load = Load::start(&cluster.bootstrap(), TOPIC, 1_000)?;
    load.wait_for_progress(500, SETTLE).await?;
    fault(cluster, &load).await?;
    load.wait_for_progress(500, SETTLE).await?;
    wait_for_full_isr(cluster).await?;
    let acknowledged = load.stop().await?;
    let topic = read_back::read_topic(&cluster.bootstrap(), TOPIC, PARTITIONS).await?;
    read_back::check_acknowledged(&acknowledged, &topic)?;
    let written: usize = topic.values().map(std::collections::BTreeMap::len).sum();
    ensure!(written == acknowledged.len(), "{} acknowledged, {written} there", acknowledged.len());
    for partition in 0..PARTITIONS {
        replicas::wait_until_copies_equal(&cluster.data_dirs(), TOPIC, partition, 3, SETTLE).await?;
    }
    Ok(())
}

async fn wait_for_full_isr(cluster: &Cluster) -> Result<()> {
    cluster.wait_for_topic(TOPIC, PARTITIONS, 3).await
}

async fn leader_of(cluster: &Cluster, partition: i32) -> Result<i32> {
    Ok(cluster.wait_for_state(TOPIC, partition, "a leader", |state| state.leader >= 0).await?.leader)
}

/// Waits until that broker leads nothing any more, and something else does.
async fn wait_until_replaced(cluster: &Cluster, broker: i32) -> Result<()> {
    for partition in 0..PARTITIONS {
        cluster
            .wait_for_state(TOPIC, partition, "another leader", |state| {
                state.leader >= 0 && state.leader != broker
            })
            .await?;
    }
    Ok(())
}

#[test]
fn every_broker_restarts_in_turn() {
    run(async |context| {
        live_through(context, three()?, async |cluster, load| {
            for id in 0..3 {
                cluster.broker(id)?.stop().await?;
                load.wait_for_progress(200, SETTLE).await?;
                cluster.broker(id)?.start().await?;
                wait_for_full_isr(cluster).await?;
            }
            Ok(())
        })
        .await
    });
}

#[test]
fn a_leader_is_killed_twenty_times() {
    run_within(Duration::from_secs(280), async |context| {
        live_through(context, three()?, async |cluster, load| {
            let mut longest = Duration::ZERO;
            for kill in 1..=KILLS {
                let leader = leader_of(cluster, 0).await?;
                let led = led_by(cluster, leader).await?;
                load.take_longest_pause(&[]);
                cluster.broker(leader)?.kill();
                let killed = Instant::now();
                wait_until_replaced(cluster, leader).await?;
                let elected = killed.elapsed();
                wait_for_each(cluster, load, &led).await?;
                let (partition, pause) = load.take_longest_pause(&led);
                println!("kill {kill}: broker {leader} led {led:?}, all had other leaders after {elected:?}; {partition} was without progress for {pause:?}");
                longest = longest.max(pause);
                cluster.broker(leader)?.start().await?;
                wait_for_full_isr(cluster).await?;
            }
            println!("{KILLS} leaders killed, session timeout {SESSION_TIMEOUT:?}: {longest:?} at most without progress");
            ensure!(longest <= FAILOVER_MAX, "{longest:?} without progress after a kill");
            Ok(())
        })
        .await
    });
}

/// Which partitions a broker leads.
async fn led_by(cluster: &Cluster, broker: i32) -> Result<Vec<i32>> {
    let mut led = Vec::new();
    for partition in 0..PARTITIONS {
        if leader_of(cluster, partition).await? == broker {
            led.push(partition);
        }
    }
    Ok(led)
}

/// Waits until each of these partitions took a message after now.
async fn wait_for_each(cluster: &Cluster, load: &Load, partitions: &[i32]) -> Result<()> {
    let since = Instant::now();
    gregor_harness::wait::until_true("progress in every partition", SETTLE, || async {
        Ok(partitions.iter().all(|partition| load.last_progress(*partition).is_some_and(|at| at > since)))
    })
    .await
    .with_context(|| format!("after the leader's death; brokers: {}", cluster.brokers.len()))
}

#[test]
fn a_leader_is_paused_past_its_session() {
    run(async |context| {
        live_through(context, three()?, async |cluster, load| {
            let leader = leader_of(cluster, 0).await?;
            cluster.broker(leader)?.pause();
            wait_until_replaced(cluster, leader).await?;
            load.wait_for_progress(500, SETTLE).await?;
            cluster.broker(leader)?.resume();
            Ok(())
        })
        .await
    });
}

#[test]
fn a_leader_is_cut_off_from_everybody() {
    isolated(async |cluster, load| {
        let leader = leader_of(cluster, 0).await?;
        cluster.cut_off(leader)?;
        wait_until_replaced(cluster, leader).await?;
        load.wait_for_progress(500, SETTLE).await?;
        cluster.reconnect(leader)
    });
}

#[test]
fn a_leader_is_cut_off_from_zookeeper_alone() {
    isolated(async |cluster, load| {
        let leader = leader_of(cluster, 0).await?;
        cluster.silence_to_zookeeper(leader, true)?;
        wait_until_replaced(cluster, leader).await?;
        load.wait_for_progress(500, SETTLE).await?;
        cluster.silence_to_zookeeper(leader, false)
    });
}

#[test]
fn a_leader_is_cut_off_from_the_other_brokers() {
    isolated(async |cluster, load| {
        // Not the controller: the others could not change their ISRs without it, in Kafka neither.
        let controller = cluster.wait_for_controller().await?;
        let mut leader = leader_of(cluster, 0).await?;
        if leader == controller {
            leader = leader_of(cluster, 1).await?;
        }
        let others: Vec<i32> = (0..3).filter(|id| *id != leader).collect();
        for other in &others {
            cluster.silence_to_broker(leader, *other, true)?;
            cluster.silence_to_broker(*other, leader, true)?;
        }
        // It is registered and leads on, but nobody can follow; what the others lead goes on.
        load.wait_for_progress(500, SETTLE).await?;
        for other in &others {
            cluster.silence_to_broker(leader, *other, false)?;
            cluster.silence_to_broker(*other, leader, false)?;
        }
        Ok(())
    });
}

#[test]
fn a_leader_is_heard_by_one_follower_no_more() {
    isolated(async |cluster, load| {
        let leader = leader_of(cluster, 0).await?;
        // Not the controller: without it the leader cannot change the ISR, in Kafka neither.
        let controller = cluster.wait_for_controller().await?;
        let follower = (0..3).find(|id| *id != leader && *id != controller).context("no follower")?;
        cluster.silence_to_broker(leader, follower, true)?;
        cluster
            .wait_for_state(TOPIC, 0, "the follower out of the ISR", |state| !state.isr.contains(&follower))
            .await?;
        load.wait_for_progress(500, SETTLE).await?;
        cluster.silence_to_broker(leader, follower, false)
    });
}

fn isolated<F>(fault: F)
where
    F: AsyncFnOnce(&mut Cluster, &Load) -> Result<()>,
{
    if !namespace::available() {
        println!("skipped: network namespaces need root");
        return;
    }
    run(async |context| live_through(context, three()?.isolated(), fault).await);
}

#[test]
fn a_zookeeper_server_is_killed_and_then_all_are() {
    run(async |context| {
        live_through(context, three()?.zookeepers(3), async |cluster, load| {
            let leader = cluster.ensemble.leader().await?;
            cluster.ensemble.server(leader).kill();
            load.wait_for_progress(500, SETTLE).await?;
            let (partition, pause) = load.take_longest_pause(&[]);
            println!(
                "without ZooKeeper's leader: {pause:?} at most without progress (partition {partition})"
            );
            cluster.ensemble.kill_all();
            let killed = Instant::now();
            while killed.elapsed() < 2 * SESSION_TIMEOUT {
                load.wait_for_progress(100, SETTLE).await?;
            }
            let (partition, pause) = load.take_longest_pause(&[]);
            println!("without ZooKeeper: {pause:?} at most without progress (partition {partition})");
            cluster.ensemble.start_all().await?;
            cluster.wait_for_registrations(&[0, 1, 2]).await
        })
        .await
    });
}

#[test]
fn the_controller_is_killed() {
    run(async |context| {
        live_through(context, three()?, async |cluster, load| {
            let controller = cluster.wait_for_controller().await?;
            cluster.broker(controller)?.kill();
            wait_until_replaced(cluster, controller).await?;
            load.wait_for_progress(500, SETTLE).await?;
            cluster.broker(controller)?.start().await
        })
        .await
    });
}

#[test]
fn two_of_three_brokers_are_lost() {
    run(async |context| {
        live_through(context, three()?, async |cluster, load| {
            let leader = leader_of(cluster, 0).await?;
            let lost: Vec<i32> = (0..3).filter(|id| *id != leader).collect();
            for id in &lost {
                cluster.broker(*id)?.kill();
            }
            cluster.wait_for_registrations(&[leader]).await?;
            // Fewer are left than min.insync.replicas: nothing is acknowledged until one is back.
            for id in &lost {
                cluster.broker(*id)?.start().await?;
            }
            load.wait_for_progress(500, SETTLE).await
        })
        .await
    });
}
