//! Topic deletion (`TopicDeletionManager`): stop every replica, have it delete its log, and, when all have, remove the
//! topic from ZooKeeper. A topic with a replica that cannot be reached waits until its broker returns.
//!
//! A reassignment does not hold a deletion up: it is left where it stands, and all its replicas, those to be added
//! included, go with the topic. Kafka does the same when the deletion is asked for, though its code means to wait; only
//! a Kafka that finds both at its failover waits, which never ends if the reassignment needs a leader that a topic
//! queued for deletion does not get.

use std::collections::BTreeSet;

use gregor_model::{BrokerEpoch, BrokerId, TopicName, TopicPartition};

use crate::context::{PartitionKey, PartitionState, Replica, ReplicaState, TopicKey};
use crate::controller::Controller;
use crate::effect::Notice;
use crate::event::ReplicaAnswer;
use crate::operation::{Operation, Outcome, StoreFailure};
use crate::reassignment::{LegacyEntry, ReassignmentStep};
use crate::step::Step;

/// Parts of topic deletion.
#[derive(Debug)]
pub(crate) enum DeletionStep {
    /// Look at every queued topic (`resumeDeletions`).
    Resume,
    /// Queued topics with replicas on these brokers may go on (`resumeDeletionForTopics`).
    ResumeOn(Vec<BrokerId>),
    /// These replicas cannot delete (`failReplicaDeletion`).
    Fail(Vec<Replica>),
    /// These replicas did (`completeReplicaDeletion`).
    Succeed(Vec<Replica>),
    /// Begin with these topics (`onTopicDeletion`).
    Start(Vec<TopicKey>),
    /// Remove these topics (`completeDeleteTopic`).
    Complete(Vec<TopicKey>),
}

/// What deletion waits for.
#[derive(Debug)]
pub(crate) enum DeletionAwait {
    /// The list of markers.
    Requested,
    /// The removal of these topics.
    Completed(Vec<TopicKey>),
}

impl Controller {
    /// Does one part of topic deletion.
    pub(crate) fn deletion_step(&mut self, step: DeletionStep) {
        match step {
            DeletionStep::Resume => self.resume_deletions(),
            DeletionStep::ResumeOn(brokers) => {
                let keys: Vec<PartitionKey> =
                    self.context.replicas_on(&brokers).into_iter().map(|(key, _)| key).collect();
                self.resume_deletion_for(self.topics_of(&keys));
            }
            DeletionStep::Fail(replicas) => self.fail_deletion(replicas),
            DeletionStep::Succeed(replicas) => {
                self.move_replicas(replicas, ReplicaState::DeletionSuccessful);
                self.then([Step::Deletion(DeletionStep::Resume)]);
            }
            DeletionStep::Start(topics) => self.start_deletion(&topics),
            DeletionStep::Complete(topics) => {
                let names: Vec<TopicName> =
                    topics.iter().filter_map(|key| Some(self.context.topic(*key)?.name.clone())).collect();
                if !names.is_empty() {
                    self.store(Operation::DeleteTopics(names), DeletionAwait::Completed(topics));
                }
            }
        }
    }

    /// Goes on with topic deletion after ZooKeeper answered.
    pub(crate) fn resume_deletion(&mut self, awaited: DeletionAwait, outcome: Outcome) {
        match (awaited, outcome) {
            (DeletionAwait::Requested, Outcome::TopicNames(names)) => self.deletions_listed(names),
            (DeletionAwait::Completed(topics), Outcome::Results(results)) => {
                let mut moved = Vec::new();
                for (topic, result) in topics.into_iter().zip(results) {
                    match result {
                        Ok(()) => {
                            moved.extend(self.reassignments_of(topic));
                            self.context.remove_topic(topic);
                        }
                        Err(failure) => self.deletion_failed(failure),
                    }
                }
                // What the legacy node still asks of them is moot.
                self.then([Step::Reassignment(ReassignmentStep::RemoveLegacy(moved))]);
            }
            (DeletionAwait::Completed(_), Outcome::Failed(failure)) => self.deletion_failed(failure),
            (_, outcome) => self.abandon_on(outcome),
        }
    }

    fn reassignments_of(&self, topic: TopicKey) -> Vec<LegacyEntry> {
        let keys = self.context.partitions_of(topic).into_iter();
        keys.filter(|key| self.context.is_reassigning(*key))
            .filter_map(|key| Some(LegacyEntry::any(self.context.partition(key)?.name.clone())))
            .collect()
    }

    /// The topic stays queued: the next event that resumes deletions tries again.
    fn deletion_failed(&mut self, failure: StoreFailure) {
        self.notice(Notice::EventAbandoned { event: "TopicDeletion", failure });
    }

    fn deletions_listed(&mut self, names: Vec<TopicName>) {
        let enabled = self.config.delete_topic_enable;
        let (known, unwanted): (Vec<TopicName>, Vec<TopicName>) =
            names.into_iter().partition(|name| enabled && self.context.topic_key(name).is_some());
        let mut steps = Vec::new();
        if !unwanted.is_empty() {
            steps.push(Step::Store(Operation::DeleteDeletionMarkers(unwanted)));
        }
        let topics: Vec<TopicKey> = known.iter().filter_map(|name| self.context.topic_key(name)).collect();
        for topic in &topics {
            self.context.queue_deletion(*topic);
        }
        if !topics.is_empty() {
            steps.push(Step::Deletion(DeletionStep::Resume));
        }
        self.then(steps);
    }

    /// A queued topic has to wait (`markTopicIneligibleForDeletion`).
    pub(crate) fn halt_deletion(&mut self, topic: TopicKey, reason: &'static str) {
        if self.context.set_ineligible(topic, true)
            && let Some(topic) = self.context.topic(topic)
        {
            let topic = topic.name.clone();
            self.notice(Notice::DeletionWaits { topic, reason });
        }
    }

    /// Topics of these partitions, each once.
    pub(crate) fn topics_of(&self, keys: &[PartitionKey]) -> Vec<TopicKey> {
        let topics: BTreeSet<TopicKey> =
            keys.iter().filter_map(|key| Some(self.context.partition(*key)?.topic)).collect();
        topics.into_iter().collect()
    }

    fn resume_deletion_for(&mut self, topics: Vec<TopicKey>) {
        let queued: Vec<TopicKey> =
            topics.into_iter().filter(|topic| self.context.is_queued_for_deletion(*topic)).collect();
        if queued.is_empty() {
            return;
        }
        for topic in queued {
            self.context.set_ineligible(topic, false);
        }
        self.then([Step::Deletion(DeletionStep::Resume)]);
    }

    fn resume_deletions(&mut self) {
        let (mut complete, mut retry, mut start) = (Vec::new(), Vec::new(), Vec::new());
        for key in self.context.deleting() {
            let states: Vec<(Replica, ReplicaState)> = self.context.replica_states(key).collect();
            let any = |wanted| states.iter().any(|(_, state)| *state == wanted);
            if states.iter().all(|(_, state)| *state == ReplicaState::DeletionSuccessful) {
                complete.push(key);
            } else if !any(ReplicaState::DeletionStarted) {
                let ineligible =
                    states.iter().filter(|(_, state)| *state == ReplicaState::DeletionIneligible);
                retry.extend(ineligible.map(|(replica, _)| *replica));
                if self.context.topic(key).is_some_and(|topic| !topic.ineligible_for_deletion) {
                    start.push(key);
                }
            }
        }
        self.then([
            Step::Deletion(DeletionStep::Complete(complete)),
            Step::MoveReplicas(retry, ReplicaState::Offline),
            Step::Deletion(DeletionStep::Start(start)),
        ]);
    }

    fn start_deletion(&mut self, topics: &[TopicKey]) {
        if topics.is_empty() {
            return;
        }
        let unseen =
            topics.iter().filter(|key| self.context.topic(**key).is_some_and(|t| !t.deletion_started));
        for topic in unseen.copied().collect::<Vec<_>>() {
            let keys = self.context.partitions_of(topic);
            self.move_partitions(&keys, PartitionState::Offline);
            self.move_partitions(&keys, PartitionState::NonExistent);
            self.context.start_deletion(topic);
        }
        // Leader -2: brokers stop serving these topics.
        let all: Vec<PartitionKey> =
            topics.iter().flat_map(|topic| self.context.partitions_of(*topic)).collect();
        self.batch.update_metadata_of_all(all);
        self.send_batch();
        let (mut dead, mut alive) = (Vec::new(), Vec::new());
        for topic in topics {
            let unfinished = self.context.replica_states(*topic);
            let (mut online, offline): (Vec<_>, Vec<_>) =
                unfinished.partition(|((key, broker), _)| self.context.is_online(*key, *broker));
            online.retain(|(_, state)| *state != ReplicaState::DeletionSuccessful);
            alive.extend(online.into_iter().map(|(replica, _)| replica));
            if !offline.is_empty() {
                self.halt_deletion(*topic, "some replicas are offline");
            }
            // One that deleted its log before its broker died has nothing left to fail.
            let failing = offline.into_iter().filter(|(_, state)| *state != ReplicaState::DeletionSuccessful);
            dead.extend(failing.map(|(replica, _)| replica));
        }
        self.move_replicas(dead, ReplicaState::DeletionIneligible);
        self.then([
            Step::MoveReplicas(alive.clone(), ReplicaState::Offline),
            Step::MoveReplicas(alive, ReplicaState::DeletionStarted),
        ]);
    }

    fn fail_deletion(&mut self, replicas: Vec<Replica>) {
        let failed: Vec<Replica> = replicas
            .into_iter()
            .filter(|(key, _)| self.context.is_partition_queued_for_deletion(*key))
            .collect();
        if failed.is_empty() {
            return;
        }
        let keys: Vec<PartitionKey> = failed.iter().map(|(key, _)| *key).collect();
        self.move_replicas(failed, ReplicaState::DeletionIneligible);
        for topic in self.topics_of(&keys) {
            self.halt_deletion(topic, "a replica could not be deleted");
        }
        self.then([Step::Deletion(DeletionStep::Resume)]);
    }

    /// Learns from a StopReplica answer which replicas are deleted.
    pub(crate) fn stop_replica_answered(
        &mut self,
        broker: BrokerId,
        epoch: BrokerEpoch,
        answers: &[(TopicPartition, ReplicaAnswer)],
    ) {
        if self.context.brokers.epoch(broker) != Some(epoch) {
            return;
        }
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for (name, answer) in answers {
            let Some(key) = self.context.find(name) else { continue };
            let Some(partition) = self.context.partition(key) else { continue };
            let started = self.context.topic(partition.topic).is_some_and(|topic| topic.deletion_started);
            if !started || partition.replica_state(broker) != ReplicaState::DeletionStarted {
                continue;
            }
            match answer {
                ReplicaAnswer::Done => done.push((key, broker)),
                ReplicaAnswer::StorageError | ReplicaAnswer::Failed => failed.push((key, broker)),
            }
        }
        let mut steps = Vec::new();
        if !failed.is_empty() {
            steps.push(Step::Deletion(DeletionStep::Fail(failed)));
        }
        if !done.is_empty() {
            steps.push(Step::Deletion(DeletionStep::Succeed(done)));
        }
        self.then(steps);
    }
}
