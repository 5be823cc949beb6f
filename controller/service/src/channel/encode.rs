//! LeaderAndIsr and StopReplica, in any version from `ControlVersions`' oldest on.

use bytes::Bytes;
use gregor_controller_machine::{
    LeaderAndIsrPartition, LeaderAndIsrRequest, StopReplicaPartition, StopReplicaRequest,
};
use gregor_model::{BrokerId, EndPoint, LeaderEpoch, ListenerName};
use gregor_wire::client::ClientError;
use gregor_wire::convert::{wire_broker_id, wire_topic_name};
use kafka_protocol::messages;
use kafka_protocol::messages::stop_replica_request::{
    StopReplicaPartitionState, StopReplicaTopicState, StopReplicaTopicV1,
};

use super::body::Body;

/// What a ZooKeeper controller says of the kind of its LeaderAndIsr.
const TYPE_UNKNOWN: i8 = 0;
/// The leader epoch of a StopReplica for a topic queued for deletion (`LeaderAndIsr.EpochDuringDelete`).
const EPOCH_DURING_DELETE: i32 = -2;

/// About how many bytes a partition takes.
const PARTITION_ROOM: usize = 64;

/// The body of a LeaderAndIsr of at least version 2.
pub(super) fn leader_and_isr(
    request: &LeaderAndIsrRequest,
    controller: BrokerId,
    listener: &ListenerName,
    version: i16,
) -> Result<Bytes, ClientError> {
    let partitions: usize = request.topics.iter().map(|topic| topic.partitions.len()).sum();
    let mut body = Body::new(version >= 4, (partitions + request.topics.len() + 8) * PARTITION_ROOM);
    body.broker(Some(controller));
    if version >= 7 {
        // The controller is none of KRaft's.
        body.bool(false);
    }
    body.i32(request.controller_epoch.0);
    body.i64(request.broker_epoch.0);
    if version >= 5 {
        body.i8(TYPE_UNKNOWN);
    }
    body.list(request.topics.len());
    for topic in &request.topics {
        body.text(topic.name.as_str());
        if version >= 5 {
            body.topic_id(topic.id);
        }
        body.list(topic.partitions.len());
        for partition in &topic.partitions {
            put_partition(&mut body, partition, version);
        }
        body.end();
    }
    let live_leaders: Vec<(BrokerId, &EndPoint)> = request
        .live_leaders
        .iter()
        .filter_map(|broker| Some((broker.id, broker.endpoint(listener)?)))
        .collect();
    body.list(live_leaders.len());
    for (id, endpoint) in live_leaders {
        body.broker(Some(id));
        body.text(&endpoint.host);
        body.i32(i32::from(endpoint.port));
        body.end();
    }
    body.end();
    body.finish()
}

fn put_partition(body: &mut Body, partition: &LeaderAndIsrPartition, version: i16) {
    let leadership = &partition.leadership.leader_and_isr;
    body.i32(partition.partition);
    body.i32(partition.leadership.controller_epoch.0);
    body.broker(leadership.leader);
    body.i32(leadership.leader_epoch.0);
    body.brokers(&leadership.isr);
    body.i32(leadership.partition_epoch.0);
    body.brokers(&partition.assignment.replicas);
    if version >= 3 {
        body.brokers(&partition.assignment.adding);
        body.brokers(&partition.assignment.removing);
    }
    body.bool(partition.is_new);
    if version >= 6 {
        body.i8(leadership.recovery as i8);
    }
    body.end();
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

#[cfg(test)]
mod tests;
