//! Fetch requests (one answer each, no sessions), and which broker each partition is fetched from.

use std::collections::HashMap;
use std::time::Duration;

use gregor_model::{BrokerId, LeaderEpoch, TopicId, TopicPartition};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{FetchRequest, FetchResponse, TopicName as WireTopicName};
use kafka_protocol::protocol::StrBytes;

use super::positions::Wanted;
use crate::cluster::{Peer, View};
use crate::config::{ConsumerConfig, Isolation};
use crate::error::Error;

/// The first version that names topics by id.
const TOPIC_IDS_FROM: i16 = 13;
/// Which session: none.
const NO_SESSION_EPOCH: i32 = -1;

/// What is asked of each broker, and what has no broker to ask.
#[derive(Debug, Default)]
pub(super) struct Division {
    pub(super) by_broker: HashMap<BrokerId, Vec<Wanted>>,
    pub(super) leaderless: bool,
}

/// Divides what is wanted by leader, or by the nearer replica that the leader has named.
pub(super) fn divide(wanted: Vec<Wanted>, view: &View) -> Division {
    let mut division = Division::default();
    for one in wanted {
        let preferred = one.preferred.filter(|broker| view.brokers.contains_key(broker));
        match preferred.or_else(|| view.leader(&one.partition.topic, one.partition.partition)) {
            Some(broker) => division.by_broker.entry(broker).or_default().push(one),
            None => division.leaderless = true,
        }
    }
    division
}

/// Fetches.
pub(super) async fn fetch(
    peer: &Peer,
    config: &ConsumerConfig,
    view: &View,
    wanted: &[Wanted],
) -> Result<FetchResponse, Error> {
    let timeout = config.common.request_timeout + config.fetch_max_wait;
    let mut version = peer.version::<FetchRequest>()?;
    let has_id = |one: &Wanted| view.topics.get(&one.partition.topic).is_some_and(|topic| topic.id.is_some());
    if !wanted.iter().all(has_id) {
        version = version.min(TOPIC_IDS_FROM - 1);
    }
    let request = request(config, view, wanted, version);
    Ok(peer.connection().send_with_timeout(request, version, timeout).await?)
}

fn request(config: &ConsumerConfig, view: &View, wanted: &[Wanted], version: i16) -> FetchRequest {
    let mut topics: Vec<(&TopicPartition, FetchTopic)> = Vec::new();
    for one in wanted {
        let row = partition(config, view, one, version);
        match topics.iter_mut().find(|(first, _)| first.topic == one.partition.topic) {
            Some((_, topic)) => topic.partitions.push(row),
            None => {
                let topic = FetchTopic::default().with_partitions(vec![row]);
                let name = one.partition.topic.as_str().to_owned();
                let id = view.topics.get(&one.partition.topic).and_then(|topic| topic.id);
                let topic = if version >= TOPIC_IDS_FROM {
                    topic.with_topic_id(TopicId::to_wire(id))
                } else {
                    topic.with_topic(WireTopicName(StrBytes::from_string(name)))
                };
                topics.push((&one.partition, topic));
            }
        }
    }
    let milliseconds = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    let rack = config.rack.clone().unwrap_or_default();
    let request = FetchRequest::default()
        .with_max_wait_ms(milliseconds(config.fetch_max_wait))
        .with_min_bytes(config.fetch_min_bytes)
        .with_max_bytes(config.fetch_max_bytes)
        .with_isolation_level(i8::from(config.isolation == Isolation::ReadCommitted))
        .with_topics(topics.into_iter().map(|(_, topic)| topic).collect());
    let request = if version >= 7 { request.with_session_epoch(NO_SESSION_EPOCH) } else { request };
    let request = if version >= 15 { request } else { request.with_replica_id((-1).into()) };
    if version >= 11 { request.with_rack_id(StrBytes::from_string(rack)) } else { request }
}

fn partition(config: &ConsumerConfig, view: &View, one: &Wanted, version: i16) -> FetchPartition {
    let known = view.partition(&one.partition.topic, one.partition.partition);
    let row = FetchPartition::default()
        .with_partition(one.partition.partition)
        .with_fetch_offset(one.from.0)
        .with_partition_max_bytes(config.partition_max_bytes);
    let epoch = LeaderEpoch::to_wire(known.and_then(|known| known.leader_epoch));
    if version >= 9 { row.with_current_leader_epoch(epoch) } else { row }
}

/// What an answer says of each partition. Topics that it names by an id we do not know are left out.
pub(super) fn rows(answer: FetchResponse, view: &View) -> Vec<(TopicPartition, PartitionData)> {
    let mut rows = Vec::new();
    for topic in answer.responses {
        let name = match TopicId::from_wire(topic.topic_id) {
            Some(id) => view.topic_of_id(id).cloned(),
            None => Some(gregor_model::TopicName::new(&topic.topic.0)),
        };
        let Some(name) = name else { continue };
        for row in topic.partitions {
            rows.push((TopicPartition::new(name.clone(), row.partition_index), row));
        }
    }
    rows
}
