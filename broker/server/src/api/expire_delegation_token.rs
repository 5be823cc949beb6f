//! ExpireDelegationToken (40), versions 0 to 2 (`handleExpireTokenRequestZk`): not for who is not authenticated.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ExpireDelegationTokenResponse;

/// Refuses.
pub fn handle() -> ExpireDelegationTokenResponse {
    ExpireDelegationTokenResponse::default()
        .with_error_code(ResponseError::DelegationTokenRequestNotAllowed.code())
        .with_expiry_timestamp_ms(-1)
}
