//! LeaveGroup (13), versions 0 to 5 (`handleLeaveGroupRequest`).
//!
//! Before version 3 one member leaves and the top level holds its error; since, several leave, each with its own.

use gregor_coordinator::InstanceId;
use gregor_coordinator::group::GroupError;
use gregor_coordinator::group::request::Leaver;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::request_context::RequestContext;

/// Takes members out of their group.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: LeaveGroupRequest,
) -> LeaveGroupResponse {
    let group = request.group_id.as_str().into();
    let code = |result: Result<(), GroupError>| result.err().map_or(0, |error| error.kafka_error().code());
    if context.version < 3 {
        let leaver = Leaver { member: request.member_id.as_str().into(), instance: None };
        let left = broker.coordinators.groups.leave(group, vec![leaver]).await;
        let result = left.and_then(|results| results.first().copied().unwrap_or(Ok(())));
        return LeaveGroupResponse::default().with_error_code(code(result));
    }
    let leavers = request.members.iter().map(|member| Leaver {
        member: member.member_id.as_str().into(),
        instance: member.group_instance_id.as_deref().map(InstanceId::from),
    });
    match broker.coordinators.groups.leave(group, leavers.collect()).await {
        Err(error) => LeaveGroupResponse::default().with_error_code(error.kafka_error().code()),
        Ok(results) => {
            let members = request.members.into_iter().zip(results).map(|(member, result)| {
                MemberResponse::default()
                    .with_member_id(member.member_id)
                    .with_group_instance_id(member.group_instance_id)
                    .with_error_code(code(result))
            });
            LeaveGroupResponse::default().with_members(members.collect())
        }
    }
}
