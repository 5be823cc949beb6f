//! `/config/<type>/<name>` (`ConfigEntityZNode`) and `/config/changes/config_change_<n>`
//! (`ConfigEntityChangeNotificationSequenceZNode`).

use std::collections::BTreeMap;

use gregor_model::{BrokerId, TopicName};
use serde::{Deserialize, Serialize};

use super::json::{self, DecodeError};

/// The parent of all configs.
pub const PARENT: &str = "/config";
/// The parent of change notifications.
pub const CHANGES_PATH: &str = "/config/changes";
/// What a change's name starts with.
pub const CHANGE_NAME_PREFIX: &str = "config_change_";
/// What the path of a new change starts with; ZooKeeper appends the number.
pub const CHANGE_PREFIX: &str = "/config/changes/config_change_";
/// The name of the entity that stands for all that have no config of their own.
pub const DEFAULT_ENTITY: &str = "<default>";

const FAMILY: &str = "/config/<type>/<name>";

/// Configs by key; all values are strings in ZooKeeper.
pub type Configs = BTreeMap<String, String>;

/// The five kinds of entity that have configs (`ConfigType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityType {
    /// A topic.
    Topics,
    /// A client id.
    Clients,
    /// A user, perhaps with a client id.
    Users,
    /// A broker.
    Brokers,
    /// An IP address.
    Ips,
}

impl EntityType {
    /// All of them.
    pub const ALL: [EntityType; 5] =
        [EntityType::Topics, EntityType::Clients, EntityType::Users, EntityType::Brokers, EntityType::Ips];

    /// The name in paths.
    pub fn as_str(self) -> &'static str {
        match self {
            EntityType::Topics => "topics",
            EntityType::Clients => "clients",
            EntityType::Users => "users",
            EntityType::Brokers => "brokers",
            EntityType::Ips => "ips",
        }
    }

    /// The parent of this type's entities.
    pub fn path(self) -> String {
        format!("{PARENT}/{}", self.as_str())
    }
}

/// A thing that has configs, named as ZooKeeper names it (users, clients and IPs sanitized).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entity {
    /// Its type.
    pub entity_type: EntityType,
    /// Its name below the type: `orders`, `7`, `<default>`, `alice/clients/app-1`.
    pub name: String,
}

impl Entity {
    /// A topic.
    pub fn topic(topic: &TopicName) -> Entity {
        Entity { entity_type: EntityType::Topics, name: topic.to_string() }
    }

    /// A broker, or the default of all brokers.
    pub fn broker(id: Option<BrokerId>) -> Entity {
        let name = id.map_or_else(|| DEFAULT_ENTITY.to_owned(), |id| id.to_string());
        Entity { entity_type: EntityType::Brokers, name }
    }

    /// Relative to `/config`, as notifications name it: `topics/orders`.
    pub fn entity_path(&self) -> String {
        format!("{}/{}", self.entity_type.as_str(), self.name)
    }

    /// The path of its znode.
    pub fn path(&self) -> String {
        format!("{PARENT}/{}", self.entity_path())
    }

    /// Reads the `entity_path` of a notification.
    pub fn parse(entity_path: &str) -> Option<Entity> {
        let (kind, name) = entity_path.split_once('/')?;
        let entity_type = EntityType::ALL.into_iter().find(|candidate| candidate.as_str() == kind)?;
        (!name.is_empty()).then(|| Entity { entity_type, name: name.to_owned() })
    }
}

/// Makes a user, client id or IP fit for a path (`Sanitizer.sanitize`): Java's `URLEncoder`, then `*` and `+` escaped.
pub fn sanitize(name: &str) -> String {
    let mut sanitized = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => sanitized.push(char::from(byte)),
            other => sanitized.push_str(&format!("%{other:02X}")),
        }
    }
    sanitized
}

/// The name that [`sanitize`] was given; `None` when `sanitized` is none of its results.
pub fn desanitize(sanitized: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(sanitized.len());
    let mut rest = sanitized;
    while let Some(percent) = rest.find('%') {
        let (before, escape) = rest.split_at(percent);
        bytes.extend_from_slice(before.as_bytes());
        bytes.push(u8::from_str_radix(escape.get(1..3)?, 16).ok()?);
        rest = escape.get(3..)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

/// The content of an entity's config.
pub fn encode(configs: &Configs) -> Vec<u8> {
    #[derive(Serialize)]
    struct Writer<'a> {
        version: i32,
        config: &'a Configs,
    }
    json::encode(&Writer { version: 1, config: configs })
}

/// An entity's configs; none when the node has no content.
pub fn decode(data: &[u8]) -> Result<Configs, DecodeError> {
    #[derive(Deserialize)]
    struct Reader {
        #[serde(default)]
        config: Configs,
    }
    if data.is_empty() {
        return Ok(Configs::new());
    }
    json::decode::<Reader>(FAMILY, data).map(|content| content.config)
}

/// The content of a change notification, in version 2.
pub fn encode_change(entity: &Entity) -> Vec<u8> {
    #[derive(Serialize)]
    struct Writer {
        version: i32,
        entity_path: String,
    }
    json::encode(&Writer { version: 2, entity_path: entity.entity_path() })
}

/// Which entity changed. Version 1 names only topics and clients.
pub fn decode_change(data: &[u8]) -> Result<Entity, DecodeError> {
    #[derive(Deserialize)]
    struct Reader {
        version: i32,
        entity_path: Option<String>,
        entity_type: Option<String>,
        entity_name: Option<String>,
    }
    let content: Reader = json::decode(CHANGES_PATH, data)?;
    let entity = match (content.version, content.entity_path, content.entity_type, content.entity_name) {
        (2, Some(path), _, _) => Entity::parse(&path),
        (1, _, Some(kind), Some(name)) if matches!(kind.as_str(), "topics" | "clients") => {
            Entity::parse(&format!("{kind}/{name}"))
        }
        _ => None,
    };
    entity.ok_or_else(|| DecodeError::new(CHANGES_PATH, data, "names no known entity"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn golden_and_round_trip() {
        let text = r#"{"version":1,"config":{"cleanup.policy":"compact","retention.ms":"604800000"}}"#;
        let configs = decode(text.as_bytes()).unwrap();
        assert_eq!(String::from_utf8_lossy(&encode(&configs)), text);
        assert_eq!(String::from_utf8_lossy(&encode(&Configs::new())), r#"{"version":1,"config":{}}"#);
        assert_eq!(decode(b""), Ok(Configs::new()));
        assert_eq!(decode(br#"{"version":1}"#), Ok(Configs::new()));
        assert!(decode(br#"{"version":1,"config":{"a":1}}"#).is_err());
        assert!(decode(b"junk").is_err());
    }

    #[test]
    fn changes() {
        let text = r#"{"version":2,"entity_path":"users/alice%40corp/clients/app-1"}"#;
        let entity = decode_change(text.as_bytes()).unwrap();
        assert_eq!(entity.entity_type, EntityType::Users);
        assert_eq!(entity.path(), "/config/users/alice%40corp/clients/app-1");
        assert_eq!(String::from_utf8_lossy(&encode_change(&entity)), text);
        let v1 = decode_change(br#"{"version":1,"entity_type":"topics","entity_name":"orders"}"#).unwrap();
        assert_eq!(v1, Entity::topic(&TopicName::new("orders")));
        for text in [
            "not json",
            r#"{"version":1,"entity_type":"users","entity_name":"u"}"#,
            r#"{"version":2,"entity_path":"nothing/x"}"#,
            r#"{"version":2,"entity_path":"topics"}"#,
            r#"{"version":3,"entity_path":"topics/x"}"#,
        ] {
            assert!(decode_change(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(Entity::broker(None).path(), "/config/brokers/<default>");
        assert_eq!(Entity::broker(Some(BrokerId(7))).path(), "/config/brokers/7");
    }

    #[test]
    fn sanitizes_as_java_does() {
        for (name, sanitized) in [
            ("alice@corp", "alice%40corp"),
            ("a b*c+d~", "a%20b%2Ac%2Bd%7E"),
            ("CN=ä", "CN%3D%C3%A4"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(sanitize(name), sanitized);
            assert_eq!(desanitize(sanitized).as_deref(), Some(name));
        }
        assert_eq!(desanitize("%4"), None);
        assert_eq!(desanitize("%zz"), None);
        assert_eq!(desanitize("%FF"), None);
    }

    proptest! {
        #[test]
        fn sanitized_names_come_back(name in ".*") {
            prop_assert_eq!(desanitize(&sanitize(&name)), Some(name));
        }
    }
}
