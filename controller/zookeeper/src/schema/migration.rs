//! `/migration` (`MigrationZNode`): left by a KRaft controller that migrates the cluster. Recognised, never written.

use serde::Deserialize;

use super::json::{self, DecodeError};

/// Where a migration leaves its state.
pub const PATH: &str = "/migration";

/// How far a migration to KRaft has come (`ZkMigrationLeadershipState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Migration {
    /// Always 0.
    version: i32,
    /// The KRaft controller that migrates.
    #[serde(rename = "kraft_controller_id")]
    pub controller_id: i32,
    /// Its epoch.
    #[serde(rename = "kraft_controller_epoch")]
    pub controller_epoch: i32,
    /// The offset of the KRaft metadata log reached.
    #[serde(rename = "kraft_metadata_offset")]
    pub metadata_offset: i64,
    /// The epoch of that offset.
    #[serde(rename = "kraft_metadata_epoch")]
    pub metadata_epoch: i32,
}

/// Reads the node.
pub fn decode(data: &[u8]) -> Result<Migration, DecodeError> {
    let content: Migration = json::decode(PATH, data)?;
    if content.version != 0 {
        return Err(DecodeError::new(PATH, data, "unknown version"));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_version_0_only() {
        let text = |version: i32| {
            format!(
                r#"{{"version":{version},"kraft_controller_id":3000,"kraft_controller_epoch":2,"kraft_metadata_offset":1200,"kraft_metadata_epoch":2}}"#
            )
        };
        assert_eq!(decode(text(0).as_bytes()).unwrap().controller_id, 3000);
        assert!(decode(text(1).as_bytes()).is_err());
    }
}
