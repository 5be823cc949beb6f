//! A broker's data directory changes hands: Kafka's is taken over by Gregor and given back, same id, port and files.

use anyhow::{Result, ensure};
use gregor_harness::cluster::SETTLE;
use gregor_harness::java::kafka_tool;
use gregor_harness::{
    Acknowledged, BrokerKind, Cluster, ClusterBuilder, Load, TestContext, read_back, replicas, run,
};

const TOPIC: &str = "orders";

#[test]
fn a_data_directory_goes_from_kafka_to_gregor_and_back() {
    run(async |context| {
        let mut cluster = ClusterBuilder::of(&[BrokerKind::Kafka, BrokerKind::Kafka])
            .property("log.segment.bytes", "1048576")
            .start(context)
            .await?;
        cluster.create_topic(TOPIC, 2, 2).await?;
        let mut acknowledged = produce(&cluster).await?;
        for kind in [BrokerKind::Gregor, BrokerKind::Kafka] {
            for id in [0, 1] {
                let broker = cluster.broker(id)?;
                broker.stop().await?;
                broker.set_kind(kind);
                broker.start().await?;
                cluster.wait_for_topic(TOPIC, 2, 2).await?;
            }
            acknowledged.extend(produce(&cluster).await?);
            check(context, &cluster, &acknowledged).await?;
        }
        Ok(())
    });
}

async fn produce(cluster: &Cluster) -> Result<Vec<Acknowledged>> {
    let load = Load::start(&cluster.bootstrap(), TOPIC, 5_000)?;
    load.wait_for_progress(15_000, SETTLE).await?;
    load.stop().await
}

async fn check(context: &TestContext, cluster: &Cluster, acknowledged: &[Acknowledged]) -> Result<()> {
    let topic = read_back::read_topic(&cluster.bootstrap(), TOPIC, 2).await?;
    read_back::check_acknowledged(acknowledged, &topic)?;
    for partition in 0..2 {
        replicas::wait_until_equal(&cluster.data_dirs(), TOPIC, partition, SETTLE).await?;
        for dir in cluster.data_dirs() {
            let dir = dir.join(format!("{TOPIC}-{partition}"));
            let names: Vec<String> = replicas::segments(&dir)?.into_keys().collect();
            let files: Vec<String> = names.iter().map(|name| dir.join(name).display().to_string()).collect();
            let files = files.join(",");
            let output = kafka_tool(
                context.dir(),
                "kafka.tools.DumpLogSegments",
                &["--files", &files, "--deep-iteration"],
                b"",
            )
            .await?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            ensure!(output.status.success() && text.contains("isvalid: true"), "kafka-dump-log: {text}");
            ensure!(!text.contains("isvalid: false"), "kafka-dump-log found a bad batch in {files}");
        }
    }
    Ok(())
}
