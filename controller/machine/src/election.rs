//! Who becomes leader: the four strategies of `Election` and `PartitionLeaderElectionAlgorithms`, as pure functions of
//! the assignment, the stored state, and how each replica stands.

use std::sync::Arc;

use gregor_model::{BrokerId, LeaderAndIsr, LeaderRecoveryState, ReplicaAssignment};

use crate::context::Liveness;

/// How a leader is chosen (`PartitionLeaderElectionStrategy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// For partitions without a live leader; out of sync replicas only if allowed here or by the topic's config.
    Offline {
        /// Allow it whatever the topic's config says.
        allow_unclean: bool,
    },
    /// For the end of a reassignment: the first target replica that is alive and in sync.
    Reassign,
    /// Only the first assigned replica will do.
    Preferred,
    /// Away from brokers that shut down.
    ControlledShutdown,
}

impl Strategy {
    /// The name Kafka gives it in its messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Strategy::Offline { allow_unclean: false } => "OfflinePartitionLeaderElectionStrategy(false)",
            Strategy::Offline { allow_unclean: true } => "OfflinePartitionLeaderElectionStrategy(true)",
            Strategy::Reassign => "ReassignPartitionLeaderElectionStrategy",
            Strategy::Preferred => "PreferredReplicaPartitionLeaderElectionStrategy",
            Strategy::ControlledShutdown => "ControlledShutdownPartitionLeaderElectionStrategy",
        }
    }
}

/// What an election has to go by.
pub(crate) struct Ballot<'a, F: Fn(BrokerId) -> Liveness> {
    pub(crate) assignment: &'a ReplicaAssignment,
    pub(crate) current: &'a LeaderAndIsr,
    pub(crate) liveness: F,
}

/// How an election came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Write this, then tell these replicas. Epochs are already raised.
    Elected(LeaderAndIsr, Vec<BrokerId>),
    /// No replica in sync is alive: it depends on the topic's `unclean.leader.election.enable`.
    DependsOnTopicConfig,
    /// Nobody can lead.
    Nobody,
}

impl<F: Fn(BrokerId) -> Liveness> Ballot<'_, F> {
    /// Holds the election. `topic_allows_unclean` is the topic's config where it has been read.
    pub(crate) fn decide(&self, strategy: Strategy, topic_allows_unclean: Option<bool>) -> Decision {
        match strategy {
            Strategy::Offline { allow_unclean } => self.offline(allow_unclean, topic_allows_unclean),
            Strategy::Reassign => {
                let target = self.assignment.target();
                let leader = target.iter().copied().find(|id| self.is_live_in_sync(*id));
                self.keep_isr(leader, target)
            }
            Strategy::Preferred => {
                let leader = self.assignment.replicas.first().copied().filter(|id| self.is_live_in_sync(*id));
                self.keep_isr(leader, self.assignment.replicas.clone())
            }
            Strategy::ControlledShutdown => self.controlled_shutdown(),
        }
    }

    fn offline(&self, allow_unclean: bool, topic_allows_unclean: Option<bool>) -> Decision {
        let live: Vec<BrokerId> =
            self.assignment.replicas.iter().copied().filter(|id| self.is_online(*id)).collect();
        let isr: Vec<BrokerId> = self.current.isr.iter().copied().filter(|id| self.is_online(*id)).collect();
        if let Some(leader) = live.iter().copied().find(|id| isr.contains(id)) {
            return Decision::Elected(self.next(leader, isr, self.current.recovery), live);
        }
        // No assigned replica is alive and in sync. (Kafka also counts in-sync members that are not assigned any more,
        // and then never elects.)
        let Some(leader) = live.first().copied() else { return Decision::Nobody };
        if allow_unclean || topic_allows_unclean == Some(true) {
            Decision::Elected(self.next(leader, vec![leader], LeaderRecoveryState::Recovering), live)
        } else if topic_allows_unclean.is_none() {
            Decision::DependsOnTopicConfig
        } else {
            Decision::Nobody
        }
    }

    fn controlled_shutdown(&self) -> Decision {
        let reachable: Vec<BrokerId> = self
            .assignment
            .replicas
            .iter()
            .copied()
            .filter(|id| (self.liveness)(*id) != Liveness::Offline)
            .collect();
        let Some(leader) = reachable.iter().copied().find(|id| self.is_live_in_sync(*id)) else {
            return Decision::Nobody;
        };
        let staying = |id: &BrokerId| (self.liveness)(*id) != Liveness::ShuttingDown;
        let isr = self.current.isr.iter().copied().filter(staying).collect();
        Decision::Elected(self.next(leader, isr, self.current.recovery), reachable)
    }

    fn keep_isr(&self, leader: Option<BrokerId>, recipients: Vec<BrokerId>) -> Decision {
        match leader {
            Some(leader) => Decision::Elected(
                self.next(leader, self.current.isr.clone(), self.current.recovery),
                recipients,
            ),
            None => Decision::Nobody,
        }
    }

    fn is_online(&self, id: BrokerId) -> bool {
        (self.liveness)(id) == Liveness::Online
    }

    fn is_live_in_sync(&self, id: BrokerId) -> bool {
        self.is_online(id) && self.current.isr.contains(&id)
    }

    fn next(&self, leader: BrokerId, isr: Vec<BrokerId>, recovery: LeaderRecoveryState) -> LeaderAndIsr {
        LeaderAndIsr {
            leader: Some(leader),
            leader_epoch: self.current.leader_epoch.next(),
            isr,
            recovery,
            partition_epoch: self.current.partition_epoch.next(),
        }
    }
}

/// The state after `replica` left the ISR: the last member stays, a leader that leaves is not replaced
/// (`ZkReplicaStateMachine.doRemoveReplicasFromIsr`).
///
/// Unlike Kafka's, the last member that is assigned stays as well: where a controller died between dropping a replica from
/// the assignment and from the ISR, only the dropped one would be left, and nobody could ever lead.
pub(crate) fn without_replica(
    current: &LeaderAndIsr,
    replica: BrokerId,
    assigned: &[BrokerId],
) -> LeaderAndIsr {
    let others = current.isr.iter().copied().filter(|id| *id != replica);
    let isr =
        if others.clone().any(|id| assigned.contains(&id)) { others.collect() } else { current.isr.clone() };
    LeaderAndIsr {
        leader: current.leader.filter(|leader| *leader != replica),
        leader_epoch: current.leader_epoch.next(),
        isr,
        recovery: current.recovery,
        partition_epoch: current.partition_epoch.next(),
    }
}

/// The same leader and ISR with a raised leader epoch (`KafkaController.updateLeaderEpoch`).
pub(crate) fn with_next_epoch(current: &LeaderAndIsr) -> LeaderAndIsr {
    LeaderAndIsr {
        leader_epoch: current.leader_epoch.next(),
        partition_epoch: current.partition_epoch.next(),
        ..current.clone()
    }
}

/// The assignment that leads to `target` from where `current` is (`ReplicaAssignment.reassignTo`).
pub(crate) fn reassign_to(current: &ReplicaAssignment, target: &[BrokerId]) -> Arc<ReplicaAssignment> {
    let origin = current.origin();
    let mut replicas: Vec<BrokerId> = Vec::with_capacity(target.len() + origin.len());
    for id in target.iter().chain(&origin) {
        if !replicas.contains(id) {
            replicas.push(*id);
        }
    }
    let adding = replicas.iter().copied().filter(|id| !origin.contains(id)).collect();
    let removing = replicas.iter().copied().filter(|id| !target.contains(id)).collect();
    Arc::new(ReplicaAssignment { replicas, adding, removing })
}

#[cfg(test)]
mod tests {
    use gregor_model::{LeaderEpoch, PartitionEpoch};

    use super::*;

    fn ids(ids: &[i32]) -> Vec<BrokerId> {
        ids.iter().map(|id| BrokerId(*id)).collect()
    }

    /// Leader, ISR, whether recovering, recipients; or no leader.
    type Expected<'a> = Result<(i32, &'a [i32], bool, &'a [i32]), Decision>;

    const OFFLINE: Strategy = Strategy::Offline { allow_unclean: false };
    const UNCLEAN: Strategy = Strategy::Offline { allow_unclean: true };

    /// `assignment`, of which `removing`; `isr`; who is online, who shuts down; what the topic's config says.
    #[track_caller]
    fn check(
        strategy: Strategy,
        (assignment, removing): (&[i32], &[i32]),
        isr: &[i32],
        (online, stopping): (&[i32], &[i32]),
        config: Option<bool>,
        expected: Expected<'_>,
    ) {
        let assignment =
            ReplicaAssignment { replicas: ids(assignment), adding: Vec::new(), removing: ids(removing) };
        let current = LeaderAndIsr {
            leader: isr.first().map(|id| BrokerId(*id)),
            leader_epoch: LeaderEpoch(4),
            isr: ids(isr),
            recovery: LeaderRecoveryState::Recovered,
            partition_epoch: PartitionEpoch(9),
        };
        let liveness = |id: BrokerId| match id.0 {
            id if stopping.contains(&id) => Liveness::ShuttingDown,
            id if online.contains(&id) => Liveness::Online,
            _ => Liveness::Offline,
        };
        let decision =
            Ballot { assignment: &assignment, current: &current, liveness }.decide(strategy, config);
        let expected = match expected {
            Err(decision) => decision,
            Ok((leader, isr, recovering, recipients)) => Decision::Elected(
                LeaderAndIsr {
                    leader: Some(BrokerId(leader)),
                    leader_epoch: LeaderEpoch(5),
                    isr: ids(isr),
                    recovery: if recovering {
                        LeaderRecoveryState::Recovering
                    } else {
                        LeaderRecoveryState::Recovered
                    },
                    partition_epoch: PartitionEpoch(10),
                },
                ids(recipients),
            ),
        };
        assert_eq!(decision, expected);
    }

    #[test]
    fn offline() {
        let all = (&[1, 2, 3][..], &[][..]);
        // The first assigned replica that is alive and in sync; the ISR loses the dead.
        check(OFFLINE, all, &[1, 3, 2], (&[2, 3], &[]), None, Ok((2, &[3, 2], false, &[2, 3])));
        check(OFFLINE, all, &[3], (&[1, 2, 3], &[]), None, Ok((3, &[3], false, &[1, 2, 3])));
        // Nobody in sync is alive: it is the topic's to say, or the caller's.
        check(OFFLINE, all, &[1], (&[2, 3], &[]), None, Err(Decision::DependsOnTopicConfig));
        check(OFFLINE, all, &[1], (&[2, 3], &[]), Some(false), Err(Decision::Nobody));
        check(OFFLINE, all, &[1], (&[2, 3], &[]), Some(true), Ok((2, &[2], true, &[2, 3])));
        check(UNCLEAN, all, &[1], (&[2, 3], &[]), None, Ok((2, &[2], true, &[2, 3])));
        // Permission changes nothing while somebody in sync is alive.
        check(UNCLEAN, all, &[3], (&[1, 3], &[]), Some(true), Ok((3, &[3], false, &[1, 3])));
        // Shutting down is as good as dead.
        check(OFFLINE, all, &[1, 2], (&[2, 3], &[1]), None, Ok((2, &[2], false, &[2, 3])));
        check(UNCLEAN, all, &[1], (&[], &[1]), None, Err(Decision::Nobody));
        check(UNCLEAN, all, &[1], (&[], &[]), None, Err(Decision::Nobody));
    }

    #[test]
    fn reassign() {
        let moving = (&[3, 2, 1][..], &[1][..]);
        check(
            Strategy::Reassign,
            moving,
            &[1, 2, 3],
            (&[1, 2, 3], &[]),
            None,
            Ok((3, &[1, 2, 3], false, &[3, 2])),
        );
        check(Strategy::Reassign, moving, &[1, 2], (&[1, 2, 3], &[]), None, Ok((2, &[1, 2], false, &[3, 2])));
        check(
            Strategy::Reassign,
            moving,
            &[1, 2, 3],
            (&[1, 2], &[]),
            None,
            Ok((2, &[1, 2, 3], false, &[3, 2])),
        );
        check(Strategy::Reassign, moving, &[1], (&[1, 2, 3], &[]), Some(true), Err(Decision::Nobody));
    }

    #[test]
    fn preferred() {
        let all = (&[1, 2, 3][..], &[][..]);
        check(Strategy::Preferred, all, &[2, 1], (&[1, 2], &[]), None, Ok((1, &[2, 1], false, &[1, 2, 3])));
        check(Strategy::Preferred, all, &[2], (&[1, 2], &[]), None, Err(Decision::Nobody));
        check(Strategy::Preferred, all, &[2, 1], (&[2], &[]), None, Err(Decision::Nobody));
        check(Strategy::Preferred, all, &[2, 1], (&[2], &[1]), None, Err(Decision::Nobody));
        check(Strategy::Preferred, (&[], &[]), &[2], (&[2], &[]), None, Err(Decision::Nobody));
    }

    #[test]
    fn controlled_shutdown() {
        let all = (&[1, 2, 3][..], &[][..]);
        let away = Strategy::ControlledShutdown;
        // All that shut down leave the ISR, and still hear of it.
        check(away, all, &[1, 2, 3], (&[2, 3], &[1]), None, Ok((2, &[2, 3], false, &[1, 2, 3])));
        check(away, all, &[1, 2, 3], (&[3], &[1, 2]), None, Ok((3, &[3], false, &[1, 2, 3])));
        check(away, all, &[1], (&[2, 3], &[1]), Some(true), Err(Decision::Nobody));
        // A dead member stays in the ISR: it is removed as an offline replica.
        check(away, all, &[1, 2, 3], (&[2], &[1]), None, Ok((2, &[2, 3], false, &[1, 2])));
    }

    #[test]
    fn leaving_the_isr() {
        #[track_caller]
        fn check(leader: i32, isr: &[i32], replica: i32, expected: (Option<i32>, &[i32])) {
            let current = LeaderAndIsr {
                leader: BrokerId::from_wire(leader),
                leader_epoch: LeaderEpoch(4),
                isr: ids(isr),
                recovery: LeaderRecoveryState::Recovering,
                partition_epoch: PartitionEpoch(9),
            };
            let next = without_replica(&current, BrokerId(replica), &ids(&[1, 2]));
            assert_eq!((next.leader, next.isr), (expected.0.map(BrokerId), ids(expected.1)));
            assert_eq!((next.leader_epoch, next.partition_epoch), (LeaderEpoch(5), PartitionEpoch(10)));
            assert_eq!(next.recovery, LeaderRecoveryState::Recovering);
        }
        check(1, &[1, 2], 2, (Some(1), &[1]));
        check(1, &[1, 2], 1, (None, &[2]));
        check(1, &[1], 1, (None, &[1]));
        check(-1, &[1], 1, (None, &[1]));
        // 3 is no longer assigned.
        check(1, &[1, 3], 1, (None, &[1, 3]));
        check(1, &[1, 2, 3], 1, (None, &[2, 3]));
        check(1, &[1, 3], 3, (Some(1), &[1]));
    }

    #[test]
    fn reassignment_values() {
        #[track_caller]
        fn check(current: (&[i32], &[i32], &[i32]), target: &[i32], expected: (&[i32], &[i32], &[i32])) {
            let value = |(replicas, adding, removing): (&[i32], &[i32], &[i32])| ReplicaAssignment {
                replicas: ids(replicas),
                adding: ids(adding),
                removing: ids(removing),
            };
            assert_eq!(*reassign_to(&value(current), &ids(target)), value(expected));
        }
        let at_rest = (&[1, 2, 3][..], &[][..], &[][..]);
        check(at_rest, &[4, 5, 6], (&[4, 5, 6, 1, 2, 3], &[4, 5, 6], &[1, 2, 3]));
        check(at_rest, &[3, 1, 2], (&[3, 1, 2], &[], &[]));
        check(at_rest, &[3, 4, 2], (&[3, 4, 2, 1], &[4], &[1]));
        check((&[3, 2, 1], &[3], &[1]), &[2, 1], (&[2, 1], &[], &[]));
        check((&[3, 2, 1], &[3], &[1]), &[4, 2], (&[4, 2, 1], &[4], &[1]));
    }
}
