//! `gregor leader-election`: kafka-leader-election.sh (`org.apache.kafka.tools.LeaderElectionCommand`).

mod flags;
mod show;

use std::collections::BTreeSet;
use std::process::ExitCode;

use gregor_model::TopicPartition;

use crate::admin::{Admin, AdminError, load_properties};
use crate::command_line::{FlagError, Given};
use crate::json::{Json, JsonError, parse};
use crate::report;
use flags::{Asked, Scope};

/// How long an election may take (`default.api.timeout.ms` of the tool), and half of it for each request.
const TIMEOUT_MS: (&str, &str) = ("30000", "15000");

/// This tool's flags.
pub fn command() -> clap::Command {
    crate::command_line::command(&flags::flags())
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{}", .0.java())]
    Admin(#[from] AdminError),
    // A failure before anything is asked: Kafka's tool has no exception class before these words.
    #[error("{0}")]
    Connect(AdminError),
    #[error(transparent)]
    Flag(#[from] FlagError),
    #[error("cannot read {path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("{path}: {source}")]
    Partitions { path: String, source: JsonError },
    #[error("Timeout waiting for election results")]
    Timeout,
    #[error("Not authorized to perform leader election")]
    NotAuthorized,
    #[error("{0} replica(s) could not be elected")]
    NotElected(usize),
}

/// Runs the tool.
pub async fn run(arguments: &[String]) -> ExitCode {
    let (given, asked) = match flags::read(arguments) {
        Ok(read) => read,
        Err(refusal) => return refusal.report(&flags::flags()),
    };
    match elect(&given, &asked).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure @ (Failure::Timeout | Failure::NotAuthorized)) => report::failure_on_stdout(failure),
        Err(failure) => report::failure(failure),
    }
}

async fn elect(given: &Given, asked: &Asked) -> Result<(), Failure> {
    let partitions = match &asked.scope {
        Scope::All => None,
        Scope::One(partition) => Some(vec![partition.clone()]),
        Scope::File(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|source| Failure::File { path: path.clone(), source })?;
            Some(
                read_partitions(&text)
                    .map_err(|source| Failure::Partitions { path: path.clone(), source })?,
            )
        }
    };
    let mut admin = connect(given)?;
    let outcomes = match admin.elect_leaders(asked.election, partitions.as_deref()).await {
        Ok(outcomes) => outcomes,
        Err(AdminError::NoNode { .. } | AdminError::Refused { code: 7, .. }) => return Err(Failure::Timeout),
        Err(AdminError::Refused { code: 31, .. }) => return Err(Failure::NotAuthorized),
        Err(error) => return Err(error.into()),
    };
    let (text, failed) = show::outcomes(asked.election, &outcomes);
    print!("{text}");
    match failed {
        0 => Ok(()),
        count => Err(Failure::NotElected(count)),
    }
}

fn connect(given: &Given) -> Result<Admin, Failure> {
    let mut properties = load_properties(given.value("admin.config")?).map_err(Failure::Connect)?;
    for (key, value) in [("default.api.timeout.ms", TIMEOUT_MS.0), ("request.timeout.ms", TIMEOUT_MS.1)] {
        if properties.get(key).is_none() {
            properties.set(key, value);
        }
    }
    let bootstrap = given.value("bootstrap-server")?.unwrap_or_default();
    Admin::new(bootstrap, &properties).map_err(Failure::Connect)
}

/// The partitions in a file.
fn read_partitions(text: &str) -> Result<Vec<TopicPartition>, JsonError> {
    let value = parse(text)?;
    let mut partitions = BTreeSet::new();
    for entry in Json::document(&value).field("partitions")?.elements()? {
        let partition = entry.topic_partition()?;
        if !partitions.insert(partition.clone()) {
            return Err(entry.invalid(format!("the partition {partition} is there twice")));
        }
    }
    Ok(partitions.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files() {
        let entry = r#"{"topic":"t","partition":0}"#;
        let read = read_partitions(&format!(r#"{{"partitions":[{entry}]}}"#));
        assert_eq!(read, Ok(vec![TopicPartition::new("t", 0)]));
        let twice = read_partitions(&format!(r#"{{"partitions":[{entry},{entry}]}}"#)).unwrap_err();
        assert_eq!(twice.to_string(), "partitions[1]: the partition t-0 is there twice");
    }
}
