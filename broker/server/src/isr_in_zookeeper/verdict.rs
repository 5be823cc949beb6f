//! Whether a leader may write the ISR it wants, by what is in ZooKeeper (`ReplicationUtils.updateLeaderAndIsr`). Pure.

use gregor_model::{
    BrokerId, LeaderAndIsr, LeaderEpoch, LeaderRecoveryState, PartitionEpoch, TopicPartition, ZnodeVersion,
};
use gregor_zookeeper::schema::partition::PartitionState;
use kafka_protocol::ResponseError;

/// A change that the leader of a partition wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) partition: TopicPartition,
    pub(super) isr: Vec<BrokerId>,
    pub(super) leader_epoch: LeaderEpoch,
    /// The version of the state that it goes out from.
    pub(super) partition_epoch: PartitionEpoch,
}

/// What is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Replace the state, if it has that version still.
    Write { state: PartitionState, expected: ZnodeVersion },
    /// Nothing: an earlier attempt wrote it, and its answer was lost.
    Written(LeaderAndIsr),
    /// Nothing: the controller changed the state, and tells the leader.
    Refused(ResponseError),
}

/// Decides for the broker `leader`, by the state found.
pub(super) fn judge(leader: BrokerId, wanted: &Wanted, found: Option<PartitionState>) -> Verdict {
    let Some(PartitionState { leadership, controller_epoch }) = found else {
        return Verdict::Refused(ResponseError::UnknownTopicOrPartition);
    };
    let is_ours = leadership.leader == Some(leader) && leadership.leader_epoch == wanted.leader_epoch;
    if is_ours && leadership.partition_epoch == wanted.partition_epoch {
        let expected = ZnodeVersion(wanted.partition_epoch.0);
        let isr = wanted.isr.clone();
        let leadership = LeaderAndIsr { isr, recovery: LeaderRecoveryState::Recovered, ..leadership };
        return Verdict::Write { state: PartitionState { leadership, controller_epoch }, expected };
    }
    let is_next = Some(leadership.partition_epoch.0) == wanted.partition_epoch.0.checked_add(1);
    if is_ours && is_next && leadership.isr == wanted.isr {
        return Verdict::Written(leadership);
    }
    Verdict::Refused(ResponseError::InvalidUpdateVersion)
}

#[cfg(test)]
mod tests {
    use gregor_model::ControllerEpoch;

    use super::*;

    fn state(leader: i32, leader_epoch: i32, version: i32, isr: &[i32]) -> PartitionState {
        PartitionState {
            leadership: LeaderAndIsr {
                leader: BrokerId::from_wire(leader),
                leader_epoch: LeaderEpoch(leader_epoch),
                isr: isr.iter().copied().map(BrokerId).collect(),
                recovery: LeaderRecoveryState::Recovered,
                partition_epoch: PartitionEpoch(version),
            },
            controller_epoch: ControllerEpoch(17),
        }
    }

    #[test]
    fn only_the_leader_of_that_term_writes_and_only_over_what_it_knows() {
        #[track_caller]
        fn check(found: Option<PartitionState>, expected: Verdict) {
            let wanted = Wanted {
                partition: TopicPartition::new("t", 0),
                isr: vec![BrokerId(1)],
                leader_epoch: LeaderEpoch(4),
                partition_epoch: PartitionEpoch(9),
            };
            assert_eq!(judge(BrokerId(1), &wanted, found), expected);
        }
        let refused = || Verdict::Refused(ResponseError::InvalidUpdateVersion);
        let written = state(1, 4, 9, &[1]);
        check(Some(state(1, 4, 9, &[1, 2])), Verdict::Write { state: written, expected: ZnodeVersion(9) });
        check(Some(state(1, 4, 10, &[1])), Verdict::Written(state(1, 4, 10, &[1]).leadership));
        check(Some(state(1, 4, 10, &[1, 3])), refused());
        check(Some(state(1, 4, 11, &[1])), refused());
        check(Some(state(2, 5, 10, &[1])), refused());
        check(Some(state(2, 5, 9, &[1, 2])), refused());
        check(Some(state(-1, 4, 9, &[1, 2])), refused());
        check(None, Verdict::Refused(ResponseError::UnknownTopicOrPartition));
    }
}
