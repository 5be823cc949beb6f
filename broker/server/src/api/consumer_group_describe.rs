//! ConsumerGroupDescribe (69), version 0 (`handleConsumerGroupDescribe`): consumer groups with what their members own and
//! are to own (KIP-848). A classic group is not found here, as a consumer group is not by DescribeGroups.

use gregor_coordinator::Assignment as Partitions;
use gregor_coordinator::group::GroupError;
use gregor_coordinator::group::consumer::request::{DescribedConsumer, DescribedConsumerGroup};
use gregor_wire::convert::{text, wire_topic_name};
use kafka_protocol::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup, Member, TopicPartitions,
};
use kafka_protocol::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};
use kafka_protocol::protocol::StrBytes;

use crate::authorized_operations;
use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::metadata_cache::MetadataSnapshot;

/// Describes each group, in the order of the request.
pub async fn handle(broker: &Broker, request: ConsumerGroupDescribeRequest) -> ConsumerGroupDescribeResponse {
    let operations = match request.include_authorized_operations {
        true => authorized_operations::GROUP,
        false => authorized_operations::NOT_REQUESTED,
    };
    let snapshot = broker.metadata.snapshot();
    let mut groups = Vec::with_capacity(request.group_ids.len());
    for id in request.group_ids {
        let described = match broker.consumer_protocol.is_served() {
            true => broker.coordinators.groups.describe_consumers(id.as_str().into()).await,
            false => Err(GroupError::UnsupportedVersion),
        };
        let group = match described {
            Ok(group) => found(group, &snapshot).with_authorized_operations(operations),
            Err(error) => DescribedGroup::default().with_error_code(error.kafka_error().code()),
        };
        groups.push(group.with_group_id(id));
    }
    ConsumerGroupDescribeResponse::default().with_groups(groups)
}

fn found(group: DescribedConsumerGroup, snapshot: &MetadataSnapshot) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_state(StrBytes::from_static_str(group.state))
        .with_group_epoch(group.epoch)
        .with_assignment_epoch(group.target_epoch)
        .with_assignor_name(StrBytes::from_static_str(group.assignor))
        .with_members(group.members.iter().map(|member| found_member(member, snapshot)).collect())
}

fn found_member(member: &DescribedConsumer, snapshot: &MetadataSnapshot) -> Member {
    Member::default()
        .with_member_id(text(member.member.as_str()))
        .with_instance_id(member.instance.as_ref().map(|instance| text(instance.as_str())))
        .with_rack_id(member.rack.as_deref().map(text))
        .with_member_epoch(member.epoch)
        .with_client_id(text(&member.client_id))
        .with_client_host(text(&member.client_host))
        .with_subscribed_topic_names(member.topics.iter().map(wire_topic_name).collect())
        .with_subscribed_topic_regex(member.regex.as_deref().map(text))
        .with_assignment(named(&member.assigned, snapshot))
        .with_target_assignment(named(&member.target, snapshot))
}

/// Partitions by the names of their topics; those of deleted topics are left out.
fn named(partitions: &Partitions, snapshot: &MetadataSnapshot) -> Assignment {
    let topics = partitions.topics().filter_map(|(id, partitions)| {
        let topic = TopicPartitions::default()
            .with_topic_id(id.uuid())
            .with_topic_name(wire_topic_name(snapshot.topic_name(id)?))
            .with_partitions(partitions.iter().copied().collect());
        Some(topic)
    });
    Assignment::default().with_topic_partitions(topics.collect())
}
