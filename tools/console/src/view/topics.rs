//! Topics: a line each, and one with its partitions.

use std::collections::HashMap;

use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use serde::Serialize;

use super::check;
use super::configs::{self, ConfigEntry};
use super::log_dirs::{self, Replica};
use super::offsets::{self, Led};
use crate::ConsoleError;
use crate::cluster::{Cluster, brokers};

type Offsets = HashMap<(String, i32), i64>;

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TopicLine {
    name: String,
    internal: bool,
    partitions: usize,
    replication_factor: usize,
    under_replicated: usize,
    offline: usize,
    /// End minus start of all partitions: records, but for those compacted away and control records.
    records: Option<i64>,
    /// On the leaders.
    bytes: Option<i64>,
}

impl TopicLine {
    /// Asks for all, by name.
    pub(crate) async fn load_all(cluster: &Cluster) -> Result<Vec<TopicLine>, ConsoleError> {
        let metadata = cluster.metadata(None).await?;
        let brokers = brokers(&metadata);
        let (starts, ends, sizes) = tokio::join!(
            offsets::at(cluster, &brokers, led(&metadata), offsets::EARLIEST),
            offsets::at(cluster, &brokers, led(&metadata), offsets::LATEST),
            log_dirs::sizes(cluster, &brokers)
        );
        let mut lines: Vec<_> =
            metadata.topics.iter().map(|topic| line(topic, &starts, &ends, &sizes)).collect();
        lines.sort_by(|one: &TopicLine, other| one.name.cmp(&other.name));
        Ok(lines)
    }
}

/// One topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TopicView {
    name: String,
    partitions: Vec<PartitionLine>,
    configs: Vec<ConfigEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct PartitionLine {
    partition: i32,
    leader: Option<i32>,
    leader_epoch: Option<i32>,
    replicas: Vec<i32>,
    isr: Vec<i32>,
    /// The log start offset.
    start: Option<i64>,
    /// The HW.
    end: Option<i64>,
    /// On the leader.
    bytes: Option<i64>,
}

impl TopicView {
    /// Asks for it.
    pub(crate) async fn load(cluster: &Cluster, name: &str) -> Result<TopicView, ConsoleError> {
        let metadata = cluster.metadata(Some(&[name])).await?;
        let topic = existing(&metadata, name)?;
        let brokers = brokers(&metadata);
        let Some(any) = brokers.first() else {
            return Err(ConsoleError::NotFound("no broker is registered".to_owned()));
        };
        let (starts, ends, sizes, configs) = tokio::join!(
            offsets::at(cluster, &brokers, led(&metadata), offsets::EARLIEST),
            offsets::at(cluster, &brokers, led(&metadata), offsets::LATEST),
            log_dirs::sizes(cluster, &brokers),
            configs::of_resource(cluster, any, configs::TOPIC, name)
        );
        let mut partitions: Vec<_> = topic
            .partitions
            .iter()
            .map(|partition| {
                let key = (name.to_owned(), partition.partition_index);
                let leader = leader(partition);
                PartitionLine {
                    partition: partition.partition_index,
                    leader,
                    leader_epoch: Some(partition.leader_epoch).filter(|epoch| *epoch >= 0),
                    replicas: partition.replica_nodes.iter().map(|id| id.0).collect(),
                    isr: partition.isr_nodes.iter().map(|id| id.0).collect(),
                    start: starts.get(&key).copied(),
                    end: ends.get(&key).copied(),
                    bytes: leader.and_then(|leader| sizes.get(&(key.0, key.1, leader)).copied()),
                }
            })
            .collect();
        partitions.sort_by_key(|partition| partition.partition);
        Ok(TopicView { name: name.to_owned(), partitions, configs: configs? })
    }
}

/// The topic that was asked for.
pub(crate) fn existing<'a>(
    metadata: &'a MetadataResponse,
    name: &str,
) -> Result<&'a MetadataResponseTopic, ConsoleError> {
    const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
    let topic = metadata.topics.first();
    let topic = topic.filter(|topic| topic.error_code != UNKNOWN_TOPIC_OR_PARTITION);
    let topic = topic.ok_or_else(|| ConsoleError::NotFound(format!("there is no topic {name}")))?;
    check("Metadata", topic.error_code)?;
    Ok(topic)
}

/// Partitions that have a leader.
pub(crate) fn led(metadata: &MetadataResponse) -> impl Iterator<Item = Led> + '_ {
    metadata.topics.iter().flat_map(|topic| {
        let name = topic_name(topic);
        topic
            .partitions
            .iter()
            .filter_map(move |partition| Some((name.clone(), partition.partition_index, leader(partition)?)))
    })
}

fn topic_name(topic: &MetadataResponseTopic) -> String {
    topic.name.as_ref().map(|name| name.to_string()).unwrap_or_default()
}

/// The broker that leads a partition.
pub(crate) fn leader(partition: &MetadataResponsePartition) -> Option<i32> {
    Some(partition.leader_id.0).filter(|leader| *leader >= 0)
}

fn line(
    topic: &MetadataResponseTopic,
    starts: &Offsets,
    ends: &Offsets,
    sizes: &HashMap<Replica, i64>,
) -> TopicLine {
    let name = topic_name(topic);
    let partitions = || topic.partitions.iter();
    let records = |partition: &MetadataResponsePartition| {
        let key = (name.clone(), partition.partition_index);
        Some(ends.get(&key)?.saturating_sub(*starts.get(&key)?))
    };
    let bytes = |partition: &MetadataResponsePartition| {
        sizes.get(&(name.clone(), partition.partition_index, leader(partition)?)).copied()
    };
    TopicLine {
        internal: topic.is_internal,
        partitions: topic.partitions.len(),
        replication_factor: partitions().map(|partition| partition.replica_nodes.len()).max().unwrap_or(0),
        under_replicated: partitions()
            .filter(|partition| partition.isr_nodes.len() < partition.replica_nodes.len())
            .count(),
        offline: partitions().filter(|partition| leader(partition).is_none()).count(),
        records: total(partitions().map(records)),
        bytes: total(partitions().map(bytes)),
        name,
    }
}

/// The sum of what is known; none if nothing is.
pub(crate) fn total(values: impl Iterator<Item = Option<i64>>) -> Option<i64> {
    values.flatten().fold(None, |sum, value| Some(sum.unwrap_or(0).saturating_add(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::{BrokerId, TopicName};
    use kafka_protocol::protocol::StrBytes;

    #[test]
    fn a_line_counts_what_is_wrong() {
        let ids = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
        let partition = |index, leader, isr: &[i32]| {
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(BrokerId(leader))
                .with_replica_nodes(ids(&[1, 2, 3]))
                .with_isr_nodes(ids(isr))
        };
        let topic = MetadataResponseTopic::default()
            .with_name(Some(TopicName(StrBytes::from_static_str("t"))))
            .with_partitions(vec![partition(0, 1, &[1, 2, 3]), partition(1, -1, &[1])]);
        let key = || ("t".to_owned(), 0);
        let line = line(
            &topic,
            &HashMap::from([(key(), 5)]),
            &HashMap::from([(key(), 12)]),
            &HashMap::from([(("t".to_owned(), 0, 1), 70), (("t".to_owned(), 0, 2), 71)]),
        );
        let expected = TopicLine {
            name: "t".to_owned(),
            internal: false,
            partitions: 2,
            replication_factor: 3,
            under_replicated: 1,
            offline: 1,
            records: Some(7),
            bytes: Some(70),
        };
        assert_eq!(line, expected);
    }
}
