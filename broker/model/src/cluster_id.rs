//! Cluster ids, as ZooKeeper and every log directory hold them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The id of a cluster (`/cluster/id`, `meta.properties`): any text, usually 22 characters of base64.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClusterId(String);

impl ClusterId {
    /// An id as stored.
    pub fn new(id: impl Into<String>) -> ClusterId {
        ClusterId(id.into())
    }

    /// A new id from random bytes, in the form Kafka generates (`CoreUtils.generateUuidAsBase64`).
    pub fn from_random(bytes: [u8; 16]) -> ClusterId {
        ClusterId(URL_SAFE_NO_PAD.encode(uuid::Builder::from_random_bytes(bytes).into_uuid().as_bytes()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
