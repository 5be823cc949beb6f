//! What consumers of a group tell each other through the coordinator: subscriptions and assignments. Pure.

use std::collections::BTreeSet;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use gregor_model::{TopicName, TopicPartition};
use kafka_protocol::messages::consumer_protocol_assignment::TopicPartition as AssignedTopic;
use kafka_protocol::messages::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicName as WireTopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use crate::error::Error;

/// `ConsumerProtocol.PROTOCOL_TYPE`.
pub(super) const PROTOCOL_TYPE: &str = "consumer";

/// A subscription in the oldest version, which every member reads.
pub(super) fn encode_subscription(topics: &BTreeSet<TopicName>) -> Result<Bytes, Error> {
    let topics = topics.iter().map(|topic| StrBytes::from_string(topic.as_str().to_owned()));
    encode(0, &ConsumerProtocolSubscription::default().with_topics(topics.collect()))
}

/// The topics in a member's subscription, of whatever version it is.
pub(super) fn decode_subscription(mut bytes: Bytes) -> Result<BTreeSet<TopicName>, Error> {
    let version = bytes.try_get_i16().map_err(malformed)?.clamp(0, 3);
    let subscription = ConsumerProtocolSubscription::decode(&mut bytes, version).map_err(malformed)?;
    Ok(subscription.topics.iter().map(|topic| TopicName::new(topic)).collect())
}

/// An assignment, in the oldest version.
pub(super) fn encode_assignment(partitions: &[TopicPartition]) -> Result<Bytes, Error> {
    let mut topics: Vec<AssignedTopic> = Vec::new();
    for partition in partitions {
        match topics.iter_mut().find(|topic| topic.topic.0.as_str() == partition.topic.as_str()) {
            Some(topic) => topic.partitions.push(partition.partition),
            None => {
                let name = WireTopicName(StrBytes::from_string(partition.topic.as_str().to_owned()));
                topics.push(
                    AssignedTopic::default().with_topic(name).with_partitions(vec![partition.partition]),
                );
            }
        }
    }
    encode(0, &ConsumerProtocolAssignment::default().with_assigned_partitions(topics))
}

/// The partitions in an assignment; no bytes are no partitions.
pub(super) fn decode_assignment(mut bytes: Bytes) -> Result<Vec<TopicPartition>, Error> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let version = bytes.try_get_i16().map_err(malformed)?.clamp(0, 3);
    let assignment = ConsumerProtocolAssignment::decode(&mut bytes, version).map_err(malformed)?;
    let mut partitions = Vec::new();
    for topic in assignment.assigned_partitions {
        let name = TopicName::new(&topic.topic.0);
        partitions.extend(topic.partitions.iter().map(|number| TopicPartition::new(name.clone(), *number)));
    }
    Ok(partitions)
}

fn encode(version: i16, message: &impl Encodable) -> Result<Bytes, Error> {
    let mut bytes = BytesMut::new();
    bytes.put_i16(version);
    message.encode(&mut bytes, version).map_err(malformed)?;
    Ok(bytes.freeze())
}

fn malformed(reason: impl std::fmt::Display) -> Error {
    Error::Fatal(format!("malformed message of the consumer protocol: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        let topics: BTreeSet<_> = ["b", "a"].into_iter().map(TopicName::new).collect();
        let bytes = encode_subscription(&topics).unwrap();
        assert_eq!(&bytes[..], b"\0\0\0\0\0\x02\0\x01a\0\x01b\xff\xff\xff\xff");
        assert_eq!(decode_subscription(bytes).unwrap(), topics);
        let partitions =
            vec![TopicPartition::new("a", 1), TopicPartition::new("a", 0), TopicPartition::new("b", 7)];
        assert_eq!(decode_assignment(encode_assignment(&partitions).unwrap()).unwrap(), partitions);
        assert_eq!(decode_assignment(Bytes::new()).unwrap(), []);
        assert!(decode_assignment(Bytes::from_static(&[0])).is_err());
    }
}
