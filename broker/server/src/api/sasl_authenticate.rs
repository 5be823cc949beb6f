//! SaslAuthenticate (36), versions 0 to 2 (`handleSaslAuthenticateRequest`). As with [`super::sasl_handshake`], this is not the place.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::SaslAuthenticateResponse;
use kafka_protocol::protocol::StrBytes;

/// Says that nothing was left to authenticate.
pub fn handle() -> SaslAuthenticateResponse {
    let message = "SaslAuthenticate request received after successful authentication";
    SaslAuthenticateResponse::default()
        .with_error_code(ResponseError::IllegalSaslState.code())
        .with_error_message(Some(StrBytes::from_static_str(message)))
}
