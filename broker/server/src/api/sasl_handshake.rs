//! SaslHandshake (17), versions 0 and 1 (`handleSaslHandshakeRequest`). Listeners without SASL answer it like any request:
//! nobody is to be authenticated here.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::SaslHandshakeResponse;

/// Says that this is not the place.
pub fn handle() -> SaslHandshakeResponse {
    SaslHandshakeResponse::default().with_error_code(ResponseError::IllegalSaslState.code())
}
