//! `gregor get-offsets`: kafka-get-offsets.sh (`org.apache.kafka.tools.GetOffsetShell`).

mod filter;

use std::process::ExitCode;

use gregor_model::TopicPartition;

use crate::admin::offsets::{OffsetSpec, UNKNOWN_OFFSET};
use crate::admin::{Admin, AdminError, open};
use crate::command_line::{COMMON, Flag, FlagError, Given, Refusal, help_or_version, parse};
use crate::report;
use filter::{Filter, FilterError};

const ABOUT: &str = "An interactive shell for getting topic-partition offsets.";

/// The flags of kafka-get-offsets.sh, and `--json`.
fn flags() -> Vec<Flag> {
    let own = [
        Flag::valued(
            "broker-list",
            "host:port,...",
            "Deprecated: use --bootstrap-server, which goes before it.",
        ),
        Flag::valued("bootstrap-server", "host:port,...", "REQUIRED: brokers of the cluster."),
        Flag::valued(
            "topic-partitions",
            "topic1:1,topic2:0-3,topic3,topic4:5-",
            "Rules for partitions, by commas: a regular expression for topics, and after a colon a number or a range \
             whose end does not belong to it; every part may be left out.",
        ),
        Flag::valued("topic", "topic", "Topics, a regular expression; all if it is not given."),
        Flag::valued("partitions", "partition ids", "Partitions, by commas; all if it is not given."),
        Flag::valued(
            "time",
            "time",
            "Offsets at this time, in milliseconds since 1970; or -1 or latest, -2 or earliest, -3 or max-timestamp, \
             -4 or earliest-local, -5 or latest-tiered. Default: latest.",
        ),
        Flag::valued("command-config", "config file", "Client properties."),
        Flag::switch("exclude-internal-topics", "Leave internal topics out."),
        Flag::switch("json", "Print a JSON document instead, for scripts."),
    ];
    [&own[..], &COMMON].concat()
}

/// This tool's flags.
pub fn command() -> clap::Command {
    crate::command_line::command(&flags())
}

/// Why the command failed; the text is what Kafka's tool prints.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{}", .0.java())]
    Admin(#[from] AdminError),
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error(transparent)]
    Flag(#[from] FlagError),
    #[error("--topic-partitions cannot be used with --topic or --partitions")]
    TwoFilters,
    #[error(
        "Malformed time argument {0}. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or \
         earliest-local / -5 or latest-tiered, or a specified long format timestamp"
    )]
    Time(String),
    #[error("Could not match any topic-partitions with the specified filters")]
    NoPartitions,
}

/// Runs the tool.
pub async fn run(arguments: &[String]) -> ExitCode {
    let given = match read(arguments) {
        Ok(given) => given,
        // Kafka's tool says this differently from its other tools.
        Err(Refusal::Flag(error)) => return report::failure(format!("Error occurred: {error}")),
        Err(refusal) => return refusal.report(&flags()),
    };
    match offsets(&given).await {
        Ok(offsets) if given.has("json") => println!("{}", json(&offsets)),
        Ok(offsets) => print!("{}", text(&offsets)),
        Err(failure) => return report::failure(format!("Error occurred: {failure}")),
    }
    ExitCode::SUCCESS
}

fn read(arguments: &[String]) -> Result<Given, Refusal> {
    if arguments.is_empty() {
        return Err(Refusal::Usage(ABOUT.to_owned()));
    }
    let given = parse(&flags(), arguments)?;
    help_or_version(arguments, &given, ABOUT)?;
    let brokers = bootstrap(&given)?;
    if brokers
        .split(',')
        .any(|address| address.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err()))
    {
        return Err(Refusal::Usage("Please provide valid host:port like host1:9091,host2:9092\n".to_owned()));
    }
    Ok(given)
}

fn bootstrap(given: &Given) -> Result<&str, FlagError> {
    match given.value("bootstrap-server")? {
        Some(brokers) => Ok(brokers),
        None => given.value("broker-list")?.ok_or(FlagError::Missing("bootstrap-server")),
    }
}

async fn offsets(given: &Given) -> Result<Vec<(TopicPartition, i64)>, Failure> {
    let filter = match given.value("topic-partitions")? {
        Some(_) if given.has("topic") || given.has("partitions") => return Err(Failure::TwoFilters),
        Some(rules) => Filter::of_rules(rules)?,
        None => Filter::of_topic(given.value("topic")?, given.value("partitions")?)?,
    };
    let spec = offset_spec(given.value("time")?.unwrap_or("latest"))?;
    let mut admin = open(bootstrap(given)?, given.value("command-config")?)?;
    let partitions = partitions(&mut admin, &filter, given.has("exclude-internal-topics")).await?;
    if partitions.is_empty() {
        return Err(Failure::NoPartitions);
    }
    let mut found = Vec::new();
    for (partition, offset) in admin.list_offsets(&partitions, spec).await? {
        match offset {
            Ok(UNKNOWN_OFFSET) => {}
            Ok(offset) => found.push((partition, offset)),
            Err(error) => eprintln!(
                "Skip getting offsets for topic-partition {partition} due to error: {}",
                error.java()
            ),
        }
    }
    found.sort_by_key(|(partition, _)| partition.to_string());
    Ok(found)
}

async fn partitions(
    admin: &mut Admin,
    filter: &Filter,
    exclude_internal: bool,
) -> Result<Vec<TopicPartition>, AdminError> {
    let topics = admin.list_topics().await?.into_iter();
    let wanted =
        topics.filter(|(name, internal, _)| filter.has_topic(name) && !(exclude_internal && *internal));
    let names: Vec<String> = wanted.map(|(name, _, _)| name).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let topics = admin.describe_topics(&names).await?;
    let partitions = topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| TopicPartition::new(topic.name.as_str(), partition.partition))
    });
    Ok(partitions.filter(|partition| filter.has(partition)).collect())
}

fn offset_spec(time: &str) -> Result<OffsetSpec, Failure> {
    Ok(match time {
        "earliest" | "-2" => OffsetSpec::Earliest,
        "latest" | "-1" => OffsetSpec::Latest,
        "max-timestamp" | "-3" => OffsetSpec::MaxTimestamp,
        "earliest-local" | "-4" => OffsetSpec::EarliestLocal,
        "latest-tiered" | "-5" => OffsetSpec::LatestTiered,
        _ => OffsetSpec::At(time.parse().map_err(|_| Failure::Time(time.to_owned()))?),
    })
}

fn text(offsets: &[(TopicPartition, i64)]) -> String {
    let line =
        |(TopicPartition { topic, partition }, offset): &(_, i64)| format!("{topic}:{partition}:{offset}\n");
    offsets.iter().map(line).collect()
}

fn json(offsets: &[(TopicPartition, i64)]) -> serde_json::Value {
    let entry = |(TopicPartition { topic, partition }, offset): &(TopicPartition, i64)| serde_json::json!({ "topic": topic.as_str(), "partition": partition, "offset": offset });
    serde_json::json!({ "offsets": offsets.iter().map(entry).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::words;

    #[test]
    fn times() {
        for (text, expected) in [
            ("latest", Some(OffsetSpec::Latest)),
            ("-2", Some(OffsetSpec::Earliest)),
            ("max-timestamp", Some(OffsetSpec::MaxTimestamp)),
            ("1700000000000", Some(OffsetSpec::At(1_700_000_000_000))),
            ("yesterday", None),
        ] {
            assert_eq!(offset_spec(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn flags_are_checked() {
        for (line, expected) in [
            ("--broker-list a:1", Ok(())),
            ("--bootstrap-server a:1,b:2", Ok(())),
            ("--bootstrap-server a", Err("Please provide valid host:port like host1:9091,host2:9092\n")),
            ("--topic a", Err("Missing required option(s) [bootstrap-server]")),
            ("", Err(ABOUT)),
        ] {
            let words = words(line);
            let answer = read(&words).map(drop).map_err(|refusal| refusal.to_string());
            assert_eq!(answer, expected.map_err(str::to_owned), "{line}");
        }
    }

    #[test]
    fn output() {
        let offsets = [(TopicPartition::new("t", 1), 7)];
        assert_eq!(text(&offsets), "t:1:7\n");
        assert_eq!(json(&offsets).to_string(), r#"{"offsets":[{"offset":7,"partition":1,"topic":"t"}]}"#);
    }
}
