//! JSON of znodes: one way in, one way out, one error.
//!
//! Member order follows the field order of the structs, which is the order of Kafka's own examples; no reader cares.

use gregor_model::TopicPartition;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A znode whose content is not what its family says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{znode} holds {content:?}: {reason}")]
pub struct DecodeError {
    /// Which znode family could not be read.
    pub znode: &'static str,
    /// The content, cut to a length fit for a log line.
    pub content: String,
    /// What is wrong with it.
    pub reason: String,
}

const CONTENT_SHOWN_MAX: usize = 256;

impl DecodeError {
    /// An error about `data`, which was read from a znode of this family.
    pub fn new(znode: &'static str, data: &[u8], reason: impl ToString) -> DecodeError {
        let shown = data.get(..CONTENT_SHOWN_MAX).unwrap_or(data);
        DecodeError {
            znode,
            content: String::from_utf8_lossy(shown).into_owned(),
            reason: reason.to_string(),
        }
    }
}

/// Parses a znode's JSON.
pub(super) fn decode<T: DeserializeOwned>(znode: &'static str, data: &[u8]) -> Result<T, DecodeError> {
    serde_json::from_slice(data).map_err(|error| DecodeError::new(znode, data, error))
}

/// The bytes of a znode's JSON.
pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("structs of strings, numbers, lists and string-keyed maps always encode")
}

/// Parses a znode that holds a decimal number as text, such as `/controller_epoch`.
pub(super) fn decode_number<T: std::str::FromStr>(znode: &'static str, data: &[u8]) -> Result<T, DecodeError>
where
    T::Err: std::fmt::Display,
{
    let text = std::str::from_utf8(data).map_err(|error| DecodeError::new(znode, data, error))?;
    text.parse().map_err(|error| DecodeError::new(znode, data, error))
}

#[derive(Serialize, serde::Deserialize)]
struct PartitionEntry {
    topic: String,
    partition: i32,
}

/// `{"version":1,"partitions":[{"topic":..,"partition":..}]}`, which two families share.
pub(super) fn encode_partitions(partitions: &[TopicPartition]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Writer {
        version: i32,
        partitions: Vec<PartitionEntry>,
    }
    let entry = |p: &TopicPartition| PartitionEntry { topic: p.topic.to_string(), partition: p.partition };
    encode(&Writer { version: 1, partitions: partitions.iter().map(entry).collect() })
}

/// Reads what [`encode_partitions`] writes.
pub(super) fn decode_partitions(
    znode: &'static str,
    data: &[u8],
) -> Result<Vec<TopicPartition>, DecodeError> {
    #[derive(serde::Deserialize)]
    struct Reader {
        partitions: Vec<PartitionEntry>,
    }
    let content: Reader = decode(znode, data)?;
    Ok(content.partitions.iter().map(|e| TopicPartition::new(e.topic.as_str(), e.partition)).collect())
}
