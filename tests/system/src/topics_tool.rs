//! `gregor topics` prints what kafka-topics prints: the conversations in tests/golden were recorded from Apache Kafka 3.9's
//! tool and brokers, and the interop suite checks that they still are so.

use crate::conversation::Conversation;
use anyhow::Result;
use gregor_harness::broker::gregor_binary;
use gregor_harness::java::run_with_input;
use gregor_harness::process::CommandLine;
use gregor_harness::rpc::Rpc;
use gregor_harness::{Cluster, ClusterBuilder, run};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest};

#[test]
fn topics_are_managed_as_with_kafka_topics() {
    run(async |context| {
        let cluster = ClusterBuilder::new(2)?.start(context).await?;
        converse(&cluster, "topics_tool.txt").await
    });
}

#[test]
fn configs_are_shown_and_partitions_added_as_with_kafka_topics() {
    run(async |context| {
        let cluster = ClusterBuilder::new(2)?.start(context).await?;
        let answer = Rpc::connect(&cluster.brokers[0].address())
            .await?
            .call(0, &ApiVersionsRequest::default())
            .await?;
        let serves = |key: ApiKey| answer.api_keys.iter().any(|api| api.api_key == key as i16);
        if !serves(ApiKey::DescribeConfigs) || !serves(ApiKey::CreatePartitions) {
            println!("skipped: the brokers advertise no DescribeConfigs or CreatePartitions");
            return Ok(());
        }
        converse(&cluster, "topics_tool_configs.txt").await
    });
}

async fn converse(cluster: &Cluster, golden: &str) -> Result<()> {
    let expected = Conversation::recorded(golden)?;
    let actual =
        expected.repeat(async |arguments| gregor_topics(&cluster.bootstrap(), arguments).await).await?;
    expected.check(&actual)
}

/// Runs `gregor topics --bootstrap-server BOOTSTRAP ARGUMENTS`.
async fn gregor_topics(bootstrap: &str, arguments: &[String]) -> Result<std::process::Output> {
    let line = CommandLine::new(gregor_binary("gregor")?.display().to_string())
        .args(["topics", "--bootstrap-server", bootstrap])
        .args(arguments.iter().cloned());
    run_with_input(line.command(), b"").await
}
