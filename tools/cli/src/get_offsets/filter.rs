//! Which partitions `gregor get-offsets` is asked about (`TopicPartitionFilter`). Pure.

use gregor_model::TopicPartition;
use regex::Regex;

use crate::topics::filter::{InvalidRegex, compile};

/// A filter that cannot be read; the text is what Kafka's tool prints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A rule of `--topic-partitions`.
    #[error("Invalid rule specification: {0}")]
    Rule(String),
    /// `--partitions`.
    #[error("--partitions expects a comma separated list of numeric partition ids, but received: {0}")]
    Partitions(String),
    /// A topic's pattern.
    #[error(transparent)]
    Regex(#[from] InvalidRegex),
}

/// Partitions of some topics.
#[derive(Clone, Debug)]
struct Rule {
    topics: Regex,
    partitions: Partitions,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Partitions {
    /// These; all if there is none.
    Listed(Vec<i32>),
    /// From the first, and before the last.
    Between(i32, i32),
}

impl Partitions {
    fn has(&self, partition: i32) -> bool {
        match self {
            Partitions::Listed(list) => list.is_empty() || list.contains(&partition),
            Partitions::Between(from, before) => (*from..*before).contains(&partition),
        }
    }
}

/// A partition is wanted if one of the rules has it.
#[derive(Clone, Debug)]
pub struct Filter(Vec<Rule>);

impl Filter {
    /// `--topic`, a regular expression, and `--partitions`, a list.
    pub fn of_topic(topic: Option<&str>, partitions: Option<&str>) -> Result<Filter, FilterError> {
        let text = partitions.unwrap_or_default();
        let listed = match text {
            "" => Vec::new(),
            _ => text
                .split(',')
                .map(str::parse)
                .collect::<Result<_, _>>()
                .map_err(|_| FilterError::Partitions(text.to_owned()))?,
        };
        let topics = compile(topic.unwrap_or(".*"))?;
        Ok(Filter(vec![Rule { topics, partitions: Partitions::Listed(listed) }]))
    }

    /// `--topic-partitions`: rules by commas, each `TOPIC`, `TOPIC:PARTITION` or `TOPIC:FROM-BEFORE`, every part optional.
    pub fn of_rules(rules: &str) -> Result<Filter, FilterError> {
        Ok(Filter(rules.split(',').map(rule).collect::<Result<_, _>>()?))
    }

    /// Whether some partition of the topic may be wanted.
    pub fn has_topic(&self, topic: &str) -> bool {
        self.0.iter().any(|rule| rule.topics.is_match(topic))
    }

    /// Whether the partition is wanted.
    pub fn has(&self, partition: &TopicPartition) -> bool {
        self.0.iter().any(|rule| {
            rule.topics.is_match(partition.topic.as_str()) && rule.partitions.has(partition.partition)
        })
    }
}

fn rule(text: &str) -> Result<Rule, FilterError> {
    let (topic, partitions) = match text.split_once(':') {
        None => (text, ""),
        Some(parts) => parts,
    };
    let number = |digits: &str, default: i32| match digits {
        "" => Ok(default),
        _ if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            digits.parse().map_err(|_| FilterError::Rule(text.to_owned()))
        }
        _ => Err(FilterError::Rule(text.to_owned())),
    };
    let partitions = match partitions.split_once('-') {
        Some((from, before)) => Partitions::Between(number(from, 0)?, number(before, i32::MAX)?),
        None if partitions.is_empty() => Partitions::Between(0, i32::MAX),
        None => Partitions::Listed(vec![number(partitions, 0)?]),
    };
    Ok(Rule { topics: compile(if topic.is_empty() { ".*" } else { topic })?, partitions })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(filter: &Filter) -> Vec<String> {
        let all =
            ["a", "ab", "b"].into_iter().flat_map(|topic| (0..4).map(move |p| TopicPartition::new(topic, p)));
        all.filter(|partition| filter.has(partition)).map(|partition| partition.to_string()).collect()
    }

    #[test]
    fn rules() {
        for (rules, expected) in [
            ("a", vec!["a-0", "a-1", "a-2", "a-3"]),
            ("a:1", vec!["a-1"]),
            ("a:1-3", vec!["a-1", "a-2"]),
            ("b:2-,a:-1", vec!["a-0", "b-2", "b-3"]),
            (":3", vec!["a-3", "ab-3", "b-3"]),
            ("a.*:0", vec!["a-0", "ab-0"]),
        ] {
            assert_eq!(wanted(&Filter::of_rules(rules).unwrap()), expected, "{rules}");
        }
        for bad in ["a:x", "a:1-2-3", "a:1:2", "a:99999999999"] {
            let error = Filter::of_rules(bad).unwrap_err().to_string();
            assert_eq!(error, format!("Invalid rule specification: {bad}"));
        }
        assert_eq!(Filter::of_rules("[").unwrap_err().to_string(), "[ is an invalid regex.");
    }

    #[test]
    fn topic_and_partitions() {
        assert_eq!(wanted(&Filter::of_topic(Some("b"), Some("1,3")).unwrap()), ["b-1", "b-3"]);
        assert_eq!(wanted(&Filter::of_topic(None, None).unwrap()).len(), 12);
        let error = Filter::of_topic(None, Some("1,x")).unwrap_err().to_string();
        assert!(error.ends_with("but received: 1,x"), "{error}");
        assert!(Filter::of_topic(Some("a"), None).unwrap().has_topic("a"));
    }
}
