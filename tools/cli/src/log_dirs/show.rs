//! The JSON document of `gregor log-dirs`, its fields and entries in the order in which Kafka's tool happens to write them.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::admin::error::java_class;
use crate::admin::log_dirs::{LogDir, ReplicaInfo};
use crate::java_map::{DEFAULT_CAPACITY, sort_as_hash_map, sort_partitions_as_hash_map};

#[derive(Debug, Serialize)]
struct Document {
    brokers: Vec<Broker>,
    version: i32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Broker {
    broker: i32,
    log_dirs: Vec<Dir>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Dir {
    partitions: Vec<Replica>,
    error: Option<String>,
    log_dir: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Replica {
    partition: String,
    size: i64,
    offset_lag: i64,
    is_future: bool,
}

/// The directories of brokers, as JSON; only these topics, unless there is none.
pub fn json(brokers: BTreeMap<i32, Vec<LogDir>>, topics: &BTreeSet<&str>) -> String {
    let brokers = brokers.into_iter().map(|(broker, mut dirs)| {
        sort_as_hash_map(&mut dirs, DEFAULT_CAPACITY, |dir| &dir.path);
        Broker { broker, log_dirs: dirs.into_iter().map(|dir| show_dir(dir, topics)).collect() }
    });
    let document = Document { brokers: brokers.collect(), version: 1 };
    serde_json::to_string(&document).expect("strings, numbers and flags have a JSON form")
}

fn show_dir(dir: LogDir, topics: &BTreeSet<&str>) -> Dir {
    let is_wanted =
        |replica: &ReplicaInfo| topics.is_empty() || topics.contains(replica.partition.topic.as_str());
    let mut replicas: Vec<ReplicaInfo> = dir.replicas.into_iter().filter(is_wanted).collect();
    sort_partitions_as_hash_map(&mut replicas, |replica| &replica.partition);
    let show = |replica: ReplicaInfo| Replica {
        partition: replica.partition.to_string(),
        size: replica.size,
        offset_lag: replica.offset_lag,
        is_future: replica.is_future,
    };
    Dir {
        partitions: replicas.into_iter().map(show).collect(),
        error: (dir.error_code != 0).then(|| java_class(dir.error_code)),
        log_dir: dir.path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gregor_model::TopicPartition;

    #[test]
    fn documents() {
        let replica = |topic: &str| ReplicaInfo {
            partition: TopicPartition::new(topic, 0),
            size: 123,
            offset_lag: 0,
            is_future: false,
        };
        let dir = LogDir { path: "/d".to_owned(), error_code: 0, replicas: vec![replica("t"), replica("u")] };
        let bad = LogDir { path: "/e".to_owned(), error_code: 56, replicas: Vec::new() };
        let brokers = BTreeMap::from([(0, vec![dir, bad])]);
        assert_eq!(
            json(brokers, &BTreeSet::from(["t"])),
            r#"{"brokers":[{"broker":0,"logDirs":[{"partitions":[{"partition":"t-0","size":123,"offsetLag":0,"#
                .to_owned()
                + r#""isFuture":false}],"error":null,"logDir":"/d"},{"partitions":[],"error":"#
                + r#""org.apache.kafka.common.errors.KafkaStorageException","logDir":"/e"}]}],"version":1}"#
        );
    }
}
