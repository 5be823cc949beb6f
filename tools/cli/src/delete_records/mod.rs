//! `gregor delete-records`: kafka-delete-records.sh (`org.apache.kafka.tools.DeleteRecordsCommand`).

mod plan;

use std::path::Path;
use std::process::ExitCode;

use gregor_model::TopicPartition;

use crate::admin::leaders::PerPartition;
use crate::admin::{AdminError, connect};
use crate::command_line::{
    BOOTSTRAP_SERVER, COMMAND_CONFIG, COMMON, Flag, FlagError, Given, Refusal, help_or_version, parse,
    required,
};
use crate::java_map::sort_partitions_as_hash_map;
use crate::json::JsonError;
use crate::report;

/// The flags of kafka-delete-records.sh, and `--json`.
fn flags() -> Vec<Flag> {
    let own = [
        BOOTSTRAP_SERVER,
        Flag::valued(
            "offset-json-file",
            "offset json file path",
            "REQUIRED: the offset before which each partition's records go (-1: all), as \
             {\"partitions\":[{\"topic\":\"t\",\"partition\":0,\"offset\":5}],\"version\":1}.",
        ),
        COMMAND_CONFIG,
        Flag::switch("json", "Print a JSON document instead, for scripts."),
    ];
    [&own[..], &COMMON].concat()
}

/// This tool's flags.
pub fn command() -> clap::Command {
    crate::command_line::command(&flags())
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Admin(#[from] AdminError),
    #[error(transparent)]
    Flag(#[from] FlagError),
    #[error("cannot read {path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("{path}: {source}")]
    Plan { path: String, source: JsonError },
}

/// Runs the tool.
pub async fn run(arguments: &[String]) -> ExitCode {
    let given = match read(arguments) {
        Ok(given) => given,
        Err(refusal) => return refusal.report(&flags()),
    };
    match delete(&given).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report::failure(failure),
    }
}

fn read(arguments: &[String]) -> Result<Given, Refusal> {
    let given = parse(&flags(), arguments)?;
    let about = "This tool helps to delete records of the given partitions down to the specified offset.";
    help_or_version(arguments, &given, about)?;
    required(&given, &["bootstrap-server", "offset-json-file"])?;
    Ok(given)
}

async fn delete(given: &Given) -> Result<(), Failure> {
    let path = given.value("offset-json-file")?.unwrap_or_default();
    let text = std::fs::read_to_string(Path::new(path))
        .map_err(|source| Failure::File { path: path.to_owned(), source })?;
    let offsets = plan::read(&text).map_err(|source| Failure::Plan { path: path.to_owned(), source })?;
    let mut admin = connect(given)?;
    if given.has("json") {
        println!("{}", json(&admin.delete_records(offsets).await?));
        return Ok(());
    }
    println!("Executing records delete operation");
    let results = admin.delete_records(offsets).await?;
    println!("Records delete operation completed:");
    print!("{}", show(&results));
    Ok(())
}

fn show(results: &PerPartition<i64>) -> String {
    let mut partitions: Vec<&TopicPartition> = results.keys().collect();
    sort_partitions_as_hash_map(&mut partitions, |partition| partition);
    let line = |partition: &TopicPartition| match results.get(partition) {
        Some(Ok(offset)) => format!("partition: {partition}\tlow_watermark: {offset}\n"),
        Some(Err(error)) => format!("partition: {partition}\terror: {}\n", error.java()),
        None => String::new(),
    };
    partitions.into_iter().map(line).collect()
}

fn json(results: &PerPartition<i64>) -> serde_json::Value {
    let entry = |(partition, result): (&TopicPartition, &Result<i64, AdminError>)| {
        serde_json::json!({
            "topic": partition.topic.as_str(),
            "partition": partition.partition,
            "lowWatermark": result.as_ref().ok(),
            "error": result.as_ref().err().map(ToString::to_string),
        })
    };
    serde_json::json!({ "partitions": results.iter().map(entry).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results() {
        let results = PerPartition::from([
            (TopicPartition::new("t", 0), Ok(5)),
            (TopicPartition::new("u", 1), Err(AdminError::refused(1, None))),
        ]);
        assert_eq!(
            show(&results),
            "partition: t-0\tlow_watermark: 5\npartition: u-1\terror: org.apache.kafka.common.errors.\
             OffsetOutOfRangeException: The requested offset is not within the range of offsets maintained by the \
             server.\n"
        );
        assert_eq!(json(&results)["partitions"][0]["lowWatermark"], 5);
    }
}
