//! The same commands by Kafka's tools and by `gregor`, on a Kafka and on a Gregor cluster: one recorded text for all four.
//! With GREGOR_RECORD=1 Kafka's tools on Kafka write it anew. (`gregor` on Gregor is the system suite's.)

use crate::conversation::{Side, Tools};
use crate::tool_conversations::{
    GregorTools, KAFKAS_ALONE, ON_EMPTY_CLUSTER, ON_GUARDED_CLUSTER, cluster, converse_about,
    converse_among_inhabitants, typed,
};
use crate::tool_server::ToolServer;
use anyhow::{Context as _, Result};
use gregor_harness::{BrokerKind, Cluster, TestContext, run_within};
use std::process::Output;
use std::time::Duration;

/// A few hundred commands, twice; JVMs start.
const DEADLINE: Duration = Duration::from_secs(300);

/// The class of each script.
const CLASSES: &[(&str, &str)] = &[
    ("topics", "org.apache.kafka.tools.TopicCommand"),
    ("configs", "kafka.admin.ConfigCommand"),
    ("acls", "kafka.admin.AclCommand"),
    ("consumer-groups", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"),
    ("reassign-partitions", "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"),
    ("leader-election", "org.apache.kafka.tools.LeaderElectionCommand"),
    ("get-offsets", "org.apache.kafka.tools.GetOffsetShell"),
    ("delete-records", "org.apache.kafka.tools.DeleteRecordsCommand"),
    ("log-dirs", "org.apache.kafka.tools.LogDirsCommand"),
    ("transactions", "org.apache.kafka.tools.TransactionsCommand"),
    ("delegation-tokens", "org.apache.kafka.tools.DelegationTokenCommand"),
    ("broker-api-versions", "kafka.admin.BrokerApiVersionsCommand"),
    ("cluster", "org.apache.kafka.tools.ClusterTool"),
    ("dump-log", "kafka.tools.DumpLogSegments"),
    ("features", "org.apache.kafka.tools.FeatureCommand"),
    ("e2e-latency", "org.apache.kafka.tools.EndToEndLatency"),
    ("metadata-quorum", "org.apache.kafka.tools.MetadataQuorumCommand"),
    ("client-metrics", "org.apache.kafka.tools.ClientMetricsCommand"),
    ("streams-application-reset", "org.apache.kafka.tools.StreamsResetter"),
    ("console-producer", "kafka.tools.ConsoleProducer"),
    ("console-consumer", "org.apache.kafka.tools.consumer.ConsoleConsumer"),
    ("producer-perf-test", "org.apache.kafka.tools.ProducerPerformance"),
    ("consumer-perf-test", "org.apache.kafka.tools.ConsumerPerformance"),
    ("verifiable-producer", "org.apache.kafka.tools.VerifiableProducer"),
    ("verifiable-consumer", "org.apache.kafka.tools.VerifiableConsumer"),
];

/// Kafka's tools on one cluster, or Gregor's.
#[derive(Debug)]
enum AnyTools {
    Kafka(Box<ToolServer>, String),
    Gregor(GregorTools),
}

impl AnyTools {
    async fn kafkas(cluster: &Cluster, context: &TestContext) -> Result<AnyTools> {
        Ok(AnyTools::Kafka(Box::new(ToolServer::start(context.dir()).await?), cluster.bootstrap()))
    }
}

impl Tools for AnyTools {
    async fn run(&self, tool: &str, arguments: &[String], input: &str) -> Result<Output> {
        match self {
            AnyTools::Gregor(tools) => tools.run(tool, arguments, input).await,
            AnyTools::Kafka(server, bootstrap) => {
                let class = CLASSES.iter().find(|(name, _)| *name == tool).map(|(_, class)| class);
                let class = class.with_context(|| format!("no script for {tool}"))?;
                server.run(class, &typed(tool, bootstrap, arguments), input).await
            }
        }
    }
}

#[test]
fn kafkas_tools_and_gregors_print_the_same_of_kafka() {
    run_within(DEADLINE, async |context| {
        let cluster = cluster([BrokerKind::Kafka; 2]).start(context).await?;
        let kafkas = AnyTools::kafkas(&cluster, context).await?;
        let gregors = AnyTools::Gregor(GregorTools::on(&cluster, context)?);
        let both: &[(&AnyTools, &[Side])] = &[(&kafkas, &[]), (&gregors, &[Side::Tool])];
        converse_about(ON_EMPTY_CLUSTER, context, &cluster, both).await
    });
}

#[test]
fn kafkas_tools_and_gregors_print_the_same_of_applications_on_kafka() {
    run_within(DEADLINE, async |context| {
        let cluster = cluster([BrokerKind::Kafka; 2]).start(context).await?;
        let kafkas = AnyTools::kafkas(&cluster, context).await?;
        let gregors = AnyTools::Gregor(GregorTools::on(&cluster, context)?);
        converse_about(KAFKAS_ALONE, context, &cluster, &[(&kafkas, &[])]).await?;
        let both: &[(&AnyTools, &[Side])] = &[(&kafkas, &[]), (&gregors, &[Side::Tool])];
        converse_among_inhabitants(context, &cluster, both).await
    });
}

/// Gregor has no authorizer: what it answers is among the conversations with both.
#[test]
fn kafkas_tools_and_gregors_print_the_same_of_access_rights() {
    run_within(DEADLINE, async |context| {
        let cluster = cluster([BrokerKind::Kafka; 2])
            .property("authorizer.class.name", "kafka.security.authorizer.AclAuthorizer")
            .property("super.users", "User:ANONYMOUS")
            .start(context)
            .await?;
        let kafkas = AnyTools::kafkas(&cluster, context).await?;
        let gregors = AnyTools::Gregor(GregorTools::on(&cluster, context)?);
        let both: &[(&AnyTools, &[Side])] = &[(&kafkas, &[]), (&gregors, &[Side::Tool])];
        converse_about(ON_GUARDED_CLUSTER, context, &cluster, both).await
    });
}

#[test]
fn kafkas_tools_print_the_same_of_gregor() {
    run_within(DEADLINE, async |context| {
        let cluster = cluster([BrokerKind::Gregor; 2]).start(context).await?;
        let kafkas = AnyTools::kafkas(&cluster, context).await?;
        converse_about(ON_EMPTY_CLUSTER, context, &cluster, &[(&kafkas, &[Side::Broker])]).await
    });
}

#[test]
fn kafkas_tools_print_the_same_of_applications_on_gregor() {
    run_within(DEADLINE, async |context| {
        let cluster = cluster([BrokerKind::Gregor; 2]).start(context).await?;
        let kafkas = AnyTools::kafkas(&cluster, context).await?;
        converse_about(KAFKAS_ALONE, context, &cluster, &[(&kafkas, &[Side::Broker])]).await?;
        converse_among_inhabitants(context, &cluster, &[(&kafkas, &[Side::Broker])]).await
    });
}
