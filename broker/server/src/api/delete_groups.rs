//! DeleteGroups (42), versions 0 to 2 (`handleDeleteGroupsRequest`). Version 2: flexible.

use std::collections::HashSet;

use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;

/// Deletes each group once; one with members stays.
pub async fn handle(broker: &Broker, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let mut seen = HashSet::new();
    let mut results = Vec::new();
    for id in request.groups_names {
        if !seen.insert(id.clone()) {
            continue;
        }
        let deleted = broker.coordinators.groups.delete(id.as_str().into()).await;
        let code = deleted.err().map_or(0, |error| error.kafka_error().code());
        results.push(DeletableGroupResult::default().with_group_id(id).with_error_code(code));
    }
    DeleteGroupsResponse::default().with_results(results)
}
