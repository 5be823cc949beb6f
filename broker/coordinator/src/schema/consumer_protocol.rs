//! The part of a consumer's embedded protocol that the broker reads (`ConsumerProtocolSubscription`): which topics a
//! member subscribes to, so that offsets of other topics may expire.

use gregor_model::TopicName;

use super::SchemaError;
use super::primitive::Reader;

/// The topics in a member's subscription. Every version begins as version 0 does, so that is all that is read.
///
/// # Errors
/// The bytes are not a consumer subscription; the caller then treats every topic as subscribed.
pub fn subscribed_topics(subscription: &[u8]) -> Result<Vec<TopicName>, SchemaError> {
    let mut reader = Reader::new(subscription);
    let version = reader.i16("version")?;
    if version < 0 {
        return Err(SchemaError::Version { what: "consumer protocol", version });
    }
    let count = reader.count("topics", false)?;
    let mut topics = Vec::new();
    for _ in 0..count {
        topics.push(TopicName::new(reader.string("topic", false)?));
    }
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
        assert!(subscribed_topics(b"").is_err());
        assert!(subscribed_topics(&hex("0001 7fffffff")).is_err());
    }
}
