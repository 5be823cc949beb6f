//! Partition reassignment (`onPartitionReassignment`): phase U writes the new assignment, phase A starts the replicas that
//! are added, phase B, once they are in sync, moves the leader and stops those that are removed.
//!
//! Kafka goes through the phases partition by partition; here all partitions of one event go together, so that their
//! writes are grouped. For one partition the order of writes and requests is Kafka's. "In sync" is read from the cached
//! state: every way an ISR changes (AlterPartition, the older notifications) passes through this controller.
//! Partitions of topics queued for deletion are not moved any more.

mod epoch;
mod legacy;
mod request;

use std::collections::BTreeMap;
use std::sync::Arc;

use gregor_model::{BrokerId, ReplicaAssignment, TopicPartition};

pub(crate) use epoch::EpochRun;
pub(crate) use legacy::LegacyEntry;
pub(crate) use request::Requested;

use crate::context::{PartitionKey, PartitionState, Replica, ReplicaState, TopicKey};
use crate::controller::Controller;
use crate::effect::Notice;
use crate::election::Strategy;
use crate::operation::{Operation, Outcome, StoreFailure};
use crate::step::Step;
use crate::znode::TopicNode;

/// Partitions and the assignments they are to have.
pub(crate) type Assignments = Vec<(PartitionKey, Arc<ReplicaAssignment>)>;

/// Parts of reassignments.
#[derive(Debug)]
pub(crate) enum ReassignmentStep {
    /// Start or resume these (phase U and on).
    Run(Assignments),
    /// Elect leaders where the one before was dropped.
    ReplaceLeaders(Vec<PartitionKey>),
    /// Phase A for those that are not in sync, phase B for those that are.
    Proceed(Assignments),
    /// Raise the leader epoch and tell all replicas (A1, B3).
    RaiseEpochs(Vec<PartitionKey>),
    /// B2 and B3.
    Switch(Assignments),
    /// B4 and B5, then on.
    StopRemoved(Assignments),
    /// B6.
    WriteBack(Vec<PartitionKey>),
    /// B7 and B8.
    Finish(Vec<PartitionKey>),
    /// Take entries out of `/admin/reassign_partitions`.
    RemoveLegacy(Vec<LegacyEntry>),
    /// Start what `/admin/reassign_partitions` lists.
    StartLegacy(Vec<(TopicPartition, Vec<BrokerId>)>),
    /// Take out of `/admin/reassign_partitions` those of these that failed.
    RemoveFailedLegacy(Vec<TopicPartition>),
    /// Resume those with a target replica on these brokers.
    ResumeTowards(Vec<BrokerId>),
    /// Resume all but those that the legacy node started just now.
    ResumeExcept(Vec<TopicPartition>),
    /// Resume those of these that became complete.
    Complete(Vec<PartitionKey>),
    /// Answer AlterPartitionReassignments.
    Reply(Vec<Requested>),
}

/// What reassignments wait for.
#[derive(Debug)]
pub(crate) enum ReassignmentAwait {
    /// Content of the legacy node, because it was created.
    Requested,
    /// Phase U of these; the topics written.
    Updated(Assignments, Vec<TopicKey>),
    /// Raised epochs.
    Raised(EpochRun),
    /// B6; the topics written and the partitions.
    WrittenBack(Vec<TopicKey>, Vec<PartitionKey>),
    /// Content of the legacy node, to take these out.
    Legacy(Vec<LegacyEntry>),
    /// The legacy node is deleted.
    LegacyDeleted,
}

impl Controller {
    /// Does one part of a reassignment.
    pub(crate) fn reassignment_step(&mut self, step: ReassignmentStep) {
        match step {
            ReassignmentStep::Run(assignments) => self.run_reassignments(assignments),
            ReassignmentStep::ReplaceLeaders(keys) => self.replace_leaders(keys),
            ReassignmentStep::Proceed(assignments) => self.proceed(assignments),
            ReassignmentStep::RaiseEpochs(keys) => self.raise_epochs(keys),
            ReassignmentStep::Switch(assignments) => self.switch(assignments),
            ReassignmentStep::StopRemoved(assignments) => self.stop_removed(assignments),
            ReassignmentStep::WriteBack(keys) => self.write_back(keys),
            ReassignmentStep::Finish(keys) => self.finish_reassignments(keys),
            ReassignmentStep::RemoveLegacy(entries) => self.remove_legacy(entries),
            ReassignmentStep::StartLegacy(entries) => self.start_legacy(entries),
            ReassignmentStep::RemoveFailedLegacy(names) => self.remove_failed_legacy(names),
            ReassignmentStep::ResumeTowards(brokers) => {
                self.resume_reassignments(|_, assignment| {
                    assignment.target().iter().any(|replica| brokers.contains(replica))
                });
            }
            ReassignmentStep::ResumeExcept(names) => {
                let started: Vec<PartitionKey> = self.context.find_all(&names);
                self.resume_reassignments(|key, _| !started.contains(&key));
            }
            ReassignmentStep::Complete(keys) => self.complete_reassignments(keys),
            ReassignmentStep::Reply(items) => self.reply_to_reassignments(items),
        }
    }

    /// Goes on with a reassignment after ZooKeeper answered.
    pub(crate) fn resume_reassignment(&mut self, awaited: ReassignmentAwait, outcome: Outcome) {
        match (awaited, outcome) {
            (ReassignmentAwait::Requested, Outcome::Reassignments(found)) => {
                self.context.legacy_reassignment = found.is_some();
                if let Some(entries) = found {
                    self.then([Step::Reassignment(ReassignmentStep::StartLegacy(entries))]);
                }
            }
            (ReassignmentAwait::Updated(assignments, topics), outcome) => {
                let failed = failures(topics, outcome);
                self.assignments_written(assignments, &failed);
            }
            (ReassignmentAwait::Raised(run), outcome) => self.epochs_raised(run, outcome),
            (ReassignmentAwait::WrittenBack(topics, keys), outcome) => {
                let failed = failures(topics, outcome);
                self.written_back(keys, &failed);
            }
            (ReassignmentAwait::Legacy(entries), Outcome::Reassignments(found)) => {
                self.legacy_read(&entries, found)
            }
            (ReassignmentAwait::LegacyDeleted, Outcome::Done) => self.legacy_deleted(),
            (_, outcome) => self.abandon_on(outcome),
        }
    }

    fn resume_reassignments(&mut self, wanted: impl Fn(PartitionKey, &ReplicaAssignment) -> bool) {
        let assignments: Assignments = self
            .context
            .reassigning()
            .filter(|key| !self.context.is_partition_queued_for_deletion(*key))
            .filter_map(|key| Some((key, Arc::clone(&self.context.partition(key)?.assignment))))
            .filter(|(key, assignment)| wanted(*key, assignment))
            .collect();
        self.then([Step::Reassignment(ReassignmentStep::Run(assignments))]);
    }

    /// `maybeCompleteReassignment`.
    fn complete_reassignments(&mut self, keys: Vec<PartitionKey>) {
        let complete: Assignments = keys
            .into_iter()
            .filter(|key| self.context.is_reassigning(*key))
            .filter(|key| !self.context.is_partition_queued_for_deletion(*key))
            .filter_map(|key| Some((key, Arc::clone(&self.context.partition(key)?.assignment))))
            .filter(|(key, assignment)| self.is_in_sync(*key, assignment))
            .collect();
        self.then([Step::Reassignment(ReassignmentStep::Run(complete))]);
    }

    /// `isReassignmentComplete`: nothing comes or goes, or the ISR holds the whole target.
    fn is_in_sync(&self, key: PartitionKey, assignment: &ReplicaAssignment) -> bool {
        if !assignment.is_being_reassigned() {
            return true;
        }
        let leadership = self.context.partition(key).and_then(|partition| partition.leadership.as_ref());
        leadership.is_some_and(|leadership| {
            assignment.target().iter().all(|replica| leadership.leader_and_isr.isr.contains(replica))
        })
    }

    /// U1: the topic nodes first, so that a new controller can resume.
    fn run_reassignments(&mut self, assignments: Assignments) {
        if assignments.is_empty() {
            return;
        }
        let mut nodes: BTreeMap<TopicKey, TopicNode> = BTreeMap::new();
        for (key, assignment) in &assignments {
            let Some(partition) = self.context.partition(*key) else { continue };
            let (topic, index) = (partition.topic, partition.name.partition);
            let changed = partition.assignment != *assignment;
            if !changed {
                continue;
            }
            if let std::collections::btree_map::Entry::Vacant(vacant) = nodes.entry(topic)
                && let Some(node) = self.context.topic_node(topic)
            {
                vacant.insert(node);
            }
            if let Some(node) = nodes.get_mut(&topic) {
                node.partitions.insert(index, Arc::clone(assignment));
            }
        }
        if nodes.is_empty() {
            return self.assignments_written(assignments, &BTreeMap::new());
        }
        let (topics, nodes): (Vec<TopicKey>, Vec<TopicNode>) = nodes.into_iter().unzip();
        self.store(Operation::WriteTopics(nodes), ReassignmentAwait::Updated(assignments, topics));
    }

    /// U2 and U3.
    fn assignments_written(&mut self, assignments: Assignments, failed: &BTreeMap<TopicKey, String>) {
        let mut accepted = Vec::with_capacity(assignments.len());
        let mut unneeded: Vec<Replica> = Vec::new();
        for (key, assignment) in assignments {
            let Some(partition) = self.context.partition(key) else { continue };
            let changed = partition.assignment != assignment;
            if let Some(reason) = failed.get(&partition.topic).filter(|_| changed) {
                self.reassignment_failed(key, reason.clone());
                continue;
            }
            let before = Arc::clone(&partition.assignment);
            let dropped = before.replicas.iter().filter(|replica| !assignment.replicas.contains(replica));
            unneeded.extend(dropped.map(|replica| (key, *replica)));
            if changed {
                self.context.set_assignment(key, Arc::clone(&assignment));
            }
            self.context.set_reassigning(key, true);
            accepted.push((key, assignment));
        }
        let led_by_dropped: Vec<PartitionKey> = unneeded
            .iter()
            .filter(|(key, broker)| self.context.partition(*key).is_some_and(|p| p.leader() == Some(*broker)))
            .map(|(key, _)| *key)
            .collect();
        let mut steps = Controller::remove_replicas(unneeded);
        steps.push(Step::Reassignment(ReassignmentStep::ReplaceLeaders(led_by_dropped)));
        steps.push(Step::Reassignment(ReassignmentStep::Proceed(accepted)));
        self.then(steps);
    }

    /// A superseded reassignment may have made one of its own the leader. Kafka leaves such a partition without one until
    /// the next failover or broker start; here the ISR gives another at once. Where the reassignment is complete phase B elects.
    fn replace_leaders(&mut self, mut keys: Vec<PartitionKey>) {
        keys.retain(|key| {
            self.context.partition(*key).is_some_and(|p| !self.is_in_sync(*key, &p.assignment))
        });
        if !keys.is_empty() {
            self.move_partitions(&keys, PartitionState::Offline);
            self.then([Step::Elect(keys, Strategy::Offline { allow_unclean: false })]);
        }
    }

    fn proceed(&mut self, assignments: Assignments) {
        let (complete, waiting): (Assignments, Assignments) =
            assignments.into_iter().partition(|(key, assignment)| self.is_in_sync(*key, assignment));
        let mut steps = self.phase_a(&waiting);
        steps.extend(self.phase_b(complete));
        self.then(steps);
    }

    /// A1: tell all replicas of the new assignment. A2: start those that are added.
    fn phase_a(&mut self, waiting: &Assignments) -> Vec<Step> {
        if waiting.is_empty() {
            return Vec::new();
        }
        let keys = waiting.iter().map(|(key, _)| *key).collect();
        vec![
            Step::Reassignment(ReassignmentStep::RaiseEpochs(keys)),
            Step::MoveReplicas(pairs(waiting, |assignment| &assignment.adding), ReplicaState::New),
        ]
    }

    /// B1 to B8.
    fn phase_b(&mut self, complete: Assignments) -> Vec<Step> {
        if complete.is_empty() {
            return Vec::new();
        }
        vec![
            Step::MoveReplicas(pairs(&complete, |assignment| &assignment.adding), ReplicaState::Online),
            Step::Reassignment(ReassignmentStep::Switch(complete.clone())),
            Step::Reassignment(ReassignmentStep::StopRemoved(complete)),
        ]
    }

    /// B2: the cached assignment becomes the target. B3: a leader that is not part of it, or not alive, is replaced;
    /// the others get a new epoch, so that the leader learns its final replicas.
    fn switch(&mut self, complete: Assignments) {
        let (mut elect, mut raise) = (Vec::new(), Vec::new());
        for (key, assignment) in complete {
            let target = assignment.target();
            let leader = self.context.partition(key).and_then(super::context::Partition::leader);
            let keeps = leader.is_some_and(|id| target.contains(&id) && self.context.is_online(key, id));
            let known = self.context.partition(key).is_some_and(|partition| partition.leadership.is_some());
            self.context.set_assignment(key, Arc::new(ReplicaAssignment::new(target)));
            if keeps {
                raise.push(key);
            } else if known {
                elect.push(key);
            }
        }
        let mut steps = Vec::new();
        if !elect.is_empty() {
            steps.push(Step::Elect(elect, Strategy::Reassign));
        }
        if !raise.is_empty() {
            steps.push(Step::Reassignment(ReassignmentStep::RaiseEpochs(raise)));
        }
        self.then(steps);
    }

    /// Replicas that are removed are stopped only under a leader that stays: Kafka goes on when B3 found none, and then
    /// deletes what may be the only replica in sync. Such a partition waits to be resumed.
    fn stop_removed(&mut self, complete: Assignments) {
        let (mut done, mut removing) = (Vec::with_capacity(complete.len()), Vec::new());
        for (key, assignment) in complete {
            let Some(partition) = self.context.partition(key) else { continue };
            let stays = partition.leader().is_some_and(|leader| !assignment.removing.contains(&leader));
            if stays || assignment.removing.is_empty() {
                removing.extend(assignment.removing.iter().map(|replica| (key, *replica)));
                done.push(key);
            } else {
                let partition = partition.name.clone();
                let reason = "no target replica can lead yet".to_owned();
                self.notice(Notice::ReassignmentFailed { partition, reason });
                self.context.set_assignment(key, assignment);
            }
        }
        if done.is_empty() {
            return;
        }
        let mut steps = Controller::remove_replicas(removing);
        steps.push(Step::Reassignment(ReassignmentStep::WriteBack(done)));
        self.then(steps);
    }

    /// B6.
    fn write_back(&mut self, keys: Vec<PartitionKey>) {
        let topics = self.topics_of(&keys);
        let nodes: Vec<TopicNode> =
            topics.iter().filter_map(|topic| self.context.topic_node(*topic)).collect();
        self.store(Operation::WriteTopics(nodes), ReassignmentAwait::WrittenBack(topics, keys));
    }

    /// A partition whose node could not be written stays under reassignment, to be finished when it is resumed.
    fn written_back(&mut self, keys: Vec<PartitionKey>, failed: &BTreeMap<TopicKey, String>) {
        let mut done = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(partition) = self.context.partition(key) else { continue };
            match failed.get(&partition.topic) {
                Some(reason) => self.reassignment_failed(key, reason.clone()),
                None => done.push(key),
            }
        }
        if done.is_empty() {
            return;
        }
        let entries = done.iter().filter_map(|key| {
            let partition = self.context.partition(*key)?;
            Some(LegacyEntry::completed(partition.name.clone(), partition.assignment.replicas.clone()))
        });
        self.then([
            Step::Reassignment(ReassignmentStep::RemoveLegacy(entries.collect())),
            Step::Reassignment(ReassignmentStep::Finish(done)),
        ]);
    }

    fn finish_reassignments(&mut self, keys: Vec<PartitionKey>) {
        for key in &keys {
            self.context.set_reassigning(*key, false);
        }
        self.then([Step::Announce(keys)]);
    }

    /// Notes that a partition's reassignment did not get on.
    pub(crate) fn reassignment_failed(&mut self, key: PartitionKey, reason: String) {
        if let Some(partition) = self.context.partition(key) {
            let partition = partition.name.clone();
            self.notice(Notice::ReassignmentFailed { partition, reason });
            self.failed_reassignments.insert(key);
        }
    }
}

/// Replicas of each partition that `of` picks from its assignment.
fn pairs(assignments: &Assignments, of: impl Fn(&ReplicaAssignment) -> &Vec<BrokerId>) -> Vec<Replica> {
    assignments
        .iter()
        .flat_map(|(key, assignment)| of(assignment).iter().map(|replica| (*key, *replica)))
        .collect()
}

/// Topics whose node was not written, with the reason.
fn failures(topics: Vec<TopicKey>, outcome: Outcome) -> BTreeMap<TopicKey, String> {
    let (mut results, failure) = match outcome {
        Outcome::Results(results) => (results, StoreFailure(String::new())),
        Outcome::Failed(failure) => (Vec::new(), failure),
        _ => (Vec::new(), StoreFailure("unexpected outcome".to_owned())),
    };
    results.resize(topics.len(), Err(failure));
    topics.into_iter().zip(results).filter_map(|(topic, result)| Some((topic, result.err()?.0))).collect()
}
