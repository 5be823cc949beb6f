//! What consumers of the classic protocol tell each other through the coordinator (`ConsumerProtocol`): their
//! subscriptions and assignments. The broker reads which topics a member subscribes to, so that offsets of other topics may
//! expire, and reads and writes all of it for classic members of a consumer group.

use std::sync::Arc;

use bytes::Bytes;
use gregor_model::TopicName;

use super::SchemaError;
use super::primitive::{Reader, Writer};

/// The protocol type of consumers.
pub const PROTOCOL_TYPE: &str = "consumer";

/// The newest version; members with newer ones are answered in this one.
const VERSION_MAX: i16 = 3;

/// What a member tells of itself (`ConsumerProtocolSubscription`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The version it was written in, or the newest known if that is older.
    pub version: i16,
    /// The topics it subscribes to.
    pub topics: Vec<TopicName>,
    /// What it owns (version 1 and later).
    pub owned: Vec<(TopicName, Vec<i32>)>,
    /// Its rack (version 3 and later).
    pub rack: Option<Arc<str>>,
}

impl Subscription {
    /// Reads a subscription of any version.
    ///
    /// # Errors
    /// The bytes are not a consumer subscription.
    pub fn decode(subscription: &[u8]) -> Result<Subscription, SchemaError> {
        let mut reader = Reader::new(subscription);
        let version = read_version(&mut reader)?;
        let topics = read_topics(&mut reader)?;
        reader.nullable_bytes("userData", false)?;
        let owned = if version >= 1 { read_partitions(&mut reader)? } else { Vec::new() };
        if version >= 2 {
            reader.i32("generationId")?;
        }
        let rack = if version >= 3 { reader.nullable_string("rackId", false)?.map(Arc::from) } else { None };
        Ok(Subscription { version, topics, owned, rack })
    }
}

/// Reads what a leader assigned to a member (`ConsumerProtocolAssignment`).
///
/// # Errors
/// The bytes are not a consumer assignment.
pub fn decode_assignment(assignment: &[u8]) -> Result<Vec<(TopicName, Vec<i32>)>, SchemaError> {
    let mut reader = Reader::new(assignment);
    read_version(&mut reader)?;
    read_partitions(&mut reader)
}

/// What a leader would have assigned; all versions have one layout.
pub fn encode_assignment(version: i16, partitions: &[(&TopicName, Vec<i32>)]) -> Bytes {
    let mut writer = Writer::new(version);
    writer.count(partitions.len());
    for (topic, partitions) in partitions {
        writer.string(topic.as_str());
        writer.count(partitions.len());
        partitions.iter().for_each(|partition| writer.i32(*partition));
    }
    // No user data.
    writer.null_array();
    writer.finish()
}

fn read_version(reader: &mut Reader<'_>) -> Result<i16, SchemaError> {
    match reader.i16("version")? {
        version if version < 0 => Err(SchemaError::Version { what: "consumer protocol", version }),
        version => Ok(version.min(VERSION_MAX)),
    }
}

fn read_topics(reader: &mut Reader<'_>) -> Result<Vec<TopicName>, SchemaError> {
    let mut topics = Vec::new();
    for _ in 0..reader.count("topics", false)? {
        topics.push(TopicName::new(reader.string("topic", false)?));
    }
    Ok(topics)
}

fn read_partitions(reader: &mut Reader<'_>) -> Result<Vec<(TopicName, Vec<i32>)>, SchemaError> {
    let mut topics = Vec::new();
    for _ in 0..reader.count("topics", false)? {
        let topic = TopicName::new(reader.string("topic", false)?);
        let mut partitions = Vec::new();
        for _ in 0..reader.count("partitions", false)? {
            partitions.push(reader.i32("partition")?);
        }
        topics.push((topic, partitions));
    }
    Ok(topics)
}

/// The topics in a member's subscription. Every version begins as version 0 does, so that is all that is read.
///
/// # Errors
/// The bytes are not a consumer subscription; the caller then treats every topic as subscribed.
pub fn subscribed_topics(subscription: &[u8]) -> Result<Vec<TopicName>, SchemaError> {
    let mut reader = Reader::new(subscription);
    read_version(&mut reader)?;
    let topics = read_topics(&mut reader)?;
    reader.nullable_bytes("userData", false)?;
    Ok(topics)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::group::tests::hex;

    #[test]
    fn topics_of_a_subscription() {
        let subscription = hex("0001 00000001 00066f7264657273 ffffffff 00000000");
        assert_eq!(subscribed_topics(&subscription), Ok(vec![TopicName::new("orders")]));
        let decoded = Subscription::decode(&subscription).expect("a subscription");
        assert_eq!((decoded.version, decoded.topics.len(), decoded.owned.len()), (1, 1, 0));
        assert!(subscribed_topics(b"").is_err());
        assert!(subscribed_topics(&hex("0001 7fffffff")).is_err());
    }

    #[test]
    fn the_newest_subscription() {
        let bytes = hex("0003 00000001 00066f7264657273 ffffffff \
             00000001 00066f7264657273 00000002 00000000 00000002 00000007 000172");
        let decoded = Subscription::decode(&bytes).expect("a subscription");
        assert_eq!(decoded.owned, [(TopicName::new("orders"), vec![0, 2])]);
        assert_eq!(decoded.rack.as_deref(), Some("r"));
        for end in 0..bytes.len() {
            assert!(Subscription::decode(&bytes[..end]).is_err());
        }
    }

    #[test]
    fn assignments() {
        let bytes = hex("0001 00000001 00066f7264657273 00000002 00000000 00000001 ffffffff");
        let orders = TopicName::new("orders");
        assert_eq!(encode_assignment(1, &[(&orders, vec![0, 1])]), bytes);
        assert_eq!(decode_assignment(&bytes), Ok(vec![(orders, vec![0, 1])]));
        assert!(decode_assignment(&hex("ffff")).is_err());
    }
}
