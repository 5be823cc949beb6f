//! Asks a Gregor cluster and an Apache Kafka 3.9 cluster the same, in every version that Kafka advertises, and writes down
//! where the answers differ. `tests/run conformance` runs it.

mod case;
mod cases;
mod scoreboard;
mod side;
mod value;

use anyhow::{Context as _, Result, ensure};
use case::Case;
use clap::Parser;
use gregor_harness::rpc::Rpc;
use gregor_harness::{BrokerKind, ClusterBuilder, TestContext, wait};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::{ApiVersionsRequest, CreateTopicsRequest};
use kafka_protocol::protocol::VersionRange;
use scoreboard::{Scoreboard, Verdict};
use side::{Exchange, Side};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use value::{Value, differences};

/// Compares Gregor's answers with Apache Kafka's.
#[derive(Debug, Parser)]
struct Flags {
    /// Where the scoreboard is written
    #[arg(long, default_value = "tests/conformance/SCOREBOARD.md")]
    write: PathBuf,
    /// Fails when fewer percent of the answers are equal
    #[arg(long, default_value_t = 0.0)]
    at_least: f64,
    /// Only APIs whose name contains this
    #[arg(long, default_value = "")]
    api: String,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("starting the runtime")
        .and_then(|runtime| runtime.block_on(run(&flags)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: &Flags) -> Result<()> {
    let dir = tempfile::Builder::new().prefix("gregor-conformance-").tempdir()?;
    let (ours, theirs) = tokio::try_join!(
        start(TestContext::in_directory(dir.path().join("gregor")), BrokerKind::Gregor),
        start(TestContext::in_directory(dir.path().join("kafka")), BrokerKind::Kafka),
    )?;
    let board = compare(flags, ours, theirs).await?;
    std::fs::write(&flags.write, board.markdown("Apache Kafka 3.9"))
        .with_context(|| format!("writing {}", flags.write.display()))?;
    let ((equal, all), (served, versions)) = (board.score(), board.served());
    let share = 100.0 * equal as f64 / all.max(1) as f64;
    println!("{equal} of {all} answers equal ({share:.1} %), {served} of {versions} versions served");
    ensure!(share >= flags.at_least, "{share:.1} % is less than {} %", flags.at_least);
    Ok(())
}

/// Two brokers, and the topics that the cases speak of.
async fn start(context: TestContext, kind: BrokerKind) -> Result<Side> {
    let builder = ClusterBuilder::of(&[kind, kind])
        .property("auto.create.topics.enable", "false")
        .property("transaction.state.log.replication.factor", "1")
        .property("transaction.state.log.num.partitions", "1")
        .property("transaction.state.log.min.isr", "1")
        .property("group.initial.rebalance.delay.ms", "0");
    let cluster = builder.start(&context).await?;
    let mut rpc = Rpc::connect(&cluster.brokers[0].address()).await?;
    let answer = rpc.call(5, &topics()).await?;
    ensure!(answer.topics.iter().all(|topic| topic.error_code == 0), "creating topics: {:?}", answer.topics);
    for topic in answer.topics {
        let name = topic.name.to_string();
        let partitions = cases::assignment(&name);
        cluster
            .wait_for_topic(&name, i32::try_from(partitions.len())?, i16::try_from(partitions[0].len())?)
            .await?;
    }
    wait_for_coordinators(&mut rpc).await?;
    for request in cases::fill() {
        let answer = rpc.call(8, &request).await?;
        ensure!(answer.responses[0].partition_responses[0].error_code == 0, "filling: {answer:?}");
    }
    Side::new(cluster).await
}

fn topics() -> CreateTopicsRequest {
    let doomed = (0..=6).map(|version| format!("doomed-{version}"));
    // Made here, so that both clusters have their coordinators on broker 0.
    let internal = ["__consumer_offsets", "__transaction_state"];
    let names = ["plain", "compacted", "small", "deleted", "altered", cases::SEQUENCES];
    let names = names.into_iter().chain(internal).map(str::to_owned);
    let topic = |name: String| {
        let assignment = |(index, brokers)| {
            CreatableReplicaAssignment::default().with_partition_index(index).with_broker_ids(brokers)
        };
        let config = |key: &str, value: &str| {
            CreatableTopicConfig::default().with_name(case::text(key)).with_value(Some(case::text(value)))
        };
        let configs = match name.as_str() {
            "compacted" => vec![config("cleanup.policy", "compact")],
            "__consumer_offsets" => {
                vec![config("cleanup.policy", "compact"), config("compression.type", "producer")]
            }
            "__transaction_state" => {
                vec![config("cleanup.policy", "compact"), config("compression.type", "uncompressed")]
            }
            "small" => vec![config("max.message.bytes", "500")],
            _ => vec![],
        };
        CreatableTopic::default()
            .with_name(case::topic(&name))
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_assignments((0..).zip(cases::assignment(&name)).map(assignment).collect())
            .with_configs(configs)
    };
    let topics = names.chain(doomed).map(topic).collect();
    CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(20_000)
}

/// Until broker 0 has loaded both coordinators' partitions.
async fn wait_for_coordinators(rpc: &mut Rpc) -> Result<()> {
    let rpc = tokio::sync::Mutex::new(rpc);
    let group =
        kafka_protocol::messages::DescribeGroupsRequest::default().with_groups(vec![case::group("any")]);
    let transaction = kafka_protocol::messages::DescribeTransactionsRequest::default()
        .with_transactional_ids(vec![case::transactional("any")]);
    let producer = kafka_protocol::messages::InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(1_000);
    wait::until_true("both coordinators are loaded", Duration::from_secs(30), || async {
        let mut rpc = rpc.lock().await;
        let groups = rpc.call(5, &group).await?;
        let transactions = rpc.call(0, &transaction).await?;
        let not_yet = |code: i16| (14..=16).contains(&code);
        // The first block of producer ids arrives after the first question.
        let producer = rpc.call(1, &producer).await?;
        Ok(producer.error_code == 0
            && !groups.groups.iter().any(|group| not_yet(group.error_code))
            && !transactions.transaction_states.iter().any(|state| not_yet(state.error_code)))
    })
    .await
}

async fn versions(side: &Side) -> Result<BTreeMap<i16, VersionRange>> {
    let mut rpc = Rpc::connect(&side.cluster.brokers[0].address()).await?;
    let answer = rpc.call(0, &ApiVersionsRequest::default()).await?;
    let range = |min, max| VersionRange { min, max };
    Ok(answer.api_keys.iter().map(|api| (api.api_key, range(api.min_version, api.max_version))).collect())
}

async fn compare(flags: &Flags, mut ours: Side, mut theirs: Side) -> Result<Scoreboard> {
    let (served, advertised) = (versions(&ours).await?, versions(&theirs).await?);
    let serves = |key: i16, version: i16| {
        served.get(&key).is_some_and(|range| range.min <= version && version <= range.max)
    };
    let mut board = Scoreboard::default();
    for (key, range) in &advertised {
        board.expect(*key, range.min..=range.max, |version| serves(*key, version));
    }
    for case in cases::all() {
        let key = case.key as i16;
        let Some(range) = advertised.get(&key) else { continue };
        if !format!("{:?}", case.key).to_lowercase().contains(&flags.api.to_lowercase()) {
            continue;
        }
        for version in range.min..=range.max {
            if !serves(key, version) {
                continue;
            }
            if let Some(verdict) = ask_both(&case, version, &mut ours, &mut theirs).await? {
                board.add(case.key, version, case.name, verdict);
            }
        }
    }
    Ok(board)
}

/// The verdict, or none if the version has no such question.
async fn ask_both(case: &Case, version: i16, ours: &mut Side, theirs: &mut Side) -> Result<Option<Verdict>> {
    let (one, other) = tokio::join!(ask(case, version, ours), ask(case, version, theirs));
    let (Some(one), Some(other)) = (one?, other?) else { return Ok(None) };
    if one == other {
        return Ok(Some(Verdict::Equal));
    }
    let mut found = Vec::new();
    differences("", &one, &other, &mut found);
    Ok(Some(Verdict::Differs(found)))
}

async fn ask(case: &Case, version: i16, side: &mut Side) -> Result<Option<Value>> {
    let Some(request) = (case.build)(version, side) else { return Ok(None) };
    // A request that does not fit its version was not meant for it.
    let Ok(exchange) = side.exchange(case.broker, case.key, version, &request).await else {
        return Ok(None);
    };
    side.learn().await?;
    Ok(Some(match exchange {
        Exchange::Answer(answer) => {
            if let Some(remember) = case.remember {
                remember(&answer, side);
            }
            side.settle(&answer)
        }
        Exchange::Closed => Value::Leaf("the connection closed".to_owned()),
        Exchange::Unreadable(error) => Value::Leaf(format!("unreadable: {error}")),
    }))
}
