//! `/admin/reassign_partitions`: reassignments asked for by old tools through ZooKeeper. The node lists what is not done
//! yet; this controller takes entries out as they finish or fail, and the node goes with the last.

use std::collections::BTreeSet;

use gregor_model::{BrokerId, TopicPartition};

use super::{Assignments, ReassignmentAwait, ReassignmentStep};
use crate::controller::Controller;
use crate::effect::Notice;
use crate::election::reassign_to;
use crate::event::Event;
use crate::operation::Operation;
use crate::step::{Continuation, Step};

/// An entry to take out.
#[derive(Clone, Debug)]
pub(crate) struct LegacyEntry {
    partition: TopicPartition,
    /// Only if it asks for these replicas.
    replicas: Option<Vec<BrokerId>>,
}

impl LegacyEntry {
    /// Whatever the node asks for this partition.
    pub(crate) fn any(partition: TopicPartition) -> LegacyEntry {
        LegacyEntry { partition, replicas: None }
    }

    /// The entry that is done when the partition has these replicas.
    pub(crate) fn completed(partition: TopicPartition, replicas: Vec<BrokerId>) -> LegacyEntry {
        LegacyEntry { partition, replicas: Some(replicas) }
    }

    fn matches(&self, (partition, replicas): &(TopicPartition, Vec<BrokerId>)) -> bool {
        self.partition == *partition && self.replicas.as_ref().is_none_or(|wanted| wanted == replicas)
    }
}

impl Controller {
    /// Starts what the node lists (`processZkPartitionReassignment`).
    pub(super) fn start_legacy(&mut self, entries: Vec<(TopicPartition, Vec<BrokerId>)>) {
        self.failed_reassignments.clear();
        let mut assignments: Assignments = Vec::with_capacity(entries.len());
        let mut refused = Vec::new();
        for (name, target) in &entries {
            let key =
                self.context.find(name).filter(|key| !self.context.is_partition_queued_for_deletion(*key));
            match key.and_then(|key| Some((key, self.context.partition(key)?))) {
                Some((key, partition)) if !partition.assignment.replicas.is_empty() => {
                    let planned = reassign_to(&partition.assignment, target);
                    assignments.retain(|(earlier, _)| *earlier != key);
                    match self.keeps_in_sync_replica(key, &planned) {
                        Ok(()) => assignments.push((key, planned)),
                        Err(error) => refused.push((name.clone(), error.to_string())),
                    }
                }
                _ => refused.push((name.clone(), "the partition does not exist".to_owned())),
            }
        }
        let unknown = refused.iter().map(|(name, _)| LegacyEntry::any(name.clone())).collect();
        for (partition, reason) in refused {
            self.notice(Notice::ReassignmentFailed { partition, reason });
        }
        let names = entries.into_iter().map(|(name, _)| name).collect();
        self.then([
            Step::Reassignment(ReassignmentStep::Run(assignments)),
            Step::Reassignment(ReassignmentStep::RemoveLegacy(unknown)),
            Step::Reassignment(ReassignmentStep::RemoveFailedLegacy(names)),
        ]);
    }

    /// Takes out what could not be started.
    pub(super) fn remove_failed_legacy(&mut self, names: Vec<TopicPartition>) {
        let failed = |name: &TopicPartition| {
            self.context.find(name).is_some_and(|key| self.failed_reassignments.contains(&key))
        };
        let entries: Vec<LegacyEntry> = names.into_iter().filter(failed).map(LegacyEntry::any).collect();
        self.remove_legacy(entries);
    }

    /// `maybeRemoveFromZkReassignment`.
    pub(super) fn remove_legacy(&mut self, entries: Vec<LegacyEntry>) {
        if self.context.legacy_reassignment && !entries.is_empty() {
            self.store(Operation::ReadReassignments, ReassignmentAwait::Legacy(entries));
        }
    }

    pub(super) fn legacy_read(
        &mut self,
        entries: &[LegacyEntry],
        found: Option<Vec<(TopicPartition, Vec<BrokerId>)>>,
    ) {
        let Some(listed) = found else {
            self.context.legacy_reassignment = false;
            return;
        };
        let removed: BTreeSet<&TopicPartition> = entries.iter().map(|entry| &entry.partition).collect();
        let count = listed.len();
        let left: Vec<(TopicPartition, Vec<BrokerId>)> = listed
            .into_iter()
            .filter(|item| !removed.contains(&item.0) || !entries.iter().any(|entry| entry.matches(item)))
            .collect();
        if left.is_empty() {
            self.store(Operation::DeleteReassignments, ReassignmentAwait::LegacyDeleted);
        } else if left.len() < count {
            self.store(Operation::WriteReassignments(left), Continuation::Done);
        }
    }

    /// Looks once more, lest a node created meanwhile be missed.
    pub(super) fn legacy_deleted(&mut self) {
        self.context.legacy_reassignment = false;
        self.enqueue(Event::ReassignmentsRequested);
    }
}
