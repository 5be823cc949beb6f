//! DescribeAcls (29), versions 0 to 3 (`AclApis.handleDescribeAcls`). A broker that has an authorizer configured does not start,
//! so there is none to ask.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::DescribeAclsResponse;
use kafka_protocol::protocol::StrBytes;

/// Says that there is no authorizer.
pub fn handle() -> DescribeAclsResponse {
    DescribeAclsResponse::default()
        .with_error_code(ResponseError::SecurityDisabled.code())
        .with_error_message(Some(StrBytes::from_static_str("No Authorizer is configured on the broker")))
}
