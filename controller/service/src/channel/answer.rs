//! What the machine is told of brokers' answers.

use std::collections::{HashMap, HashSet};

use gregor_controller_machine::{Event, LeaderAndIsrRequest, ReplicaAnswer, StopReplicaRequest};
use gregor_model::{BrokerId, TopicId, TopicName, TopicPartition};
use gregor_wire::convert::topic_name;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{LeaderAndIsrResponse, StopReplicaResponse};
use tracing::warn;

fn of_code(code: i16) -> ReplicaAnswer {
    match code {
        0 => ReplicaAnswer::Done,
        code if code == ResponseError::KafkaStorageError.code() => ReplicaAnswer::StorageError,
        _ => ReplicaAnswer::Failed,
    }
}

/// Partition answers other than NONE and KAFKA_STORAGE_ERROR mean nothing to the controller: STALE_CONTROLLER_EPOCH
/// for one is what a broker says to a leadership it knows already.
pub(super) fn leader_and_isr(
    broker: BrokerId,
    request: &LeaderAndIsrRequest,
    response: &LeaderAndIsrResponse,
) -> Option<Event> {
    if response.error_code != 0 {
        warn!(%broker, code = response.error_code, "LeaderAndIsr was refused");
        return None;
    }
    let names: HashMap<TopicId, &TopicName> =
        request.topics.iter().filter_map(|topic| Some((topic.id?, &topic.name))).collect();
    let mut partitions = Vec::new();
    // From version 5 on by id, before by name.
    for topic in &response.topics {
        let Some(name) = TopicId::from_wire(topic.topic_id).and_then(|id| names.get(&id).copied()) else {
            continue;
        };
        let of = topic.partition_errors.iter().map(|entry| {
            (TopicPartition::new(name.clone(), entry.partition_index), of_code(entry.error_code))
        });
        partitions.extend(of);
    }
    let by_name = response.partition_errors.iter().map(|entry| {
        let partition = TopicPartition::new(topic_name(&entry.topic_name), entry.partition_index);
        (partition, of_code(entry.error_code))
    });
    partitions.extend(by_name);
    partitions.retain(|(_, answer)| *answer != ReplicaAnswer::Failed);
    Some(Event::LeaderAndIsrAnswered { broker, broker_epoch: request.broker_epoch, partitions })
}

/// Only partitions that were to be deleted and that the answer lists are told.
pub(super) fn stop_replica(
    broker: BrokerId,
    request: &StopReplicaRequest,
    responses: &[StopReplicaResponse],
) -> Option<Event> {
    let mut deleted: HashSet<(&str, i32)> = HashSet::new();
    for topic in &request.topics {
        let to_delete = topic.partitions.iter().filter(|partition| partition.delete);
        deleted.extend(to_delete.map(|partition| (topic.name.as_str(), partition.partition)));
    }
    let mut partitions = Vec::new();
    for response in responses {
        if response.error_code != 0 {
            warn!(%broker, code = response.error_code, "StopReplica was refused");
        }
        for entry in &response.partition_errors {
            if deleted.contains(&(entry.topic_name.0.as_str(), entry.partition_index)) {
                let partition = TopicPartition::new(topic_name(&entry.topic_name), entry.partition_index);
                let answer =
                    if response.error_code != 0 { ReplicaAnswer::Failed } else { of_code(entry.error_code) };
                partitions.push((partition, answer));
            }
        }
    }
    let broker_epoch = request.broker_epoch;
    (!partitions.is_empty()).then_some(Event::StopReplicaAnswered { broker, broker_epoch, partitions })
}

#[cfg(test)]
mod tests {
    use gregor_controller_machine::{LeaderAndIsrTopic, StopReplicaPartition, StopReplicaTopic};
    use gregor_model::{BrokerEpoch, ControllerEpoch};
    use gregor_wire::convert::wire_topic_name;
    use kafka_protocol::messages::leader_and_isr_response::{
        LeaderAndIsrPartitionError, LeaderAndIsrTopicError,
    };
    use kafka_protocol::messages::stop_replica_response::StopReplicaPartitionError;

    use super::*;

    #[test]
    fn leader_and_isr_answers_are_named_by_id() {
        let id = TopicId::from_random([7; 16]);
        let topic = LeaderAndIsrTopic { name: TopicName::new("t"), id, partitions: Vec::new() };
        let request = LeaderAndIsrRequest {
            controller_epoch: ControllerEpoch(1),
            broker_epoch: BrokerEpoch(5),
            topics: vec![topic],
            live_leaders: Vec::new(),
        };
        let error = |index, code| {
            LeaderAndIsrPartitionError::default().with_partition_index(index).with_error_code(code)
        };
        let errors = vec![error(0, 0), error(1, 56), error(2, 11)];
        let named = LeaderAndIsrTopicError::default()
            .with_topic_id(TopicId::to_wire(id))
            .with_partition_errors(errors);
        let unknown = LeaderAndIsrTopicError::default().with_partition_errors(vec![error(0, 56)]);
        let response = LeaderAndIsrResponse::default().with_topics(vec![named, unknown]);
        let partitions = vec![
            (TopicPartition::new("t", 0), ReplicaAnswer::Done),
            (TopicPartition::new("t", 1), ReplicaAnswer::StorageError),
        ];
        let expected =
            Event::LeaderAndIsrAnswered { broker: BrokerId(2), broker_epoch: BrokerEpoch(5), partitions };
        assert_eq!(leader_and_isr(BrokerId(2), &request, &response), Some(expected));
        let refused = LeaderAndIsrResponse::default().with_error_code(77);
        assert_eq!(leader_and_isr(BrokerId(2), &request, &refused), None);
    }

    #[test]
    fn stop_replica_answers_are_told_of_deletions_only() {
        let partition = |index, delete| StopReplicaPartition {
            partition: index,
            deleting: delete,
            leader_epoch: None,
            delete,
        };
        let topic = StopReplicaTopic {
            name: TopicName::new("t"),
            partitions: vec![partition(0, true), partition(1, false), partition(2, true)],
        };
        let request = StopReplicaRequest {
            controller_epoch: ControllerEpoch(1),
            broker_epoch: BrokerEpoch(5),
            topics: vec![topic],
        };
        let entry = |index, code| {
            StopReplicaPartitionError::default()
                .with_topic_name(wire_topic_name(&TopicName::new("t")))
                .with_partition_index(index)
                .with_error_code(code)
        };
        let response = |code, entries: Vec<_>| {
            StopReplicaResponse::default().with_error_code(code).with_partition_errors(entries)
        };
        let told = |responses: &[StopReplicaResponse]| match stop_replica(BrokerId(2), &request, responses) {
            Some(Event::StopReplicaAnswered { partitions, .. }) => {
                partitions.into_iter().map(|(partition, answer)| (partition.partition, answer)).collect()
            }
            _ => Vec::new(),
        };
        let answered = response(0, vec![entry(0, 0), entry(1, 0), entry(2, 56)]);
        assert_eq!(told(&[answered]), [(0, ReplicaAnswer::Done), (2, ReplicaAnswer::StorageError)]);
        assert_eq!(told(&[response(11, vec![entry(0, 0)])]), [(0, ReplicaAnswer::Failed)]);
        assert_eq!(told(&[response(77, vec![])]), []);
    }
}
