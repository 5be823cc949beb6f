//! Raising a partition's leader epoch without an election (`updateLeaderEpochAndSendRequest`), so that its replicas take
//! over a changed assignment.

use std::sync::Arc;

use super::ReassignmentAwait;
use crate::context::PartitionKey;
use crate::control::Leadership;
use crate::controller::Controller;
use crate::election::with_next_epoch;
use crate::operation::{Operation, Outcome};
use crate::partition_machine::{Settled, settle_write, write_outcomes};
use crate::znode::LeaderIsrAndControllerEpoch;

/// Epochs being written.
#[derive(Debug)]
pub(crate) struct EpochRun(Vec<(PartitionKey, Leadership)>);

impl Controller {
    /// Raises the leader epochs of these partitions and tells their replicas.
    pub(super) fn raise_epochs(&mut self, keys: Vec<PartitionKey>) {
        let mut raised: Vec<(PartitionKey, Leadership)> = Vec::with_capacity(keys.len());
        for key in keys {
            let current = self.context.partition(key).and_then(|partition| partition.leadership.clone());
            let Some(current) = current else {
                self.reassignment_failed(key, "the partition has no state yet".to_owned());
                continue;
            };
            let leader_and_isr = with_next_epoch(&current.leader_and_isr);
            let controller_epoch = self.context.epoch;
            raised.push((key, Arc::new(LeaderIsrAndControllerEpoch { leader_and_isr, controller_epoch })));
        }
        if raised.is_empty() {
            return self.send_batch();
        }
        let writes =
            raised.iter().filter_map(|(key, leadership)| self.state_write(*key, leadership)).collect();
        self.store(Operation::WritePartitionStates(writes), ReassignmentAwait::Raised(EpochRun(raised)));
    }

    /// Goes on when the epochs are written; those that had changed meanwhile are tried again.
    pub(super) fn epochs_raised(&mut self, run: EpochRun, outcome: Outcome) {
        let outcomes = write_outcomes(outcome, run.0.len());
        let mut again = Vec::new();
        for ((key, leadership), outcome) in run.0.into_iter().zip(outcomes) {
            match settle_write(&leadership, outcome) {
                Settled::Written => {
                    self.context.set_leadership(key, leadership);
                    self.tell_replicas(key);
                }
                Settled::Stale(fresh) => {
                    self.context.set_leadership(key, fresh);
                    again.push(key);
                }
                Settled::Failed(reason) => self.reassignment_failed(key, reason),
            }
        }
        self.raise_epochs(again);
    }

    /// LeaderAndIsr to all replicas; only those being added may choose a directory anew.
    fn tell_replicas(&mut self, key: PartitionKey) {
        let Some(partition) = self.context.partition(key) else { return };
        let assignment = Arc::clone(&partition.assignment);
        self.batch.leader_and_isr(&self.context, assignment.origin(), key, false);
        self.batch.leader_and_isr(&self.context, assignment.adding.iter().copied(), key, true);
    }
}
