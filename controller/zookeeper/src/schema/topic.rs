//! `/brokers/topics/<topic>` (`TopicZNode`): the topic's id and the replicas of each partition.
//!
//! During a reassignment a partition's list is target ∪ origin, the target first, and the two other maps say who comes
//! and who goes. Whoever rewrites the node must keep the id.

use std::collections::BTreeMap;

use gregor_model::{BrokerId, ReplicaAssignment, TopicId, TopicName};
use serde::{Deserialize, Serialize};

use super::json::{self, DecodeError};

/// The parent of all topics.
pub const PARENT: &str = "/brokers/topics";

const FAMILY: &str = "/brokers/topics/<topic>";

/// The path of a topic.
pub fn path(topic: &TopicName) -> String {
    format!("{PARENT}/{topic}")
}

/// The topic whose own node has this path; `None` for anything above or below.
pub fn parse_path(path: &str) -> Option<TopicName> {
    let name = path.strip_prefix(PARENT)?.strip_prefix('/')?;
    (!name.is_empty() && !name.contains('/')).then(|| TopicName::new(name))
}

/// What the node holds (`TopicIdReplicaAssignment`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicAssignment {
    /// The topic's id; absent only for topics created before 2.8 that no newer controller has seen.
    pub topic_id: Option<TopicId>,
    /// The replicas by partition index.
    pub partitions: BTreeMap<i32, ReplicaAssignment>,
}

#[derive(Serialize)]
struct Writer {
    version: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic_id: Option<String>,
    partitions: BTreeMap<i32, Vec<i32>>,
    adding_replicas: BTreeMap<i32, Vec<i32>>,
    removing_replicas: BTreeMap<i32, Vec<i32>>,
}

#[derive(Deserialize)]
struct Reader {
    topic_id: Option<String>,
    #[serde(default)]
    partitions: BTreeMap<i32, Vec<i32>>,
    #[serde(default)]
    adding_replicas: BTreeMap<i32, Vec<i32>>,
    #[serde(default)]
    removing_replicas: BTreeMap<i32, Vec<i32>>,
}

/// The content, in version 3.
pub fn encode(topic: &TopicAssignment) -> Vec<u8> {
    let lists = |list: fn(&ReplicaAssignment) -> &[BrokerId]| -> BTreeMap<i32, Vec<i32>> {
        let of = |assignment| list(assignment).iter().map(|replica| replica.0).collect();
        topic.partitions.iter().map(|(partition, assignment)| (*partition, of(assignment))).collect()
    };
    let only_busy = |mut lists: BTreeMap<i32, Vec<i32>>| {
        lists.retain(|_, replicas| !replicas.is_empty());
        lists
    };
    json::encode(&Writer {
        version: 3,
        topic_id: topic.topic_id.map(|id| id.to_string()),
        partitions: lists(|assignment| &assignment.replicas),
        adding_replicas: only_busy(lists(|assignment| &assignment.adding)),
        removing_replicas: only_busy(lists(|assignment| &assignment.removing)),
    })
}

/// Reads any version: 1 lacks the reassignment members, 2 and older the id.
pub fn decode(data: &[u8]) -> Result<TopicAssignment, DecodeError> {
    let mut content: Reader = json::decode(FAMILY, data)?;
    let topic_id = match content.topic_id {
        None => None,
        Some(text) => {
            let id = TopicId::parse(&text);
            Some(id.ok_or_else(|| DecodeError::new(FAMILY, data, format!("topic_id {text:?} is not an id")))?)
        }
    };
    let mut partitions = BTreeMap::new();
    for (partition, replicas) in content.partitions {
        if partition < 0 {
            return Err(DecodeError::new(FAMILY, data, format!("partition {partition} is negative")));
        }
        let assignment = ReplicaAssignment {
            replicas: broker_ids(&replicas),
            adding: broker_ids(&content.adding_replicas.remove(&partition).unwrap_or_default()),
            removing: broker_ids(&content.removing_replicas.remove(&partition).unwrap_or_default()),
        };
        partitions.insert(partition, assignment);
    }
    Ok(TopicAssignment { topic_id, partitions })
}

fn broker_ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REASSIGNING: &str = concat!(
        r#"{"version":3,"topic_id":"Jq2cYkJTQ5-8Xx0nU9w6Zg","partitions":{"0":[4,5,1,2],"1":[2,3]},"#,
        r#""adding_replicas":{"0":[4,5]},"removing_replicas":{"0":[1,2]}}"#
    );

    #[test]
    fn writes_what_it_reads() {
        let idle = r#"{"version":3,"topic_id":"Jq2cYkJTQ5-8Xx0nU9w6Zg","partitions":{"0":[1]},"adding_replicas":{},"removing_replicas":{}}"#;
        for text in [REASSIGNING, idle] {
            let topic = decode(text.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(encode(&topic)).unwrap(), text);
        }
        let read = decode(REASSIGNING.as_bytes()).unwrap();
        let first = read.partitions.get(&0).unwrap();
        assert_eq!(first.target(), [BrokerId(4), BrokerId(5)]);
        assert_eq!(first.origin(), [BrokerId(1), BrokerId(2)]);
        assert!(!read.partitions.get(&1).unwrap().is_being_reassigned());
    }

    #[test]
    fn reads_old_versions() {
        let v1 = decode(br#"{"version":1,"partitions":{"0":[1,2]}}"#).unwrap();
        assert_eq!(v1.topic_id, None);
        assert_eq!(v1.partitions.get(&0), Some(&ReplicaAssignment::new(vec![BrokerId(1), BrokerId(2)])));
    }

    #[test]
    fn refuses_nonsense() {
        for text in [
            "",
            "[]",
            r#"{"partitions":{"x":[1]}}"#,
            r#"{"partitions":{"-1":[1]}}"#,
            r#"{"partitions":{"0":["1"]}}"#,
            r#"{"partitions":{"0":[1]},"topic_id":"AAAAAAAAAAAAAAAAAAAAAA"}"#,
        ] {
            assert!(decode(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_topics_own_path_names_it() {
        assert_eq!(parse_path("/brokers/topics/t"), Some(TopicName::new("t")));
        for path in
            ["/brokers/topics", "/brokers/topics/", "/brokers/topics/t/partitions", "/brokers/topicsx/t"]
        {
            assert_eq!(parse_path(path), None, "{path}");
        }
    }

    fn ids() -> impl Strategy<Value = Vec<BrokerId>> {
        prop::collection::vec((0..2000).prop_map(BrokerId), 0..5)
    }

    proptest! {
        #[test]
        fn round_trips(
            id in any::<[u8; 16]>(),
            lists in prop::collection::btree_map(0..1000i32, (ids(), ids(), ids()), 0..20),
        ) {
            let partitions = lists
                .into_iter()
                .map(|(index, (replicas, adding, removing))| (index, ReplicaAssignment { replicas, adding, removing }))
                .collect();
            let topic = TopicAssignment { topic_id: TopicId::from_random(id), partitions };
            prop_assert_eq!(decode(&encode(&topic)), Ok(topic));
        }

        #[test]
        fn survives_any_content(data in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&data);
        }
    }
}
