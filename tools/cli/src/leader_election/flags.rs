//! The flags of `gregor leader-election` and what they ask for (`LeaderElectionCommandOptions`). Pure.

use gregor_model::TopicPartition;

use crate::admin::election::ElectionType;
use crate::command_line::{COMMON, Flag, FlagError, Given, Refusal, help_or_version, parse};

const ABOUT: &str = "This tool attempts to elect a new leader for a set of topic partitions. The type of elections \
                     supported are preferred replicas and unclean replicas.";

/// The flags of kafka-leader-election.sh.
pub fn flags() -> Vec<Flag> {
    let own = [
        Flag::valued("bootstrap-server", "host:port", "REQUIRED: brokers of the cluster, by commas."),
        Flag::valued("admin.config", "config file", "Client properties."),
        Flag::valued(
            "path-to-json-file",
            "file",
            "Partitions to elect leaders of: {\"partitions\":[{\"topic\":\"t\",\"partition\":1}]}.",
        ),
        Flag::valued("topic", "topic name", "The topic; --partition says which partition."),
        Flag::valued("partition", "partition id", "The partition of --topic."),
        Flag::switch("all-topic-partitions", "Every partition that needs an election of this type."),
        Flag::valued(
            "election-type",
            "preferred|unclean",
            "REQUIRED: preferred makes the first replica leader, unclean any living one where there is no leader, which \
             may lose records.",
        ),
    ];
    [&own[..], &COMMON].concat()
}

/// Which partitions are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All that need it.
    All,
    /// One.
    One(TopicPartition),
    /// Those in a file.
    File(String),
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// How to elect.
    pub election: ElectionType,
    /// Where.
    pub scope: Scope,
}

/// Reads and checks a command line in the order in which Kafka's tool does.
pub fn read(arguments: &[String]) -> Result<(Given, Asked), Refusal> {
    let given = parse(&flags(), arguments)?;
    let election = given.value("election-type")?.map(election_type).transpose()?;
    let partition = given.number::<i32>("partition")?;
    help_or_version(arguments, &given, ABOUT)?;
    let missing: Vec<&str> =
        ["bootstrap-server", "election-type"].into_iter().filter(|name| !given.has(name)).collect();
    let (true, Some(election)) = (missing.is_empty(), election) else {
        return Err(Refusal::Plain(format!("Missing required option(s): {}", missing.join(", "))));
    };
    let scope = scope(&given, partition)?;
    Ok((given, Asked { election, scope }))
}

fn election_type(text: &str) -> Result<ElectionType, FlagError> {
    match text.to_ascii_lowercase().as_str() {
        "preferred" => Ok(ElectionType::Preferred),
        "unclean" => Ok(ElectionType::Unclean),
        _ => Err(FlagError::NotANumber { name: "election-type", value: text.to_owned() }),
    }
}

fn scope(given: &Given, partition: Option<i32>) -> Result<Scope, Refusal> {
    let plain = |message: &str| Err(Refusal::Plain(message.to_owned()));
    let topic = given.value("topic")?;
    let file = given.value("path-to-json-file")?;
    let scope = match (topic, given.has("all-topic-partitions"), file) {
        (Some(topic), false, None) => match partition {
            Some(partition) => Scope::One(TopicPartition::new(topic, partition)),
            None => return plain("Missing required option(s): partition"),
        },
        (None, true, None) => Scope::All,
        (None, false, Some(path)) => Scope::File(path.to_owned()),
        _ => {
            return plain(
                "One and only one of the following options is required: topic, all-topic-partitions, path-to-json-file",
            );
        }
    };
    if topic.is_none() && partition.is_some() {
        return plain("Option partition is only allowed if topic is used");
    }
    Ok(scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::words;

    #[track_caller]
    fn check(line: &str, expected: Result<(ElectionType, Scope), &str>) {
        let words = words(line);
        let answer = read(&words).map(|(_, Asked { election, scope })| (election, scope));
        assert_eq!(answer.map_err(|refusal| refusal.to_string()), expected.map_err(str::to_owned), "{line}");
    }

    #[test]
    fn combinations() {
        use ElectionType::{Preferred, Unclean};
        let scopes = "One and only one of the following options is required: topic, all-topic-partitions, path-to-json-file";
        check("--bootstrap-server a:1 --election-type preferred --all-topic", Ok((Preferred, Scope::All)));
        check(
            "--bootstrap-server a:1 --election-type UNCLEAN --topic t --partition 2",
            Ok((Unclean, Scope::One(TopicPartition::new("t", 2)))),
        );
        check(
            "--bootstrap-server a:1 --election-type unclean --path-to-json-file f",
            Ok((Unclean, Scope::File("f".to_owned()))),
        );
        check("--all-topic", Err("Missing required option(s): bootstrap-server, election-type"));
        check("--election-type any", Err("Cannot parse argument 'any' of option election-type"));
        check("--bootstrap-server a:1 --election-type unclean", Err(scopes));
        check("--bootstrap-server a:1 --election-type unclean --all-topic --topic t", Err(scopes));
        check(
            "--bootstrap-server a:1 --election-type unclean --topic t",
            Err("Missing required option(s): partition"),
        );
        check(
            "--bootstrap-server a:1 --election-type unclean --all-topic --partition 1",
            Err("Option partition is only allowed if topic is used"),
        );
        check("", Err(ABOUT));
    }
}
