//! From elected to in charge (`onControllerFailover`): take over what ZooKeeper holds, tell every broker where it stands,
//! elect leaders where they are missing, and resume what the predecessor left unfinished.

use std::sync::Arc;

use gregor_model::{BrokerId, TopicName, TopicPartition};

use crate::context::{PartitionState, Replica, ReplicaState};
use crate::controller::Controller;
use crate::effect::Effect;
use crate::elect_leaders::ElectLeadersStep;
use crate::features;
use crate::operation::{Operation, Outcome};
use crate::reassignment::ReassignmentStep;
use crate::step::Step;
use crate::topic_change::identified;
use crate::topic_deletion::DeletionStep;
use crate::znode::{Snapshot, TopicNode};

/// Seconds from failover to the first rebalance of leaders.
const FIRST_REBALANCE_SECONDS: i64 = 5;

/// Parts of a failover.
#[derive(Debug)]
pub(crate) enum FailoverStep {
    /// Give ids to topics that lack one, then adopt.
    IdentifyTopics(Box<Snapshot>),
    /// `ReplicaStateMachine.startup`.
    StartReplicas,
    /// `PartitionStateMachine.startup`.
    StartPartitions,
    /// Take replicas that are not there out of the ISRs they are still in.
    RetireReplicas,
    /// In charge.
    Finish,
}

/// What the failover waits for.
#[derive(Debug)]
pub(crate) enum FailoverAwait {
    /// Everything.
    Context,
    /// Ids of these topics, which are not in the snapshot.
    TopicIds(Box<Snapshot>, Vec<TopicNode>),
}

impl Controller {
    /// Goes on with the failover after ZooKeeper answered.
    pub(crate) fn resume_failover(&mut self, awaited: FailoverAwait, outcome: Outcome) {
        match (awaited, outcome) {
            (FailoverAwait::Context, Outcome::Context(snapshot)) => self.begin_failover(snapshot),
            (FailoverAwait::TopicIds(mut snapshot, nameless), Outcome::TopicIds(ids)) => {
                snapshot.topics.extend(identified(nameless, ids));
                self.adopt(*snapshot);
            }
            (_, outcome) => self.abandon_on(outcome),
        }
    }

    /// Does one part of the failover.
    pub(crate) fn failover_step(&mut self, step: FailoverStep) {
        match step {
            FailoverStep::IdentifyTopics(mut snapshot) => {
                let topics = std::mem::take(&mut snapshot.topics);
                let (named, nameless): (Vec<_>, Vec<_>) =
                    topics.into_iter().partition(|node| node.id.is_some());
                snapshot.topics = named;
                if nameless.is_empty() {
                    self.adopt(*snapshot);
                } else {
                    let operation = Operation::AssignTopicIds(nameless.clone());
                    self.store(operation, FailoverAwait::TopicIds(snapshot, nameless));
                }
            }
            FailoverStep::StartReplicas => self.start_replicas(),
            FailoverStep::StartPartitions => self.start_partitions(),
            FailoverStep::RetireReplicas => self.retire_replicas(),
            FailoverStep::Finish => {
                self.failing_over = false;
                if self.config.auto_leader_rebalance_enable {
                    self.schedule_rebalance(FIRST_REBALANCE_SECONDS);
                }
                self.effects.push(Effect::Active);
            }
        }
    }

    /// Notifications that were listed before the states were read tell nothing that the states do not: they go unread.
    fn begin_failover(&mut self, mut snapshot: Box<Snapshot>) {
        let (node, write) = features::set_up(snapshot.features.take());
        self.context.finalized_features = node.features.clone();
        let mut steps = Vec::new();
        if write {
            steps.push(Step::Store(Operation::WriteFeatures(node)));
        }
        let log_dir_events = std::mem::take(&mut snapshot.log_dir_events);
        if !log_dir_events.is_empty() {
            steps.push(Step::Store(Operation::DeleteLogDirEvents(log_dir_events)));
        }
        let isr_changes = std::mem::take(&mut snapshot.isr_changes);
        if !isr_changes.is_empty() {
            steps.push(Step::Store(Operation::DeleteIsrChanges(isr_changes)));
        }
        steps.push(Step::Failover(FailoverStep::IdentifyTopics(snapshot)));
        self.then(steps);
    }

    fn adopt(&mut self, snapshot: Snapshot) {
        let Snapshot {
            mut brokers, mut topics, states, deletions, reassignments, preferred_elections, ..
        } = snapshot;
        brokers.sort_by_key(|registration| registration.broker.id);
        for registration in self.compatible(brokers) {
            self.open_channel(&registration);
            self.context.brokers.insert(registration);
        }
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        for node in topics {
            self.context.add_topic(node);
        }
        for (partition, state) in states {
            if let Some(key) = self.context.find(&partition) {
                self.context.set_leadership(key, Arc::new(state));
            }
        }
        let mut steps = self.adopt_deletions(deletions);
        steps.extend([
            // Who is alive must be known before any LeaderAndIsr names a leader.
            Step::Announce(Vec::new()),
            Step::Failover(FailoverStep::StartReplicas),
            Step::Failover(FailoverStep::StartPartitions),
            Step::Failover(FailoverStep::RetireReplicas),
        ]);
        self.context.legacy_reassignment = reassignments.is_some();
        steps.extend(resume_reassignments(reassignments));
        steps.extend([
            Step::Deletion(DeletionStep::Resume),
            Step::ElectLeaders(ElectLeadersStep::FromNode(preferred_elections)),
            Step::Failover(FailoverStep::Finish),
        ]);
        self.then(steps);
    }

    /// Queues what is marked for deletion. A marker without a topic is what a predecessor did not finish.
    fn adopt_deletions(&mut self, deletions: Vec<TopicName>) -> Vec<Step> {
        if deletions.is_empty() {
            return Vec::new();
        }
        if !self.config.delete_topic_enable {
            return vec![Step::Store(Operation::DeleteDeletionMarkers(deletions))];
        }
        let mut leftovers = Vec::new();
        for name in deletions {
            let Some(topic) = self.context.topic_key(&name) else {
                leftovers.push(name);
                continue;
            };
            self.context.queue_deletion(topic);
            let mut replicas = self.context.replica_states(topic);
            let offline = replicas.any(|((key, broker), _)| !self.context.is_online(key, broker));
            drop(replicas);
            if offline {
                self.halt_deletion(topic, "some replicas are offline");
            }
        }
        if leftovers.is_empty() { Vec::new() } else { vec![Step::Store(Operation::DeleteTopics(leftovers))] }
    }

    fn start_replicas(&mut self) {
        let (online, offline) = self.replicas_by_presence();
        for replica in &online {
            self.context.set_replica_state(*replica, ReplicaState::Online);
        }
        // The safe assumption: a deletion of these may have failed.
        for replica in &offline {
            self.context.set_replica_state(*replica, ReplicaState::DeletionIneligible);
        }
        self.then([Step::MoveReplicas(online, ReplicaState::Online)]);
    }

    /// After the elections, not before as in Kafka: an election takes those who are not there out of the ISR anyway, so
    /// that each partition is written once. Where nothing is left to be written, the others have been told already.
    fn retire_replicas(&mut self) {
        let (_, mut leaving) = self.replicas_by_presence();
        leaving.retain(|replica| {
            let leadership =
                self.context.partition(replica.0).and_then(|partition| partition.leadership.as_ref());
            let in_sync = leadership.is_some_and(|state| state.leader_and_isr.isr.contains(&replica.1));
            if !in_sync {
                self.context.set_replica_state(*replica, ReplicaState::Offline);
            }
            in_sync
        });
        self.then([Step::MoveReplicas(leaving, ReplicaState::Offline)]);
    }

    /// All replicas: those that are online, and those that are not.
    fn replicas_by_presence(&self) -> (Vec<Replica>, Vec<Replica>) {
        let replicas = self.context.partitions().flat_map(|(key, partition)| {
            partition.assignment.replicas.iter().map(move |broker| (key, *broker))
        });
        replicas.partition(|(key, broker)| self.context.is_online(*key, *broker))
    }

    fn start_partitions(&mut self) {
        let states: Vec<_> = self
            .context
            .partitions()
            .map(|(key, partition)| {
                let state = if partition.leadership.is_none() {
                    PartitionState::New
                } else if partition.leader().is_some_and(|leader| self.context.is_online(key, leader)) {
                    PartitionState::Online
                } else {
                    PartitionState::Offline
                };
                (key, state)
            })
            .collect();
        for (key, state) in states {
            self.context.set_partition_state(key, state);
        }
        self.then([Step::ElectUnsettled(None)]);
    }
}

/// Those of the legacy node come first and win over what the topic nodes say.
fn resume_reassignments(legacy: Option<Vec<(TopicPartition, Vec<BrokerId>)>>) -> Vec<Step> {
    let entries = legacy.unwrap_or_default();
    let names = entries.iter().map(|(name, _)| name.clone()).collect();
    let mut steps = Vec::new();
    if !entries.is_empty() {
        steps.push(Step::Reassignment(ReassignmentStep::StartLegacy(entries)));
    }
    steps.push(Step::Reassignment(ReassignmentStep::ResumeExcept(names)));
    steps
}
