//! What the ensemble holds: the znodes of Kafka as values, with their versions, and conditional, fenced writes on them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gregor_controller_machine::{
    BrokerRegistration, CreateOutcome, FeatureNode, LeaderIsrAndControllerEpoch, Operation, Outcome,
    PartitionStateCreate, PartitionStateWrite, Snapshot, StoreFailure, TopicNode, WriteOutcome,
};
use gregor_model::{
    BrokerEndpoints, BrokerEpoch, BrokerId, ControllerEpoch, ReplicaAssignment, TopicId, TopicName,
    TopicPartition, ZnodeVersion,
};

use super::{SessionId, Watched, ZkAnswer};

/// A partition state that was written, for the invariants.
#[derive(Clone, Debug)]
pub struct StateChange {
    /// The partition.
    pub partition: TopicPartition,
    /// What was there.
    pub before: Option<LeaderIsrAndControllerEpoch>,
    /// What is there; `None`: deleted.
    pub after: Option<LeaderIsrAndControllerEpoch>,
    /// The epoch of the controller that wrote.
    pub writer: ControllerEpoch,
}

/// See the module.
#[derive(Debug)]
pub struct Store {
    /// `/controller`, and whose session made it.
    pub controller: Option<(BrokerId, SessionId)>,
    /// `/controller_epoch`.
    pub controller_epoch: (ControllerEpoch, ZnodeVersion),
    /// `/brokers/ids`.
    pub brokers: BTreeMap<BrokerId, (BrokerRegistration, SessionId)>,
    /// `/brokers/topics`.
    pub topics: BTreeMap<TopicName, TopicNode>,
    /// The state znodes.
    pub states: BTreeMap<TopicPartition, LeaderIsrAndControllerEpoch>,
    /// `/admin/delete_topics`.
    pub deletions: BTreeSet<TopicName>,
    /// `unclean.leader.election.enable` of all topics.
    pub unclean_elections: bool,
    /// Whether fences are looked at: not so in one mutant.
    pub fencing: bool,
    zxid: i64,
    features: Option<FeatureNode>,
    reassignments: Option<Vec<(TopicPartition, Vec<BrokerId>)>>,
    /// `/log_dir_event_notification`.
    log_dir_events: BTreeMap<String, BrokerId>,
    changes: Vec<Watched>,
    state_changes: Vec<StateChange>,
}

impl Default for Store {
    fn default() -> Store {
        Store {
            controller: None,
            controller_epoch: (ControllerEpoch(0), ZnodeVersion(0)),
            brokers: BTreeMap::new(),
            topics: BTreeMap::new(),
            states: BTreeMap::new(),
            deletions: BTreeSet::new(),
            unclean_elections: false,
            fencing: true,
            zxid: 0,
            features: None,
            reassignments: None,
            log_dir_events: BTreeMap::new(),
            changes: Vec::new(),
            state_changes: Vec::new(),
        }
    }
}

impl Store {
    /// What changed, for the watches.
    pub(super) fn take_changes(&mut self) -> Vec<Watched> {
        std::mem::take(&mut self.changes)
    }

    /// What states were written, for the invariants.
    pub fn take_state_changes(&mut self) -> Vec<StateChange> {
        std::mem::take(&mut self.state_changes)
    }

    /// The session's ephemeral nodes go.
    pub(super) fn end_session(&mut self, session: SessionId) {
        let before = self.brokers.len();
        self.brokers.retain(|_, (_, owner)| *owner != session);
        if self.brokers.len() != before {
            self.zxid += 1;
            self.changes.push(Watched::Brokers);
        }
        if self.controller.is_some_and(|(_, owner)| owner == session) {
            self.controller = None;
            self.changes.push(Watched::Controller);
        }
    }

    pub(super) fn register(&mut self, session: SessionId, mut new: BrokerRegistration) -> ZkAnswer {
        match self.brokers.get(&new.broker.id) {
            // What a lost answer leaves behind.
            Some((known, owner)) if *owner == session => ZkAnswer::Registered(known.broker.epoch),
            Some(_) => ZkAnswer::Exists,
            None => {
                self.zxid += 1;
                let epoch = BrokerEpoch(self.zxid);
                new.broker = Arc::new(BrokerEndpoints { epoch, ..(*new.broker).clone() });
                self.brokers.insert(new.broker.id, (new, session));
                self.changes.push(Watched::Brokers);
                ZkAnswer::Registered(epoch)
            }
        }
    }

    pub(super) fn elect(
        &mut self,
        session: SessionId,
        broker: BrokerId,
        epoch: ControllerEpoch,
        expected: ZnodeVersion,
    ) -> ZkAnswer {
        if self.controller.is_some() {
            return ZkAnswer::Exists;
        }
        if self.controller_epoch.1 != expected {
            return ZkAnswer::BadVersion;
        }
        self.controller = Some((broker, session));
        self.controller_epoch = (epoch, expected.next());
        self.changes.push(Watched::Controller);
        ZkAnswer::Elected(expected.next())
    }

    fn is_fenced(&self, fence: ZnodeVersion) -> bool {
        self.fencing && self.controller_epoch.1 != fence
    }

    pub(super) fn delete_controller(&mut self, fence: ZnodeVersion) -> ZkAnswer {
        if self.is_fenced(fence) {
            return ZkAnswer::Fenced;
        }
        if self.controller.take().is_some() {
            self.changes.push(Watched::Controller);
        }
        ZkAnswer::Done
    }

    /// Somebody deletes `/controller`.
    pub fn drop_controller(&mut self) {
        if self.controller.take().is_some() {
            self.changes.push(Watched::Controller);
        }
    }

    /// Parts 0 to 5 of the snapshot; the order in which they are asked for matters (see `Operation::LoadContext`).
    pub(super) fn snapshot_part(&self, part: u8) -> Snapshot {
        let mut snapshot = Snapshot::default();
        match part {
            0 => {
                snapshot.features.clone_from(&self.features);
                snapshot.log_dir_events = self.log_dir_events.keys().cloned().collect();
            }
            1 => snapshot.brokers = self.registrations(),
            2 => snapshot.topics = self.topics.values().cloned().collect(),
            3 => {
                snapshot.states =
                    self.states.iter().map(|(name, state)| (name.clone(), state.clone())).collect();
            }
            4 => snapshot.deletions = self.deletions.iter().cloned().collect(),
            _ => snapshot.reassignments.clone_from(&self.reassignments),
        }
        snapshot
    }

    fn registrations(&self) -> Vec<BrokerRegistration> {
        self.brokers.values().map(|(registration, _)| registration.clone()).collect()
    }

    /// Does what a controller asks.
    pub(super) fn perform(
        &mut self,
        operation: Operation,
        epoch: ControllerEpoch,
        fence: ZnodeVersion,
    ) -> ZkAnswer {
        let outcome = match operation {
            Operation::ReadBrokers => Outcome::Brokers(self.registrations()),
            Operation::ReadBroker(id) => {
                Outcome::Brokers(self.brokers.get(&id).map(|(found, _)| found.clone()).into_iter().collect())
            }
            Operation::ListTopics => Outcome::TopicNames(self.topics.keys().cloned().collect()),
            Operation::ReadTopics(names) => {
                Outcome::Topics(names.iter().filter_map(|name| self.topics.get(name).cloned()).collect())
            }
            Operation::ListCreatedPartitions(topic) => {
                let created = self.states.keys().filter(|name| name.topic == topic);
                Outcome::PartitionIndexes(created.map(|name| name.partition).collect())
            }
            Operation::ListDeletions => Outcome::TopicNames(self.deletions.iter().cloned().collect()),
            Operation::ReadPartitionStates(names) => {
                Outcome::PartitionStates(names.iter().map(|name| self.states.get(name).cloned()).collect())
            }
            Operation::ReadUncleanElection(names) => {
                Outcome::Flags(names.iter().map(|_| self.unclean_elections).collect())
            }
            Operation::ReadReassignments => Outcome::Reassignments(self.reassignments.clone()),
            Operation::ReadPreferredElection => Outcome::PreferredElection(None),
            Operation::ReadIsrChanges => Outcome::IsrChanges { names: Vec::new(), partitions: Vec::new() },
            Operation::ReadLogDirEvents => Outcome::LogDirEvents {
                names: self.log_dir_events.keys().cloned().collect(),
                brokers: self.log_dir_events.values().copied().collect(),
            },
            Operation::ReadProducerIdBlock => Outcome::ProducerIdBlock(None),
            Operation::WriteFeatures(node) => {
                self.features = Some(node);
                Outcome::Done
            }
            Operation::WriteProducerIdBlock { .. } => Outcome::Conditional(true),
            fenced if self.is_fenced(fence) => {
                drop(fenced);
                return ZkAnswer::Fenced;
            }
            write => self.write(write, epoch),
        };
        ZkAnswer::Outcome(outcome)
    }

    fn write(&mut self, operation: Operation, epoch: ControllerEpoch) -> Outcome {
        match operation {
            Operation::CreatePartitionStates(creates) => {
                Outcome::Created(creates.into_iter().map(|create| self.create_state(create, epoch)).collect())
            }
            Operation::WritePartitionStates(writes) => {
                Outcome::Written(writes.into_iter().map(|write| self.write_state(write, epoch)).collect())
            }
            Operation::WriteTopics(nodes) => {
                Outcome::Results(nodes.into_iter().map(|node| self.write_topic(node)).collect())
            }
            Operation::AssignTopicIds(nodes) => Outcome::TopicIds(nodes.iter().map(|_| None).collect()),
            Operation::DeleteTopics(names) => {
                for name in &names {
                    self.delete_topic(name, epoch);
                }
                Outcome::Results(names.iter().map(|_| Ok(())).collect())
            }
            Operation::DeleteDeletionMarkers(names) => {
                self.deletions.retain(|name| !names.contains(name));
                Outcome::Done
            }
            Operation::DeleteLogDirEvents(names) => {
                self.log_dir_events.retain(|name, _| !names.contains(name));
                Outcome::Done
            }
            Operation::WriteReassignments(entries) => {
                self.reassignments = Some(entries);
                Outcome::Done
            }
            Operation::DeleteReassignments => {
                self.reassignments = None;
                Outcome::Done
            }
            _ => Outcome::Done,
        }
    }

    fn note(
        &mut self,
        partition: &TopicPartition,
        before: Option<LeaderIsrAndControllerEpoch>,
        writer: ControllerEpoch,
    ) {
        let after = self.states.get(partition).cloned();
        self.state_changes.push(StateChange { partition: partition.clone(), before, after, writer });
    }

    fn create_state(&mut self, create: PartitionStateCreate, epoch: ControllerEpoch) -> CreateOutcome {
        if !self.topics.contains_key(&create.partition.topic) {
            return CreateOutcome::Failed("NONODE".to_owned());
        }
        if let Some(found) = self.states.get(&create.partition) {
            return CreateOutcome::Exists(Some(found.clone()));
        }
        self.states.insert(create.partition.clone(), (*create.leadership).clone());
        self.note(&create.partition, None, epoch);
        CreateOutcome::Created
    }

    fn write_state(&mut self, write: PartitionStateWrite, epoch: ControllerEpoch) -> WriteOutcome {
        let Some(found) = self.states.get_mut(&write.partition) else {
            return WriteOutcome::Failed("NONODE".to_owned());
        };
        if found.leader_and_isr.partition_epoch != write.expected {
            return WriteOutcome::Conflict(Some(found.clone()));
        }
        let before = std::mem::replace(found, (*write.leadership).clone());
        found.leader_and_isr.partition_epoch = write.expected.next();
        self.note(&write.partition, Some(before), epoch);
        WriteOutcome::Written
    }

    fn write_topic(&mut self, node: TopicNode) -> Result<(), StoreFailure> {
        match self.topics.get_mut(&node.name) {
            None => Err(StoreFailure("NONODE".to_owned())),
            Some(found) => {
                self.changes.push(Watched::Topic(node.name.clone()));
                *found = node;
                Ok(())
            }
        }
    }

    fn delete_topic(&mut self, name: &TopicName, epoch: ControllerEpoch) {
        let gone: Vec<TopicPartition> = self.states.keys().filter(|p| p.topic == *name).cloned().collect();
        for partition in gone {
            let before = self.states.remove(&partition);
            self.note(&partition, before, epoch);
        }
        if self.topics.remove(name).is_some() {
            self.changes.push(Watched::Topics);
        }
        if self.deletions.remove(name) {
            self.changes.push(Watched::Deletions);
        }
    }

    /// What the broker that handles CreateTopics writes.
    pub fn create_topic(&mut self, name: TopicName, partitions: &[Vec<BrokerId>]) {
        self.zxid += 1;
        let mut bytes = [1; 16];
        bytes[8..].copy_from_slice(&self.zxid.to_be_bytes());
        let id = TopicId::from_random(bytes);
        let assignments = (0..).zip(partitions);
        let partitions = assignments
            .map(|(index, replicas)| (index, Arc::new(ReplicaAssignment::new(replicas.clone()))))
            .collect();
        self.topics.insert(name.clone(), TopicNode { name, id, partitions });
        self.changes.push(Watched::Topics);
    }

    /// What a broker with a failed log directory writes.
    pub(super) fn notify_log_dir_failure(&mut self, broker: BrokerId) {
        self.zxid += 1;
        self.log_dir_events.insert(format!("log_dir_event_{:010}", self.zxid), broker);
        self.changes.push(Watched::LogDirs);
    }

    /// What the broker that handles CreatePartitions writes.
    pub fn add_partition(&mut self, name: &TopicName, replicas: Vec<BrokerId>) {
        if let Some(topic) = self.topics.get_mut(name) {
            let index = i32::try_from(topic.partitions.len()).unwrap_or(0);
            topic.partitions.insert(index, Arc::new(ReplicaAssignment::new(replicas)));
            self.changes.push(Watched::Topic(name.clone()));
        }
    }

    /// What the broker that handles DeleteTopics writes.
    pub fn mark_for_deletion(&mut self, name: TopicName) {
        if self.deletions.insert(name) {
            self.changes.push(Watched::Deletions);
        }
    }
}
