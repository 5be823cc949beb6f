//! Notifications that brokers leave for the controller: `/isr_change_notification/isr_change_<n>` (leaders whose
//! `inter.broker.protocol.version` is below 2.7-IV2) and `/log_dir_event_notification/log_dir_event_<n>`.

use gregor_model::{BrokerId, TopicPartition};
use serde::{Deserialize, Serialize};

use super::json::{self, DecodeError};

/// The parent of ISR change notifications.
pub const ISR_CHANGE_PATH: &str = "/isr_change_notification";
/// The parent of log directory notifications.
pub const LOG_DIR_EVENT_PATH: &str = "/log_dir_event_notification";
/// What the path of a new ISR change starts with; ZooKeeper appends the number.
pub const ISR_CHANGE_PREFIX: &str = "/isr_change_notification/isr_change_";
/// What the path of a new log directory event starts with; ZooKeeper appends the number.
pub const LOG_DIR_EVENT_PREFIX: &str = "/log_dir_event_notification/log_dir_event_";

const LOG_DIR_FAILURE: i32 = 1;

/// The partitions whose ISR a leader changed in ZooKeeper.
pub fn encode_isr_change(partitions: &[TopicPartition]) -> Vec<u8> {
    json::encode_partitions(partitions)
}

/// Reads an ISR change.
pub fn decode_isr_change(data: &[u8]) -> Result<Vec<TopicPartition>, DecodeError> {
    json::decode_partitions(ISR_CHANGE_PATH, data)
}

/// Says that a log directory of this broker failed.
pub fn encode_log_dir_failure(broker: BrokerId) -> Vec<u8> {
    #[derive(Serialize)]
    struct Writer {
        version: i32,
        broker: i32,
        event: i32,
    }
    json::encode(&Writer { version: 1, broker: broker.0, event: LOG_DIR_FAILURE })
}

/// The broker of a log directory event; the event itself has one value only, which Kafka does not read either.
pub fn decode_log_dir_event(data: &[u8]) -> Result<BrokerId, DecodeError> {
    #[derive(Deserialize)]
    struct Reader {
        broker: i32,
    }
    let content: Reader = json::decode(LOG_DIR_EVENT_PATH, data)?;
    BrokerId::from_wire(content.broker)
        .ok_or_else(|| DecodeError::new(LOG_DIR_EVENT_PATH, data, "broker is negative"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_and_round_trip() {
        let text = r#"{"version":1,"partitions":[{"topic":"orders","partition":0},{"topic":"orders","partition":3}]}"#;
        let value = vec![TopicPartition::new("orders", 0), TopicPartition::new("orders", 3)];
        assert_eq!(String::from_utf8_lossy(&encode_isr_change(&value)), text);
        assert_eq!(decode_isr_change(text.as_bytes()), Ok(value));

        let text = r#"{"version":1,"broker":3,"event":1}"#;
        assert_eq!(String::from_utf8_lossy(&encode_log_dir_failure(BrokerId(3))), text);
        assert_eq!(decode_log_dir_event(text.as_bytes()), Ok(BrokerId(3)));
        assert!(decode_log_dir_event(b"{}").is_err());
    }
}
