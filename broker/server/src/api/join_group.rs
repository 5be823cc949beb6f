//! JoinGroup (11), versions 0 to 9 (`handleJoinGroupRequest`).
//!
//! Version 1: a rebalance timeout of its own. 4: a member without id is told one first. 5: static members. 6: flexible.
//! 7: protocol type in the answer, no name is null. 9: a returning static leader may be told not to assign.

use std::sync::Arc;

use bytes::Bytes;
use gregor_coordinator::group::request::{Join, Joined, Protocol};
use gregor_coordinator::{InstanceId, MemberId};
use gregor_wire::convert::text;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use kafka_protocol::protocol::StrBytes;

use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::request_context::RequestContext;

/// Hands the member to its group's coordinator, and waits for the round to complete.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: JoinGroupRequest,
) -> JoinGroupResponse {
    let version = context.version;
    let rebalance_timeout_ms =
        if version >= 1 { request.rebalance_timeout_ms } else { request.session_timeout_ms };
    // Everything is copied: what stays with the group must not keep the request's buffer.
    let protocols = request.protocols.iter().map(|protocol| Protocol {
        name: protocol.name.as_str().into(),
        metadata: Bytes::copy_from_slice(&protocol.metadata),
    });
    let join = Join {
        group: request.group_id.as_str().into(),
        member: request.member_id.as_str().into(),
        instance: request.group_instance_id.as_deref().map(InstanceId::from),
        client_id: context.client_id.as_str().into(),
        client_host: format!("/{}", context.client_address).into(),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms,
        protocol_type: request.protocol_type.as_str().into(),
        protocols: protocols.collect(),
        member_id_required: version >= 4,
        skip_assignment_known: version >= 9,
        random: uuid::Uuid::new_v4().into_bytes(),
    };
    response(version, broker.coordinators.groups.join(join, broker.metadata.snapshot()).await)
}

fn response(version: i16, joined: Joined) -> JoinGroupResponse {
    let optional = |value: Option<Arc<str>>| value.map(|value| text(&value));
    let protocol = match optional(joined.protocol).filter(|name| !name.is_empty()) {
        None if version < 7 => Some(StrBytes::default()),
        name => name,
    };
    let members = joined.members.into_iter().map(|member| {
        JoinGroupResponseMember::default()
            .with_member_id(text(member.member.as_str()))
            .with_group_instance_id(member.instance.map(|instance| text(instance.as_str())))
            .with_metadata(member.metadata)
    });
    JoinGroupResponse::default()
        .with_error_code(joined.error.map_or(0, |error| error.kafka_error().code()))
        .with_generation_id(joined.generation)
        .with_protocol_type(optional(joined.protocol_type))
        .with_protocol_name(protocol)
        .with_leader(text(joined.leader.as_str()))
        .with_skip_assignment(joined.skip_assignment)
        .with_member_id(text(MemberId::as_str(&joined.member)))
        .with_members(members.collect())
}
