//! OffsetFetch (9), versions 0 to 9 (`handleOffsetFetchRequest`).
//!
//! Version 0 reads ZooKeeper. 2: all topics, an error for the group. 5: leader epochs. 6: flexible. 7: only stable
//! offsets. 8: several groups. 9: members of consumer groups.

use gregor_coordinator::MemberId;
use gregor_coordinator::group::GroupError;
use gregor_coordinator::group::request::FetchedOffset;
use gregor_coordinator::runtime::FetchGroup;
use gregor_model::{LeaderEpoch, Offset, TopicName, TopicPartition};
use gregor_wire::convert::{text, topic_partition, wire_topic_name};
use indexmap::IndexMap;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::request_context::RequestContext;

/// One partition's answer, free of the response's two shapes.
struct Answer {
    offset: i64,
    leader_epoch: i32,
    metadata: String,
    code: i16,
}

type ByTopic = IndexMap<TopicName, Vec<(i32, Answer)>>;

/// Tells what is committed.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    if context.version >= 8 {
        return batched(broker, request).await;
    }
    let partitions = request.topics.as_ref().map(|topics| {
        partitions(topics.iter().map(|topic| (&topic.name, topic.partition_indexes.as_slice())))
    });
    let group = request.group_id.as_str();
    if context.version == 0 {
        let fetched = broker.zookeeper_offsets.fetch(group, partitions.unwrap_or_default()).await;
        let answers = by_topic(fetched.into_iter().map(|(fetched, code)| {
            let answer = Answer { code, ..Answer::from(&fetched) };
            (fetched.partition, answer)
        }));
        return OffsetFetchResponse::default().with_topics(topics(answers));
    }
    let asked = partitions.clone();
    let fetch = FetchGroup {
        group: group.into(),
        partitions,
        require_stable: request.require_stable,
        member: None,
        epoch: -1,
    };
    match broker.coordinators.groups.fetch(fetch).await {
        Ok(fetched) => OffsetFetchResponse::default().with_topics(topics(of_fetched(&fetched))),
        Err(error) if context.version >= 2 => {
            OffsetFetchResponse::default().with_error_code(error.kafka_error().code())
        }
        // Version 1 has no place for a group's error but its partitions.
        Err(error) => {
            let refused = asked.unwrap_or_default().into_iter().map(|partition| {
                let none = FetchedOffset { error: Some(error), ..FetchedOffset::none(partition) };
                (none.partition.clone(), Answer::from(&none))
            });
            OffsetFetchResponse::default().with_topics(topics(by_topic(refused)))
        }
    }
}

async fn batched(broker: &Broker, request: OffsetFetchRequest) -> OffsetFetchResponse {
    let mut groups = Vec::with_capacity(request.groups.len());
    for asked in request.groups {
        let partitions = asked.topics.as_ref().map(|topics| {
            partitions(topics.iter().map(|topic| (&topic.name, topic.partition_indexes.as_slice())))
        });
        let fetch = FetchGroup {
            group: asked.group_id.as_str().into(),
            partitions,
            require_stable: request.require_stable,
            member: asked.member_id.as_deref().map(MemberId::from),
            epoch: asked.member_epoch,
        };
        let group = OffsetFetchResponseGroup::default().with_group_id(asked.group_id);
        groups.push(match broker.coordinators.groups.fetch(fetch).await {
            Ok(fetched) => group.with_topics(topics_of_group(of_fetched(&fetched))),
            Err(error) => group.with_error_code(error.kafka_error().code()),
        });
    }
    OffsetFetchResponse::default().with_groups(groups)
}

impl From<&FetchedOffset> for Answer {
    fn from(fetched: &FetchedOffset) -> Answer {
        Answer {
            offset: Offset::to_wire(fetched.offset),
            leader_epoch: LeaderEpoch::to_wire(fetched.leader_epoch),
            metadata: fetched.metadata.to_string(),
            code: fetched.error.map_or(0, |error: GroupError| error.kafka_error().code()),
        }
    }
}

fn partitions<'a>(
    topics: impl Iterator<Item = (&'a kafka_protocol::messages::TopicName, &'a [i32])>,
) -> Vec<TopicPartition> {
    topics.flat_map(|(name, indexes)| indexes.iter().map(|index| topic_partition(name, *index))).collect()
}

fn of_fetched(fetched: &[FetchedOffset]) -> ByTopic {
    by_topic(fetched.iter().map(|fetched| (fetched.partition.clone(), Answer::from(fetched))))
}

fn by_topic(answers: impl Iterator<Item = (TopicPartition, Answer)>) -> ByTopic {
    let mut topics = ByTopic::new();
    for (partition, answer) in answers {
        topics.entry(partition.topic).or_default().push((partition.partition, answer));
    }
    topics
}

fn topics(answers: ByTopic) -> Vec<OffsetFetchResponseTopic> {
    let topic = |(name, partitions): (TopicName, Vec<(i32, Answer)>)| {
        let partitions = partitions.into_iter().map(|(index, answer)| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(index)
                .with_committed_offset(answer.offset)
                .with_committed_leader_epoch(answer.leader_epoch)
                .with_metadata(Some(text(&answer.metadata)))
                .with_error_code(answer.code)
        });
        OffsetFetchResponseTopic::default()
            .with_name(wire_topic_name(&name))
            .with_partitions(partitions.collect())
    };
    answers.into_iter().map(topic).collect()
}

fn topics_of_group(answers: ByTopic) -> Vec<OffsetFetchResponseTopics> {
    let topic = |(name, partitions): (TopicName, Vec<(i32, Answer)>)| {
        let partitions = partitions.into_iter().map(|(index, answer)| {
            OffsetFetchResponsePartitions::default()
                .with_partition_index(index)
                .with_committed_offset(answer.offset)
                .with_committed_leader_epoch(answer.leader_epoch)
                .with_metadata(Some(text(&answer.metadata)))
                .with_error_code(answer.code)
        });
        OffsetFetchResponseTopics::default()
            .with_name(wire_topic_name(&name))
            .with_partitions(partitions.collect())
    };
    answers.into_iter().map(topic).collect()
}
