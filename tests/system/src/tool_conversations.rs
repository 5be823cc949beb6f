//! The conversations with every tool that tests/golden/tools holds, what a cluster must have before they begin, and where
//! Gregor's answers differ from Kafka's. They were recorded from Apache Kafka 3.9's tools and brokers; the system suite types
//! them to `gregor` on Gregor, the interop suite to Kafka's tools on Kafka and on Gregor, and to `gregor` on Kafka.

use crate::conversation::{Conversation, Difference, Side, Tools, recording};
use crate::places::Places;
use anyhow::{Context as _, Result};
use gregor_harness::broker::gregor_binary;
use gregor_harness::cluster::SETTLE;
use gregor_harness::java::run_with_input;
use gregor_harness::process::CommandLine;
use gregor_harness::{BrokerKind, Cluster, ClusterBuilder, Group, Member, TestContext, Transactor, wait};
use std::path::PathBuf;
use std::process::Output;

/// On a cluster without any topic but internal ones.
pub const ON_EMPTY_CLUSTER: &[&str] =
    &["topics", "topic_configs", "configs", "quotas", "records", "moves", "measures"];
/// On a cluster with what `Inhabitants` bring. The open transaction comes first: it does not stay open for ever.
const ON_INHABITED_CLUSTER: &[&[&str]] = &[&["transactions"], &["groups", "cluster"]];

/// On a cluster with an authorizer.
#[allow(dead_code, reason = "the interop suite's")]
pub const ON_GUARDED_CLUSTER: &[&str] = &["acls"];
/// With tools that `gregor` does not have.
#[allow(dead_code, reason = "the interop suite's")]
pub const KAFKAS_ALONE: &[&str] = &["kafkas_alone"];

/// Every place where an answer may differ.
const DIFFERENCES: &[Difference] = &[
    ours(
        "configs",
        "! Error while executing config command with args '--bootstrap-server BOOTSTRAP --alter --topic configured --add-config-file missing.properties'...",
        "! --add-config-file: cannot read missing.properties: No such file or directory (os error 2)",
        "a file that cannot be read is named",
    ),
    ours(
        "get-offsets",
        "! Error occurred: org.apache.kafka.tools.TerseException: Invalid rule specification: spoken:x",
        "! Error occurred: Invalid rule specification: spoken:x",
        "names of Java classes say nothing",
    ),
    ours(
        "delete-records",
        "! Offset json file contains duplicate topic partitions: spoken-0",
        "! delete.json: partitions[1]: the partition spoken-0 is there twice",
        WHERE,
    ),
    ours(
        "delete-records",
        "! The input string is not a valid JSON",
        "! delete.json: invalid JSON: EOF while parsing an object at line 1 column 32",
        WHERE,
    ),
    ours(
        "delete-records",
        "! Missing partitions field",
        "! delete.json: the document: the field \"partitions\" is missing",
        WHERE,
    ),
    ours(
        "delete-records",
        "! Not supported version field value 7",
        "! delete.json: version: version 7 is not supported",
        WHERE,
    ),
    ours(
        "console-producer",
        "! org.apache.kafka.common.KafkaException: No key separator found on line number 1: 'no key here'",
        "! No key separator found on line number 1: 'no key here'",
        "names of Java classes say nothing",
    ),
    ours(
        "transactions",
        "! usage: kafka-transactions.sh --bootstrap-server host:port...",
        "! error: the following required arguments were not provided:",
        USAGE,
    ),
    ours(
        "transactions",
        "! usage: kafka-transactions.sh [-h]...",
        "! error: unrecognized subcommand 'frobnicate'",
        USAGE,
    ),
    ours(
        "consumer-groups",
        "! Exception in thread \"main\" joptsimple.UnrecognizedOptionException: frobnicate is not a recognized option",
        "! frobnicate is not a recognized option",
        "names of Java classes say nothing",
    ),
    ours(
        "consumer-groups",
        "GROUP TOPIC PARTITION NEW-OFFSET idle live 0 4",
        "GROUP TOPIC PARTITION NEW-OFFSET idle live 0 4\n! New offset (103) is higher than latest offset for topic partition live-0. Value will be set to 4",
        "who asked for it reads it; Kafka's tool tells its log",
    ),
    ours(
        "consumer-groups",
        "failed due to java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This server does not host this topic-partition.\n= 0",
        "failed due to java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This server does not host this topic-partition.\n= 1",
        "a command that was not carried out fails",
    ),
    ours(
        "acls",
        "! ResourceType TOPIC only supports operations Read, All, AlterConfigs, DescribeConfigs, Delete, Write, Alter, Create, Describe",
        "! ResourceType TOPIC only supports operations Read, Write, Create, Describe, Delete, Alter, DescribeConfigs, AlterConfigs, All",
        "a set of Java's has no order",
    ),
    ours(
        "acls",
        "! ResourceType GROUP only supports operations Delete, Read, Describe, All",
        "! ResourceType GROUP only supports operations Read, Describe, Delete, All",
        "a set of Java's has no order",
    ),
    ours(
        "acls",
        "Error while executing ACL command: Cannot parse argument 'sideways' of option resource-pattern-type",
        "! Cannot parse argument 'sideways' of option resource-pattern-type",
        "flags are read before anything is begun",
    ),
    ours(
        "broker-api-versions",
        "! Exception in thread \"main\" joptsimple.UnrecognizedOptionException: frobnicate is not a recognized option",
        "! frobnicate is not a recognized option",
        "names of Java classes say nothing",
    ),
    ours(
        "reassign-partitions",
        "None of the specified partition moves are active.Clearing broker-level throttles on brokers 0,1",
        "None of the specified partition moves are active.\nClearing broker-level throttles on brokers 0,1",
        "a line ends where it ends",
    ),
    ours(
        "reassign-partitions",
        "Error: Partition replica lists may not contain duplicate entries: moving-1 contains multiple entries for 0",
        "Error: other.json: partitions[0].replicas: Partition replica lists may not contain duplicate entries: moving-1 contains multiple entries for 0",
        WHERE,
    ),
    ours(
        "reassign-partitions",
        "Error: Partition reassignment contains duplicate topic partitions: moving-1",
        "Error: other.json: partitions[1]: Partition reassignment contains duplicate topic partitions: moving-1",
        WHERE,
    ),
    ours(
        "reassign-partitions",
        "Error: Unexpected end-of-input within/between Object entries",
        "Error: other.json: invalid JSON: EOF while parsing a value at line 1 column 26",
        WHERE,
    ),
    Difference {
        tool: "reassign-partitions",
        of: Side::Tool,
        kafka: " at [Source: REDACTED...",
        gregor: None,
        why: WHERE,
    },
    ours(
        "reassign-partitions",
        "Error: Unable to read file missing.json",
        "Error: cannot read missing.json: No such file or directory (os error 2)",
        WHERE,
    ),
];

const WHERE: &str = "a plan that cannot be read is told where";

const USAGE: &str = "what is wrong comes before how it is used";

/// A difference of our tools.
const fn ours(
    tool: &'static str,
    kafka: &'static str,
    gregor: &'static str,
    why: &'static str,
) -> Difference {
    Difference { tool, of: Side::Tool, kafka, gregor: Some(gregor), why }
}

/// Where the tools' words for the cluster go.
pub fn typed(tool: &str, bootstrap: &str, arguments: &[String]) -> Vec<String> {
    let server = ["--bootstrap-server".to_owned(), bootstrap.to_owned()];
    match tool {
        "producer-perf-test" | "dump-log" | "e2e-latency" => arguments.to_vec(),
        // Its flag belongs to its second word.
        "cluster" => [arguments, &server].concat(),
        _ => [&server, arguments].concat(),
    }
}

/// `gregor`.
#[derive(Debug)]
pub struct GregorTools {
    program: PathBuf,
    bootstrap: String,
    dir: PathBuf,
}

impl GregorTools {
    /// The tools on this cluster, run in `dir`.
    pub fn on(cluster: &Cluster, context: &TestContext) -> Result<GregorTools> {
        let program = gregor_binary("gregor")?.canonicalize()?;
        Ok(GregorTools { program, bootstrap: cluster.bootstrap(), dir: context.dir().to_owned() })
    }
}

impl Tools for GregorTools {
    async fn run(&self, tool: &str, arguments: &[String], input: &str) -> Result<Output> {
        let line = CommandLine::new(self.program.display().to_string()).arg(tool).args(typed(
            tool,
            &self.bootstrap,
            arguments,
        ));
        let mut command = line.command();
        command.current_dir(&self.dir);
        run_with_input(command, input.as_bytes()).await
    }
}

/// Two brokers as the conversations want them.
pub fn cluster(kinds: [BrokerKind; 2]) -> ClusterBuilder {
    ClusterBuilder::of(&kinds)
        .property("group.initial.rebalance.delay.ms", "0")
        .property("transaction.state.log.replication.factor", "2")
        .property("transaction.state.log.min.isr", "1")
        .property("transaction.state.log.num.partitions", "1")
        .property("auto.create.topics.enable", "false")
        .property("auto.leader.rebalance.enable", "false")
        .property("broker.rack", "rack-a")
}

/// Applications that use the cluster meanwhile: topic `live` with a group `readers` that has read everything, and an open
/// transaction of `payments`.
#[derive(Debug)]
pub struct Inhabitants {
    member: Member,
    transactor: Transactor,
}

impl Inhabitants {
    /// They move in.
    pub async fn of(cluster: &Cluster) -> Result<Inhabitants> {
        let bootstrap = cluster.bootstrap();
        cluster.create_topic("live", 2, 2).await?;
        for at in 0..6 {
            cluster.produce_when_led("live", at % 2, &format!("record {at}")).await?;
        }
        let group = Group::new(&bootstrap, "readers", "live", "range");
        let member = group.join()?;
        group.wait_for_progress(6, SETTLE).await?;
        let transactor = Transactor::start(&bootstrap, "payments").await?;
        transactor.begin_with("live", 0, &["open".to_owned()]).await?;
        Ok(Inhabitants { member, transactor })
    }

    /// They leave.
    pub async fn leave(self) -> Result<()> {
        self.transactor.abort().await?;
        self.member.leave().await
    }
}

/// Has the conversations about what applications do, with each of these tools in turn.
pub async fn converse_among_inhabitants<T: Tools>(
    context: &TestContext,
    cluster: &Cluster,
    tools: &[(&T, &[Side])],
) -> Result<()> {
    let inhabitants = Inhabitants::of(cluster).await?;
    for names in ON_INHABITED_CLUSTER {
        converse_about(names, context, cluster, tools).await?;
    }
    inhabitants.leave().await
}

/// Has these conversations with each of these tools in turn; with `gregors` say whose they and the brokers are. The first are
/// recorded, if that is asked for.
pub async fn converse_about<T: Tools>(
    names: &[&str],
    context: &TestContext,
    cluster: &Cluster,
    tools: &[(&T, &[Side])],
) -> Result<()> {
    let places = Places::of(cluster)?;
    let mut failures = Vec::new();
    for (tools, gregors) in tools {
        for name in names {
            let golden = format!("tools/{name}.txt");
            let recorded = Conversation::recorded(&golden)?;
            let actual =
                recorded.repeat(context.dir(), *tools, &places).await.with_context(|| golden.clone())?;
            let nothing_left = async || Ok(cluster.znodes.children("/admin/delete_topics").await?.is_empty());
            wait::until_true("topics to be deleted", SETTLE, nothing_left).await?;
            if recording() && gregors.is_empty() {
                actual.record(&golden)?;
            } else if let Err(difference) = recorded.with(gregors, DIFFERENCES).check(&actual) {
                println!("{golden} with Gregor's {gregors:?}: {difference:#}");
                failures.push(golden);
            } else {
                println!("{golden} with Gregor's {gregors:?}: as recorded");
            }
        }
    }
    anyhow::ensure!(failures.is_empty(), "answered differently: {}", failures.join(" "));
    Ok(())
}
