//! CreateAcls (30), versions 0 to 3 (`AclApis.handleCreateAcls`): there is no authorizer to keep them.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_acls_response::AclCreationResult;
use kafka_protocol::messages::{CreateAclsRequest, CreateAclsResponse};
use kafka_protocol::protocol::StrBytes;

/// What altering ACLs says without an authorizer.
pub const NO_AUTHORIZER: &str = "No Authorizer is configured.";

/// Refuses each.
pub fn handle(request: &CreateAclsRequest) -> CreateAclsResponse {
    let refused = request.creations.iter().map(|_| {
        AclCreationResult::default()
            .with_error_code(ResponseError::SecurityDisabled.code())
            .with_error_message(Some(StrBytes::from_static_str(NO_AUTHORIZER)))
    });
    CreateAclsResponse::default().with_results(refused.collect())
}
