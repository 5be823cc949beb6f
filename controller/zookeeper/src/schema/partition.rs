//! `/brokers/topics/<topic>/partitions/<partition>/state` (`TopicPartitionStateZNode`): leader and ISR.
//!
//! The znode's version is the partition epoch.

use gregor_model::{
    BrokerId, ControllerEpoch, LeaderAndIsr, LeaderEpoch, LeaderRecoveryState, PartitionEpoch, TopicName,
    TopicPartition, ZnodeVersion,
};
use serde::{Deserialize, Serialize};

use super::json::{self, DecodeError};
use super::topic;

const FAMILY: &str = "/brokers/topics/<topic>/partitions/<partition>/state";

/// The container of a topic's partitions.
pub fn container_path(topic: &TopicName) -> String {
    format!("{}/partitions", topic::path(topic))
}

/// The container of a partition's state.
pub fn path(partition: &TopicPartition) -> String {
    format!("{}/{}/partitions/{}", topic::PARENT, partition.topic, partition.partition)
}

/// The state of a partition.
pub fn state_path(partition: &TopicPartition) -> String {
    format!("{}/{}/partitions/{}/state", topic::PARENT, partition.topic, partition.partition)
}

/// What the node holds (`LeaderIsrAndControllerEpoch`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionState {
    /// Leader, epochs and ISR.
    pub leadership: LeaderAndIsr,
    /// The epoch of the controller that wrote it.
    pub controller_epoch: ControllerEpoch,
}

#[derive(Serialize, Deserialize)]
struct Content {
    version: i32,
    leader: i32,
    leader_epoch: i32,
    controller_epoch: i32,
    isr: Vec<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leader_recovery_state: Option<i8>,
}

/// The content. The partition epoch is not in it: it is the version the write gives.
pub fn encode(leadership: &LeaderAndIsr, controller_epoch: ControllerEpoch) -> Vec<u8> {
    json::encode(&Content {
        version: 1,
        leader: BrokerId::to_wire(leadership.leader),
        leader_epoch: leadership.leader_epoch.0,
        controller_epoch: controller_epoch.0,
        isr: leadership.isr.iter().map(|replica| replica.0).collect(),
        leader_recovery_state: match leadership.recovery {
            LeaderRecoveryState::Recovered => None,
            recovering => Some(recovering as i8),
        },
    })
}

/// Reads a state that was found with this znode version.
pub fn decode(data: &[u8], version: ZnodeVersion) -> Result<PartitionState, DecodeError> {
    // `version` of the content is not required: Kafka's reader never looks at it.
    #[derive(Deserialize)]
    struct Reader {
        leader: i32,
        leader_epoch: i32,
        controller_epoch: i32,
        isr: Vec<i32>,
        leader_recovery_state: Option<i8>,
    }
    let content: Reader = json::decode(FAMILY, data)?;
    let recovery = content.leader_recovery_state.unwrap_or_default();
    let recovery = LeaderRecoveryState::from_wire(recovery)
        .ok_or_else(|| DecodeError::new(FAMILY, data, "unknown leader_recovery_state"))?;
    Ok(PartitionState {
        leadership: LeaderAndIsr {
            leader: BrokerId::from_wire(content.leader),
            leader_epoch: LeaderEpoch(content.leader_epoch),
            isr: content.isr.into_iter().map(BrokerId).collect(),
            recovery,
            partition_epoch: PartitionEpoch(version.0),
        },
        controller_epoch: ControllerEpoch(content.controller_epoch),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(leader: Option<i32>, recovery: LeaderRecoveryState) -> PartitionState {
        PartitionState {
            leadership: LeaderAndIsr {
                leader: leader.map(BrokerId),
                leader_epoch: LeaderEpoch(7),
                isr: vec![BrokerId(2), BrokerId(3)],
                recovery,
                partition_epoch: PartitionEpoch(4),
            },
            controller_epoch: ControllerEpoch(17),
        }
    }

    #[test]
    fn golden_and_round_trip() {
        for (value, text) in [
            (
                state(Some(2), LeaderRecoveryState::Recovered),
                r#"{"version":1,"leader":2,"leader_epoch":7,"controller_epoch":17,"isr":[2,3]}"#,
            ),
            (
                state(None, LeaderRecoveryState::Recovering),
                r#"{"version":1,"leader":-1,"leader_epoch":7,"controller_epoch":17,"isr":[2,3],"leader_recovery_state":1}"#,
            ),
        ] {
            let data = encode(&value.leadership, value.controller_epoch);
            assert_eq!(String::from_utf8_lossy(&data), text);
            assert_eq!(decode(&data, ZnodeVersion(4)), Ok(value));
        }
    }

    #[test]
    fn refuses_nonsense() {
        for text in [
            "",
            "{}",
            r#"{"leader":1,"leader_epoch":1,"controller_epoch":1,"isr":[1],"leader_recovery_state":2}"#,
            r#"{"leader":1,"leader_epoch":1,"controller_epoch":1,"isr":["1"]}"#,
        ] {
            assert!(decode(text.as_bytes(), ZnodeVersion(0)).is_err(), "{text}");
        }
    }

    #[test]
    fn paths() {
        let partition = TopicPartition::new("t", 3);
        assert_eq!(container_path(&partition.topic), "/brokers/topics/t/partitions");
        assert_eq!(path(&partition), "/brokers/topics/t/partitions/3");
        assert_eq!(state_path(&partition), "/brokers/topics/t/partitions/3/state");
    }
}
