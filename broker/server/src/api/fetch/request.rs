//! What a fetch request says, in the terms of sessions and of replication.

use gregor_model::{LeaderEpoch, Offset, TopicId, TopicName, TopicPartition};
use gregor_replication::FetchPartition;
use gregor_replication::fetch_session::{SessionPartition, SessionRequest};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::FetchPartition as WirePartition;

use crate::metadata_cache::MetadataSnapshot;

/// The first version that names topics by id.
const TOPIC_IDS: i16 = 13;
/// The first version with sessions; before, every fetch is full and wants none.
const SESSIONS: i16 = 7;
/// The session epoch of a fetch that wants no session.
const NO_SESSION: i32 = -1;

/// One partition to read, of the request or of its session.
#[derive(Clone, Debug)]
pub struct Asked {
    /// As the request named it.
    pub partition: SessionPartition,
    /// What to read.
    pub fetch: FetchPartition,
    /// The partition, or why it cannot be read, as far as the metadata tells.
    pub known: Result<TopicPartition, ResponseError>,
}

/// What the request says to its session.
pub fn session_request(
    request: &FetchRequest,
    version: i16,
    from_follower: bool,
    snapshot: &MetadataSnapshot,
) -> SessionRequest {
    let listed = request.topics.iter().flat_map(|topic| {
        let (id, name) = named(version, topic.topic_id, &topic.topic, snapshot);
        topic.partitions.iter().map(move |partition| {
            let named =
                SessionPartition { topic_id: id, topic: name.clone(), partition: partition.partition };
            (named, fetch_partition(partition, id))
        })
    });
    let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| {
        let (id, name) = named(version, topic.topic_id, &topic.topic, snapshot);
        topic.partitions.iter().map(move |partition| SessionPartition {
            topic_id: id,
            topic: name.clone(),
            partition: *partition,
        })
    });
    SessionRequest {
        session_id: if version >= SESSIONS { request.session_id } else { 0 },
        session_epoch: if version >= SESSIONS { request.session_epoch } else { NO_SESSION },
        by_topic_id: version >= TOPIC_IDS,
        from_follower,
        listed: listed.collect(),
        forgotten: forgotten.collect(),
    }
}

/// Which of the partitions exist.
pub fn partitions(all: &[(SessionPartition, FetchPartition)], snapshot: &MetadataSnapshot) -> Vec<Asked> {
    let known = |partition: &SessionPartition| {
        let name = partition.topic.clone().ok_or(ResponseError::UnknownTopicId)?;
        let found = TopicPartition::new(name, partition.partition);
        if snapshot.contains(&found) { Ok(found) } else { Err(ResponseError::UnknownTopicOrPartition) }
    };
    all.iter()
        .map(|(partition, fetch)| Asked {
            partition: partition.clone(),
            fetch: *fetch,
            known: known(partition),
        })
        .collect()
}

/// A topic's id and name, of which a version knows one.
fn named(
    version: i16,
    id: uuid::Uuid,
    name: &str,
    snapshot: &MetadataSnapshot,
) -> (Option<TopicId>, Option<TopicName>) {
    if version < TOPIC_IDS {
        return (None, Some(TopicName::new(name)));
    }
    let id = TopicId::from_wire(id);
    (id, id.and_then(|id| snapshot.topic_name(id)).cloned())
}

fn fetch_partition(partition: &WirePartition, topic_id: Option<TopicId>) -> FetchPartition {
    FetchPartition {
        topic_id,
        fetch_offset: Offset(partition.fetch_offset),
        log_start_offset: Offset::from_wire(partition.log_start_offset),
        max_bytes: partition.partition_max_bytes,
        current_leader_epoch: LeaderEpoch::from_wire(partition.current_leader_epoch),
        last_fetched_epoch: LeaderEpoch::from_wire(partition.last_fetched_epoch),
    }
}
