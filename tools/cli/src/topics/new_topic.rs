//! What `--create` and `--alter` ask for (`TopicCommand.CommandTopicPartition`). Pure.

use gregor_config::Properties;
use gregor_config::topic::validate;
use gregor_config::{Source, Values, broker_table};

use crate::admin::topics::NewTopic;
use crate::command_line::{FlagError, Given};

/// Why a topic cannot be asked for; the text is what Kafka's tool prints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NewTopicError {
    /// A malformed flag.
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// A `--config` without a value.
    #[error(
        "requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\"."
    )]
    ConfigFormat,
    /// A config no topic has, or a value it does not take.
    #[error("{0}")]
    Config(String),
    /// A broker id in `--replica-assignment` that is no number.
    #[error("For input string: \"{0}\"")]
    BrokerId(String),
    /// A broker that is to have two replicas of one partition.
    #[error("Partition replica lists may not contain duplicate entries: {0}")]
    Duplicate(String),
    /// Partitions with different counts of replicas.
    #[error("Partition {partition} has different replication factor: {replicas:?}")]
    Uneven {
        /// The first such partition.
        partition: usize,
        /// Its replicas.
        replicas: Vec<i32>,
    },
    /// `--replication-factor` out of range.
    #[error("The replication factor must be between 1 and 32767 inclusive")]
    ReplicationFactor,
    /// `--partitions` out of range.
    #[error("The partitions must be greater than 0")]
    Partitions,
}

/// The topic that the flags describe, its replication factor and partitions not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `--topic`.
    pub name: String,
    /// `--partitions`.
    pub partitions: Option<i32>,
    /// `--replica-assignment`.
    pub assignment: Vec<Vec<i32>>,
    replication_factor: Option<i32>,
    configs: Vec<(String, String)>,
}

impl Asked {
    /// Reads the flags.
    pub fn of(given: &Given) -> Result<Asked, NewTopicError> {
        let assignment = match given.value("replica-assignment")? {
            None | Some("") => Vec::new(),
            Some(text) => parse_assignment(text)?,
        };
        Ok(Asked {
            name: given.value("topic")?.unwrap_or_default().to_owned(),
            partitions: given.number("partitions")?,
            replication_factor: given.number("replication-factor")?,
            assignment,
            configs: parse_configs(&given.values("config"))?,
        })
    }

    /// The topic to create.
    pub fn new_topic(&self) -> Result<NewTopic, NewTopicError> {
        let factor = self.replication_factor.map(i16::try_from).transpose();
        let replication_factor = match factor {
            Ok(factor) if factor.is_none_or(|factor| factor >= 1) => factor,
            _ => return Err(NewTopicError::ReplicationFactor),
        };
        if self.partitions.is_some_and(|partitions| partitions < 1) {
            return Err(NewTopicError::Partitions);
        }
        Ok(NewTopic {
            name: self.name.clone(),
            partitions: self.partitions,
            replication_factor,
            assignment: self.assignment.clone(),
            configs: self.configs.clone(),
        })
    }
}

fn parse_configs(texts: &[&str]) -> Result<Vec<(String, String)>, NewTopicError> {
    let mut properties = Properties::new();
    for text in texts {
        // As Java splits: trailing empty parts do not count, so "key=" has one part, and "a=b=c" three.
        let mut parts: Vec<&str> = text.split('=').collect();
        while parts.len() > 1 && parts.last().is_some_and(|part| part.trim().is_empty()) {
            parts.pop();
        }
        let [key, value] = parts[..] else { return Err(NewTopicError::ConfigFormat) };
        properties.set(key.trim(), value.trim());
    }
    let nothing_set = Values::resolve(broker_table(), &[(Source::StaticBroker, &Properties::new())]);
    let defaults = nothing_set.map_err(|error| NewTopicError::Config(error.to_string()))?;
    validate(&defaults, &properties).map_err(|error| NewTopicError::Config(error.to_string()))?;
    Ok(properties.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}

/// `0:1,1:2`: replicas by partition.
fn parse_assignment(text: &str) -> Result<Vec<Vec<i32>>, NewTopicError> {
    let mut assignment: Vec<Vec<i32>> = Vec::new();
    for (partition, list) in text.split(',').enumerate() {
        let parse = |id: &str| id.trim().parse().map_err(|_| NewTopicError::BrokerId(id.trim().to_owned()));
        let replicas: Vec<i32> = list.split(':').map(parse).collect::<Result<_, _>>()?;
        let is_repeated = |(index, id): (usize, &i32)| replicas[..index].contains(id).then(|| id.to_string());
        let mut repeated: Vec<String> = replicas.iter().enumerate().filter_map(is_repeated).collect();
        repeated.dedup();
        if !repeated.is_empty() {
            return Err(NewTopicError::Duplicate(repeated.join(",")));
        }
        if assignment.first().is_some_and(|first| first.len() != replicas.len()) {
            return Err(NewTopicError::Uneven { partition, replicas });
        }
        assignment.push(replicas);
    }
    Ok(assignment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::parse;
    use crate::command_line::words;
    use crate::topics::flags::all_flags;

    #[track_caller]
    fn check(line: &str, expected: Result<NewTopic, &str>) {
        let words = words(line);
        let given = parse(&all_flags(), &words).expect("flags");
        let asked = Asked::of(&given).and_then(|asked| asked.new_topic());
        assert_eq!(asked.map_err(|error| error.to_string()), expected.map_err(str::to_owned), "{line}");
    }

    #[test]
    fn topics_as_asked_for() {
        let topic = NewTopic { name: "t".to_owned(), ..NewTopic::default() };
        check("--topic t", Ok(topic.clone()));
        check(
            "--topic t --partitions 3 --replication-factor 2 --config retention.ms=5",
            Ok(NewTopic {
                partitions: Some(3),
                replication_factor: Some(2),
                configs: vec![("retention.ms".to_owned(), "5".to_owned())],
                ..topic.clone()
            }),
        );
        check(
            "--topic t --replica-assignment 0:1,1:2",
            Ok(NewTopic { assignment: vec![vec![0, 1], vec![1, 2]], ..topic }),
        );
        check("--topic t --partitions 0", Err("The partitions must be greater than 0"));
        let range = "The replication factor must be between 1 and 32767 inclusive";
        check("--topic t --replication-factor 0", Err(range));
        check("--topic t --replication-factor 32768", Err(range));
        check("--topic t --replica-assignment x:1", Err("For input string: \"x\""));
        let duplicate = "Partition replica lists may not contain duplicate entries: 1";
        check("--topic t --replica-assignment 1:1", Err(duplicate));
        check(
            "--topic t --replica-assignment 0:1,1",
            Err("Partition 1 has different replication factor: [1]"),
        );
        check("--topic t --config nonsense=1", Err("Unknown topic config name: nonsense"));
        let format = "requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\".";
        check("--topic t --config retention.ms", Err(format));
        check("--topic t --config retention.ms=", Err(format));
    }
}
