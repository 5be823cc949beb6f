//! DeleteRecords (21), versions 0 to 2 (`handleDeleteRecordsRequest`): moves log start offsets up. Version 2: flexible.

use gregor_model::{Offset, TopicName, TopicPartition};
use gregor_replication::DeleteRecordsFailure;
use gregor_wire::convert::{topic_partition, wire_topic_name};
use indexmap::IndexMap;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;

/// The offset that stands for the high watermark.
const HIGH_WATERMARK: i64 = -1;

/// Deletes, and waits until every replica has done so. Of a partition named twice the last offset counts.
pub async fn handle(broker: &Broker, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let snapshot = broker.metadata.snapshot();
    let mut answers: IndexMap<TopicPartition, DeleteRecordsPartitionResult> = IndexMap::new();
    let mut known = IndexMap::new();
    for topic in &request.topics {
        for asked in &topic.partitions {
            let partition = topic_partition(&topic.name, asked.partition_index);
            if snapshot.contains(&partition) {
                let offset = (asked.offset != HIGH_WATERMARK).then_some(Offset(asked.offset));
                known.insert(partition, offset);
            } else {
                let code = ResponseError::UnknownTopicOrPartition.code();
                answers.insert(partition.clone(), answer(&partition, None, code));
            }
        }
    }
    let known = known.into_iter().collect();
    for (partition, result) in broker.replicas.delete_records(known, request.timeout_ms).await {
        let answer = match result {
            Ok(low_watermark) => answer(&partition, Some(low_watermark), 0),
            Err(error) => {
                let low_watermark = match &error {
                    DeleteRecordsFailure::TimedOut { low_watermark } => *low_watermark,
                    _ => None,
                };
                answer(&partition, low_watermark, error.kafka_error().code())
            }
        };
        answers.insert(partition, answer);
    }
    let mut topics: IndexMap<TopicName, Vec<DeleteRecordsPartitionResult>> = IndexMap::new();
    for (partition, answer) in answers {
        topics.entry(partition.topic).or_default().push(answer);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        DeleteRecordsTopicResult::default().with_name(wire_topic_name(&name)).with_partitions(partitions)
    });
    DeleteRecordsResponse::default().with_topics(topics.collect())
}

fn answer(
    partition: &TopicPartition,
    low_watermark: Option<Offset>,
    code: i16,
) -> DeleteRecordsPartitionResult {
    DeleteRecordsPartitionResult::default()
        .with_partition_index(partition.partition)
        .with_low_watermark(Offset::to_wire(low_watermark))
        .with_error_code(code)
}
