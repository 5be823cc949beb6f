//! What the other side of a connection speaks, and the newest version both do.

use std::collections::HashMap;

use kafka_protocol::messages::{ApiKey, ApiVersionsResponse};
use kafka_protocol::protocol::VersionRange;

use super::ClientError;

/// What the other side of a connection speaks (`NodeApiVersions`).
#[derive(Clone, Debug, Default)]
pub struct ApiVersions {
    ranges: HashMap<i16, VersionRange>,
    /// The whole answer, with the features.
    pub response: ApiVersionsResponse,
}

impl ApiVersions {
    /// From the answer to ApiVersions.
    pub fn from_response(response: ApiVersionsResponse) -> ApiVersions {
        let range = |min, max| VersionRange { min, max };
        let ranges = response
            .api_keys
            .iter()
            .map(|entry| (entry.api_key, range(entry.min_version, entry.max_version)))
            .collect();
        ApiVersions { ranges, response }
    }

    /// What the other side speaks of an API.
    pub fn range(&self, key: ApiKey) -> Option<VersionRange> {
        self.ranges.get(&(key as i16)).copied()
    }

    /// The newest version of an API that both sides speak, ours being `ours`.
    pub fn latest_common(&self, key: ApiKey, ours: VersionRange) -> Result<i16, ClientError> {
        let common = self.range(key).map(|theirs| theirs.intersect(&ours));
        match common {
            Some(range) if !range.is_empty() => Ok(range.max),
            _ => Err(ClientError::NoCommonVersion(key)),
        }
    }
}
