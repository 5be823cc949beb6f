//! `gregor log-dirs`: kafka-log-dirs.sh (`org.apache.kafka.tools.LogDirsCommand`).

mod show;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use crate::admin::log_dirs::LogDir;
use crate::admin::{AdminError, connect};
use crate::command_line::{
    BOOTSTRAP_SERVER, COMMAND_CONFIG, COMMON, Flag, FlagError, Given, Refusal, help_or_version, parse,
    required,
};
use crate::report;

/// The flags of kafka-log-dirs.sh, and `--json`.
fn flags() -> Vec<Flag> {
    let own = [
        BOOTSTRAP_SERVER,
        COMMAND_CONFIG,
        Flag::switch("describe", "REQUIRED: show the log directories of brokers."),
        Flag::valued("topic-list", "topic list", "Only these topics, by commas; all if it is not given."),
        Flag::valued("broker-list", "broker list", "Only these brokers, by commas; all if it is not given."),
        Flag::switch("json", "Print nothing but the JSON document, for scripts."),
    ];
    [&own[..], &COMMON].concat()
}

/// This tool's flags.
pub fn command() -> clap::Command {
    crate::command_line::command(&flags())
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
    #[error("For input string: \"{0}\"")]
    BrokerId(String),
    #[error(
        "ERROR: The given brokers do not exist from --broker-list: {}. Current existent brokers: {}", join(.missing), join(.existing)
    )]
    NoSuchBrokers { missing: BTreeSet<i32>, existing: BTreeSet<i32> },
}

/// Runs the tool.
pub async fn run(arguments: &[String]) -> ExitCode {
    let given = match read(arguments) {
        Ok(given) => given,
        Err(refusal) => return refusal.report(&flags()),
    };
    match describe(&given).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report::failure(failure),
    }
}

fn read(arguments: &[String]) -> Result<Given, Refusal> {
    let given = parse(&flags(), arguments)?;
    let about = "This tool helps to query log directory usage on the specified brokers.";
    help_or_version(arguments, &given, about)?;
    required(&given, &["bootstrap-server", "describe"])?;
    Ok(given)
}

async fn describe(given: &Given) -> Result<(), Failure> {
    let topics: BTreeSet<&str> = words(given.value("topic-list")?).collect();
    let wanted = words(given.value("broker-list")?)
        .map(|id| id.parse().map_err(|_| Failure::BrokerId(id.to_owned())))
        .collect::<Result<BTreeSet<i32>, _>>()?;
    let mut admin = connect(given).map_err(Failure::Connect)?;
    let existing: BTreeSet<i32> = admin.live_brokers().await?.into_iter().collect();
    let brokers = chosen(&wanted, &existing)?;
    let quiet = given.has("json");
    if !quiet {
        println!("Querying brokers for log directories information");
    }
    let mut found: BTreeMap<i32, Vec<LogDir>> = BTreeMap::new();
    for broker in &brokers {
        found.insert(*broker, admin.describe_log_dirs(*broker).await?);
    }
    if !quiet {
        println!("Received log directory information from brokers {}", join(&brokers));
    }
    println!("{}", show::json(found, &topics));
    Ok(())
}

fn words(list: Option<&str>) -> impl Iterator<Item = &str> {
    list.unwrap_or_default().split(',').filter(|word| !word.is_empty())
}

/// The brokers to ask: those wanted, or all.
fn chosen(wanted: &BTreeSet<i32>, existing: &BTreeSet<i32>) -> Result<BTreeSet<i32>, Failure> {
    let missing: BTreeSet<i32> = wanted.difference(existing).copied().collect();
    if !missing.is_empty() {
        return Err(Failure::NoSuchBrokers { missing, existing: existing.clone() });
    }
    Ok(if wanted.is_empty() { existing } else { wanted }.clone())
}

fn join(ids: &BTreeSet<i32>) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers() {
        let existing = BTreeSet::from([0, 1]);
        for (wanted, expected) in [
            (vec![], Ok("0,1")),
            (vec![1], Ok("1")),
            (
                vec![1, 7],
                Err(
                    "ERROR: The given brokers do not exist from --broker-list: 7. Current existent brokers: 0,1",
                ),
            ),
        ] {
            let answer = chosen(&wanted.into_iter().collect(), &existing);
            let answer = answer.map(|ids| join(&ids)).map_err(|failure| failure.to_string());
            assert_eq!(answer, expected.map(str::to_owned).map_err(str::to_owned));
        }
    }
}
