//! AddOffsetsToTxn (25), versions 0 to 4 (`handleAddOffsetsToTxnRequest`): the partition of `__consumer_offsets` that
//! holds a group's offsets becomes part of the transaction.

use gregor_coordinator::transaction::AddPartitions;
use gregor_model::{ProducerEpoch, ProducerId, TopicPartition};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use crate::broker::Broker;
use crate::coordinators::InternalTopic;
use crate::error_code::KafkaError;
use crate::request_context::RequestContext;

/// Adds the group's partition.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: AddOffsetsToTxnRequest,
) -> AddOffsetsToTxnResponse {
    let coordinators = &broker.coordinators;
    let partition = coordinators.groups.partition_of(&request.group_id.as_str().into());
    let add = AddPartitions {
        id: request.transactional_id.as_str().into(),
        producer: (ProducerId(request.producer_id.0), ProducerEpoch(request.producer_epoch)),
        partitions: vec![TopicPartition::new(InternalTopic::ConsumerOffsets.name(), partition)],
    };
    let added = coordinators.transactions.add_partitions(add).await;
    let code = match added.map_err(|error| error.kafka_error()) {
        Ok(()) => 0,
        Err(ResponseError::ProducerFenced) if context.version < 2 => {
            ResponseError::InvalidProducerEpoch.code()
        }
        Err(error) => error.code(),
    };
    AddOffsetsToTxnResponse::default().with_error_code(code)
}
