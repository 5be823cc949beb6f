//! Topics of a snapshot in the form of the Metadata response (`ZkMetadataCache.getTopicMetadata`).

use gregor_model::{BrokerId, ListenerName, TopicId, TopicName};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::protocol::StrBytes;

use super::snapshot::{MetadataSnapshot, PartitionMetadata, TopicMetadata};

/// How the answer differs between request versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicMetadataOptions {
    /// Version 0: leave out replicas that cannot be reached, and say so with REPLICA_NOT_AVAILABLE.
    pub error_unavailable_endpoints: bool,
    /// Versions 6 and later: LISTENER_NOT_FOUND when the leader lacks the listener; before, LEADER_NOT_AVAILABLE.
    pub error_unavailable_listeners: bool,
}

impl TopicMetadataOptions {
    /// The rules of a request version.
    pub fn of_version(version: i16) -> TopicMetadataOptions {
        TopicMetadataOptions {
            error_unavailable_endpoints: version == 0,
            error_unavailable_listeners: version >= 6,
        }
    }
}

/// The topic with its partitions, for a client on that listener; `None` when it does not exist.
pub fn topic_metadata(
    snapshot: &MetadataSnapshot,
    name: &TopicName,
    listener: &ListenerName,
    options: TopicMetadataOptions,
) -> Option<MetadataResponseTopic> {
    let topic = snapshot.topic(name.as_str())?;
    Some(
        MetadataResponseTopic::default()
            .with_name(Some(wire_name(name)))
            .with_topic_id(TopicId::to_wire(topic.id))
            .with_is_internal(name.is_internal())
            .with_partitions(partitions(snapshot, topic, listener, options)),
    )
}

/// A topic about which there is only an error to tell.
pub fn topic_error(
    name: Option<&TopicName>,
    id: Option<TopicId>,
    error: ResponseError,
) -> MetadataResponseTopic {
    MetadataResponseTopic::default()
        .with_error_code(error.code())
        .with_name(name.map(wire_name))
        .with_topic_id(TopicId::to_wire(id))
        .with_is_internal(name.is_some_and(TopicName::is_internal))
}

fn wire_name(name: &TopicName) -> kafka_protocol::messages::TopicName {
    StrBytes::from_string(name.as_str().to_owned()).into()
}

fn partitions(
    snapshot: &MetadataSnapshot,
    topic: &TopicMetadata,
    listener: &ListenerName,
    options: TopicMetadataOptions,
) -> Vec<MetadataResponsePartition> {
    topic
        .partitions
        .iter()
        .map(|(index, partition)| partition_metadata(snapshot, *index, partition, listener, options))
        .collect()
}

fn partition_metadata(
    snapshot: &MetadataSnapshot,
    index: i32,
    partition: &PartitionMetadata,
    listener: &ListenerName,
    options: TopicMetadataOptions,
) -> MetadataResponsePartition {
    let reachable = |ids: &[BrokerId]| -> Vec<kafka_protocol::messages::BrokerId> {
        ids.iter()
            .filter(|id| !options.error_unavailable_endpoints || snapshot.endpoint(**id, listener).is_some())
            .map(|id| id.0.into())
            .collect()
    };
    let replicas = reachable(&partition.replicas);
    let isr = reachable(&partition.isr);
    let leader = partition.leader.filter(|leader| snapshot.endpoint(*leader, listener).is_some());
    let error = match (leader, partition.leader) {
        (Some(_), _) if replicas.len() < partition.replicas.len() || isr.len() < partition.isr.len() => {
            ResponseError::ReplicaNotAvailable.code()
        }
        (Some(_), _) => 0,
        (None, Some(known)) if snapshot.is_alive(known) && options.error_unavailable_listeners => {
            ResponseError::ListenerNotFound.code()
        }
        (None, _) => ResponseError::LeaderNotAvailable.code(),
    };
    MetadataResponsePartition::default()
        .with_error_code(error)
        .with_partition_index(index)
        .with_leader_id(BrokerId::to_wire(leader).into())
        .with_leader_epoch(partition.leader_epoch.0)
        .with_replica_nodes(replicas)
        .with_isr_nodes(isr)
        .with_offline_replicas(partition.offline_replicas.iter().map(|id| id.0.into()).collect())
}
