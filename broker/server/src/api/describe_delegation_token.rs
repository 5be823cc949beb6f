//! DescribeDelegationToken (41), versions 0 to 3 (`handleDescribeTokensRequest`): not for who is not authenticated.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::DescribeDelegationTokenResponse;

/// Refuses.
pub fn handle() -> DescribeDelegationTokenResponse {
    DescribeDelegationTokenResponse::default()
        .with_error_code(ResponseError::DelegationTokenRequestNotAllowed.code())
}
