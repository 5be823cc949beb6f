//! Answers into ropes.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsResponse, FetchResponse, ResponseKind};
use kafka_protocol::protocol::{Encodable, HeaderVersion};

use crate::api;
use crate::fetch_response;
use crate::rope::{FileRegions, Rope, RopeBuilder};

/// An answer that this version cannot carry: a mistake of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot encode the answer to {key:?} version {version}: {reason}")]
pub struct EncodeError {
    /// The API.
    pub key: ApiKey,
    /// The version.
    pub version: i16,
    /// What does not fit.
    pub reason: String,
}

/// Encodes an answer with header and length. `regions` are those whose handles the response holds.
pub fn encode_response(
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    response: &ResponseKind,
    regions: &FileRegions,
) -> Result<Rope, EncodeError> {
    let wrong = |reason: String| EncodeError { key, version, reason };
    let mut rope = RopeBuilder::frame();
    rope.run.put_i32(correlation_id);
    if key.response_header_version(version) >= 1 {
        rope.run.put_u8(0);
    }
    match response {
        ResponseKind::Fetch(fetch) => fetch_response::encode(fetch, version, regions, &mut rope),
        other => other.encode(&mut rope.run, version).map_err(|error| error.to_string()),
    }
    .map_err(wrong)?;
    rope.finish().ok_or_else(|| wrong("longer than a frame can be".to_owned()))
}

/// The answer to ApiVersions in a version that is not served: error 35 in the layout of version 0, with the one entry
/// that lets the client choose again.
pub fn unsupported_api_versions(correlation_id: i32) -> Result<Rope, EncodeError> {
    const UNSUPPORTED_VERSION: i16 = 35;
    let entries = api::find(ApiKey::ApiVersions as i16).map(|api| {
        ApiVersion::default()
            .with_api_key(api.key as i16)
            .with_min_version(api.min_version)
            .with_max_version(api.max_version)
    });
    let response = ApiVersionsResponse::default()
        .with_error_code(UNSUPPORTED_VERSION)
        .with_api_keys(entries.into_iter().collect());
    let response = ResponseKind::ApiVersions(response);
    encode_response(ApiKey::ApiVersions, 0, correlation_id, &response, &FileRegions::new())
}

/// Encodes an answer with header and length in one piece; for tests and for answers without files.
pub fn encode_response_plain<T: Encodable + HeaderVersion>(
    version: i16,
    correlation_id: i32,
    response: &T,
) -> Result<Bytes, String> {
    let mut bytes = BytesMut::zeroed(4);
    bytes.put_i32(correlation_id);
    if T::header_version(version) >= 1 {
        bytes.put_u8(0);
    }
    response.encode(&mut bytes, version).map_err(|error| error.to_string())?;
    let length = i32::try_from(bytes.len() - 4).map_err(|error| error.to_string())?;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    Ok(bytes.freeze())
}

/// How many bytes of records an answer carries, files included.
pub fn record_bytes(response: &FetchResponse) -> usize {
    let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    partitions.filter_map(|partition| partition.records.as_ref()).map(Bytes::len).sum()
}
