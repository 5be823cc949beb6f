//! Heartbeat (12), versions 0 to 4 (`handleHeartbeatRequest`). Version 3: static members. 4: flexible.

use gregor_coordinator::InstanceId;
use gregor_coordinator::group::request::Claim;
use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;

/// Tells the coordinator that the member lives.
pub async fn handle(broker: &Broker, request: HeartbeatRequest) -> HeartbeatResponse {
    let claim = Claim {
        group: request.group_id.as_str().into(),
        member: request.member_id.as_str().into(),
        instance: request.group_instance_id.as_deref().map(InstanceId::from),
        generation: request.generation_id,
    };
    let beat = broker.coordinators.groups.heartbeat(claim).await;
    HeartbeatResponse::default().with_error_code(beat.err().map_or(0, |error| error.kafka_error().code()))
}
