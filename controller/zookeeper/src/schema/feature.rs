//! `/feature` (`FeatureZNode`): finalized features; the znode's version is the epoch that ApiVersions reports.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::json::{self, DecodeError};

/// Where finalized features are.
pub const PATH: &str = "/feature";

/// Whether the features count (`FeatureZNodeStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureStatus {
    /// The controller's `inter.broker.protocol.version` is below 2.7.
    Disabled = 0,
    /// They count.
    Enabled = 1,
}

/// What the node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features {
    /// 1, or 2 from `inter.broker.protocol.version` 3.3 on.
    pub version: i32,
    /// Whether the features count.
    pub status: FeatureStatus,
    /// The finalized level of each.
    pub levels: BTreeMap<String, i16>,
}

#[derive(Serialize, Deserialize)]
struct Level {
    #[serde(skip_serializing_if = "Option::is_none")]
    min_version_level: Option<i16>,
    max_version_level: i16,
}

#[derive(Serialize, Deserialize)]
struct Content {
    version: i32,
    status: i32,
    features: BTreeMap<String, Level>,
}

/// The content in the value's own version.
pub fn encode(features: &Features) -> Vec<u8> {
    let level = |level: &i16| Level {
        min_version_level: (features.version == 1).then_some(*level),
        max_version_level: *level,
    };
    json::encode(&Content {
        version: features.version,
        status: features.status as i32,
        features: features.levels.iter().map(|(name, value)| (name.clone(), level(value))).collect(),
    })
}

/// Reads versions 1 and 2; anything else is an error, as in Kafka.
pub fn decode(data: &[u8]) -> Result<Features, DecodeError> {
    let error = |reason: String| DecodeError::new(PATH, data, reason);
    let content: Content = json::decode(PATH, data)?;
    if !(1..=2).contains(&content.version) {
        return Err(error(format!("unsupported version {}", content.version)));
    }
    let status = match content.status {
        0 => FeatureStatus::Disabled,
        1 => FeatureStatus::Enabled,
        other => return Err(error(format!("unknown status {other}"))),
    };
    let mut levels = BTreeMap::new();
    for (name, level) in content.features {
        let min = match (content.version, level.min_version_level) {
            (1, None) => return Err(error(format!("feature {name:?} has no min_version_level"))),
            (1, Some(min)) => min,
            _ => 1,
        };
        if min < 1 || level.max_version_level < min {
            return Err(error(format!("feature {name:?} has an invalid level")));
        }
        levels.insert(name, level.max_version_level);
    }
    Ok(Features { version: content.version, status, levels })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_and_round_trip() {
        for text in [
            r#"{"version":2,"status":1,"features":{}}"#,
            r#"{"version":2,"status":1,"features":{"f":{"max_version_level":3}}}"#,
            r#"{"version":1,"status":0,"features":{"f":{"min_version_level":3,"max_version_level":3}}}"#,
        ] {
            assert_eq!(String::from_utf8_lossy(&encode(&decode(text.as_bytes()).unwrap())), text);
        }
    }

    #[test]
    fn refuses_nonsense() {
        for text in [
            "",
            r#"{"version":3,"status":1,"features":{}}"#,
            r#"{"version":2,"status":2,"features":{}}"#,
            r#"{"version":2,"features":{}}"#,
            r#"{"version":2,"status":1}"#,
            r#"{"version":1,"status":1,"features":{"f":{"max_version_level":3}}}"#,
            r#"{"version":2,"status":1,"features":{"f":{"max_version_level":0}}}"#,
        ] {
            assert!(decode(text.as_bytes()).is_err(), "{text}");
        }
    }
}
