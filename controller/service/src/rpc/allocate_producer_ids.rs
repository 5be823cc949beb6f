//! AllocateProducerIds (67).

use gregor_controller_machine::{AllocateProducerIdsError, AllocateProducerIdsRequest, ProducerIds};
use gregor_model::{BrokerEpoch, BrokerId};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{self, AllocateProducerIdsResponse};

pub(crate) fn decode(request: &messages::AllocateProducerIdsRequest) -> AllocateProducerIdsRequest {
    // A negative id or epoch equals none that is registered.
    AllocateProducerIdsRequest {
        broker: BrokerId(request.broker_id.0),
        broker_epoch: BrokerEpoch(request.broker_epoch),
    }
}

pub(crate) fn answer(answer: Result<ProducerIds, AllocateProducerIdsError>) -> AllocateProducerIdsResponse {
    match answer {
        Ok(ids) => AllocateProducerIdsResponse::default()
            .with_producer_id_start(messages::ProducerId(ids.first.0))
            .with_producer_id_len(ids.length),
        Err(error) => AllocateProducerIdsResponse::default().with_error_code(code(error).code()),
    }
}

pub(crate) fn not_controller() -> AllocateProducerIdsResponse {
    answer(Err(AllocateProducerIdsError::NotController))
}

fn code(error: AllocateProducerIdsError) -> ResponseError {
    match error {
        AllocateProducerIdsError::NotController => ResponseError::NotController,
        AllocateProducerIdsError::BrokerIdNotRegistered => ResponseError::BrokerIdNotRegistered,
        AllocateProducerIdsError::StaleBrokerEpoch => ResponseError::StaleBrokerEpoch,
        AllocateProducerIdsError::Failed => ResponseError::UnknownServerError,
    }
}
