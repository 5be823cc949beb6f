//! LeaderAndIsr and StopReplica in the protocol's types, in any version from `ControlVersions`' oldest on.

use gregor_controller_machine::{
    LeaderAndIsrPartition, LeaderAndIsrRequest, LeaderAndIsrTopic, StopReplicaPartition, StopReplicaRequest,
};
use gregor_model::{BrokerId, LeaderEpoch, ListenerName, TopicId};
use gregor_wire::convert::{text, wire_broker_id, wire_topic_name};
use kafka_protocol::messages;
use kafka_protocol::messages::leader_and_isr_request::{
    LeaderAndIsrLiveLeader, LeaderAndIsrPartitionState, LeaderAndIsrTopicState,
};
use kafka_protocol::messages::stop_replica_request::{
    StopReplicaPartitionState, StopReplicaTopicState, StopReplicaTopicV1,
};
use uuid::Uuid;

/// The leader epoch of a StopReplica for a topic queued for deletion (`LeaderAndIsr.EpochDuringDelete`).
const EPOCH_DURING_DELETE: i32 = -2;

pub(super) fn leader_and_isr(
    request: &LeaderAndIsrRequest,
    controller: BrokerId,
    listener: &ListenerName,
    version: i16,
) -> messages::LeaderAndIsrRequest {
    let live_leaders = request.live_leaders.iter().filter_map(|broker| {
        let endpoint = broker.endpoint(listener)?;
        Some(
            LeaderAndIsrLiveLeader::default()
                .with_broker_id(wire_broker_id(Some(broker.id)))
                .with_host_name(text(&endpoint.host))
                .with_port(i32::from(endpoint.port)),
        )
    });
    messages::LeaderAndIsrRequest::default()
        .with_controller_id(wire_broker_id(Some(controller)))
        .with_controller_epoch(request.controller_epoch.0)
        .with_broker_epoch(request.broker_epoch.0)
        .with_topic_states(request.topics.iter().map(|topic| topic_state(topic, version)).collect())
        .with_live_leaders(live_leaders.collect())
}

fn topic_state(topic: &LeaderAndIsrTopic, version: i16) -> LeaderAndIsrTopicState {
    let id = if version >= 5 { TopicId::to_wire(topic.id) } else { Uuid::nil() };
    LeaderAndIsrTopicState::default()
        .with_topic_name(wire_topic_name(&topic.name))
        .with_topic_id(id)
        .with_partition_states(topic.partitions.iter().map(|p| partition_state(p, version)).collect())
}

fn partition_state(partition: &LeaderAndIsrPartition, version: i16) -> LeaderAndIsrPartitionState {
    let leadership = &partition.leadership.leader_and_isr;
    let state = LeaderAndIsrPartitionState::default()
        .with_partition_index(partition.partition)
        .with_controller_epoch(partition.leadership.controller_epoch.0)
        .with_leader(wire_broker_id(leadership.leader))
        .with_leader_epoch(leadership.leader_epoch.0)
        .with_isr(broker_ids(&leadership.isr))
        .with_partition_epoch(leadership.partition_epoch.0)
        .with_replicas(broker_ids(&partition.assignment.replicas))
        .with_is_new(partition.is_new);
    let state = match version {
        ..3 => state,
        _ => state
            .with_adding_replicas(broker_ids(&partition.assignment.adding))
            .with_removing_replicas(broker_ids(&partition.assignment.removing)),
    };
    if version >= 6 { state.with_leader_recovery_state(leadership.recovery as i8) } else { state }
}

/// One request, or up to version 2, which says of the whole request whether to delete, at most two.
pub(super) fn stop_replica(
    request: &StopReplicaRequest,
    controller: BrokerId,
    version: i16,
) -> Vec<messages::StopReplicaRequest> {
    let base = messages::StopReplicaRequest::default()
        .with_controller_id(wire_broker_id(Some(controller)))
        .with_controller_epoch(request.controller_epoch.0)
        .with_broker_epoch(request.broker_epoch.0);
    if version >= 3 {
        let topics = request.topics.iter().map(|topic| {
            StopReplicaTopicState::default()
                .with_topic_name(wire_topic_name(&topic.name))
                .with_partition_states(topic.partitions.iter().map(stop_partition).collect())
        });
        return vec![base.with_topic_states(topics.collect())];
    }
    let of = |delete: bool| -> Option<messages::StopReplicaRequest> {
        let mut topics = Vec::new();
        for topic in &request.topics {
            let wanted = topic.partitions.iter().filter(|partition| partition.delete == delete);
            let indexes: Vec<i32> = wanted.map(|partition| partition.partition).collect();
            if !indexes.is_empty() {
                let name = wire_topic_name(&topic.name);
                topics.push(StopReplicaTopicV1::default().with_name(name).with_partition_indexes(indexes));
            }
        }
        (!topics.is_empty()).then(|| base.clone().with_delete_partitions(delete).with_topics(topics))
    };
    [of(false), of(true)].into_iter().flatten().collect()
}

fn stop_partition(partition: &StopReplicaPartition) -> StopReplicaPartitionState {
    let leader_epoch = match partition.deleting {
        true => EPOCH_DURING_DELETE,
        false => LeaderEpoch::to_wire(partition.leader_epoch),
    };
    StopReplicaPartitionState::default()
        .with_partition_index(partition.partition)
        .with_leader_epoch(leader_epoch)
        .with_delete_partition(partition.delete)
}

pub(super) fn broker_ids(brokers: &[BrokerId]) -> Vec<messages::BrokerId> {
    brokers.iter().map(|broker| wire_broker_id(Some(*broker))).collect()
}

#[cfg(test)]
mod tests;
