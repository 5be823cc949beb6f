//! A request as it arrives: header and body, decoded from one frame.

use bytes::{Buf, Bytes};
use kafka_protocol::messages::{ApiKey, RequestHeader as WireHeader, RequestKind};
use kafka_protocol::protocol::StrBytes;

use crate::api;
use crate::decode::{DecodeError, decode_prefix};

/// The header of a request (`RequestHeader`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// Which API.
    pub api_key: ApiKey,
    /// In which version; always one that is served.
    pub api_version: i16,
    /// Given back in the answer.
    pub correlation_id: i32,
    /// What the client calls itself; empty when it says nothing. A slice of the frame: copy it to keep it.
    pub client_id: StrBytes,
}

/// A decoded request. Record bytes and texts are slices of the frame.
#[derive(Clone, Debug)]
pub struct Request {
    /// The header.
    pub header: RequestHeader,
    /// The body.
    pub body: RequestKind,
    /// The size of the frame without its length, in bytes.
    pub size: usize,
}

/// Why a frame is no request of ours. All but `UnsupportedApiVersions` close the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Less than a header.
    #[error("a frame of {0} bytes has no header")]
    NoHeader(usize),
    /// An API that is not served.
    #[error("unknown API key {0}")]
    UnknownApi(i16),
    /// A version that is not served.
    #[error("version {version} of {key:?} is not supported")]
    UnsupportedVersion {
        /// The API.
        key: ApiKey,
        /// The version asked for.
        version: i16,
    },
    /// ApiVersions in a version that is not served: to be answered by
    /// [`unsupported_api_versions`](crate::unsupported_api_versions), so that the client can choose another.
    #[error("version {version} of ApiVersions is not supported")]
    UnsupportedApiVersions {
        /// The version asked for.
        version: i16,
        /// To be given back.
        correlation_id: i32,
    },
    /// The header or body is not what key and version say.
    #[error("{key:?} version {version}: {source}")]
    Body {
        /// The API.
        key: ApiKey,
        /// The version.
        version: i16,
        /// What is wrong.
        source: DecodeError,
    },
}

/// Decodes a frame (without its length) whose API and version are served. Memory stays within a small multiple of
/// the frame.
pub fn decode_request(frame: Bytes) -> Result<Request, WireError> {
    let size = frame.len();
    let mut start = frame.clone();
    let (Ok(key), Ok(version), Ok(correlation_id)) =
        (start.try_get_i16(), start.try_get_i16(), start.try_get_i32())
    else {
        return Err(WireError::NoHeader(size));
    };
    let api = api::find(key).ok_or(WireError::UnknownApi(key))?;
    let key = api.key;
    if !api.speaks(version) {
        return Err(match key {
            ApiKey::ApiVersions => WireError::UnsupportedApiVersions { version, correlation_id },
            _ => WireError::UnsupportedVersion { key, version },
        });
    }
    let wrong = |source| WireError::Body { key, version, source };
    let mut rest = frame;
    let header: WireHeader = decode_prefix(&mut rest, key.request_header_version(version)).map_err(wrong)?;
    let body =
        api::decode_body(key, version, rest).ok_or(WireError::UnknownApi(key as i16))?.map_err(wrong)?;
    let client_id = header.client_id.unwrap_or_default();
    Ok(Request {
        header: RequestHeader { api_key: key, api_version: version, correlation_id, client_id },
        body,
        size,
    })
}
