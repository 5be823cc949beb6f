//! Kafka's Admin of 3.9 and of the newest release: every method it has, called on a Gregor and on a Kafka cluster
//! (java/EveryAdminMethod.java, which fails if there is a method that it does not call). What comes back is the same.

use crate::places::Places;
use crate::tool_conversations::cluster;
use anyhow::{Result, ensure};
use gregor_harness::java::{client_program, kafka_program, run_with_input};
use gregor_harness::process::CommandLine;
use gregor_harness::{BrokerKind, TestContext, run_within};
use std::path::Path;
use std::time::Duration;

/// Four JVMs start, and compile before that.
const DEADLINE: Duration = Duration::from_secs(240);

/// What the program prints of a cluster of these brokers.
async fn every_method(
    context: &TestContext,
    kind: BrokerKind,
    programs: &[CommandLine],
) -> Result<Vec<Vec<String>>> {
    let mut said = Vec::new();
    for (at, program) in programs.iter().enumerate() {
        // Each begins with a cluster where nothing was done yet.
        let context = TestContext::in_directory(context.create_dir(&format!("cluster-{at}"))?);
        let cluster = cluster([kind; 2]).start(&context).await?;
        let line = program.clone().arg(cluster.bootstrap());
        let output = run_with_input(line.command(), b"").await?;
        let text = Places::of(&cluster)?.hide(&String::from_utf8_lossy(&output.stdout));
        // Either may coordinate a group.
        let text = text.replace("HOST_1_________ (id: 1 ", "HOST_0_________ (id: 0 ");
        ensure!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        said.push(text.lines().map(str::to_owned).collect());
    }
    Ok(said)
}

#[test]
fn every_method_of_kafkas_admin_gives_the_same() {
    run_within(DEADLINE, async |context| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/java/EveryAdminMethod.java");
        let programs =
            [kafka_program(context.dir(), &source).await?, client_program(context.dir(), &source).await?];
        let dirs = [context.create_dir("kafka")?, context.create_dir("gregor")?];
        let [kafkas, gregors] = dirs.map(TestContext::in_directory);
        let expected = every_method(&kafkas, BrokerKind::Kafka, &programs).await?;
        let actual = every_method(&gregors, BrokerKind::Gregor, &programs).await?;
        let mut differences = Vec::new();
        for (clients, (expected, actual)) in ["3.9", "newest"].iter().zip(expected.iter().zip(&actual)) {
            ensure!(expected.len() > 60, "{clients}: only {} calls", expected.len());
            ensure!(expected.len() == actual.len(), "{clients}: {} and {}", expected.len(), actual.len());
            for (expected, actual) in expected.iter().zip(actual) {
                if expected != actual {
                    differences.push(format!("clients {clients}\n  Kafka  {expected}\n  Gregor {actual}"));
                }
            }
        }
        ensure!(differences.is_empty(), "answered differently:\n{}", differences.join("\n"));
        Ok(())
    });
}
