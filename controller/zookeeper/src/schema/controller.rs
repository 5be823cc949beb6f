//! `/controller` (`ControllerZNode`) and `/controller_epoch` (`ControllerEpochZNode`).

use gregor_model::{BrokerId, ControllerEpoch, Timestamp};
use serde::{Deserialize, Serialize};

use super::json::{self, DecodeError};

/// The ephemeral node of the active controller.
pub const PATH: &str = "/controller";
/// The persistent node that counts controllers; its version fences the writes of deposed ones.
pub const EPOCH_PATH: &str = "/controller_epoch";

/// Who is the controller (`ZKControllerRegistration`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerRegistration {
    /// The broker, or the KRaft controller, that owns the node.
    pub broker: BrokerId,
    /// Set when a KRaft controller owns the node: then no ZooKeeper broker may become controller.
    pub kraft_epoch: Option<i32>,
}

/// The content that a broker writes when it becomes controller.
pub fn encode(broker: BrokerId, now: Timestamp) -> Vec<u8> {
    #[derive(Serialize)]
    struct Writer {
        version: i32,
        brokerid: i32,
        timestamp: String,
        #[serde(rename = "kraftControllerEpoch")]
        kraft_controller_epoch: i32,
    }
    json::encode(&Writer {
        version: 2,
        brokerid: broker.0,
        timestamp: now.to_string(),
        kraft_controller_epoch: -1,
    })
}

/// Who the node names.
pub fn decode(data: &[u8]) -> Result<ControllerRegistration, DecodeError> {
    #[derive(Deserialize)]
    struct Reader {
        brokerid: i32,
        #[serde(rename = "kraftControllerEpoch")]
        kraft_controller_epoch: Option<i32>,
    }
    let content: Reader = json::decode(PATH, data)?;
    let broker = BrokerId::from_wire(content.brokerid)
        .ok_or_else(|| DecodeError::new(PATH, data, "brokerid is negative"))?;
    Ok(ControllerRegistration {
        broker,
        kraft_epoch: content.kraft_controller_epoch.filter(|epoch| *epoch > 0),
    })
}

/// The content of `/controller_epoch`: decimal text.
pub fn encode_epoch(epoch: ControllerEpoch) -> Vec<u8> {
    epoch.to_string().into_bytes()
}

/// The epoch that `/controller_epoch` holds.
pub fn decode_epoch(data: &[u8]) -> Result<ControllerEpoch, DecodeError> {
    json::decode_number(EPOCH_PATH, data).map(ControllerEpoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_kafka_writes() {
        assert_eq!(
            String::from_utf8(encode(BrokerId(3), Timestamp(1_727_771_234_567))).unwrap(),
            r#"{"version":2,"brokerid":3,"timestamp":"1727771234567","kraftControllerEpoch":-1}"#
        );
        assert_eq!(encode_epoch(ControllerEpoch(17)), b"17");
    }

    #[test]
    fn reads_old_and_new_forms() {
        #[track_caller]
        fn check(text: &str, expected: Option<(i32, Option<i32>)>) {
            let read = decode(text.as_bytes()).ok().map(|read| (read.broker.0, read.kraft_epoch));
            assert_eq!(read, expected, "{text}");
        }
        check(r#"{"version":1,"brokerid":3,"timestamp":"17"}"#, Some((3, None)));
        check(r#"{"version":2,"brokerid":3,"timestamp":"17","kraftControllerEpoch":-1}"#, Some((3, None)));
        check(r#"{"version":2,"brokerid":30,"timestamp":"1","kraftControllerEpoch":5}"#, Some((30, Some(5))));
        check(r#"{"version":2,"brokerid":-1}"#, None);
        check(r#"{"version":2}"#, None);
        check("", None);
        assert_eq!(decode_epoch(b"17"), Ok(ControllerEpoch(17)));
        assert!(decode_epoch(b"").is_err());
        assert!(decode_epoch(b"{}").is_err());
    }
}
