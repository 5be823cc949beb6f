//! `/consumers/<group>/offsets/<topic>/<partition>` (`ConsumerOffset`): offsets of OffsetCommit version 0.

use gregor_model::{Offset, TopicPartition};

use super::json::{self, DecodeError};

/// The parent of all old-style consumer groups.
pub const PARENT: &str = "/consumers";

const FAMILY: &str = "/consumers/<group>/offsets/<topic>/<partition>";

/// The path of a group's offset in a partition.
pub fn path(group: &str, partition: &TopicPartition) -> String {
    format!("{PARENT}/{group}/offsets/{}/{}", partition.topic, partition.partition)
}

/// The content: decimal text.
pub fn encode(offset: Offset) -> Vec<u8> {
    offset.to_string().into_bytes()
}

/// The offset; `None` when the node has no content.
pub fn decode(data: &[u8]) -> Result<Option<Offset>, DecodeError> {
    if data.is_empty() { Ok(None) } else { json::decode_number(FAMILY, data).map(|n| Some(Offset(n))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_decimal_text() {
        assert_eq!(path("g", &TopicPartition::new("t", 3)), "/consumers/g/offsets/t/3");
        assert_eq!(encode(Offset(42)), b"42");
        assert_eq!(decode(b"42"), Ok(Some(Offset(42))));
        assert_eq!(decode(b""), Ok(None));
        assert!(decode(b"x").is_err());
    }
}
