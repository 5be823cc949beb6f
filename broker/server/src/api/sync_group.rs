//! SyncGroup (14), versions 0 to 5 (`handleSyncGroupRequest`).
//!
//! Version 3: static members. 4: flexible. 5: the protocol must be named, and is named in the answer.

use bytes::Bytes;
use gregor_coordinator::InstanceId;
use gregor_coordinator::group::request::{Claim, Sync};
use gregor_wire::convert::text;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::request_context::RequestContext;

/// Hands the leader's assignment in, and waits for the member's own.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: SyncGroupRequest,
) -> SyncGroupResponse {
    if context.version >= 5 && (request.protocol_type.is_none() || request.protocol_name.is_none()) {
        return SyncGroupResponse::default().with_error_code(ResponseError::InconsistentGroupProtocol.code());
    }
    // Copied: an assignment stays with the group, the request's buffer must not.
    let assignments = request.assignments.iter().map(|assignment| {
        (assignment.member_id.as_str().into(), Bytes::copy_from_slice(&assignment.assignment))
    });
    let sync = Sync {
        claim: Claim {
            group: request.group_id.as_str().into(),
            member: request.member_id.as_str().into(),
            instance: request.group_instance_id.as_deref().map(InstanceId::from),
            generation: request.generation_id,
        },
        protocol_type: request.protocol_type.as_deref().map(Into::into),
        protocol: request.protocol_name.as_deref().map(Into::into),
        assignments: assignments.collect(),
    };
    let synced = broker.coordinators.groups.sync(sync).await;
    SyncGroupResponse::default()
        .with_error_code(synced.error.map_or(0, |error| error.kafka_error().code()))
        .with_protocol_type(synced.protocol_type.map(|kind| text(&kind)))
        .with_protocol_name(synced.protocol.map(|name| text(&name)))
        .with_assignment(synced.assignment)
}
