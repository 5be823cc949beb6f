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
pub(crate) fn without_replica(current: &LeaderAndIsr, replica: BrokerId) -> LeaderAndIsr {
    let isr = if current.isr.len() == 1 {
        current.isr.clone()
    } else {
        current.isr.iter().copied().filter(|id| *id != replica).collect()
    };
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
