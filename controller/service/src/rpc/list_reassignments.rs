//! ListPartitionReassignments (46).

use std::sync::Arc;

use gregor_controller_machine::{ListReassignmentsRequest, NotController};
use gregor_model::{BrokerId, ReplicaAssignment, TopicPartition};
use gregor_wire::convert::{text, topic_partition, wire_broker_id, wire_topic_name};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use kafka_protocol::messages::{self, ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

type Answer = Result<Vec<(TopicPartition, Arc<ReplicaAssignment>)>, NotController>;

pub(crate) fn decode(request: &ListPartitionReassignmentsRequest) -> ListReassignmentsRequest {
    let partitions = request.topics.as_ref().map(|topics| {
        let of =
            |topic: &messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics| {
                let name = topic.name.clone();
                topic.partition_indexes.clone().into_iter().map(move |index| topic_partition(&name, index))
            };
        topics.iter().flat_map(of).collect()
    });
    ListReassignmentsRequest { partitions }
}

pub(crate) fn answer(answer: Answer) -> ListPartitionReassignmentsResponse {
    let reassignments = match answer {
        Ok(reassignments) => reassignments,
        Err(error) => {
            return ListPartitionReassignmentsResponse::default()
                .with_error_code(ResponseError::NotController.code())
                .with_error_message(Some(text(&error.to_string())));
        }
    };
    let mut topics: Vec<OngoingTopicReassignment> = Vec::new();
    for (partition, assignment) in reassignments {
        let ongoing = OngoingPartitionReassignment::default()
            .with_partition_index(partition.partition)
            .with_replicas(broker_ids(&assignment.replicas))
            .with_adding_replicas(broker_ids(&assignment.adding))
            .with_removing_replicas(broker_ids(&assignment.removing));
        let name = wire_topic_name(&partition.topic);
        match topics.last_mut() {
            Some(topic) if topic.name == name => topic.partitions.push(ongoing),
            _ => topics
                .push(OngoingTopicReassignment::default().with_name(name).with_partitions(vec![ongoing])),
        }
    }
    ListPartitionReassignmentsResponse::default().with_topics(topics)
}

fn broker_ids(brokers: &[BrokerId]) -> Vec<messages::BrokerId> {
    brokers.iter().map(|broker| wire_broker_id(Some(*broker))).collect()
}
