//! What administrators ask of the controller through ZooKeeper: `/admin/delete_topics/<topic>` markers, and the two
//! legacy nodes `/admin/reassign_partitions` and `/admin/preferred_replica_election`.

use gregor_model::{BrokerId, TopicName, TopicPartition};
use serde::{Deserialize, Serialize};

use super::json::{self, DecodeError};

/// The parent of deletion markers; a marker has no content.
pub const DELETE_TOPICS_PATH: &str = "/admin/delete_topics";
/// Reassignments asked for the old way.
pub const REASSIGN_PARTITIONS_PATH: &str = "/admin/reassign_partitions";
/// Preferred leader elections asked for the old way.
pub const PREFERRED_ELECTION_PATH: &str = "/admin/preferred_replica_election";

/// The marker that asks for a topic's deletion.
pub fn delete_topic_path(topic: &TopicName) -> String {
    format!("{DELETE_TOPICS_PATH}/{topic}")
}

/// Replicas asked for, one entry per partition.
pub type Reassignments = Vec<(TopicPartition, Vec<BrokerId>)>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReassignContent {
    version: i32,
    partitions: Vec<ReassignEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReassignEntry {
    topic: String,
    partition: i32,
    replicas: Vec<i32>,
}

/// The content of [`REASSIGN_PARTITIONS_PATH`].
pub fn encode_reassignments(partitions: &[(TopicPartition, Vec<BrokerId>)]) -> Vec<u8> {
    let entry = |(partition, replicas): &(TopicPartition, Vec<BrokerId>)| ReassignEntry {
        topic: partition.topic.to_string(),
        partition: partition.partition,
        replicas: replicas.iter().map(|replica| replica.0).collect(),
    };
    json::encode(&ReassignContent { version: 1, partitions: partitions.iter().map(entry).collect() })
}

/// Reads [`REASSIGN_PARTITIONS_PATH`]. Alone among the znodes this one is read strictly: with an unknown member it is an
/// error, and Kafka then ignores the whole node.
pub fn decode_reassignments(data: &[u8]) -> Result<Reassignments, DecodeError> {
    let content: ReassignContent = json::decode(REASSIGN_PARTITIONS_PATH, data)?;
    let entry = |entry: ReassignEntry| {
        let replicas = entry.replicas.into_iter().map(BrokerId).collect();
        (TopicPartition::new(entry.topic.as_str(), entry.partition), replicas)
    };
    Ok(content.partitions.into_iter().map(entry).collect())
}

/// The content of [`PREFERRED_ELECTION_PATH`].
pub fn encode_preferred_election(partitions: &[TopicPartition]) -> Vec<u8> {
    json::encode_partitions(partitions)
}

/// Reads [`PREFERRED_ELECTION_PATH`].
pub fn decode_preferred_election(data: &[u8]) -> Result<Vec<TopicPartition>, DecodeError> {
    json::decode_partitions(PREFERRED_ELECTION_PATH, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_and_round_trip() {
        let reassign = r#"{"version":1,"partitions":[{"topic":"orders","partition":0,"replicas":[4,5]}]}"#;
        let value = vec![(TopicPartition::new("orders", 0), vec![BrokerId(4), BrokerId(5)])];
        assert_eq!(String::from_utf8_lossy(&encode_reassignments(&value)), reassign);
        assert_eq!(decode_reassignments(reassign.as_bytes()), Ok(value));

        let elect = r#"{"version":1,"partitions":[{"topic":"orders","partition":0}]}"#;
        let value = vec![TopicPartition::new("orders", 0)];
        assert_eq!(String::from_utf8_lossy(&encode_preferred_election(&value)), elect);
        assert_eq!(decode_preferred_election(elect.as_bytes()), Ok(value));

        assert_eq!(delete_topic_path(&TopicName::new("t")), "/admin/delete_topics/t");
    }

    #[test]
    fn reassignments_are_read_strictly_and_elections_are_not() {
        let extra = r#"{"version":1,"partitions":[],"x":1}"#;
        assert!(decode_reassignments(extra.as_bytes()).is_err());
        assert_eq!(decode_preferred_election(extra.as_bytes()), Ok(vec![]));
        assert!(decode_preferred_election(b"{}").is_err());
    }
}
