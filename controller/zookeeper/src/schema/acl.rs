//! ACLs as `AclAuthorizer` stores them: `/kafka-acl/<Type>/<name>` for literal patterns,
//! `/kafka-acl-extended/prefixed/<Type>/<name>` for prefixed ones, and a notification parent for each.
//!
//! Types, operations and permissions are the words of the znode (`DescribeConfigs`); what they mean is the authorizer's.

use serde::{Deserialize, Serialize};

use super::json::{self, DecodeError};

/// The resource types as path elements; created below both stores when an authorizer starts.
pub const RESOURCE_TYPES: [&str; 6] =
    ["Topic", "Group", "Cluster", "TransactionalId", "DelegationToken", "User"];

/// How a resource's name is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PatternType {
    /// This very name, or `*` for any.
    Literal,
    /// Every name that starts so.
    Prefixed,
}

impl PatternType {
    /// Where patterns of this type are kept.
    pub fn store_path(self) -> &'static str {
        match self {
            PatternType::Literal => "/kafka-acl",
            PatternType::Prefixed => "/kafka-acl-extended/prefixed",
        }
    }

    /// The parent of its change notifications.
    pub fn changes_path(self) -> &'static str {
        match self {
            PatternType::Literal => "/kafka-acl-changes",
            PatternType::Prefixed => "/kafka-acl-extended-changes",
        }
    }

    /// What the path of a new change notification starts with; ZooKeeper appends the number.
    pub fn change_prefix(self) -> String {
        format!("{}/{CHANGE_NAME_PREFIX}", self.changes_path())
    }
}

/// What a change notification's name starts with.
pub const CHANGE_NAME_PREFIX: &str = "acl_changes_";

/// What an ACL is about (`ResourcePattern`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourcePattern {
    /// One of [`RESOURCE_TYPES`].
    pub resource_type: String,
    /// The name; `kafka-cluster` for the cluster.
    pub name: String,
    /// How the name is meant.
    pub pattern_type: PatternType,
}

impl ResourcePattern {
    /// The path of its ACLs; `None` for a name with a slash, which ZooKeeper cannot hold.
    pub fn path(&self) -> Option<String> {
        let store = self.pattern_type.store_path();
        (!self.name.contains('/')).then(|| format!("{store}/{}/{}", self.resource_type, self.name))
    }
}

/// One ACL (`AclEntry`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AclEntry {
    /// `User:alice`.
    pub principal: String,
    /// `Allow` or `Deny`.
    #[serde(rename = "permissionType")]
    pub permission: String,
    /// `Read`, `DescribeConfigs`, ...
    pub operation: String,
    /// An address, or `*`.
    pub host: String,
}

#[derive(Serialize, Deserialize)]
struct Content {
    version: i32,
    acls: Vec<AclEntry>,
}

/// The content of a resource's node.
pub fn encode(acls: &[AclEntry]) -> Vec<u8> {
    json::encode(&Content { version: 1, acls: acls.to_vec() })
}

/// The ACLs of a resource; none when the node has no content.
pub fn decode(data: &[u8]) -> Result<Vec<AclEntry>, DecodeError> {
    const FAMILY: &str = "/kafka-acl/<type>/<name>";
    if data.is_empty() {
        return Ok(Vec::new());
    }
    let content: Content = json::decode(FAMILY, data)?;
    if content.version != 1 {
        return Err(DecodeError::new(FAMILY, data, "unknown version"));
    }
    Ok(content.acls)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExtendedChange {
    version: i32,
    #[serde(rename = "resourceType")]
    resource_type: String,
    name: String,
    #[serde(rename = "patternType")]
    pattern_type: String,
}

/// The content of a change notification: text for literal patterns, JSON for prefixed ones.
pub fn encode_change(resource: &ResourcePattern) -> Vec<u8> {
    let resource_type = screaming_case(&resource.resource_type);
    match resource.pattern_type {
        PatternType::Literal => format!("{resource_type}:{}", resource.name).into_bytes(),
        PatternType::Prefixed => json::encode(&ExtendedChange {
            version: 1,
            resource_type,
            name: resource.name.clone(),
            pattern_type: "PREFIXED".to_owned(),
        }),
    }
}

/// Which resource's ACLs changed; `pattern_type` says from whose parent the notification is.
pub fn decode_change(data: &[u8], pattern_type: PatternType) -> Result<ResourcePattern, DecodeError> {
    let family = pattern_type.changes_path();
    let error = |reason: &str| DecodeError::new(family, data, reason);
    let (kind, name) = match pattern_type {
        PatternType::Literal => {
            let text = std::str::from_utf8(data).map_err(|_| error("not UTF-8"))?;
            let (kind, name) = text.split_once(':').ok_or_else(|| error("no colon"))?;
            (kind.to_owned(), name.to_owned())
        }
        PatternType::Prefixed => {
            let content: ExtendedChange = json::decode(family, data)?;
            if content.version > 1 {
                return Err(error("unknown version"));
            }
            if !content.pattern_type.eq_ignore_ascii_case("PREFIXED") {
                return Err(error("not a prefixed pattern"));
            }
            (content.resource_type, content.name)
        }
    };
    let resource_type = RESOURCE_TYPES
        .into_iter()
        .find(|candidate| screaming_case(candidate).eq_ignore_ascii_case(&kind))
        .ok_or_else(|| error("unknown resource type"))?;
    Ok(ResourcePattern { resource_type: resource_type.to_owned(), name, pattern_type })
}

/// `TransactionalId` as the enum constant is called: `TRANSACTIONAL_ID`.
fn screaming_case(pascal: &str) -> String {
    let mut screaming = String::with_capacity(pascal.len() + 2);
    for (index, c) in pascal.char_indices() {
        if index > 0 && c.is_ascii_uppercase() {
            screaming.push('_');
        }
        screaming.push(c.to_ascii_uppercase());
    }
    screaming
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(resource_type: &str, name: &str, pattern_type: PatternType) -> ResourcePattern {
        ResourcePattern { resource_type: resource_type.to_owned(), name: name.to_owned(), pattern_type }
    }

    #[test]
    fn golden_and_round_trip() {
        let text = r#"{"version":1,"acls":[{"principal":"User:alice","permissionType":"Allow","operation":"DescribeConfigs","host":"*"}]}"#;
        let acls = decode(text.as_bytes()).unwrap();
        assert_eq!(String::from_utf8_lossy(&encode(&acls)), text);
        assert_eq!(decode(b""), Ok(vec![]));
        assert!(decode(br#"{"version":2,"acls":[]}"#).is_err());
    }

    #[test]
    fn changes_go_by_two_forms() {
        for (resource, text) in [
            (pattern("Topic", "a:b", PatternType::Literal), "TOPIC:a:b"),
            (pattern("TransactionalId", "*", PatternType::Literal), "TRANSACTIONAL_ID:*"),
            (
                pattern("Topic", "ord", PatternType::Prefixed),
                r#"{"version":1,"resourceType":"TOPIC","name":"ord","patternType":"PREFIXED"}"#,
            ),
        ] {
            assert_eq!(String::from_utf8_lossy(&encode_change(&resource)), text);
            assert_eq!(decode_change(text.as_bytes(), resource.pattern_type), Ok(resource));
        }
        let extra = r#"{"version":1,"resourceType":"TOPIC","name":"o","patternType":"PREFIXED","x":1}"#;
        assert!(decode_change(extra.as_bytes(), PatternType::Prefixed).is_err());
        assert!(decode_change(b"NOPE:x", PatternType::Literal).is_err());
    }

    #[test]
    fn paths() {
        let literal = pattern("Cluster", "kafka-cluster", PatternType::Literal);
        assert_eq!(literal.path().as_deref(), Some("/kafka-acl/Cluster/kafka-cluster"));
        let prefixed = pattern("Group", "g", PatternType::Prefixed);
        assert_eq!(prefixed.path().as_deref(), Some("/kafka-acl-extended/prefixed/Group/g"));
        assert_eq!(pattern("Topic", "a/b", PatternType::Literal).path(), None);
        assert_eq!(PatternType::Prefixed.change_prefix(), "/kafka-acl-extended-changes/acl_changes_");
    }
}
