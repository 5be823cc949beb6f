//! One cluster of two Gregor brokers and one Apache Kafka broker, each side in turn as controller.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::SETTLE;
use gregor_harness::java::kafka_tool;
use gregor_harness::{
    BrokerKind, Cluster, ClusterBuilder, Load, TestContext, read_back, replicas, run, wait,
};
use std::collections::BTreeSet;

const TOPIC: &str = "orders";
const PARTITIONS: i32 = 3;
const LINES: usize = 3_000;

#[test]
fn gregor_is_controller_of_gregor_and_kafka() {
    mixed(&[BrokerKind::Gregor, BrokerKind::Gregor, BrokerKind::Kafka]);
}

#[test]
fn kafka_is_controller_of_gregor_and_kafka() {
    mixed(&[BrokerKind::Kafka, BrokerKind::Gregor, BrokerKind::Gregor]);
}

/// Broker 0 starts first, so it is the controller.
fn mixed(kinds: &[BrokerKind]) {
    run(async |context| {
        let mut cluster =
            ClusterBuilder::of(kinds).property("min.insync.replicas", "2").start(context).await?;
        ensure!(cluster.wait_for_controller().await? == 0, "broker 0 is not the controller");
        cluster.create_topic(TOPIC, PARTITIONS, 3).await?;
        ensure!(leader_kinds(&cluster).await?.len() == 2, "not both kinds lead a partition");

        everyone_reads_what_each_kind_sent(context, &cluster).await?;
        leaders_change_hands(&mut cluster).await?;
        for partition in 0..PARTITIONS {
            replicas::wait_until_equal(&cluster.data_dirs(), TOPIC, partition, SETTLE).await?;
        }
        another_becomes_controller(&mut cluster).await
    });
}

/// The kinds of broker that lead partitions of the topic (0: Gregor, 1: Kafka).
async fn leader_kinds(cluster: &Cluster) -> Result<BTreeSet<u8>> {
    let mut kinds = BTreeSet::new();
    for partition in 0..PARTITIONS {
        let state = cluster.wait_for_state(TOPIC, partition, "a leader", |state| state.leader >= 0).await?;
        kinds.insert(u8::from(cluster.brokers[state.leader as usize].kind() == BrokerKind::Kafka));
    }
    Ok(kinds)
}

/// kcat and Kafka's console producer send, each through its own bootstrap broker; both kinds of client read everything.
async fn everyone_reads_what_each_kind_sent(context: &TestContext, cluster: &Cluster) -> Result<()> {
    let mut sent = BTreeSet::new();
    for broker in &cluster.brokers {
        let lines: Vec<String> = (0..LINES).map(|n| format!("{n} through broker {}", broker.id())).collect();
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let address = broker.address();
        match broker.kind() {
            BrokerKind::Gregor => {
                gregor_harness::kcat::Kcat::new(&address).produce(TOPIC, &["-X", "acks=all"], &text).await?;
            }
            BrokerKind::Kafka => {
                let arguments =
                    ["--bootstrap-server", &address, "--topic", TOPIC, "--request-required-acks", "all"];
                let output = kafka_tool(
                    context.dir(),
                    "kafka.tools.ConsoleProducer",
                    &[&arguments[..], &["--producer-property", "enable.idempotence=false"]].concat(),
                    text.as_bytes(),
                )
                .await?;
                ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            }
        }
        sent.extend(lines);
    }
    for broker in &cluster.brokers {
        let read: BTreeSet<String> = read_back::read_topic(&broker.address(), TOPIC, PARTITIONS)
            .await?
            .into_values()
            .flat_map(|messages| messages.into_values())
            .collect();
        ensure!(read == sent, "through broker {}: {} of {} lines", broker.id(), read.len(), sent.len());
    }
    Ok(())
}

/// Every broker but the controller stops and returns under load: leadership goes from kind to kind and back.
async fn leaders_change_hands(cluster: &mut Cluster) -> Result<()> {
    let before = read_back::read_topic(&cluster.bootstrap(), TOPIC, PARTITIONS).await?;
    let load = Load::start(&cluster.bootstrap(), TOPIC, 500)?;
    for id in [1, 2] {
        load.wait_for_progress(200, SETTLE).await?;
        cluster.broker(id)?.stop().await?;
        load.wait_for_progress(200, SETTLE).await?;
        cluster.broker(id)?.start().await?;
        for partition in 0..PARTITIONS {
            cluster.wait_for_state(TOPIC, partition, "a full ISR", |state| state.isr.len() == 3).await?;
        }
    }
    let acknowledged = load.stop().await?;
    let after = read_back::read_topic(&cluster.bootstrap(), TOPIC, PARTITIONS).await?;
    read_back::check_acknowledged(&acknowledged, &after)?;
    let kept = before.iter().all(|(partition, messages)| {
        messages.iter().all(|(offset, payload)| after[partition].get(offset) == Some(payload))
    });
    ensure!(kept, "messages from before changed");
    Ok(())
}

/// The controller is killed; a broker of the other kind, or at least another one, takes over and creates a topic.
async fn another_becomes_controller(cluster: &mut Cluster) -> Result<()> {
    cluster.broker(0)?.kill();
    let next = wait::until("another controller", SETTLE, || async {
        Ok(cluster.znodes.controller().await?.filter(|controller| *controller != 0))
    })
    .await?;
    cluster.request_topic("created-by-the-next", 2, 2, &[]).await?;
    cluster.broker(0)?.start().await?;
    cluster.wait_for_topic("created-by-the-next", 2, 2).await?;
    let controller = cluster.znodes.controller().await?.context("no controller")?;
    ensure!(controller == next, "broker {controller} took over from {next}");
    Ok(())
}
