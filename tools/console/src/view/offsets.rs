//! Where partitions start and end (ListOffsets), asked of each leader once.

use std::collections::HashMap;

use futures::future::join_all;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest, TopicName};
use kafka_protocol::protocol::{StrBytes, VersionRange};

use crate::cluster::{Broker, Cluster};

/// The special timestamp of the first offset.
pub(crate) const EARLIEST: i64 = -2;
/// The special timestamp of the HW.
pub(crate) const LATEST: i64 = -1;

/// A partition, and the broker that leads it.
pub(crate) type Led = (String, i32, i32);

/// The offset of each partition at a timestamp (milliseconds, or a special one). What its leader does not tell is missing.
pub(crate) async fn at(
    cluster: &Cluster,
    brokers: &[Broker],
    partitions: impl IntoIterator<Item = Led>,
    timestamp: i64,
) -> HashMap<(String, i32), i64> {
    let mut by_leader: HashMap<i32, HashMap<String, Vec<i32>>> = HashMap::new();
    for (topic, partition, leader) in partitions {
        by_leader.entry(leader).or_default().entry(topic).or_default().push(partition);
    }
    let asked = brokers.iter().filter_map(|broker| Some((broker, by_leader.remove(&broker.id)?)));
    let answers = join_all(asked.map(|(broker, topics)| async move {
        cluster.ask(broker, request(topics, timestamp), VersionRange { min: 1, max: 8 }).await
    }));
    let mut offsets = HashMap::new();
    for answer in answers.await.into_iter().flatten() {
        for topic in &answer.topics {
            for partition in topic.partitions.iter().filter(|partition| partition.error_code == 0) {
                if partition.offset >= 0 {
                    offsets.insert((topic.name.to_string(), partition.partition_index), partition.offset);
                }
            }
        }
    }
    offsets
}

fn request(topics: HashMap<String, Vec<i32>>, timestamp: i64) -> ListOffsetsRequest {
    let partition =
        |index| ListOffsetsPartition::default().with_partition_index(index).with_timestamp(timestamp);
    let topics = topics.into_iter().map(|(name, partitions)| {
        ListOffsetsTopic::default()
            .with_name(TopicName(StrBytes::from_string(name)))
            .with_partitions(partitions.into_iter().map(partition).collect())
    });
    ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics.collect())
}
