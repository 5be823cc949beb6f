//! `gregor consumer-groups`: kafka-consumer-groups.sh (`org.apache.kafka.tools.consumer.group.ConsumerGroupCommand`).
//!
//! What goes wrong with a group is said and ends with exit code 0, as scripts know it; a command that could not be carried
//! out at all ends with 1.

mod delete;
mod flags;
mod list;
mod members_table;
mod offsets_table;
mod reset;
mod standing;
mod state_table;
mod topics;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use gregor_model::TopicPartition;
use serde_json::{Value, json};

use crate::admin::groups::{GroupDescription, GroupListing};
use crate::admin::offsets::{OffsetSpec, UNKNOWN_OFFSET};
use crate::admin::{Admin, AdminError, Node, connect};
use crate::command_line::{FlagError, Given, Refusal};
use crate::report;
use standing::Notice;

/// `--timeout`, if it is not given.
const TIMEOUT_MS: u64 = 5_000;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A call failed.
    #[error("{}", .0.java())]
    Admin(#[from] AdminError),
    /// A call failed where Kafka's tool prints Java's wrapping, too.
    #[error("java.util.concurrent.ExecutionException: {}", .0.java())]
    Nested(AdminError),
    /// A malformed flag.
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// A `--topic` that cannot be read.
    #[error(transparent)]
    Topic(#[from] topics::TopicError),
    /// A filter of `--list`.
    #[error(transparent)]
    Filter(#[from] list::InvalidFilter),
    /// A partition that cannot be shifted.
    #[error(transparent)]
    Shift(#[from] reset::NothingToShift),
    /// A reset that cannot be read.
    #[error(transparent)]
    Scenario(reset::ScenarioError),
    /// A file that cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is no plan.
    #[error("{path}: {reason}")]
    Plan {
        /// Which.
        path: String,
        /// Where and why.
        reason: String,
    },
}

/// This tool's flags.
pub fn command() -> clap::Command {
    crate::command_line::command(&flags::flags())
}

/// Runs the tool.
pub async fn run(arguments: &[String]) -> ExitCode {
    let (given, warning) = match flags::read(arguments) {
        Ok(read) => read,
        Err(refusal) => return refusal.report(&flags::flags()),
    };
    if let Some(warning) = warning {
        eprintln!("{warning}");
    }
    match execute(&given).await {
        Ok(()) => ExitCode::SUCCESS,
        // Bad arguments that are found late.
        Err(failure @ (Failure::Topic(_) | Failure::Filter(_) | Failure::Shift(_))) => {
            Refusal::Usage(failure.to_string()).report(&flags::flags())
        }
        Err(
            failure @ (Failure::Flag(_) | Failure::Scenario(_) | Failure::File { .. } | Failure::Plan { .. }),
        ) => report::failure(failure),
        Err(failure) => report::failure_on_stdout(format!(
            "\nError: Executing consumer group command failed due to {failure}"
        )),
    }
}

async fn execute(given: &Given) -> Result<(), Failure> {
    let mut admin = connect(given)?;
    admin.set_api_timeout(Duration::from_millis(given.number("timeout")?.unwrap_or(TIMEOUT_MS)));
    if given.has("list") {
        return list(&mut admin, given).await;
    }
    if given.has("delete-offsets") {
        return delete::offsets(&mut admin, given).await;
    }
    let groups = match given.has("all-groups") {
        true => sorted_groups(&mut admin, &[], &[]).await?.into_iter().map(|group| group.id).collect(),
        false => given.values("group").into_iter().map(str::to_owned).collect(),
    };
    if given.has("describe") {
        describe(&mut admin, given, groups).await
    } else if given.has("delete") {
        delete::groups(&mut admin, groups).await
    } else {
        reset::run(&mut admin, given, groups).await
    }
}

async fn sorted_groups(
    admin: &mut Admin,
    states: &[String],
    types: &[String],
) -> Result<Vec<GroupListing>, AdminError> {
    let mut groups = admin.list_consumer_groups(states, types).await?;
    list::sort(&mut groups);
    Ok(groups)
}

async fn list(admin: &mut Admin, given: &Given) -> Result<(), Failure> {
    let states = list::states(given.value("state")?.unwrap_or_default())?;
    let types = list::types(given.value("type")?.unwrap_or_default())?;
    let groups = sorted_groups(admin, &states, &types).await?;
    if given.has("json") {
        println!("{}", list::json_document(&groups));
    } else {
        print!("{}", list::table(&groups, given.has("type"), given.has("state")));
    }
    Ok(())
}

async fn describe(admin: &mut Admin, given: &Given, mut groups: Vec<String>) -> Result<(), Failure> {
    groups.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
    groups.dedup();
    let mut described = Vec::new();
    for group in groups {
        described.push(admin.describe_consumer_group(&group).await?);
    }
    let mut documents = Vec::new();
    let mut rows_shown = false;
    for group in &described {
        if given.has("json") {
            documents.push(document(admin, group).await?);
        } else if given.has("members") {
            let rows = group.members.len();
            let is_shown = announce(group, rows);
            print!("{}", members_table::table(group, is_shown, given.has("verbose")));
        } else if given.has("state") {
            if announce(group, 1) {
                print!("{}", state_table::table(group, &coordinator(admin, group).await?));
            }
        } else {
            let rows = offsets(admin, group).await?;
            if announce(group, rows.len()) {
                rows_shown = true;
                print!("{}", offsets_table::table(&group.id, &rows));
            }
        }
    }
    if given.has("json") {
        println!("{}", json!({ "groups": documents }));
    } else if rows_shown {
        // Every row of the table began with its line break; Kafka's tool leaves the last one open.
        println!();
    }
    Ok(())
}

/// Says what there is to say of a group's state; whether its rows are shown.
fn announce(group: &GroupDescription, rows: usize) -> bool {
    let (notice, is_shown) = standing::judge(&group.id, &group.state, rows);
    match notice {
        Some(Notice::Error(text)) => report::remark_on_stdout(format!("\nError: {text}")),
        Some(Notice::Remark(text)) => eprintln!("\n{text}"),
        None => {}
    }
    is_shown
}

async fn coordinator(admin: &mut Admin, group: &GroupDescription) -> Result<Node, AdminError> {
    let mut nodes = admin.describe_cluster().await?.nodes;
    nodes.remove(&group.coordinator).ok_or_else(|| AdminError::refused(15, None))
}

/// A group's partitions. One whose end cannot be had (its topic is gone) is shown without.
async fn offsets(admin: &mut Admin, group: &GroupDescription) -> Result<Vec<offsets_table::Row>, Failure> {
    let committed = admin.committed_offsets(&group.id).await.map_err(Failure::Nested)?;
    let partitions: Vec<TopicPartition> = offsets_table::partitions(group, &committed).into_iter().collect();
    let found = admin.list_offsets(&partitions, OffsetSpec::Latest).await.map_err(Failure::Nested)?;
    let mut ends = BTreeMap::new();
    for (partition, end) in found {
        match end {
            Ok(end) if end != UNKNOWN_OFFSET => {
                ends.insert(partition, end);
            }
            Ok(_) => {}
            Err(error) => eprintln!("the end of {partition} is not known: {error}"),
        }
    }
    Ok(offsets_table::rows(group, &committed, &ends))
}

async fn document(admin: &mut Admin, group: &GroupDescription) -> Result<Value, Failure> {
    let node = coordinator(admin, group).await?;
    let rows = offsets(admin, group).await?;
    Ok(json!({
        "groupId": group.id,
        "state": group.state,
        "assignmentStrategy": group.assignor,
        "coordinator": { "id": node.id, "host": node.host, "port": node.port },
        "members": members_table::json_members(group),
        "offsets": offsets_table::json_rows(&rows),
    }))
}
