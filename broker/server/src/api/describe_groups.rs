//! DescribeGroups (15), versions 0 to 5 (`handleDescribeGroupRequest`).
//!
//! Version 3: authorized operations. 4: static members. 5: flexible. A group that does not exist is `Dead`, not an error.

use gregor_wire::convert::text;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::authorized_operations;
use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::request_context::RequestContext;

/// Describes each group, in the order of the request.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let operations = match request.include_authorized_operations && context.version >= 3 {
        true => authorized_operations::GROUP,
        false => authorized_operations::NOT_REQUESTED,
    };
    let mut groups = Vec::with_capacity(request.groups.len());
    for id in request.groups {
        let described = match broker.coordinators.groups.describe(id.as_str().into()).await {
            Err(error) => DescribedGroup::default().with_error_code(error.kafka_error().code()),
            Ok(group) => {
                let members = group.members.into_iter().map(|member| {
                    DescribedGroupMember::default()
                        .with_member_id(text(member.member.as_str()))
                        .with_group_instance_id(member.instance.map(|instance| text(instance.as_str())))
                        .with_client_id(text(&member.client_id))
                        .with_client_host(text(&member.client_host))
                        .with_member_metadata(member.metadata)
                        .with_member_assignment(member.assignment)
                });
                DescribedGroup::default()
                    .with_group_state(StrBytes::from_static_str(group.state))
                    .with_protocol_type(text(&group.protocol_type))
                    .with_protocol_data(text(&group.protocol))
                    .with_members(members.collect())
                    .with_authorized_operations(operations)
            }
        };
        groups.push(described.with_group_id(id));
    }
    DescribeGroupsResponse::default().with_groups(groups)
}
