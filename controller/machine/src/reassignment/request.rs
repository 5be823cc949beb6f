//! AlterPartitionReassignments and ListPartitionReassignments.

use std::collections::BTreeSet;
use std::sync::Arc;

use gregor_model::{BrokerId, ReplicaAssignment, TopicPartition};

use super::{Assignments, LegacyEntry, ReassignmentStep};
use crate::context::{Liveness, PartitionKey};
use crate::controller::Controller;
use crate::election::reassign_to;
use crate::request::{AlterReassignmentsRequest, ListReassignmentsRequest, ReassignmentError, Reply};
use crate::step::Step;

/// One partition of a request: refused, or to be started.
pub(crate) type Requested = (TopicPartition, Result<PartitionKey, ReassignmentError>);

impl Controller {
    /// `processApiPartitionReassignment`.
    pub(crate) fn alter_reassignments(&mut self, request: AlterReassignmentsRequest) {
        self.failed_reassignments.clear();
        let mut assignments: Assignments = Vec::with_capacity(request.partitions.len());
        let mut items: Vec<Requested> = Vec::with_capacity(request.partitions.len());
        let mut legacy = Vec::new();
        for (name, target) in last_of_each(request.partitions) {
            let planned = self.plan_reassignment(&name, target.as_deref());
            // The latest submission wins, even one that then turns out to name no partition.
            if !matches!(
                planned,
                Err(ReassignmentError::InvalidReplicaAssignment(_)
                    | ReassignmentError::NoReassignmentInProgress)
            ) {
                legacy.push(LegacyEntry::any(name.clone()));
            }
            let item = planned.map(|(key, assignment)| {
                assignments.push((key, assignment));
                key
            });
            items.push((name, item));
        }
        self.then([
            Step::Reassignment(ReassignmentStep::RemoveLegacy(legacy)),
            Step::Reassignment(ReassignmentStep::Run(assignments)),
            Step::Reassignment(ReassignmentStep::Reply(items)),
        ]);
    }

    fn plan_reassignment(
        &self,
        name: &TopicPartition,
        target: Option<&[BrokerId]>,
    ) -> Result<(PartitionKey, Arc<ReplicaAssignment>), ReassignmentError> {
        let key = self.context.find(name);
        let none = Arc::new(ReplicaAssignment::default());
        let current =
            key.and_then(|key| self.context.partition(key)).map_or(&none, |partition| &partition.assignment);
        let planned = match target {
            Some(target) => {
                self.validate_target(current, target)?;
                reassign_to(current, target)
            }
            None if current.is_being_reassigned() => reassign_to(current, &current.origin()),
            None => return Err(ReassignmentError::NoReassignmentInProgress),
        };
        match key {
            Some(key)
                if !self.context.is_partition_queued_for_deletion(key) && !current.replicas.is_empty() =>
            {
                self.keeps_in_sync_replica(key, &planned).map(|()| (key, planned))
            }
            _ => Err(ReassignmentError::UnknownTopicOrPartition),
        }
    }

    /// Refuses an assignment that would drop every in-sync replica and have it deleted, as cancelling would once only
    /// replicas being added are left in the ISR. Kafka does it: records are lost, and nobody can lead any more.
    pub(super) fn keeps_in_sync_replica(
        &self,
        key: PartitionKey,
        planned: &ReplicaAssignment,
    ) -> Result<(), ReassignmentError> {
        let leadership = self.context.partition(key).and_then(|partition| partition.leadership.as_ref());
        match leadership {
            Some(leadership)
                if !leadership.leader_and_isr.isr.iter().any(|id| planned.replicas.contains(id)) =>
            {
                let reason = "No in-sync replica would be left.".to_owned();
                Err(ReassignmentError::InvalidReplicaAssignment(reason))
            }
            _ => Ok(()),
        }
    }

    fn validate_target(
        &self,
        current: &ReplicaAssignment,
        target: &[BrokerId],
    ) -> Result<(), ReassignmentError> {
        let invalid = |reason: String| Err(ReassignmentError::InvalidReplicaAssignment(reason));
        if target.is_empty() {
            return invalid("Empty replica list specified in partition reassignment.".to_owned());
        }
        if target.iter().collect::<BTreeSet<_>>().len() != target.len() {
            let replicas = listed("ArrayBuffer", target);
            return invalid(format!(
                "Duplicate replica ids in partition reassignment replica list: {replicas}"
            ));
        }
        if target.iter().any(|id| id.0 < 0) {
            let replicas = listed("ArrayBuffer", target);
            return invalid(format!("Invalid broker id in replica list: {replicas}"));
        }
        let adding = &reassign_to(current, target).adding;
        let is_live = |id: &BrokerId| self.context.brokers.liveness(*id) == Liveness::Online;
        if adding.iter().all(is_live) {
            return Ok(());
        }
        let live: Vec<BrokerId> = self.context.brokers.ids().filter(is_live).collect();
        invalid(format!(
            "Replica assignment has brokers that are not alive. Replica list: {}, live broker list: {}",
            listed("ArrayBuffer", adding),
            listed("Set", &live),
        ))
    }

    pub(super) fn reply_to_reassignments(&mut self, items: Vec<Requested>) {
        let results = items.into_iter().map(|(name, item)| {
            let result = match item {
                Ok(key) if self.failed_reassignments.contains(&key) => Err(ReassignmentError::Failed),
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            };
            (name, result)
        });
        let reply = Reply::AlterReassignments(Ok(results.collect()));
        self.reply(reply);
    }

    /// `processListPartitionReassignments`.
    pub(crate) fn list_reassignments(&mut self, request: ListReassignmentsRequest) {
        let keys: Vec<PartitionKey> = match &request.partitions {
            Some(names) => self.context.find_all(names),
            None => self.context.reassigning().collect(),
        };
        let listed = keys.into_iter().filter_map(|key| {
            let partition = self.context.partition(key)?;
            let assignment = &partition.assignment;
            assignment.is_being_reassigned().then(|| (partition.name.clone(), Arc::clone(assignment)))
        });
        let reply = Reply::ListReassignments(Ok(listed.collect()));
        self.reply(reply);
    }
}

/// Ids as Scala prints a collection of that class: administrators read these words, and compare them.
fn listed(class: &str, ids: &[BrokerId]) -> String {
    let ids: Vec<String> = ids.iter().map(BrokerId::to_string).collect();
    format!("{class}({})", ids.join(", "))
}

/// Each partition once, where it was named first, with the value that was given last.
fn last_of_each<T>(items: Vec<(TopicPartition, T)>) -> Vec<(TopicPartition, T)> {
    let mut places = std::collections::HashMap::with_capacity(items.len());
    let mut kept: Vec<(TopicPartition, T)> = Vec::with_capacity(items.len());
    for (name, value) in items {
        let place = *places.entry(name.clone()).or_insert(kept.len());
        match kept.get_mut(place) {
            Some(entry) => entry.1 = value,
            None => kept.push((name, value)),
        }
    }
    kept
}
