//! AlterPartitionReassignments (45).

use gregor_controller_machine::{AlterReassignmentsRequest, NotController, ReassignmentError};
use gregor_model::{BrokerId, TopicPartition};
use gregor_wire::convert::{text, topic_partition, wire_topic_name};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use kafka_protocol::messages::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse};

type Answer = Result<Vec<(TopicPartition, Result<(), ReassignmentError>)>, NotController>;

pub(crate) fn decode(request: &AlterPartitionReassignmentsRequest) -> AlterReassignmentsRequest {
    let mut partitions = Vec::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            let replicas = partition.replicas.as_ref();
            let replicas = replicas.map(|list| list.iter().map(|broker| BrokerId(broker.0)).collect());
            partitions.push((topic_partition(&topic.name, partition.partition_index), replicas));
        }
    }
    AlterReassignmentsRequest { partitions }
}

pub(crate) fn answer(answer: Answer) -> AlterPartitionReassignmentsResponse {
    let results = match answer {
        Ok(results) => results,
        Err(error) => {
            return AlterPartitionReassignmentsResponse::default()
                .with_error_code(ResponseError::NotController.code())
                .with_error_message(Some(text(&error.to_string())));
        }
    };
    let mut topics: Vec<ReassignableTopicResponse> = Vec::new();
    for (partition, result) in results {
        let (code, message) = match &result {
            Ok(()) => (0, None),
            Err(error) => (code(error).code(), Some(text(&error.to_string()))),
        };
        let response = ReassignablePartitionResponse::default()
            .with_partition_index(partition.partition)
            .with_error_code(code)
            .with_error_message(message);
        let name = wire_topic_name(&partition.topic);
        match topics.last_mut() {
            Some(topic) if topic.name == name => topic.partitions.push(response),
            _ => topics
                .push(ReassignableTopicResponse::default().with_name(name).with_partitions(vec![response])),
        }
    }
    AlterPartitionReassignmentsResponse::default().with_responses(topics)
}

fn code(error: &ReassignmentError) -> ResponseError {
    match error {
        ReassignmentError::InvalidReplicaAssignment(_) => ResponseError::InvalidReplicaAssignment,
        ReassignmentError::NoReassignmentInProgress => ResponseError::NoReassignmentInProgress,
        ReassignmentError::UnknownTopicOrPartition => ResponseError::UnknownTopicOrPartition,
        ReassignmentError::Failed => ResponseError::UnknownServerError,
    }
}
