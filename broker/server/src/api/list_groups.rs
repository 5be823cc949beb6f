//! ListGroups (16), versions 0 to 5 (`handleListGroupsRequest`). Version 3: flexible. 4: states. 5: types.

use gregor_wire::convert::text;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{ListGroupsRequest, ListGroupsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::broker::Broker;
use crate::request_context::RequestContext;

/// Lists the groups that this broker coordinates; those still being loaded are missing, which an error tells.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: ListGroupsRequest,
) -> ListGroupsResponse {
    let (listed, loading) = broker.coordinators.groups.list().await;
    let accepted = |filter: &[StrBytes], value: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
    };
    let groups = listed
        .into_iter()
        .filter(|group| {
            accepted(&request.states_filter, group.state)
                && accepted(&request.types_filter, group.kind.name())
        })
        .map(|group| {
            let listed = ListedGroup::default()
                .with_group_id(text(group.group.as_str()).into())
                .with_protocol_type(text(&group.protocol_type));
            let listed = if context.version >= 4 {
                listed.with_group_state(StrBytes::from_static_str(group.state))
            } else {
                listed
            };
            if context.version >= 5 {
                listed.with_group_type(StrBytes::from_static_str(group.kind.name()))
            } else {
                listed
            }
        });
    let error = if loading { ResponseError::CoordinatorLoadInProgress.code() } else { 0 };
    ListGroupsResponse::default().with_error_code(error).with_groups(groups.collect())
}
