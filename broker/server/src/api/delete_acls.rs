//! DeleteAcls (31), versions 0 to 3 (`AclApis.handleDeleteAcls`): there is no authorizer that could have any.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_acls_response::DeleteAclsFilterResult;
use kafka_protocol::messages::{DeleteAclsRequest, DeleteAclsResponse};
use kafka_protocol::protocol::StrBytes;

use super::create_acls::NO_AUTHORIZER;

/// Refuses each filter.
pub fn handle(request: &DeleteAclsRequest) -> DeleteAclsResponse {
    let refused = request.filters.iter().map(|_| {
        DeleteAclsFilterResult::default()
            .with_error_code(ResponseError::SecurityDisabled.code())
            .with_error_message(Some(StrBytes::from_static_str(NO_AUTHORIZER)))
    });
    DeleteAclsResponse::default().with_filter_results(refused.collect())
}
