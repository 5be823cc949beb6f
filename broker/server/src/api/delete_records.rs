//! DeleteRecords (21), versions 0 to 2 (`handleDeleteRecordsRequest`): moves log start offsets up. Version 2: flexible.

use gregor_model::Offset;
use gregor_wire::convert::topic_partition;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use crate::api::produce::ADMIN_CLIENT_ID;
use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::request_context::RequestContext;

/// The low watermark of a partition whose records were not deleted.
const INVALID_LOW_WATERMARK: i64 = -1;

/// Deletes, and waits until every replica has done so.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let snapshot = broker.metadata.snapshot();
    let known = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|asked| {
            let offset = Offset::from_wire(asked.offset);
            (topic_partition(&topic.name, asked.partition_index), offset)
        })
    });
    let known = known.filter(|(partition, _)| snapshot.contains(partition)).collect();
    let internal_allowed = context.client_id.as_str() == ADMIN_CLIENT_ID;
    let deleted = broker.replicas.delete_records(known, request.timeout_ms, internal_allowed).await;
    let mut deleted: std::collections::HashMap<_, _> = deleted.into_iter().collect();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let partition = topic_partition(&topic.name, asked.partition_index);
            let (low_watermark, code) = match deleted.remove(&partition) {
                Some(Ok(offset)) => (offset.0, 0),
                Some(Err(error)) => (INVALID_LOW_WATERMARK, error.kafka_error().code()),
                None => (INVALID_LOW_WATERMARK, ResponseError::UnknownTopicOrPartition.code()),
            };
            DeleteRecordsPartitionResult::default()
                .with_partition_index(asked.partition_index)
                .with_low_watermark(low_watermark)
                .with_error_code(code)
        });
        let partitions = partitions.collect();
        DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions)
    });
    DeleteRecordsResponse::default().with_topics(topics.collect())
}
