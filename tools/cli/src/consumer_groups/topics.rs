//! The partitions that `--topic` names: a topic, or `topic:0,1` (`ConsumerGroupCommand.parseTopicsWithPartitions`).

use gregor_model::TopicPartition;

use crate::admin::{Admin, AdminError};

/// A `--topic` that cannot be read; the text is what Kafka's tool prints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// More than one colon, or nothing after it.
    #[error("Invalid topic arg '{0}', expected topic name and partitions")]
    Format(String),
    /// A partition that is no number.
    #[error("Invalid partition '{partition}' specified in topic arg '{topic}''")]
    Partition {
        /// What was given for the partition.
        partition: String,
        /// The whole flag.
        topic: String,
    },
}

/// Topics as named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topics {
    /// Those named with partitions.
    pub partitions: Vec<TopicPartition>,
    /// Those meant whole.
    pub whole: Vec<String>,
}

/// Reads every `--topic`.
pub fn read(arguments: &[&str]) -> Result<Topics, TopicError> {
    let mut topics = Topics::default();
    for argument in arguments {
        if !argument.contains(':') {
            topics.whole.push((*argument).to_owned());
            continue;
        }
        let mut parts: Vec<&str> = argument.split(':').collect();
        // As Java splits: trailing empty parts do not count.
        while parts.last().is_some_and(|part| part.is_empty()) {
            parts.pop();
        }
        let [topic, partitions] = parts[..] else { return Err(TopicError::Format((*argument).to_owned())) };
        for partition in partitions.split(',') {
            let index = partition.parse().map_err(|_| TopicError::Partition {
                partition: partition.to_owned(),
                topic: (*argument).to_owned(),
            })?;
            topics.partitions.push(TopicPartition::new(topic, index));
        }
    }
    Ok(topics)
}

impl Admin {
    /// Every partition of a topic.
    pub async fn partitions_of(&mut self, topic: &str) -> Result<Vec<TopicPartition>, AdminError> {
        let described = self.describe_topics(&[topic.to_owned()]).await?;
        let partitions = described.iter().flat_map(|topic| &topic.partitions);
        Ok(partitions.map(|partition| TopicPartition::new(topic, partition.partition)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let read_one = |text: &str| read(&[text]).map_err(|error| error.to_string());
        let both = read(&["t:0,2", "u"]).unwrap();
        assert_eq!(both.partitions, [TopicPartition::new("t", 0), TopicPartition::new("t", 2)]);
        assert_eq!(both.whole, ["u"]);
        for (text, expected) in [
            ("t:x", "Invalid partition 'x' specified in topic arg 't:x''"),
            ("t:", "Invalid topic arg 't:', expected topic name and partitions"),
            ("t:0:1", "Invalid topic arg 't:0:1', expected topic name and partitions"),
        ] {
            assert_eq!(read_one(text), Err(expected.to_owned()));
        }
    }
}
