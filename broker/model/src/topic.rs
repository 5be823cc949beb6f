//! Topics and partitions: names, ids, and what a legal name is.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// A topic's name, cheap to clone. Not every value is legal: see [`TopicName::validate`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

/// Why a topic name is not legal; the text is the one Kafka's `Topic.validate` gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTopicName {
    /// The empty name.
    #[error("Topic name is invalid: the empty string is not allowed")]
    Empty,
    /// `.` or `..`.
    #[error("Topic name is invalid: '{0}' is not allowed")]
    Dots(String),
    /// More than 249 characters.
    #[error("Topic name is invalid: the length of '{0}' is longer than the max allowed length 249")]
    TooLong(String),
    /// A character outside letters, digits, `.`, `_` and `-`.
    #[error(
        "Topic name is invalid: '{0}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    )]
    IllegalCharacters(String),
}

impl TopicName {
    const LENGTH_MAX: usize = 249;

    /// A name as it came; it may be illegal.
    pub fn new(name: &str) -> TopicName {
        TopicName(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a topic of this name may be created (`Topic.validate`).
    pub fn validate(&self) -> Result<(), InvalidTopicName> {
        let name = self.as_str();
        if name.is_empty() {
            Err(InvalidTopicName::Empty)
        } else if name == "." || name == ".." {
            Err(InvalidTopicName::Dots(name.to_owned()))
        } else if name.len() > Self::LENGTH_MAX {
            Err(InvalidTopicName::TooLong(name.to_owned()))
        } else if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
            Err(InvalidTopicName::IllegalCharacters(name.to_owned()))
        } else {
            Ok(())
        }
    }

    /// Whether this is one of the two topics that the coordinators own.
    pub fn is_internal(&self) -> bool {
        matches!(self.as_str(), "__consumer_offsets" | "__transaction_state")
    }
}

/// Whether two names would give the same metric name (`Topic.hasCollision`): equal after `.` becomes `_`.
pub fn names_collide(a: &str, b: &str) -> bool {
    a.len() == b.len()
        && a.bytes().zip(b.bytes()).all(|(a, b)| a == b || (is_collision(a) && is_collision(b)))
}

/// Whether the name has a character that collides in metric names.
pub fn has_collision_chars(name: &str) -> bool {
    name.bytes().any(is_collision)
}

fn is_collision(byte: u8) -> bool {
    matches!(byte, b'.' | b'_')
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<&str> for TopicName {
    fn from(name: &str) -> TopicName {
        TopicName::new(name)
    }
}

impl std::borrow::Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A topic's id (KIP-516), never the zero UUID; printed as Kafka prints it: 22 characters of URL-safe base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(Uuid);

impl TopicId {
    /// The id, or `None` for the wire's zero UUID.
    pub fn from_wire(id: Uuid) -> Option<TopicId> {
        (!id.is_nil()).then_some(TopicId(id))
    }

    /// The wire's form of an id that may be absent.
    pub fn to_wire(id: Option<TopicId>) -> Uuid {
        id.map_or(Uuid::nil(), |id| id.0)
    }

    /// An id made of random bytes, of which Kafka never has one that is reserved or starts with `-`
    /// (`Uuid.randomUuid`). Returns `None` when these bytes give such a one: draw again.
    pub fn from_random(bytes: [u8; 16]) -> Option<TopicId> {
        let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
        let reserved = id.as_u128() <= 1;
        (!reserved && !TopicId(id).to_string().starts_with('-')).then_some(TopicId(id))
    }

    /// The UUID itself.
    pub fn uuid(self) -> Uuid {
        self.0
    }

    /// Parses the 22-character form.
    pub fn parse(text: &str) -> Option<TopicId> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        TopicId::from_wire(Uuid::from_bytes(bytes.try_into().ok()?))
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        URL_SAFE_NO_PAD.encode(self.0.as_bytes()).fmt(f)
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One partition of a topic; displayed as Kafka names its directory, `topic-0`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicName,
    /// The partition's index, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// Partition `partition` of `topic`.
    pub fn new(topic: impl Into<TopicName>, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

impl fmt::Debug for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_names() {
        #[track_caller]
        fn check(name: &str, legal: bool) {
            assert_eq!(TopicName::new(name).validate().is_ok(), legal, "{name:?}");
        }
        check("a", true);
        check("a.b_c-D9", true);
        check(&"x".repeat(249), true);
        check(&"x".repeat(250), false);
        check("", false);
        check(".", false);
        check("..", false);
        check("...", true);
        check("a/b", false);
        check("ä", false);
        check("a b", false);
    }

    #[test]
    fn collisions() {
        assert!(names_collide("a.b", "a_b"));
        assert!(!names_collide("a.b", "a-b"));
        assert!(!names_collide("a.b", "a.bc"));
    }

    #[test]
    fn topic_id_text_round_trip() {
        let id = TopicId::from_random([7; 16]).expect("not reserved");
        assert_eq!(id.to_string().len(), 22);
        assert_eq!(TopicId::parse(&id.to_string()), Some(id));
        assert_eq!(TopicId::parse("AAAAAAAAAAAAAAAAAAAAAA"), None);
        assert_eq!(TopicId::parse("short"), None);
    }
}
