//! ConsumerGroupHeartbeat (68), version 0 (`handleConsumerGroupHeartbeat`): a member of a consumer group joins, stays or
//! leaves, and is told what to own (KIP-848). Refused like in Kafka while a broker of the cluster does not support it.

use gregor_coordinator::group::GroupError;
use gregor_coordinator::group::consumer::request::{ConsumerBeat, ConsumerHeartbeat, Refused};
use gregor_coordinator::{Assignment, InstanceId};
use gregor_model::{TopicId, TopicName};
use gregor_wire::convert::text;
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions as OwnedPartitions;
use kafka_protocol::messages::consumer_group_heartbeat_response::{
    Assignment as WireAssignment, TopicPartitions,
};
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::request_context::RequestContext;

/// Hands the heartbeat to the coordinator of its group.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    if !broker.consumer_protocol.is_served() {
        let code = GroupError::UnsupportedVersion.kafka_error().code();
        return ConsumerGroupHeartbeatResponse::default().with_error_code(code);
    }
    let Some(beat) = heartbeat(context, &request) else {
        return refused(&Refused::from(GroupError::InvalidRequest));
    };
    match broker.coordinators.groups.consumer_heartbeat(beat, broker.metadata.snapshot()).await {
        Ok(beat) => accepted(beat),
        Err(why) => refused(&why),
    }
}

/// `None` for partitions of no topic.
fn heartbeat(context: &RequestContext, request: &ConsumerGroupHeartbeatRequest) -> Option<ConsumerHeartbeat> {
    let topics = request.subscribed_topic_names.as_ref();
    Some(ConsumerHeartbeat {
        group: request.group_id.as_str().into(),
        member: request.member_id.as_str().into(),
        epoch: request.member_epoch,
        instance: request.instance_id.as_deref().map(InstanceId::from),
        rack: request.rack_id.as_deref().map(Into::into),
        rebalance_timeout_ms: (request.rebalance_timeout_ms != -1).then_some(request.rebalance_timeout_ms),
        topics: topics.map(|topics| topics.iter().map(|name| TopicName::new(name)).collect()),
        assignor: request.server_assignor.as_deref().map(Into::into),
        owned: match &request.topic_partitions {
            Some(owned) => Some(assignment(owned)?),
            None => None,
        },
        client_id: context.client_id.as_str().into(),
        client_host: format!("/{}", context.client_address).into(),
        random: uuid::Uuid::new_v4().into_bytes(),
    })
}

fn assignment(owned: &[OwnedPartitions]) -> Option<Assignment> {
    let mut assignment = Assignment::new();
    for topic in owned {
        let id = TopicId::from_wire(topic.topic_id)?;
        assignment.extend(topic.partitions.iter().map(|partition| (id, *partition)));
    }
    Some(assignment)
}

fn accepted(beat: ConsumerBeat) -> ConsumerGroupHeartbeatResponse {
    let assignment = beat.assignment.map(|assignment| {
        let topics = assignment.topics().map(|(topic, partitions)| {
            TopicPartitions::default()
                .with_topic_id(topic.uuid())
                .with_partitions(partitions.iter().copied().collect())
        });
        WireAssignment::default().with_topic_partitions(topics.collect())
    });
    ConsumerGroupHeartbeatResponse::default()
        .with_member_id(Some(text(beat.member.as_str())))
        .with_member_epoch(beat.epoch)
        .with_heartbeat_interval_ms(beat.interval_ms)
        .with_assignment(assignment)
}

fn refused(why: &Refused) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse::default()
        .with_error_code(why.error.kafka_error().code())
        .with_error_message(Some(text(&why.reason)))
}
