//! The request log (`kafka.request.logger`): at DEBUG a line for each request that is over, with what it cost; at TRACE what
//! was asked and answered, too. A logger of its own, as it tells of every request: WARN until an administrator says otherwise.

use gregor_network::{ConnectionContext, Handled};
use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};

use crate::request_context::RequestContext;

/// The logger, as administrators name it.
pub const LOGGER: &str = "kafka.request.logger";

/// A request that is to be handled.
pub(crate) fn asked(
    connection: &ConnectionContext,
    context: &RequestContext,
    key: ApiKey,
    request: &RequestKind,
) {
    if tells_all(key) {
        tracing::trace!(
            target: "kafka.request.logger",
            connection = connection.id,
            client_id = context.client_id.as_str(),
            api = ?key,
            version = context.version,
            ?request,
            "request"
        );
    }
}

/// Its answer.
pub(crate) fn answered(connection: &ConnectionContext, key: ApiKey, response: &ResponseKind) {
    if tells_all(key) {
        tracing::trace!(target: "kafka.request.logger", connection = connection.id, api = ?key, ?response, "response");
    }
}

/// The request is over. Times are in milliseconds.
pub(crate) fn handled(connection: &ConnectionContext, request: &Handled) {
    let millis = |duration: std::time::Duration| duration.as_secs_f64() * 1000.0;
    tracing::debug!(
        target: "kafka.request.logger",
        connection = connection.id,
        listener = %connection.listener,
        principal = %connection.principal,
        api = ?request.key,
        version = request.version,
        bytes = request.bytes,
        total_ms = millis(request.total),
        request_queue_ms = millis(request.request_queue),
        local_ms = millis(request.local),
        remote_ms = millis(request.remote),
        throttle_ms = millis(request.throttle),
        response_queue_ms = millis(request.response_queue),
        response_send_ms = millis(request.response_send),
        "completed request"
    );
}

/// Records and secrets are nobody's business.
fn tells_all(key: ApiKey) -> bool {
    !matches!(
        key,
        ApiKey::Produce
            | ApiKey::Fetch
            | ApiKey::AlterConfigs
            | ApiKey::IncrementalAlterConfigs
            | ApiKey::AlterUserScramCredentials
            | ApiKey::SaslAuthenticate
            | ApiKey::CreateDelegationToken
            | ApiKey::RenewDelegationToken
            | ApiKey::ExpireDelegationToken
            | ApiKey::DescribeDelegationToken
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_records_are_not_told() {
        for (key, expected) in [
            (ApiKey::Metadata, true),
            (ApiKey::Produce, false),
            (ApiKey::AlterUserScramCredentials, false),
            (ApiKey::IncrementalAlterConfigs, false),
        ] {
            assert_eq!(tells_all(key), expected, "{key:?}");
        }
    }
}
