//! CreateDelegationToken (38), versions 0 to 3 (`handleCreateTokenRequestZk`). Who is not authenticated, as nobody on a PLAINTEXT
//! listener, may have no tokens.

use gregor_wire::convert::text;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{CreateDelegationTokenRequest, CreateDelegationTokenResponse};
use kafka_protocol::protocol::StrBytes;

/// The kind and name of whoever comes by a PLAINTEXT listener (`KafkaPrincipal.ANONYMOUS`).
const ANONYMOUS: (&str, &str) = ("User", "ANONYMOUS");

/// Refuses.
pub fn handle(version: i16, request: &CreateDelegationTokenRequest) -> CreateDelegationTokenResponse {
    let (kind, name) = (text(ANONYMOUS.0), text(ANONYMOUS.1));
    let named = |given: &Option<StrBytes>| given.clone().filter(|given| !given.is_empty());
    let owner = named(&request.owner_principal_type).zip(named(&request.owner_principal_name));
    let (owner_kind, owner_name) = owner.unwrap_or_else(|| (kind.clone(), name.clone()));
    let response = CreateDelegationTokenResponse::default()
        .with_error_code(ResponseError::DelegationTokenRequestNotAllowed.code())
        .with_principal_type(owner_kind)
        .with_principal_name(owner_name)
        .with_issue_timestamp_ms(-1)
        .with_expiry_timestamp_ms(-1)
        .with_max_timestamp_ms(-1);
    if version < 3 {
        return response;
    }
    response.with_token_requester_principal_type(kind).with_token_requester_principal_name(name)
}
