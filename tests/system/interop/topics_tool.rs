//! Kafka's own kafka-topics, whose answers tests/golden holds. With GREGOR_RECORD=1 the files are written anew.

use crate::conversation::Conversation;
use gregor_harness::java::kafka_tool;
use gregor_harness::{BrokerKind, ClusterBuilder, run_within};
use std::time::Duration;

#[test]
fn the_recorded_conversation_is_kafkas() {
    check("topics_tool.txt");
}

#[test]
fn the_recorded_conversation_about_configs_is_kafkas() {
    check("topics_tool_configs.txt");
}

fn check(golden: &str) {
    // A JVM starts for every command.
    run_within(Duration::from_secs(300), async |context| {
        let cluster = ClusterBuilder::of(&[BrokerKind::Kafka, BrokerKind::Kafka]).start(context).await?;
        let expected = Conversation::recorded(golden)?;
        let bootstrap = cluster.bootstrap();
        let actual = expected
            .repeat(async |arguments| {
                let mut words = vec!["--bootstrap-server", bootstrap.as_str()];
                words.extend(arguments.iter().map(String::as_str));
                kafka_tool(context.dir(), "org.apache.kafka.tools.TopicCommand", &words, b"").await
            })
            .await?;
        if std::env::var_os("GREGOR_RECORD").is_some() {
            return actual.record(golden);
        }
        expected.check(&actual)
    });
}
