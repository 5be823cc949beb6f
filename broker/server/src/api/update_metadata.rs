//! UpdateMetadata (6), versions 0 to 8: the controller tells of brokers, topics and leaders (`handleUpdateMetadataRequest`).
//!
//! Version 1: endpoints with security protocols. 2: racks. 3: listener names. 4: offline replicas. 5: partitions by topic, broker
//! epoch. 7: topic ids. 8: is this a KRaft controller, and does it send everything.

use gregor_model::{ControllerEpoch, TopicPartition};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{UpdateMetadataRequest, UpdateMetadataResponse};

use crate::broker::Broker;
use crate::control_epochs::is_broker_epoch_stale;
use crate::request_context::RequestContext;

/// Updates the metadata cache; those who wait for a topic to appear or go see it at once.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: &UpdateMetadataRequest,
) -> UpdateMetadataResponse {
    let answer = |error: Option<ResponseError>| {
        UpdateMetadataResponse::default().with_error_code(error.map_or(0, |error| error.code()))
    };
    if is_broker_epoch_stale(request.broker_epoch, broker.registration.epoch()) {
        tracing::info!(
            request_broker_epoch = request.broker_epoch,
            controller = request.controller_id.0,
            controller_epoch = request.controller_epoch,
            "ignoring UpdateMetadata meant for an earlier registration of this broker"
        );
        return answer(Some(ResponseError::StaleBrokerEpoch));
    }
    match update(broker, context, request) {
        Ok(deleted) => {
            broker.coordinators.forget(deleted).await;
            answer(None)
        }
        Err(error) => answer(Some(error)),
    }
}

/// Applies the request to the cache; returns the partitions that are deleted.
fn update(
    broker: &Broker,
    context: &RequestContext,
    request: &UpdateMetadataRequest,
) -> Result<Vec<TopicPartition>, ResponseError> {
    let _one_at_a_time = broker.metadata_updates.lock();
    if let Err(stale) = broker.replicas.observe_controller_epoch(ControllerEpoch(request.controller_epoch)) {
        tracing::warn!(controller = request.controller_id.0, %stale, "ignoring UpdateMetadata");
        return Err(ResponseError::StaleControllerEpoch);
    }
    match broker.metadata.update(request, context.version) {
        Ok(deleted) => Ok(deleted),
        Err(invalid) => {
            tracing::error!(controller = request.controller_id.0, %invalid, "UpdateMetadata cannot be understood");
            Err(ResponseError::UnknownServerError)
        }
    }
}
