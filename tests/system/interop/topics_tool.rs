//! Kafka's own kafka-topics, whose answers tests/golden/topics_tool.txt holds. With GREGOR_RECORD=1 the file is written anew.

use crate::conversation::Conversation;
use gregor_harness::java::kafka_tool;
use gregor_harness::{BrokerKind, ClusterBuilder, run};

#[test]
fn the_recorded_conversation_is_kafkas() {
    run(async |context| {
        let cluster = ClusterBuilder::of(&[BrokerKind::Kafka, BrokerKind::Kafka]).start(context).await?;
        let expected = Conversation::recorded("topics_tool.txt")?;
        let bootstrap = cluster.bootstrap();
        let actual = expected
            .repeat(async |arguments| {
                let mut words = vec!["--bootstrap-server", bootstrap.as_str()];
                words.extend(arguments.iter().map(String::as_str));
                kafka_tool(context.dir(), "org.apache.kafka.tools.TopicCommand", &words, b"").await
            })
            .await?;
        if std::env::var_os("GREGOR_RECORD").is_some() {
            return actual.record("topics_tool.txt");
        }
        expected.check(&actual)
    });
}
