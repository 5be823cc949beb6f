//! DescribeProducers (61), version 0 (`handleDescribeProducersRequest`): the producers a replica knows. Any replica answers.

use gregor_log::ProducerSummary;
use gregor_model::{Offset, TopicPartition};
use gregor_wire::convert::{topic_name, topic_partition};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use kafka_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};
use kafka_protocol::protocol::StrBytes;

use crate::broker::Broker;
use crate::error_code::{KafkaError, usual_message};

/// Describes the producers of each partition.
pub fn handle(broker: &Broker, request: &DescribeProducersRequest) -> DescribeProducersResponse {
    let topics = request.topics.iter().map(|topic| {
        let illegal = topic_name(&topic.name).validate().err();
        let partitions = topic.partition_indexes.iter().map(|index| {
            let answer = match &illegal {
                Some(problem) => refused(ResponseError::InvalidTopicException, problem.to_string()),
                None => describe(broker, &topic_partition(&topic.name, *index)),
            };
            answer.with_partition_index(*index)
        });
        TopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    });
    DescribeProducersResponse::default().with_topics(topics.collect())
}

fn describe(broker: &Broker, partition: &TopicPartition) -> PartitionResponse {
    let snapshot = broker.metadata.snapshot();
    if !snapshot.contains(partition) {
        let error = ResponseError::UnknownTopicOrPartition;
        return match snapshot.topic(partition.topic.as_str()) {
            // Kafka finds a partition missing only where it looks for its log.
            Some(_) => PartitionResponse::default().with_error_code(error.code()),
            None => refused(error, usual_message(error).to_owned()),
        };
    }
    match broker.replicas.log(partition) {
        Err(error) => refused(error.kafka_error(), error.to_string()),
        Ok(log) => {
            let producers = log.active_producers().into_iter().map(state);
            PartitionResponse::default().with_active_producers(producers.collect())
        }
    }
}

fn refused(error: ResponseError, message: String) -> PartitionResponse {
    PartitionResponse::default()
        .with_error_code(error.code())
        .with_error_message(Some(StrBytes::from_string(message)))
}

fn state(producer: ProducerSummary) -> ProducerState {
    ProducerState::default()
        .with_producer_id(producer.producer_id.0.into())
        .with_producer_epoch(producer.producer_epoch.0.into())
        .with_last_sequence(producer.last_sequence)
        .with_last_timestamp(producer.last_timestamp.0)
        .with_coordinator_epoch(producer.coordinator_epoch.unwrap_or(-1))
        .with_current_txn_start_offset(Offset::to_wire(producer.current_transaction_start))
}
