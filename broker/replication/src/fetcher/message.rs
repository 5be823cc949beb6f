//! What a fetcher says to a leader and hears from it, on the wire. Pure.

use bytes::Bytes;
use gregor_model::{BrokerEpoch, BrokerId, LeaderEpoch, Offset, TopicId, TopicName, TopicPartition};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic, ReplicaState};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{
    self, FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::machine::{FetchAnswer, LeaderRefusal};
use super::session::{FetcherSession, SessionRequest, Wanted};
use crate::config::ReplicationConfig;
use crate::manager::EpochEnd;

fn topic_name(topic: &TopicName) -> messages::TopicName {
    messages::TopicName(StrBytes::from_string(topic.as_str().to_owned()))
}

/// Groups partitions that follow each other and are of one topic.
fn by_topic<'a, T, G>(
    partitions: impl IntoIterator<Item = (&'a TopicPartition, T)>,
    new_topic: impl Fn(&TopicPartition, &T) -> G,
    mut add: impl FnMut(&mut G, i32, T),
) -> Vec<G> {
    let mut topics: Vec<(&TopicName, G)> = Vec::new();
    for (partition, item) in partitions {
        if topics.last().is_none_or(|(topic, _)| *topic != &partition.topic) {
            topics.push((&partition.topic, new_topic(partition, &item)));
        }
        if let Some((_, topic)) = topics.last_mut() {
            add(topic, partition.partition, item);
        }
    }
    topics.into_iter().map(|(_, topic)| topic).collect()
}

/// The Fetch request, and its version.
pub fn fetch_request(
    config: &ReplicationConfig,
    broker_epoch: Option<BrokerEpoch>,
    session: &SessionRequest,
) -> (FetchRequest, i16) {
    let version = if session.by_topic_id { config.protocol.fetch } else { config.protocol.fetch.min(12) };
    let replica = messages::BrokerId(config.broker_id.0);
    let topics = by_topic(
        session.listed.iter().map(|(partition, wanted)| (partition, wanted)),
        |partition, wanted| {
            let topic = FetchTopic::default().with_topic(topic_name(&partition.topic));
            topic.with_topic_id(TopicId::to_wire(wanted.topic_id))
        },
        |topic, index, wanted| topic.partitions.push(fetch_partition(config, index, wanted)),
    );
    let forgotten = by_topic(
        session.forgotten.iter().map(|(partition, id)| (partition, *id)),
        |partition, id| {
            let topic = ForgottenTopic::default().with_topic(topic_name(&partition.topic));
            topic.with_topic_id(TopicId::to_wire(*id))
        },
        |topic, index, _| topic.partitions.push(index),
    );
    let mut request = FetchRequest::default()
        .with_max_wait_ms(config.replica_fetch_wait_max_ms)
        .with_min_bytes(config.replica_fetch_min_bytes)
        .with_max_bytes(config.replica_fetch_response_max_bytes)
        .with_session_id(session.session_id)
        .with_session_epoch(session.session_epoch)
        .with_topics(topics)
        .with_forgotten_topics_data(forgotten);
    if version >= 15 {
        let epoch = BrokerEpoch::to_wire(broker_epoch);
        request.replica_state = ReplicaState::default().with_replica_id(replica).with_replica_epoch(epoch);
    } else {
        request.replica_id = replica;
    }
    (request, version)
}

fn fetch_partition(config: &ReplicationConfig, index: i32, wanted: &Wanted) -> FetchPartition {
    FetchPartition::default()
        .with_partition(index)
        .with_current_leader_epoch(wanted.leader_epoch.0)
        .with_fetch_offset(wanted.fetch_offset.0)
        .with_last_fetched_epoch(LeaderEpoch::to_wire(wanted.last_fetched_epoch))
        .with_log_start_offset(wanted.log_start_offset.0)
        .with_partition_max_bytes(config.replica_fetch_max_bytes)
}

/// One partition of a Fetch response.
#[derive(Clone, Debug)]
pub struct FetchedFromLeader {
    /// Which one.
    pub partition: TopicPartition,
    /// Records, divergence or error.
    pub answer: FetchAnswer,
    /// The leader's high watermark.
    pub high_watermark: Option<Offset>,
    /// The leader's log start offset.
    pub log_start_offset: Option<Offset>,
    /// The records, a slice of the response.
    pub records: Bytes,
}

/// The partitions of a Fetch response of that version; those the session does not have are left out.
pub fn fetched(
    response: FetchResponse,
    version: i16,
    session: &FetcherSession,
    names: &TopicNames,
) -> Vec<FetchedFromLeader> {
    let mut fetched = Vec::new();
    for topic in response.responses {
        let name = if version >= 13 {
            TopicId::from_wire(topic.topic_id).and_then(|id| names.name(id))
        } else {
            Some(TopicName::new(&topic.topic))
        };
        let Some(name) = name else { continue };
        for data in topic.partitions {
            let partition = TopicPartition { topic: name.clone(), partition: data.partition_index };
            if session.contains(&partition) {
                fetched.push(fetched_partition(partition, data));
            }
        }
    }
    fetched
}

fn fetched_partition(partition: TopicPartition, data: PartitionData) -> FetchedFromLeader {
    let diverging = EpochEnd {
        epoch: LeaderEpoch::from_wire(data.diverging_epoch.epoch),
        end_offset: Offset::from_wire(data.diverging_epoch.end_offset),
    };
    let answer = match refusal(data.error_code) {
        Some(refusal) => FetchAnswer::Refused(refusal),
        None if diverging.epoch.is_some() => FetchAnswer::Diverging(diverging),
        None => FetchAnswer::Records,
    };
    FetchedFromLeader {
        partition,
        answer,
        high_watermark: Offset::from_wire(data.high_watermark),
        log_start_offset: Offset::from_wire(data.log_start_offset),
        records: data.records.unwrap_or_default(),
    }
}

/// Names of the topics a fetcher asks for by id.
#[derive(Clone, Debug, Default)]
pub struct TopicNames(std::collections::HashMap<TopicId, TopicName>);

impl TopicNames {
    /// Learns the topics of a request. A request of thousands of partitions has few topics, so asking first is cheap.
    pub fn learn(&mut self, request: &SessionRequest) {
        for (partition, wanted) in &request.listed {
            if let Some(id) = wanted.topic_id
                && !self.0.contains_key(&id)
            {
                self.0.insert(id, partition.topic.clone());
            }
        }
    }

    /// Forgets all topics: a full request names again those that matter.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn name(&self, id: TopicId) -> Option<TopicName> {
        self.0.get(&id).cloned()
    }
}

/// What an error code means to a fetcher; `None` for no error.
fn refusal(code: i16) -> Option<LeaderRefusal> {
    ResponseError::try_from_code(code).map(|error| match error {
        ResponseError::OffsetOutOfRange => LeaderRefusal::OffsetOutOfRange,
        ResponseError::FencedLeaderEpoch => LeaderRefusal::FencedLeaderEpoch,
        _ => LeaderRefusal::Other(code),
    })
}

/// Asks where epochs end: per partition the own term and the epoch in question.
pub fn epochs_request(
    replica: BrokerId,
    queries: &[(TopicPartition, LeaderEpoch, LeaderEpoch)],
) -> OffsetForLeaderEpochRequest {
    let topics = by_topic(
        queries.iter().map(|(partition, current, epoch)| (partition, (*current, *epoch))),
        |partition, _| OffsetForLeaderTopic::default().with_topic(topic_name(&partition.topic)),
        |topic, index, (current, epoch)| {
            let query = OffsetForLeaderPartition::default().with_partition(index);
            topic.partitions.push(query.with_current_leader_epoch(current.0).with_leader_epoch(epoch.0));
        },
    );
    OffsetForLeaderEpochRequest::default().with_replica_id(messages::BrokerId(replica.0)).with_topics(topics)
}

/// Where epochs end.
pub fn epoch_ends(
    response: &OffsetForLeaderEpochResponse,
) -> impl Iterator<Item = (TopicPartition, Result<EpochEnd, LeaderRefusal>)> {
    response.topics.iter().flat_map(|topic| {
        let name = TopicName::new(&topic.topic);
        topic.partitions.iter().map(move |end| {
            let partition = TopicPartition { topic: name.clone(), partition: end.partition };
            let answer = match refusal(end.error_code) {
                Some(refusal) => Err(refusal),
                None => Ok(EpochEnd {
                    epoch: LeaderEpoch::from_wire(end.leader_epoch),
                    end_offset: Offset::from_wire(end.end_offset),
                }),
            };
            (partition, answer)
        })
    })
}

/// Asks for offsets: -1 for a leader's log end, -2 for its log start.
pub fn offsets_request(
    replica: BrokerId,
    timestamp: i64,
    partitions: &[(TopicPartition, LeaderEpoch)],
) -> ListOffsetsRequest {
    let topics = by_topic(
        partitions.iter().map(|(partition, current)| (partition, *current)),
        |partition, _| ListOffsetsTopic::default().with_name(topic_name(&partition.topic)),
        |topic, index, current| {
            let query = ListOffsetsPartition::default().with_partition_index(index).with_timestamp(timestamp);
            topic.partitions.push(query.with_current_leader_epoch(current.0).with_max_num_offsets(1));
        },
    );
    ListOffsetsRequest::default().with_replica_id(messages::BrokerId(replica.0)).with_topics(topics)
}

/// The offsets asked for; leaders before v1 answer with a list of one.
pub fn offsets(
    response: &ListOffsetsResponse,
) -> impl Iterator<Item = (TopicPartition, Result<Offset, LeaderRefusal>)> {
    response.topics.iter().flat_map(|topic| {
        let name = TopicName::new(&topic.name);
        topic.partitions.iter().map(move |listed| {
            let partition = TopicPartition { topic: name.clone(), partition: listed.partition_index };
            let offset = listed.old_style_offsets.first().copied().unwrap_or(listed.offset);
            let unknown = ResponseError::UnknownServerError.code();
            let answer = match refusal(listed.error_code) {
                Some(refusal) => Err(refusal),
                None => Offset::from_wire(offset).ok_or(LeaderRefusal::Other(unknown)),
            };
            (partition, answer)
        })
    })
}
