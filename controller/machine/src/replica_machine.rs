//! Replica state transitions (`ZkReplicaStateMachine`): telling brokers to follow, stop or delete, and taking replicas
//! out of the ISR.

use std::collections::BTreeSet;
use std::sync::Arc;

use gregor_model::{BrokerId, ReplicaAssignment};

use crate::context::{PartitionKey, Replica, ReplicaState};
use crate::control::Leadership;
use crate::controller::Controller;
use crate::effect::Notice;
use crate::election::without_replica;
use crate::operation::{Operation, Outcome};
use crate::partition_machine::{Settled, settle_write, write_outcomes};
use crate::znode::LeaderIsrAndControllerEpoch;

/// A replica on its way to OfflineReplica.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaving {
    replica: Replica,
    /// Whether the batch tells it to stop already.
    told: bool,
}

/// What a replica transition waits for: the ISRs without these replicas. The second list comes after that.
#[derive(Debug)]
pub(crate) struct ReplicaAwait(Vec<(Replica, Leadership)>, Vec<Leaving>);

impl Controller {
    /// Moves replicas to a state.
    pub(crate) fn move_replicas(&mut self, mut replicas: Vec<Replica>, target: ReplicaState) {
        // Kafka goes replica id by replica id.
        replicas.sort_by_key(|(_, broker)| *broker);
        let movable = self.movable_replicas(&replicas, target);
        if target == ReplicaState::Offline {
            return self
                .take_offline(movable.into_iter().map(|replica| Leaving { replica, told: false }).collect());
        }
        for replica in movable {
            self.move_replica(replica, target);
        }
        self.send_batch();
    }

    fn movable_replicas(&mut self, replicas: &[Replica], target: ReplicaState) -> Vec<Replica> {
        let mut movable = Vec::with_capacity(replicas.len());
        for (key, broker) in replicas {
            let Some(partition) = self.context.partition(*key) else { continue };
            let from = partition.replica_state(*broker);
            if target.may_follow(from) {
                movable.push((*key, *broker));
            } else {
                let subject = format!("replica {broker} of {}", partition.name);
                self.notice(Notice::InvalidTransition { subject, from: from.name(), to: target.name() });
            }
        }
        movable
    }

    fn move_replica(&mut self, replica: Replica, target: ReplicaState) {
        let (key, broker) = replica;
        let Some(partition) = self.context.partition(key) else { return };
        match target {
            ReplicaState::New if partition.leader() == Some(broker) => {
                let subject = format!("replica {broker} of {}, which leads,", partition.name);
                let from = partition.replica_state(broker).name();
                return self.notice(Notice::InvalidTransition { subject, from, to: target.name() });
            }
            ReplicaState::New => self.batch.leader_and_isr(&self.context, [broker], key, true),
            ReplicaState::Online if partition.replica_state(broker) != ReplicaState::New => {
                self.batch.leader_and_isr(&self.context, [broker], key, false);
            }
            ReplicaState::DeletionStarted => self.batch.stop_replica(&self.context, broker, key, true),
            ReplicaState::NonExistent => self.unassign(key, broker),
            _ => {}
        }
        self.context.set_replica_state(replica, target);
    }

    /// Removes a replica from the cached assignment.
    fn unassign(&mut self, key: PartitionKey, broker: BrokerId) {
        let Some(partition) = self.context.partition(key) else { return };
        if !partition.assignment.replicas.contains(&broker) {
            return;
        }
        let without = |ids: &[BrokerId]| ids.iter().copied().filter(|id| *id != broker).collect();
        let assignment = ReplicaAssignment {
            replicas: without(&partition.assignment.replicas),
            adding: without(&partition.assignment.adding),
            removing: without(&partition.assignment.removing),
        };
        self.context.set_assignment(key, Arc::new(assignment));
    }

    /// One round towards OfflineReplica: at most one replica per partition, since each removal builds on the one
    /// before; all partitions of a round are written together.
    fn take_offline(&mut self, mut leaving: Vec<Leaving>) {
        let mut written: Vec<(Replica, Leadership)> = Vec::new();
        while !leaving.is_empty() && written.is_empty() {
            let mut seen = BTreeSet::new();
            let mut later = Vec::new();
            for entry in leaving {
                if !seen.insert(entry.replica.0) {
                    later.push(entry);
                } else if let Some(leadership) = self.leave_isr(entry) {
                    written.push((entry.replica, leadership));
                }
            }
            leaving = later;
        }
        if written.is_empty() {
            return self.send_batch();
        }
        let writes =
            written.iter().filter_map(|((key, _), leadership)| self.state_write(*key, leadership)).collect();
        self.store(Operation::WritePartitionStates(writes), ReplicaAwait(written, leaving));
    }

    /// Tells the replica to stop; gives the state to be written if it is in the ISR.
    fn leave_isr(&mut self, entry: Leaving) -> Option<Leadership> {
        let (key, broker) = entry.replica;
        if !entry.told {
            self.batch.stop_replica(&self.context, broker, key, false);
        }
        let epoch = self.context.epoch;
        let partition = self.context.partition(key)?;
        let Some(current) = partition.leadership.as_ref() else {
            self.batch.update_metadata_of_all([key]);
            self.context.set_replica_state(entry.replica, ReplicaState::Offline);
            return None;
        };
        let with_own_epoch = |leader_and_isr| {
            Arc::new(LeaderIsrAndControllerEpoch { leader_and_isr, controller_epoch: epoch })
        };
        if current.leader_and_isr.isr.contains(&broker) {
            let assigned = &partition.assignment.replicas;
            return Some(with_own_epoch(without_replica(&current.leader_and_isr, broker, assigned)));
        }
        // Nothing to write, but the others are told all the same, under our epoch.
        let leadership = with_own_epoch(current.leader_and_isr.clone());
        self.context.set_leadership(key, leadership);
        self.is_offline(entry.replica);
        None
    }

    /// The replica is out of the ISR: the others hear of it, unless their topic goes anyway.
    fn is_offline(&mut self, replica: Replica) {
        let (key, broker) = replica;
        let Some(partition) = self.context.partition(key) else { return };
        if !self.context.is_queued_for_deletion(partition.topic) {
            let others = partition.assignment.replicas.iter().copied().filter(|id| *id != broker);
            self.batch.leader_and_isr(&self.context, others.collect::<Vec<_>>(), key, false);
        }
        self.context.set_replica_state(replica, ReplicaState::Offline);
    }

    /// Goes on with a transition after ZooKeeper answered.
    pub(crate) fn resume_replicas(&mut self, awaited: ReplicaAwait, outcome: Outcome) {
        let ReplicaAwait(written, later) = awaited;
        let outcomes = write_outcomes(outcome, written.len());
        let mut leaving = Vec::new();
        for ((replica, leadership), outcome) in written.into_iter().zip(outcomes) {
            match settle_write(&leadership, outcome) {
                Settled::Written => {
                    self.context.set_leadership(replica.0, leadership);
                    self.is_offline(replica);
                }
                Settled::Stale(fresh) => {
                    self.context.set_leadership(replica.0, fresh);
                    leaving.push(Leaving { replica, told: true });
                }
                Settled::Failed(reason) => self.removal_failed(replica, reason),
            }
        }
        leaving.extend(later);
        self.take_offline(leaving);
    }

    fn removal_failed(&mut self, replica: Replica, reason: String) {
        let (key, broker) = replica;
        if self.context.is_partition_queued_for_deletion(key) {
            // The ISR of a partition that is being deleted matters to nobody; staying behind would block the deletion.
            return self.is_offline(replica);
        }
        if let Some(partition) = self.context.partition(key) {
            let partition = partition.name.clone();
            self.notice(Notice::IsrRemovalFailed { partition, replica: broker, reason });
        }
    }
}
