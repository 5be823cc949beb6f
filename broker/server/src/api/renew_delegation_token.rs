//! RenewDelegationToken (39), versions 0 to 2 (`handleRenewTokenRequestZk`): not for who is not authenticated.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::RenewDelegationTokenResponse;

/// Refuses.
pub fn handle() -> RenewDelegationTokenResponse {
    RenewDelegationTokenResponse::default()
        .with_error_code(ResponseError::DelegationTokenRequestNotAllowed.code())
        .with_expiry_timestamp_ms(-1)
}
