//! StopReplica (5), versions 0 to 4: the controller takes replicas away (`handleStopReplicaRequest`).
//!
//! Versions 0 to 2 say once for all partitions whether to delete; 3 says it for each, with leader epochs.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{StopReplicaRequest, StopReplicaResponse};

use crate::broker::Broker;
use crate::control_epochs::is_broker_epoch_stale;
use crate::request_context::RequestContext;

/// Hands the request to the replica manager, unless it was meant for an earlier registration of this broker. Such a
/// refusal lists no partitions: deletion relies on that.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: StopReplicaRequest,
) -> StopReplicaResponse {
    if is_broker_epoch_stale(request.broker_epoch, broker.registration.epoch()) {
        tracing::info!(
            request_broker_epoch = request.broker_epoch,
            controller = request.controller_id.0,
            controller_epoch = request.controller_epoch,
            "ignoring StopReplica meant for an earlier registration of this broker"
        );
        return StopReplicaResponse::default().with_error_code(ResponseError::StaleBrokerEpoch.code());
    }
    let (response, changes) = broker.replicas.stop_replicas(request, context.version).await;
    broker.coordinators.apply(&changes);
    response
}
