//! `gregor topics` prints what kafka-topics prints: the conversation in tests/golden/topics_tool.txt was recorded from
//! Apache Kafka 3.9's tool and brokers, and the interop suite checks that it still is so.

use crate::conversation::Conversation;
use anyhow::Result;
use gregor_harness::broker::gregor_binary;
use gregor_harness::java::run_with_input;
use gregor_harness::process::CommandLine;
use gregor_harness::{ClusterBuilder, run};

#[test]
fn topics_are_managed_as_with_kafka_topics() {
    run(async |context| {
        let cluster = ClusterBuilder::new(2)?.start(context).await?;
        let expected = Conversation::recorded("topics_tool.txt")?;
        let actual =
            expected.repeat(async |arguments| gregor_topics(&cluster.bootstrap(), arguments).await).await?;
        expected.check(&actual)
    });
}

/// Runs `gregor topics --bootstrap-server BOOTSTRAP ARGUMENTS`.
async fn gregor_topics(bootstrap: &str, arguments: &[String]) -> Result<std::process::Output> {
    let line = CommandLine::new(gregor_binary("gregor")?.display().to_string())
        .args(["topics", "--bootstrap-server", bootstrap])
        .args(arguments.iter().cloned());
    run_with_input(line.command(), b"").await
}
