//! Hot swap: the brokers of a live Apache Kafka 3.9 cluster become Gregor's one by one, on their own ids, ports, files and
//! `server.properties`, and then Kafka's again, while applications work. `GREGOR_SWAP_SEEDS` (`FROM..TO`) says which orders
//! are tried; one is, unless it is set.

mod applications;
mod history;
mod mover;
mod plan;
mod verdict;

use anyhow::{Context as _, Result};
use applications::Applications;
use gregor_harness::cluster::SETTLE;
use gregor_harness::{BrokerKind, Cluster, ClusterBuilder, TestContext, run_within, wait};
use history::History;
use mover::Mover;
use plan::{Leaving, Step, plan};
use std::ops::Range;
use std::time::{Duration, Instant};

/// One order: nine JVM brokers start.
const DEADLINE: Duration = Duration::from_secs(400);

/// A topic, its partitions and its replicas.
pub type Extent = (&'static str, i32, i16);

/// The topics of groups and transactions.
pub const INTERNAL: [Extent; 2] = [("__consumer_offsets", 3, 3), ("__transaction_state", 3, 3)];

#[test]
fn kafkas_brokers_become_gregors_and_return_under_load() {
    let seeds = seeds().expect("GREGOR_SWAP_SEEDS");
    for seed in seeds {
        run_within(DEADLINE, async |context| {
            swap(context, seed).await.with_context(|| format!("seed {seed}, plan {:?}", plan(seed)))
        });
    }
}

fn seeds() -> Result<Range<u64>> {
    let Ok(text) = std::env::var("GREGOR_SWAP_SEEDS") else { return Ok(2..3) };
    let (from, to) = text.split_once("..").context("it is FROM..TO")?;
    Ok(from.parse()?..to.parse()?)
}

async fn swap(context: &TestContext, seed: u64) -> Result<()> {
    let start = Instant::now();
    let mut cluster = ClusterBuilder::of(&[BrokerKind::Kafka; plan::BROKERS as usize])
        .log_dirs(2)
        .property("min.insync.replicas", "2")
        .property("default.replication.factor", "3")
        .property("log.segment.bytes", "1048576")
        .property("offsets.topic.replication.factor", "3")
        .property("offsets.topic.num.partitions", "3")
        .property("transaction.state.log.replication.factor", "3")
        .property("transaction.state.log.num.partitions", "3")
        .property("group.initial.rebalance.delay.ms", "200")
        // As in the system suite's copier: leadership that leaves a broker and returns at once is more than librdkafka can take.
        .property("auto.leader.rebalance.enable", "false")
        .start(context)
        .await?;
    let history = History::write(&cluster).await?;
    let mover = Mover::prepare(&cluster).await?;
    let applications = Applications::start(context, &cluster).await?;
    for step in plan(seed) {
        println!("seed {seed}: {step:?}");
        take_step(&mut cluster, &mover, step).await.with_context(|| format!("{step:?}"))?;
        applications.wait_for_progress().await.with_context(|| format!("after {step:?}"))?;
    }
    let records = applications.finish(&cluster).await?;
    history.check(&cluster).await?;
    verdict::check_files(context, &mut cluster).await?;
    println!("seed {seed}: {records} records, 3 Kafka to 3 Gregor to 3 Kafka in {:?}", start.elapsed());
    Ok(())
}

async fn take_step(cluster: &mut Cluster, mover: &Mover, step: Step) -> Result<()> {
    if step.reassigning {
        mover.begin(cluster).await?;
    }
    let broker = cluster.broker(step.broker)?;
    match step.leaving {
        Leaving::Stopped => drop(broker.stop().await?),
        Leaving::Killed => broker.kill(),
    }
    // A broker does not start while the session of its predecessor lives.
    wait::until_true("the predecessor's registration to vanish", SETTLE, || async {
        Ok(!cluster.znodes.broker_ids().await?.contains(&step.broker))
    })
    .await?;
    let broker = cluster.broker(step.broker)?;
    broker.set_kind(step.becomes);
    broker.start().await?;
    if step.reassigning {
        mover.end(cluster).await?;
    }
    // What an operator waits for before the next broker: nothing under-replicated.
    for (topic, partitions, replicas) in extents() {
        cluster.wait_for_topic(topic, partitions, replicas).await?;
    }
    Ok(())
}

/// Every topic that is there all the time.
pub fn extents() -> impl Iterator<Item = Extent> {
    INTERNAL.into_iter().chain(applications::TOPICS).chain(history::TOPICS).chain([mover::TOPIC])
}
