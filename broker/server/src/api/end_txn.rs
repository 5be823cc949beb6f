//! EndTxn (26), versions 0 to 4 (`handleEndTxnRequest`). Version 2: PRODUCER_FENCED. 3: flexible.

use gregor_coordinator::transaction::EndTransaction;
use gregor_model::{ProducerEpoch, ProducerId};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{EndTxnRequest, EndTxnResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::request_context::RequestContext;

/// Decides a transaction; the answer comes before its markers are written.
pub async fn handle(broker: &Broker, context: &RequestContext, request: EndTxnRequest) -> EndTxnResponse {
    let end = EndTransaction {
        id: request.transactional_id.as_str().into(),
        producer: (ProducerId(request.producer_id.0), ProducerEpoch(request.producer_epoch)),
        commit: request.committed,
    };
    let code = match broker.coordinators.transactions.end(end).await.map_err(|error| error.kafka_error()) {
        Ok(()) => 0,
        Err(ResponseError::ProducerFenced) if context.version < 2 => {
            ResponseError::InvalidProducerEpoch.code()
        }
        Err(error) => error.code(),
    };
    EndTxnResponse::default().with_error_code(code)
}
