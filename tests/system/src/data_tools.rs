//! `gregor`'s tools that produce and consume, against a live cluster: what is sent is what is printed, in the forms that the
//! flags ask for, with every codec, from offsets, by groups, and within transactions.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::broker::gregor_binary;
use gregor_harness::java::run_with_input;
use gregor_harness::process::CommandLine;
use gregor_harness::{Cluster, ClusterBuilder, run};
use std::process::Output;

const TOPIC: &str = "orders";

/// Runs a tool of ours with `input` on its stdin.
pub async fn gregor(tool: &str, bootstrap: &str, arguments: &[&str], input: &str) -> Result<Output> {
    let line = CommandLine::new(gregor_binary("gregor")?.display().to_string())
        .args([tool, "--bootstrap-server", bootstrap])
        .args(arguments.iter().copied());
    run_with_input(line.command(), input.as_bytes()).await
}

/// What a tool of ours prints; it must succeed.
pub async fn said(tool: &str, bootstrap: &str, arguments: &[&str], input: &str) -> Result<String> {
    let output = gregor(tool, bootstrap, arguments, input).await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "gregor {tool} {arguments:?}: {} {text}{errors}", output.status);
    Ok(text)
}

async fn cluster(context: &gregor_harness::TestContext) -> Result<Cluster> {
    let cluster = ClusterBuilder::new(2)?
        .property("group.initial.rebalance.delay.ms", "0")
        .property("transaction.state.log.replication.factor", "2")
        .property("transaction.state.log.min.isr", "1")
        .property("transaction.state.log.num.partitions", "1")
        .start(context)
        .await?;
    cluster.create_topic(TOPIC, 1, 2).await?;
    Ok(cluster)
}

#[test]
fn what_console_producer_sends_console_consumer_prints() {
    run(async |context| {
        let cluster = cluster(context).await?;
        let bootstrap = cluster.bootstrap();
        let pairs = [
            "--property",
            "parse.key=true",
            "--property",
            "parse.headers=true",
            "--property",
            "null.marker=N",
        ];
        let mut sent = 0;
        for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
            let topic = ["--topic", TOPIC, "--compression-codec", codec];
            let arguments = [&topic[..], &pairs].concat();
            let lines = format!("h:1,g:N\tkey-{codec}\tvalue {codec}\nN\tN\tN\n");
            said("console-producer", &bootstrap, &arguments, &lines).await?;
            sent += 2;
        }
        let count = sent.to_string();
        let all = ["--topic", TOPIC, "--from-beginning", "--max-messages", &count];
        let shown = ["print.partition", "print.offset", "print.headers", "print.key"];
        let properties: Vec<String> = shown.iter().map(|name| format!("{name}=true")).collect();
        let properties: Vec<&str> = properties.iter().flat_map(|one| ["--property", one]).collect();
        let output = gregor("console-consumer", &bootstrap, &[&all[..], &properties].concat(), "").await?;
        let expected: String = ["none", "gzip", "snappy", "lz4", "zstd"]
            .iter()
            .enumerate()
            .map(|(at, codec)| {
                let offset = 2 * at;
                format!(
                    "Partition:0\tOffset:{offset}\th:1,g:null\tkey-{codec}\tvalue {codec}\n\
                     Partition:0\tOffset:{}\tNO_HEADERS\tnull\tnull\n",
                    offset + 1
                )
            })
            .collect();
        let text = String::from_utf8(output.stdout)?;
        ensure!(text == expected, "printed {text}");
        let errors = String::from_utf8(output.stderr)?;
        ensure!(errors == format!("Processed a total of {sent} messages\n"), "said {errors}");

        let from = ["--topic", TOPIC, "--partition", "0", "--offset", "8", "--max-messages", "1"];
        let text = said("console-consumer", &bootstrap, &from, "").await?;
        ensure!(text == "value zstd\n", "from offset 8: {text}");
        let included = ["--include", "ord.*", "--from-beginning", "--max-messages", "1"];
        let text = said("console-consumer", &bootstrap, &included, "").await?;
        ensure!(text == "value none\n", "by a pattern: {text}");

        // A group goes on behind the last message it printed, even in the middle of a batch.
        let group = ["--topic", TOPIC, "--group", "readers", "--from-beginning", "--max-messages", "3"];
        said("console-consumer", &bootstrap, &group, "").await?;
        let rest = [
            "--topic",
            TOPIC,
            "--group",
            "readers",
            "--timeout-ms",
            "2000",
            "--property",
            "print.offset=true",
        ];
        let text = said("console-consumer", &bootstrap, &rest, "").await?;
        let offsets: Vec<&str> = text.lines().filter_map(|line| line.split('\t').next()).collect();
        let expected: Vec<String> = (3..sent).map(|offset| format!("Offset:{offset}")).collect();
        ensure!(offsets == expected, "the group went on with {offsets:?}");
        Ok(())
    });
}

#[test]
fn verifiable_tools_account_for_every_record() {
    run(async |context| {
        let cluster = cluster(context).await?;
        let bootstrap = cluster.bootstrap();
        let produce = ["--topic", TOPIC, "--max-messages", "2000", "--repeating-keys", "10"];
        let text = said("verifiable-producer", &bootstrap, &produce, "").await?;
        ensure!(text.contains("\"sent\":2000,\"acked\":2000,\"target_throughput\":-1"), "{text}");
        ensure!(text.matches("producer_send_success").count() == 2000, "not every record was told");
        let consume = ["--topic", TOPIC, "--group-id", "verifiers", "--max-messages", "2000", "--verbose"];
        let text = said("verifiable-consumer", &bootstrap, &consume, "").await?;
        let values: Vec<String> = text
            .lines()
            .filter(|line| line.contains("record_data"))
            .map(|line| {
                Ok(serde_json::from_str::<serde_json::Value>(line)?["value"]
                    .as_str()
                    .context("a value")?
                    .to_owned())
            })
            .collect::<Result<_>>()?;
        ensure!(
            values.iter().map(String::as_str).eq((0..2000)
                .map(|n| n.to_string())
                .collect::<Vec<_>>()
                .iter()
                .map(String::as_str)),
            "{} values",
            values.len()
        );
        let names: Vec<&str> = [
            "startup_complete",
            "partitions_assigned",
            "offsets_committed",
            "partitions_revoked",
            "shutdown_complete",
        ]
        .into_iter()
        .filter(|name| !text.contains(*name))
        .collect();
        ensure!(names.is_empty() && !text.contains("\"success\":false"), "without {names:?}: {text}");
        Ok(())
    });
}

#[test]
fn perf_tests_print_their_figures_and_lose_nothing() {
    run(async |context| {
        let cluster = cluster(context).await?;
        let bootstrap = cluster.bootstrap();
        let server = format!("bootstrap.servers={bootstrap}");
        let produce = async |more: &[&str]| {
            let common =
                ["--topic", TOPIC, "--num-records", "20000", "--record-size", "100", "--throughput", "-1"];
            let arguments = [&common[..], more, &["--producer-props", &server]].concat();
            let line = CommandLine::new(gregor_binary("gregor")?.display().to_string())
                .arg("producer-perf-test")
                .args(arguments.iter().copied());
            run_with_input(line.command(), b"").await
        };
        for more in [&[][..], &["--transaction-duration-ms", "50"]] {
            let output = produce(more).await?;
            let text = String::from_utf8_lossy(&output.stdout);
            let last = text.lines().last().unwrap_or_default();
            ensure!(
                output.status.success()
                    && last.starts_with("20000 records sent, ")
                    && last.ends_with(" ms 99.9th."),
                "{more:?}: {text}{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let consume = ["--topic", TOPIC, "--messages", "40000"];
        let text = said("consumer-perf-test", &bootstrap, &consume, "").await?;
        let mut lines = text.lines();
        let header = "start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, \
                      rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec";
        ensure!(lines.next() == Some(header), "{text}");
        let columns: Vec<&str> = lines.next().context("figures")?.split(", ").collect();
        ensure!(columns.len() == 10 && columns[2] == "3.8147" && columns[4] == "40000", "{text}");
        Ok(())
    });
}
