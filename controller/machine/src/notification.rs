//! Sequential znodes by which brokers notify the controller: ISR changes of leaders that write their state themselves
//! (`processIsrChangeNotification`), and failed log directories (`processLogDirEventNotification`).

use std::sync::Arc;

use gregor_model::{BrokerId, TopicPartition};

use crate::context::{PartitionKey, ReplicaState};
use crate::controller::Controller;
use crate::operation::{Operation, Outcome};
use crate::reassignment::ReassignmentStep;
use crate::step::Step;
use crate::znode::LeaderIsrAndControllerEpoch;

/// What notifications wait for.
#[derive(Debug)]
pub(crate) enum NotificationAwait {
    /// The ISR notifications.
    IsrChanges,
    /// The states of these partitions, for these notifications.
    States(Vec<String>, Vec<PartitionKey>),
    /// The log directory notifications.
    LogDirs,
}

impl Controller {
    /// Goes on with a notification after ZooKeeper answered.
    pub(crate) fn resume_notification(&mut self, awaited: NotificationAwait, outcome: Outcome) {
        match (awaited, outcome) {
            (NotificationAwait::IsrChanges, Outcome::IsrChanges { names, partitions }) => {
                self.isr_changes_read(names, &partitions);
            }
            (NotificationAwait::States(names, keys), Outcome::PartitionStates(states)) => {
                self.isr_states_read(names, keys, states);
            }
            (NotificationAwait::LogDirs, Outcome::LogDirEvents { names, brokers }) => {
                self.log_dirs_failed(names, brokers);
            }
            (_, outcome) => self.abandon_on(outcome),
        }
    }

    fn isr_changes_read(&mut self, names: Vec<String>, partitions: &[TopicPartition]) {
        let mut keys = self.context.find_all(partitions);
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return self.isr_states_read(names, keys, Vec::new());
        }
        let wanted = keys.iter().filter_map(|key| Some(self.context.partition(*key)?.name.clone())).collect();
        self.store(Operation::ReadPartitionStates(wanted), NotificationAwait::States(names, keys));
    }

    fn isr_states_read(
        &mut self,
        names: Vec<String>,
        keys: Vec<PartitionKey>,
        states: Vec<Option<LeaderIsrAndControllerEpoch>>,
    ) {
        for (key, state) in keys.iter().zip(states) {
            if let Some(state) = state {
                self.context.set_leadership(*key, Arc::new(state));
            }
        }
        let mut steps = Vec::new();
        if !keys.is_empty() {
            steps.push(Step::Announce(keys.clone()));
            steps.push(Step::Reassignment(ReassignmentStep::Complete(keys)));
        }
        if !names.is_empty() {
            steps.push(Step::Store(Operation::DeleteIsrChanges(names)));
        }
        self.then(steps);
    }

    /// Asks the brokers about all their replicas: they answer KAFKA_STORAGE_ERROR for those that are lost.
    fn log_dirs_failed(&mut self, names: Vec<String>, mut brokers: Vec<BrokerId>) {
        brokers.sort_unstable();
        brokers.dedup();
        brokers.retain(|broker| self.context.brokers.get(*broker).is_some());
        let mut steps = vec![Step::MoveReplicas(self.context.replicas_on(&brokers), ReplicaState::Online)];
        if !names.is_empty() {
            steps.push(Step::Store(Operation::DeleteLogDirEvents(names)));
        }
        self.then(steps);
    }
}
