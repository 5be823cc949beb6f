//! `gregor reassign-partitions`: kafka-reassign-partitions.sh
//! (`org.apache.kafka.tools.reassign.ReassignPartitionsCommand`), and `--wait`.

mod cancel;
mod execute;
mod flags;
mod generate;
mod plan;
mod progress;
mod state;
mod throttle;
mod verify;
mod wait;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use gregor_controller_machine::PlacementStart;
use gregor_model::TopicPartition;
use serde_json::json;

use crate::admin::{Admin, AdminError, load_properties};
use crate::command_line::{FlagError, Given};
use crate::json::JsonError;
use crate::report;
use plan::Plan;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A refusal that Kafka's tool prints as it is.
    #[error("{0}")]
    Terse(String),
    /// Anything else.
    #[error("Error: {0}")]
    Other(String),
    /// No client can be made.
    #[error("Error: {0}")]
    Connect(AdminError),
    /// A call failed.
    #[error("Error: {}", .0.java())]
    Admin(#[from] AdminError),
    /// A malformed flag.
    #[error("{0}")]
    Flag(#[from] FlagError),
    /// A file that cannot be read.
    #[error("Error: cannot read {path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is no plan.
    #[error("Error: {path}: {source}")]
    Json {
        /// Which.
        path: String,
        /// Where and why.
        source: JsonError,
    },
    /// No proposal.
    #[error("Error: {0}")]
    Generate(#[from] generate::GenerateError),
}

/// This tool's flags.
pub fn command() -> clap::Command {
    crate::command_line::command(&flags::flags())
}

/// Runs the tool.
pub async fn run(arguments: &[String]) -> ExitCode {
    let given = match flags::read(arguments) {
        Ok(given) => given,
        Err(refusal) => return refusal.report(&flags::flags()),
    };
    match act(&given).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure @ Failure::Flag(_)) => report::failure(failure),
        Err(failure) => report::failure_on_stdout(failure),
    }
}

async fn act(given: &Given) -> Result<(), Failure> {
    let mut admin = connect(given)?;
    if given.has("list") {
        return list(&mut admin, given.has("json")).await;
    }
    if given.has("generate") {
        return propose(&mut admin, given).await;
    }
    let plan = read_file(given, "reassignment-json-file", Plan::read)?;
    if given.has("execute") {
        execute::run(&mut admin, given, &plan).await?;
    }
    if given.has("wait") {
        wait::run(&mut admin, &plan).await?;
    }
    if given.has("verify") || given.has("wait") {
        verify::run(&mut admin, &plan, given.has("preserve-throttles")).await?;
    }
    if given.has("cancel") {
        cancel::run(&mut admin, given, &plan).await?;
    }
    Ok(())
}

fn connect(given: &Given) -> Result<Admin, Failure> {
    let mut properties = load_properties(given.value("command-config")?).map_err(Failure::Connect)?;
    if properties.get("client.id").is_none() {
        properties.set("client.id", "reassign-partitions-tool");
    }
    let bootstrap = given.value("bootstrap-server")?.unwrap_or_default();
    Admin::new(bootstrap, &properties).map_err(Failure::Connect)
}

fn read_file<T>(
    given: &Given,
    flag: &'static str,
    read: impl Fn(&str) -> Result<T, JsonError>,
) -> Result<T, Failure> {
    let path = given.value(flag)?.unwrap_or_default().to_owned();
    match std::fs::read_to_string(&path) {
        Ok(text) => read(&text).map_err(|source| Failure::Json { path, source }),
        Err(source) => Err(Failure::File { path, source }),
    }
}

async fn list(admin: &mut Admin, as_json: bool) -> Result<(), Failure> {
    let under_way = admin.list_reassignments(None).await?;
    if !as_json {
        print!("{}", state::show_under_way(&under_way));
        return Ok(());
    }
    let entries = under_way.iter().map(|(partition, one)| {
        json!({
            "topic": partition.topic.as_str(),
            "partition": partition.partition,
            "replicas": one.replicas,
            "addingReplicas": one.adding,
            "removingReplicas": one.removing,
        })
    });
    println!("{}", json!({ "reassignments": entries.collect::<Vec<_>>() }));
    Ok(())
}

async fn propose(admin: &mut Admin, given: &Given) -> Result<(), Failure> {
    let brokers = generate::read_brokers(given.value("broker-list")?.unwrap_or_default())?;
    let topics = read_file(given, "topics-to-move-json-file", plan::read_topics)?;
    let current = replicas_of(admin, topics.into_iter().collect()).await?;
    let candidates =
        generate::candidates(&admin.describe_cluster().await?, &brokers, !given.has("disable-rack-aware"))?;
    let draw = |count: usize| rand::random_range(0..count.max(1));
    let start = |count| PlacementStart { first: draw(count), shift: draw(count) };
    let proposed = generate::propose(&current, &candidates, start)?;
    if given.has("json") {
        println!("{}", plan::write(&proposed));
    } else {
        println!("Current partition replica assignment\n{}\n", plan::write(&current));
        println!("Proposed partition reassignment configuration\n{}", plan::write(&proposed));
    }
    Ok(())
}

/// The replicas of every partition of topics, all of which must exist.
async fn replicas_of(
    admin: &mut Admin,
    topics: BTreeSet<String>,
) -> Result<BTreeMap<TopicPartition, Vec<i32>>, Failure> {
    let mut found = BTreeMap::new();
    let topics: Vec<String> = topics.into_iter().collect();
    for (name, described) in admin.look_up_topics(&topics).await? {
        let described = described.map_err(|error| match error.code() {
            Some(3) => AdminError::refused(3, Some(&format!("Topic {name} not found."))),
            _ => error,
        })?;
        for partition in described.partitions {
            found.insert(TopicPartition::new(name.as_str(), partition.partition), partition.replicas);
        }
    }
    Ok(found)
}

/// Lifts every throttle of all brokers and of the plan's topics.
async fn clear_throttles(admin: &mut Admin, plan: &Plan) -> Result<(), Failure> {
    use crate::admin::configs::ConfigResource;
    let mut brokers: BTreeSet<i32> = admin.live_brokers().await?.into_iter().collect();
    brokers.extend(plan.brokers());
    let list: Vec<String> = brokers.iter().map(ToString::to_string).collect();
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    println!("Clearing broker-level throttles on broker{} {}", plural(list.len()), list.join(","));
    for broker in brokers {
        admin.change_configs(&ConfigResource::broker(broker), &throttle::broker_removals()).await?;
    }
    let mut topics: Vec<String> = plan.topics().into_iter().collect();
    crate::java_map::sort_as_hash_map(&mut topics, crate::java_map::DEFAULT_CAPACITY, |topic| topic);
    println!("Clearing topic-level throttles on topic{} {}", plural(topics.len()), topics.join(","));
    for topic in topics {
        admin.change_configs(&ConfigResource::topic(topic), &throttle::topic_removals()).await?;
    }
    Ok(())
}
