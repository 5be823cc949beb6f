//! What decides how a leader treats records: the topic's settings, and who sent them.

use crate::attributes::TimestampType;
use crate::compression::{Codec, Compression};

/// Who hands records to a leader (`AppendOrigin`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AppendOrigin {
    /// A producer.
    Client,
    /// A coordinator of this broker: group and transaction state, transaction markers.
    Coordinator,
    /// A leader, by way of this follower's fetch.
    Replication,
}

/// The settings of a topic that validation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidationConfig {
    /// `compression.type`: none stands for `producer`, that is, whatever the request uses.
    pub compression: Option<Compression>,
    /// Whether `cleanup.policy` contains `compact`, so that every record needs a key.
    pub compacted: bool,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max_ms: i64,
    /// `max.message.bytes`: the largest batch, as sent and as stored.
    pub max_message_bytes: usize,
}

impl Default for ValidationConfig {
    fn default() -> ValidationConfig {
        ValidationConfig {
            compression: None,
            compacted: false,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: i64::MAX,
            max_message_bytes: 1_048_588,
        }
    }
}

impl ValidationConfig {
    /// How the stored batch is to be compressed when the sent one uses `source`.
    pub(super) fn target(&self, source: Codec) -> Compression {
        self.compression.unwrap_or(Compression::of(source))
    }
}
