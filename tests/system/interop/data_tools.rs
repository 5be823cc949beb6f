//! The tools that produce and consume, crosswise: what Kafka's tool sends, ours prints as Kafka's does, and the reverse; on a
//! Gregor and on a Kafka cluster.
//!
//! Where they differ on purpose: our failures are one line; bytes that are not UTF-8 are sent as they came; there are no JMX
//! metrics to print; keys of JSON objects may stand in another order, which Java's reflection does not promise either.

use crate::kafka_tools::tool;
use anyhow::{Context as _, Result, ensure};
use gregor_harness::broker::gregor_binary;
use gregor_harness::java::run_with_input;
use gregor_harness::process::CommandLine;
use gregor_harness::{BrokerKind, ClusterBuilder, TestContext, run_within};
use std::collections::BTreeMap;
use std::time::Duration;

/// A JVM starts for every command of Kafka's.
const DEADLINE: Duration = Duration::from_secs(240);
const PRODUCER: [&str; 2] = ["console-producer", "kafka.tools.ConsoleProducer"];
const CONSUMER: [&str; 2] = ["console-consumer", "org.apache.kafka.tools.consumer.ConsoleConsumer"];

/// What a tool prints: ours, or Kafka's class.
async fn run_one(
    context: &TestContext,
    bootstrap: &str,
    [ours, class]: [&str; 2],
    kafkas: bool,
    arguments: &[&str],
    input: &str,
) -> Result<String> {
    if kafkas {
        return tool(context, bootstrap, class, arguments, input).await;
    }
    let line = CommandLine::new(gregor_binary("gregor")?.display().to_string())
        .args([ours, "--bootstrap-server", bootstrap])
        .args(arguments.iter().copied());
    let output = run_with_input(line.command(), input.as_bytes()).await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "gregor {ours} {arguments:?}: {}{errors}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

fn crosswise(kind: BrokerKind) {
    run_within(DEADLINE, async |context| {
        let cluster = ClusterBuilder::of(&[kind])
            .property("group.initial.rebalance.delay.ms", "0")
            .start(context)
            .await?;
        let bootstrap = cluster.bootstrap();
        let mut texts = Vec::new();
        for (topic, kafkas) in [("by-kafka", true), ("by-gregor", false)] {
            cluster.create_topic(topic, 4, 1).await?;
            let produce = [
                "--topic",
                topic,
                "--property",
                "parse.key=true",
                "--property",
                "parse.headers=true",
                "--compression-codec",
                "lz4",
            ];
            let lines: String = (0..40).map(|at| format!("h:{at},i:ü\tkey-{at}\tvalue {at}\n")).collect();
            run_one(context, &bootstrap, PRODUCER, kafkas, &produce, &lines).await?;
            for kafkas in [true, false] {
                let consume = ["--topic", topic, "--from-beginning", "--max-messages", "40"];
                let shown =
                    ["print.partition=true", "print.offset=true", "print.headers=true", "print.key=true"];
                let shown: Vec<&str> = shown.iter().flat_map(|one| ["--property", one]).collect();
                let text =
                    run_one(context, &bootstrap, CONSUMER, kafkas, &[&consume[..], &shown].concat(), "")
                        .await?;
                // Within a partition order is kept; which partition comes first is chance.
                let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
                lines.sort();
                texts.push(lines);
            }
        }
        ensure!(texts[0].len() == 40, "{} lines", texts[0].len());
        ensure!(
            texts.iter().all(|lines| *lines == texts[0]),
            "keys go to other partitions, or lines differ: {texts:?}"
        );
        verifiable(context, &bootstrap).await
    });
}

/// Which events a verifiable tool tells, with the names of their fields.
fn events(text: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let mut events = BTreeMap::new();
    for line in text.lines() {
        let event: serde_json::Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        let object = event.as_object().context("an object")?;
        let mut fields: Vec<String> = object.keys().cloned().collect();
        fields.sort();
        events.insert(object["name"].as_str().context("a name")?.to_owned(), fields);
    }
    Ok(events)
}

async fn verifiable(context: &TestContext, bootstrap: &str) -> Result<()> {
    let producer = ["verifiable-producer", "org.apache.kafka.tools.VerifiableProducer"];
    let consumer = ["verifiable-consumer", "org.apache.kafka.tools.VerifiableConsumer"];
    let mut told = Vec::new();
    for kafkas in [true, false] {
        let produce = ["--topic", "by-kafka", "--max-messages", "20", "--value-prefix", "3"];
        let mut text = run_one(context, bootstrap, producer, kafkas, &produce, "").await?;
        let group = if kafkas { "kafkas" } else { "ours" };
        let consume = ["--topic", "by-kafka", "--group-id", group, "--max-messages", "60", "--verbose"];
        text.push_str(&run_one(context, bootstrap, consumer, kafkas, &consume, "").await?);
        told.push(events(&text)?);
    }
    ensure!(told[0] == told[1], "Kafka's tools tell {:?}, gregor {:?}", told[0], told[1]);
    Ok(())
}

#[test]
fn data_tools_work_crosswise_on_gregor() {
    crosswise(BrokerKind::Gregor);
}

#[test]
fn data_tools_work_crosswise_on_kafka() {
    crosswise(BrokerKind::Kafka);
}
