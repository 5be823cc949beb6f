//! InitProducerId (22), versions 0 to 5 (`handleInitProducerIdRequest`).
//!
//! Version 2: flexible. 3: the producer says what it has (KIP-360). 4: PRODUCER_FENCED.

use gregor_coordinator::transaction::InitProducer;
use gregor_model::{ProducerEpoch, ProducerId};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::request_context::RequestContext;

/// Gives a producer its id and epoch.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    match init(broker, context.version, &request).await {
        Ok((ProducerId(id), ProducerEpoch(epoch))) => {
            InitProducerIdResponse::default().with_producer_id(id.into()).with_producer_epoch(epoch)
        }
        Err(error) => InitProducerIdResponse::default()
            .with_error_code(error.code())
            .with_producer_id((-1).into())
            .with_producer_epoch(-1),
    }
}

async fn init(
    broker: &Broker,
    version: i16,
    request: &InitProducerIdRequest,
) -> Result<(ProducerId, ProducerEpoch), ResponseError> {
    let (id, epoch) = (request.producer_id.0, request.producer_epoch);
    let current = match (id, epoch) {
        (-1, -1) => None,
        (-1, _) | (_, -1) => return Err(ResponseError::InvalidRequest),
        (id, epoch) => Some((ProducerId(id), ProducerEpoch(epoch))),
    };
    let transactions = &broker.coordinators.transactions;
    let Some(transactional_id) = &request.transactional_id else {
        let claimed = transactions.claim_producer_id();
        return claimed.map(|id| (id, ProducerEpoch(0))).map_err(|error| error.kafka_error());
    };
    let init = InitProducer {
        id: transactional_id.as_str().into(),
        timeout_ms: request.transaction_timeout_ms,
        current,
    };
    transactions.init(init).await.map_err(|error| match error.kafka_error() {
        ResponseError::ProducerFenced if version < 4 => ResponseError::InvalidProducerEpoch,
        error => error,
    })
}
