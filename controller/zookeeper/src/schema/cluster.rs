//! `/cluster/id` (`ClusterIdZNode`): the identity of the cluster, written once by its first broker.

use gregor_model::ClusterId;
use serde::{Deserialize, Serialize};

use super::json::{self, DecodeError};

/// The parent of the id.
pub const PARENT: &str = "/cluster";
/// Where the id is.
pub const ID_PATH: &str = "/cluster/id";

#[derive(Serialize)]
struct Writer<'a> {
    // A string in this znode alone.
    version: &'a str,
    id: &'a str,
}

#[derive(Deserialize)]
struct Reader {
    id: String,
}

/// The content for a new cluster.
pub fn encode(id: &ClusterId) -> Vec<u8> {
    json::encode(&Writer { version: "1", id: id.as_str() })
}

/// The id that the node holds.
pub fn decode(data: &[u8]) -> Result<ClusterId, DecodeError> {
    json::decode::<Reader>(ID_PATH, data).map(|content| ClusterId::new(content.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_version_a_string() {
        let id = ClusterId::new("qkR7yXx3QWmJ0h0C8aZ1bg");
        let text = encode(&id);
        assert_eq!(String::from_utf8_lossy(&text), r#"{"version":"1","id":"qkR7yXx3QWmJ0h0C8aZ1bg"}"#);
        assert_eq!(decode(&text), Ok(id));
        assert!(decode(b"{}").is_err());
    }
}
