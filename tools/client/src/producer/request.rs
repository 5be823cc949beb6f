//! Produce requests, and what their answers say of each batch. Pure.

use gregor_model::{Offset, Timestamp, TopicPartition};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ProduceRequest, ProduceResponse, TopicName as WireTopicName, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;

use super::batch::Batch;
use crate::config::ProducerConfig;
use crate::error_code::ErrorCode;

/// What a broker says of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BatchAnswer {
    pub(super) code: Option<ErrorCode>,
    pub(super) message: Option<String>,
    pub(super) base_offset: Option<Offset>,
    pub(super) append_time: Option<Timestamp>,
}

/// The request with these batches, one per partition.
pub(super) fn build<T>(config: &ProducerConfig, batches: &[(TopicPartition, Batch<T>)]) -> ProduceRequest {
    let mut topics: Vec<TopicProduceData> = Vec::new();
    for (partition, batch) in batches {
        let data = PartitionProduceData::default()
            .with_index(partition.partition)
            .with_records(Some(batch.bytes.clone()));
        match topics.iter_mut().find(|topic| topic.name.0.as_str() == partition.topic.as_str()) {
            Some(topic) => topic.partition_data.push(data),
            None => {
                let name = WireTopicName(StrBytes::from_string(partition.topic.as_str().to_owned()));
                topics.push(TopicProduceData::default().with_name(name).with_partition_data(vec![data]));
            }
        }
    }
    let transactional_id =
        config.transactional_id.clone().map(|id| TransactionalId(StrBytes::from_string(id)));
    let timeout_ms = i32::try_from(config.common.request_timeout.as_millis()).unwrap_or(i32::MAX);
    ProduceRequest::default()
        .with_transactional_id(transactional_id)
        .with_acks(config.acks.to_wire())
        .with_timeout_ms(timeout_ms)
        .with_topic_data(topics)
}

/// What an answer says of a partition, if anything.
pub(super) fn answer_for(answer: &ProduceResponse, partition: &TopicPartition) -> Option<BatchAnswer> {
    let topic = answer.responses.iter().find(|topic| topic.name.0.as_str() == partition.topic.as_str())?;
    let row = topic.partition_responses.iter().find(|row| row.index == partition.partition)?;
    let of_records = row.record_errors.iter().find_map(|error| error.batch_index_error_message.as_ref());
    Some(BatchAnswer {
        code: ErrorCode::from_wire(row.error_code),
        message: row.error_message.as_ref().or(of_records).map(ToString::to_string),
        base_offset: Offset::from_wire(row.base_offset),
        append_time: Some(Timestamp(row.log_append_time_ms)).filter(|time| time.0 >= 0),
    })
}
