//! Reassignment plans and lists of topics, as JSON (`ReassignPartitionsCommand.parsePartitionReassignmentData`). Pure.

use std::collections::{BTreeMap, BTreeSet};

use gregor_model::TopicPartition;
use serde::Serialize;

use crate::json::{Json, JsonError, parse};

/// Any log directory.
const ANY: &str = "any";

/// A replica: a partition on a broker (`TopicPartitionReplica`). Sorted by broker first, as the tool prints them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Replica {
    /// The broker.
    pub broker: i32,
    /// The partition.
    pub partition: TopicPartition,
}

impl std::fmt::Display for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.partition, self.broker)
    }
}

/// Where replicas are to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The brokers of each partition, the preferred leader first.
    pub partitions: BTreeMap<TopicPartition, Vec<i32>>,
    /// The log directory of replicas that are to be in a certain one.
    pub log_dirs: BTreeMap<Replica, String>,
}

impl Plan {
    /// Reads a plan. Every partition is there once, and has replicas, all different.
    pub fn read(text: &str) -> Result<Plan, JsonError> {
        let value = parse(text)?;
        let document = Json::document(&value);
        document.check_version()?;
        let mut plan = Plan::default();
        let entries = match document.get("partitions")? {
            Some(partitions) => partitions.elements()?,
            None => Vec::new(),
        };
        for entry in entries {
            plan.add(&entry)?;
        }
        Ok(plan)
    }

    fn add(&mut self, entry: &Json<'_>) -> Result<(), JsonError> {
        let partition = entry.topic_partition()?;
        let list = entry.field("replicas")?;
        let replicas = list.elements()?.iter().map(Json::i32).collect::<Result<Vec<i32>, _>>()?;
        if replicas.is_empty() {
            return Err(list.invalid("Partition replica list cannot be empty"));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = replicas.iter().find(|id| !seen.insert(**id)) {
            return Err(list.invalid(format!(
                "Partition replica lists may not contain duplicate entries: {partition} contains multiple entries for {twice}"
            )));
        }
        if let Some(dirs) = entry.get("log_dirs")? {
            let names = dirs.elements()?.iter().map(Json::string).collect::<Result<Vec<&str>, _>>()?;
            if names.len() != replicas.len() {
                return Err(dirs.invalid(format!(
                    "Size of replicas list {replicas:?} is different from size of log dirs list [{}] for partition {partition}",
                    names.join(", ")
                )));
            }
            for (broker, dir) in replicas.iter().zip(names).filter(|(_, dir)| *dir != ANY) {
                let replica = Replica { broker: *broker, partition: partition.clone() };
                self.log_dirs.insert(replica, dir.to_owned());
            }
        }
        match self.partitions.insert(partition.clone(), replicas) {
            None => Ok(()),
            Some(_) => Err(entry
                .invalid(format!("Partition reassignment contains duplicate topic partitions: {partition}"))),
        }
    }

    /// Every broker that is to have a replica.
    pub fn brokers(&self) -> BTreeSet<i32> {
        self.partitions.values().flatten().copied().collect()
    }

    /// Every topic of which partitions are reassigned.
    pub fn topics(&self) -> BTreeSet<String> {
        self.partitions.keys().map(|partition| partition.topic.to_string()).collect()
    }
}

/// The topics in a list, each there once.
pub fn read_topics(text: &str) -> Result<Vec<String>, JsonError> {
    let value = parse(text)?;
    let document = Json::document(&value);
    document.check_version()?;
    let mut topics = Vec::new();
    let entries = match document.get("topics")? {
        Some(entries) => entries.elements()?,
        None => Vec::new(),
    };
    for entry in entries {
        let topic = entry.field("topic")?.string()?.to_owned();
        if topics.contains(&topic) {
            let reason = format!("List of topics to reassign contains duplicate entries: [{topic}]");
            return Err(entry.invalid(reason));
        }
        topics.push(topic);
    }
    Ok(topics)
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    version: i32,
    partitions: Vec<Entry<'a>>,
}

#[derive(Debug, Serialize)]
struct Entry<'a> {
    topic: &'a str,
    partition: i32,
    replicas: &'a [i32],
    log_dirs: Vec<&'static str>,
}

/// An assignment as a plan that `--reassignment-json-file` takes, replicas in any log directory.
pub fn write(assignment: &BTreeMap<TopicPartition, Vec<i32>>) -> String {
    let entries = assignment.iter().map(|(partition, replicas)| Entry {
        topic: partition.topic.as_str(),
        partition: partition.partition,
        replicas,
        log_dirs: vec![ANY; replicas.len()],
    });
    let document = Document { version: 1, partitions: entries.collect() };
    serde_json::to_string(&document).expect("strings and numbers have a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(rest: &str) -> String {
        format!(r#"{{"version":1,"partitions":[{{"topic":"t","partition":0,{rest}}}]}}"#)
    }

    #[test]
    fn plans() {
        let plan = Plan::read(&entry(r#""replicas":[1,2],"log_dirs":["any","/d"]"#)).unwrap();
        let partition = TopicPartition::new("t", 0);
        assert_eq!(plan.partitions, BTreeMap::from([(partition.clone(), vec![1, 2])]));
        assert_eq!(plan.log_dirs, BTreeMap::from([(Replica { broker: 2, partition }, "/d".to_owned())]));
        assert_eq!(plan.brokers(), BTreeSet::from([1, 2]));
        assert_eq!(plan.topics(), BTreeSet::from(["t".to_owned()]));
        assert_eq!(Plan::read("{}"), Ok(Plan::default()));
    }

    #[test]
    fn errors_say_where() {
        let twice = r#"{"topic":"t","partition":0,"replicas":[1]}"#;
        for (text, expected) in [
            (entry(r#""replicas":[]"#), "partitions[0].replicas: Partition replica list cannot be empty"),
            (
                entry(r#""replicas":[1,1]"#),
                "partitions[0].replicas: Partition replica lists may not contain duplicate entries: t-0 contains multiple \
                 entries for 1",
            ),
            (
                entry(r#""replicas":[1,"x"]"#),
                "partitions[0].replicas[1]: expected a whole number, found \"x\"",
            ),
            (entry(r#""replica":[1]"#), "partitions[0]: the field \"replicas\" is missing"),
            (
                entry(r#""replicas":[1],"log_dirs":["any","any"]"#),
                "partitions[0].log_dirs: Size of replicas list [1] is different from size of log dirs list [any, any] for \
                 partition t-0",
            ),
            (
                format!(r#"{{"partitions":[{twice},{twice}]}}"#),
                "partitions[1]: Partition reassignment contains duplicate topic partitions: t-0",
            ),
            (r#"{"version":2}"#.to_owned(), "version: version 2 is not supported"),
            ("{\n".to_owned(), "invalid JSON: EOF while parsing an object at line 2 column 0"),
        ] {
            assert_eq!(Plan::read(&text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn lists_of_topics() {
        let two = r#"{"topics":[{"topic":"t"},{"topic":"u"}],"version":1}"#;
        assert_eq!(read_topics(two), Ok(vec!["t".to_owned(), "u".to_owned()]));
        let twice = read_topics(r#"{"topics":[{"topic":"t"},{"topic":"t"}]}"#).unwrap_err().to_string();
        assert_eq!(twice, "topics[1]: List of topics to reassign contains duplicate entries: [t]");
    }

    #[test]
    fn assignments_are_written_as_kafka_does() {
        let assignment = BTreeMap::from([(TopicPartition::new("t", 0), vec![1, 2])]);
        assert_eq!(
            write(&assignment),
            r#"{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1,2],"log_dirs":["any","any"]}]}"#
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(entries in proptest::collection::btree_map(
            ("[a-z]{1,5}", 0..9_i32), proptest::collection::btree_set(0..99_i32, 1..5), 0..6,
        )) {
            let assignment: BTreeMap<TopicPartition, Vec<i32>> = entries
                .into_iter()
                .map(|((topic, partition), replicas)| {
                    (TopicPartition::new(topic.as_str(), partition), replicas.into_iter().collect())
                })
                .collect();
            prop_assert_eq!(Plan::read(&write(&assignment)).unwrap().partitions, assignment);
        }

        #[test]
        fn nothing_panics(text in ".{0,200}") {
            let _ = Plan::read(&text);
            let _ = read_topics(&text);
        }
    }
}
