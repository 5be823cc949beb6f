//! ApiVersions (18), versions 0 to 4: which APIs this broker serves (`handleApiVersionsRequest`).
//!
//! Version 3 names the client's software and adds features. A version that is not known is answered by `wire`,
//! in the layout of version 0.

use gregor_wire::api;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey};
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

use crate::features::FinalizedFeatures;

/// Lists the APIs in the order of their keys. `features` is what `/feature` holds, once it was read.
pub fn handle(
    version: i16,
    request: &ApiVersionsRequest,
    features: Option<&FinalizedFeatures>,
) -> ApiVersionsResponse {
    let named = is_name(&request.client_software_name) && is_name(&request.client_software_version);
    if version >= 3 && !named {
        return ApiVersionsResponse::default().with_error_code(ResponseError::InvalidRequest.code());
    }
    let keys = api::served().map(|api| {
        ApiVersion::default()
            .with_api_key(api.key as i16)
            .with_min_version(api.min_version)
            .with_max_version(api.max_version)
    });
    let response = ApiVersionsResponse::default().with_api_keys(keys.collect());
    match features {
        Some(features) if version >= 3 => response
            .with_finalized_features_epoch(features.epoch)
            .with_finalized_features(features.levels.iter().map(finalized_feature).collect()),
        _ => response,
    }
}

fn finalized_feature((name, level): (&String, &i16)) -> FinalizedFeatureKey {
    FinalizedFeatureKey::default()
        .with_name(gregor_wire::convert::text(name))
        .with_max_version_level(*level)
        .with_min_version_level(*level)
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?` (`ApiVersionsRequest.isValid`).
fn is_name(name: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_client_software() {
        #[track_caller]
        fn check(name: &str, expected: bool) {
            assert_eq!(is_name(name), expected, "{name:?}");
        }
        check("a", true);
        check("apache-kafka-java", true);
        check("3.9.1", true);
        check("", false);
        check("-a", false);
        check("a.", false);
        check("a b", false);
        check("a_b", false);
    }

    #[test]
    fn a_nameless_client_is_refused_since_version_3() {
        let request = ApiVersionsRequest::default();
        assert_eq!(handle(2, &request, None).error_code, 0);
        assert_eq!(handle(3, &request, None).error_code, ResponseError::InvalidRequest.code());
    }
}
