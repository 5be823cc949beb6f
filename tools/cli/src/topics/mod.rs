//! `gregor topics`: kafka-topics.sh, its flags, output and exit codes (`org.apache.kafka.tools.TopicCommand`).
//!
//! Usage errors go to stderr with exit code 1; failures of the command itself are one line and exit code 1.

mod describe;
pub mod filter;
pub mod flags;
pub mod new_topic;

use std::collections::HashMap;
use std::process::ExitCode;

use gregor_model::{TopicId, TopicPartition, has_collision_chars};

use crate::admin::reassignments::Reassignments;
use crate::admin::topics::{NewPartitions, TopicDescription};
use crate::admin::{Admin, AdminError, connect};
use crate::command_line::Given;
use crate::java_map::sort_as_hash_map;
use crate::report;
use describe::Report;
use new_topic::{Asked, NewTopicError};

const TOPIC_ALREADY_EXISTS: i16 = 36;

/// Why the command failed; the text is what Kafka's tool prints.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Admin(#[from] AdminError),
    #[error(transparent)]
    NewTopic(#[from] NewTopicError),
    #[error(transparent)]
    Filter(#[from] filter::InvalidRegex),
    #[error(transparent)]
    Flag(#[from] crate::command_line::FlagError),
    // Kafka prints a Java Optional here, and so do we.
    #[error("Topic 'Optional[{0}]' does not exist as expected")]
    NoTopic(String),
    #[error("TopicId '{0}' does not exist as expected")]
    NoTopicId(TopicId),
    #[error(
        "Input string `{0}` decoded as 0 bytes, which is not equal to the expected 16 bytes of a base64-encoded UUID"
    )]
    TopicId(String),
}

/// This tool's flags.
pub fn command() -> clap::Command {
    crate::command_line::command(&flags::all_flags())
}

/// Runs the tool.
pub async fn run(arguments: &[String]) -> ExitCode {
    let given = match flags::read(arguments) {
        Ok(given) => given,
        Err(refusal) => return refusal.report(&flags::all_flags()),
    };
    let admin = match connect(&given) {
        Ok(admin) => admin,
        Err(error) => return report::failure(error),
    };
    match execute(admin, &given).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report::failure_on_stdout(format!("Error while executing topic command : {failure}")),
    }
}

async fn execute(mut admin: Admin, given: &Given) -> Result<(), Failure> {
    if given.has("create") {
        create(&mut admin, given).await
    } else if given.has("alter") {
        alter(&mut admin, given).await
    } else if given.has("list") {
        println!("{}", selected(&mut admin, given).await?.join("\n"));
        Ok(())
    } else if given.has("describe") {
        describe(&mut admin, given).await
    } else {
        delete(&mut admin, given).await
    }
}

async fn create(admin: &mut Admin, given: &Given) -> Result<(), Failure> {
    let asked = Asked::of(given)?;
    if has_collision_chars(&asked.name) {
        println!(
            "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could \
             collide. To avoid issues it is best to use either, but not both."
        );
    }
    match admin.create_topic(&asked.new_topic()?).await {
        Ok(()) => println!("Created topic {}.", asked.name),
        Err(AdminError::Refused { code: TOPIC_ALREADY_EXISTS, .. }) if given.has("if-not-exists") => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

async fn alter(admin: &mut Admin, given: &Given) -> Result<(), Failure> {
    let asked = Asked::of(given)?;
    let names = selected_or_missing(admin, given).await?;
    if names.is_empty() {
        return Ok(());
    }
    let count = asked.partitions.unwrap_or_default();
    let mut topics = Vec::new();
    for topic in admin.describe_topics(&names).await? {
        let added = asked.assignment.iter().skip(topic.partitions.len()).cloned().collect();
        let assignment = (!asked.assignment.is_empty()).then_some(added);
        topics.push(NewPartitions { topic: topic.name, count, assignment });
    }
    Ok(admin.create_partitions(&topics).await?)
}

async fn delete(admin: &mut Admin, given: &Given) -> Result<(), Failure> {
    let names = selected_or_missing(admin, given).await?;
    if names.is_empty() {
        return Ok(());
    }
    Ok(admin.delete_topics(&names).await?)
}

async fn describe(admin: &mut Admin, given: &Given) -> Result<(), Failure> {
    let topics = described(admin, given).await?;
    let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    let configs = match admin.describe_topic_configs(&names).await {
        Ok(configs) => configs,
        // A broker without the API; Kafka's tool fails here, ours shows what there is.
        Err(AdminError::Unsupported(_)) => HashMap::new(),
        Err(error) => return Err(error.into()),
    };
    let live_brokers = admin.live_brokers().await?;
    let partitions = topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| TopicPartition::new(topic.name.as_str(), partition.partition))
    });
    let partitions = partitions.collect();
    let reassignments = match admin.list_reassignments(Some(partitions)).await {
        Ok(reassignments) => reassignments,
        // Older brokers, and users who may not ask: shown as if there were none.
        Err(AdminError::Unsupported(_) | AdminError::Refused { code: 31, .. }) => Reassignments::new(),
        Err(error) => return Err(error.into()),
    };
    let report = Report::of(given);
    for topic in &topics {
        let configs = configs.get(&topic.name).map(Vec::as_slice).unwrap_or_default();
        print!("{}", describe::describe(report, topic, configs, &reassignments, &live_brokers));
    }
    Ok(())
}

/// The topics to describe, in the order in which Kafka's tool shows them.
async fn described(admin: &mut Admin, given: &Given) -> Result<Vec<TopicDescription>, Failure> {
    let names = match topic_id(given)? {
        None => selected_or_missing(admin, given).await?,
        Some(id) => {
            let all = admin.list_topics().await?;
            let found = all.into_iter().find(|(_, internal, found)| {
                *found == Some(id) && !(*internal && given.has("exclude-internal"))
            });
            match found {
                Some((name, _, _)) => vec![name],
                None if given.has("if-exists") => Vec::new(),
                None => return Err(Failure::NoTopicId(id)),
            }
        }
    };
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut topics = admin.describe_topics(&names).await?;
    let count = topics.len();
    sort_as_hash_map(&mut topics, count, |topic| &topic.name);
    Ok(topics)
}

fn topic_id(given: &Given) -> Result<Option<TopicId>, Failure> {
    const ZERO: &str = "AAAAAAAAAAAAAAAAAAAAAA";
    match given.value("topic-id")? {
        None | Some(ZERO) => Ok(None),
        Some(text) => TopicId::parse(text).map(Some).ok_or_else(|| Failure::TopicId(text.to_owned())),
    }
}

async fn selected(admin: &mut Admin, given: &Given) -> Result<Vec<String>, Failure> {
    let mut all: Vec<String> = admin.list_topics().await?.into_iter().map(|(name, _, _)| name).collect();
    all.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
    Ok(filter::select(&all, given.value("topic")?, given.has("exclude-internal"))?)
}

/// `selected`, failing where a topic was named, none is there, and `--if-exists` was not given.
async fn selected_or_missing(admin: &mut Admin, given: &Given) -> Result<Vec<String>, Failure> {
    let found = selected(admin, given).await?;
    match given.value("topic")? {
        Some(topic) if !topic.is_empty() && found.is_empty() && !given.has("if-exists") => {
            Err(Failure::NoTopic(topic.to_owned()))
        }
        _ => Ok(found),
    }
}
