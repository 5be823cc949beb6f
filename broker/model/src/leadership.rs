//! Who leads a partition, who is in sync, and under which epochs.

use crate::{BrokerId, LeaderEpoch, PartitionEpoch};

/// Whether the leader was elected cleanly (KIP-704); the discriminant is the value on the wire and in the znode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LeaderRecoveryState {
    /// Elected from the ISR, or recovered since.
    #[default]
    Recovered = 0,
    /// Elected from outside the ISR: records may be missing.
    Recovering = 1,
}

impl LeaderRecoveryState {
    /// The state with that value, if there is one.
    pub fn from_wire(value: i8) -> Option<LeaderRecoveryState> {
        match value {
            0 => Some(LeaderRecoveryState::Recovered),
            1 => Some(LeaderRecoveryState::Recovering),
            _ => None,
        }
    }
}

/// Who leads a partition and who is in sync (`LeaderAndIsr`): the content of the partition's state znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderAndIsr {
    /// The leader; `None` is the znode's -1.
    pub leader: Option<BrokerId>,
    /// Raised at every election.
    pub leader_epoch: LeaderEpoch,
    /// The in-sync replicas, in stored order.
    pub isr: Vec<BrokerId>,
    /// Whether the leader came from the ISR.
    pub recovery: LeaderRecoveryState,
    /// The version of the state znode.
    pub partition_epoch: PartitionEpoch,
}
