//! What operators see on the metrics port: the series of dashboards made for Kafka, moving under load; how long a scrape
//! takes; and when a rolling restart may go on.

mod dashboard;
mod page;

use crate::data_tools::said;
use anyhow::{Context as _, Result, ensure};
use dashboard::{GROWS, THERE};
use gregor_harness::broker::gregor_binary;
use gregor_harness::cluster::SETTLE;
use gregor_harness::{BrokerKind, Cluster, ClusterBuilder, Group, Load, TestContext, ports, run, wait};
use page::{Page, get};
use serde_json::json;
use std::fs;
use std::time::{Duration, Instant};

/// The bar for a scrape of a broker with 2,000 partitions, in a release build.
const SCRAPE_MAX: Duration = Duration::from_millis(100);
const PARTITIONS: i32 = 2_000;

/// Brokers with a metrics port each; Kafka has none.
async fn start(context: &TestContext, brokers: usize) -> Result<(Cluster, Vec<String>)> {
    let builder = ClusterBuilder::of(&vec![BrokerKind::Gregor; brokers])
        .property("min.insync.replicas", "1")
        .property("group.initial.rebalance.delay.ms", "0");
    let mut cluster = builder.prepare(context).await?;
    let mut addresses = Vec::new();
    for broker in &mut cluster.brokers {
        let address = format!("127.0.0.1:{}", ports::free_port()?);
        broker.set_property("gregor.metrics.listener", &address);
        addresses.push(address);
    }
    cluster.start_brokers().await?;
    Ok((cluster, addresses))
}

#[test]
fn dashboards_made_for_kafka_find_their_series_moving() {
    run(async |context| {
        let (cluster, addresses) = start(context, 2).await?;
        cluster.create_topic("orders", 4, 2).await?;
        cluster.create_topic("moving", 1, 1).await?;
        let before = Page::scrape(&addresses).await?;
        let load = Load::start(&cluster.bootstrap(), "orders", 2_000)?;
        let group = Group::new(&cluster.bootstrap(), "readers", "orders", "range");
        let member = group.join()?;
        load.wait_for_progress(2_000, SETTLE).await?;
        group.wait_for_progress(1_000, SETTLE).await?;
        widen(context, &cluster).await?;
        wait::until_true("every series of the dashboards to be there", SETTLE, || async {
            let page = Page::scrape(&addresses).await?;
            let missing: Vec<&str> = THERE.iter().copied().filter(|wanted| !page.has(wanted)).collect();
            ensure!(missing.is_empty(), "missing: {missing:#?}");
            Ok(true)
        })
        .await?;
        wait::until_true("what load moves to have moved", SETTLE, || async {
            let page = Page::scrape(&addresses).await?;
            let still: Vec<&str> =
                GROWS.iter().copied().filter(|wanted| page.sum(wanted) <= before.sum(wanted)).collect();
            ensure!(still.is_empty(), "unmoved: {still:#?}");
            Ok(true)
        })
        .await?;
        let page = Page::scrape(&addresses).await?;
        ensure!(page.sum("kafka_controller_kafkacontroller_activecontrollercount") == 1.0, "controllers");
        ensure!(page.sum("kafka_server_replicamanager_leadercount") >= 4.0, "leaders");
        member.leave().await?;
        load.stop().await?;
        Ok(())
    });
}

/// Gives the only partition of `moving`, with records in it, a second replica.
async fn widen(context: &TestContext, cluster: &Cluster) -> Result<()> {
    let led = cluster.wait_for_state("moving", 0, "a leader", |state| state.leader >= 0).await?;
    cluster.produce_when_led("moving", 0, "a record").await?;
    let plan = json!({ "version": 1, "partitions": [{ "topic": "moving", "partition": 0, "replicas": [led.leader, 1 - led.leader] }] });
    let file = context.dir().join("plan.json");
    fs::write(&file, plan.to_string())?;
    let file = file.display().to_string();
    let execute = ["--execute", "--reassignment-json-file", &file];
    said("reassign-partitions", &cluster.bootstrap(), &execute, "").await?;
    cluster.wait_for_state("moving", 0, "two in sync", |state| state.isr.len() == 2).await?;
    Ok(())
}

#[test]
fn a_broker_is_ready_when_another_may_be_stopped() {
    run(async |context| {
        let (mut cluster, addresses) = start(context, 2).await?;
        cluster.create_topic_with("orders", 1, 2, &[("min.insync.replicas", "2")]).await?;
        let settled = |status: u16, text: &'static str| {
            let address = addresses[0].clone();
            move || {
                let address = address.clone();
                async move {
                    let (found, body) = get(&address, "/readyz").await?;
                    ensure!(found == status && body.contains(text), "{found}: {body}");
                    Ok(true)
                }
            }
        };
        wait::until_true("the broker to be ready", SETTLE, settled(200, "\"underMinIsr\":0")).await?;
        let (alive, _) = get(&addresses[0], "/healthz").await?;
        ensure!(alive == 200, "/healthz says {alive}");
        cluster.broker(1)?.kill();
        wait::until_true("it not to be ready", SETTLE, settled(503, "\"underMinIsr\":1")).await?;
        cluster.broker(1)?.start().await?;
        wait::until_true("it to be ready again", SETTLE, settled(200, "\"underMinIsr\":0")).await?;
        let (unknown, _) = get(&addresses[0], "/nothing").await?;
        ensure!(unknown == 404, "/nothing says {unknown}");
        Ok(())
    });
}

#[test]
fn a_scrape_of_2000_partitions_is_fast() {
    run(async |context| {
        let (cluster, addresses) = start(context, 1).await?;
        cluster.request_topic("many", PARTITIONS, 1, &[]).await?;
        wait::until_true("every partition to be told of", Duration::from_secs(90), || async {
            let page = Page::scrape(&addresses).await?;
            Ok(page.sum("kafka_server_replicamanager_leadercount") >= f64::from(PARTITIONS))
        })
        .await?;
        let mut times = Vec::new();
        for _ in 0..10 {
            let start = Instant::now();
            let (status, body) = get(&addresses[0], "/metrics").await?;
            times.push((start.elapsed(), body.lines().count()));
            ensure!(status == 200, "/metrics says {status}");
        }
        times.sort_unstable();
        let (fastest, lines) = times.first().context("no scrape")?;
        println!("scrapes of {PARTITIONS} partitions, {lines} lines: {times:?}");
        // The fastest says what it costs; the others what else the machine had to do.
        let is_optimized = !gregor_binary("gregor-broker")?.iter().any(|part| part == "debug");
        ensure!(*fastest < SCRAPE_MAX || !is_optimized, "a scrape takes {fastest:?}");
        Ok(())
    });
}
