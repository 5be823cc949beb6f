//! ZooKeeper as far as the machine sees it: values in memory, versions counted, conflicts reported.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gregor_model::{
    BrokerEndpoints, BrokerEpoch, BrokerId, ListenerName, PartitionEpoch, ReplicaAssignment,
    SecurityProtocol, TopicId, TopicName, TopicPartition, ZnodeVersion,
};

use crate::znode::Versioned;
use crate::{
    BrokerRegistration, CreateOutcome, FeatureNode, LeaderIsrAndControllerEpoch, Operation, Outcome,
    ProducerIdBlock, Snapshot, TopicNode, WriteOutcome,
};

#[derive(Debug, Default)]
pub(super) struct Zoo {
    pub(super) brokers: BTreeMap<BrokerId, BrokerRegistration>,
    pub(super) topics: BTreeMap<TopicName, TopicNode>,
    pub(super) states: BTreeMap<TopicPartition, LeaderIsrAndControllerEpoch>,
    pub(super) markers: BTreeSet<TopicName>,
    pub(super) reassignments: Option<Vec<(TopicPartition, Vec<BrokerId>)>>,
    pub(super) preferred: Option<Vec<TopicPartition>>,
    pub(super) isr_changes: BTreeMap<String, Vec<TopicPartition>>,
    pub(super) log_dir_events: BTreeMap<String, BrokerId>,
    pub(super) producer_ids: Option<Versioned<Option<ProducerIdBlock>>>,
    pub(super) features: Option<FeatureNode>,
    pub(super) unclean: BTreeSet<TopicName>,
    zxid: i64,
}

pub(super) fn ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().map(|id| BrokerId(*id)).collect()
}

pub(super) fn partition(name: &str) -> TopicPartition {
    let (topic, index) = name.rsplit_once('-').unwrap();
    TopicPartition::new(topic, index.parse().unwrap())
}

impl Zoo {
    /// Registers a broker anew, under a higher epoch each time.
    pub(super) fn register(&mut self, id: i32) -> BrokerEpoch {
        self.zxid += 1;
        let epoch = BrokerEpoch(self.zxid);
        let endpoint = gregor_model::EndPoint {
            listener: ListenerName::new("PLAINTEXT"),
            protocol: SecurityProtocol::Plaintext,
            host: format!("broker-{id}"),
            port: 9092,
        };
        let broker = BrokerEndpoints { id: BrokerId(id), epoch, endpoints: vec![endpoint], rack: None };
        let registration = BrokerRegistration { broker: Arc::new(broker), features: BTreeMap::new() };
        self.brokers.insert(BrokerId(id), registration);
        epoch
    }

    pub(super) fn topic_id(&mut self) -> TopicId {
        self.zxid += 1;
        (0..=u8::MAX)
            .find_map(|salt| {
                let mut bytes = [salt; 16];
                bytes[..8].copy_from_slice(&self.zxid.to_le_bytes());
                TopicId::from_random(bytes)
            })
            .unwrap()
    }

    pub(super) fn create_topic(&mut self, name: &str, partitions: &[&[i32]]) {
        let id = Some(self.topic_id());
        let partitions = (0..)
            .zip(partitions)
            .map(|(index, replicas)| (index, Arc::new(ReplicaAssignment::new(ids(replicas)))))
            .collect();
        self.topics.insert(name.into(), TopicNode { name: name.into(), id, partitions });
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            features: self.features.clone(),
            isr_changes: self.isr_changes.keys().cloned().collect(),
            log_dir_events: self.log_dir_events.keys().cloned().collect(),
            brokers: self.brokers.values().cloned().collect(),
            topics: self.topics.values().cloned().collect(),
            states: self.states.iter().map(|(name, state)| (name.clone(), state.clone())).collect(),
            deletions: self.markers.iter().cloned().collect(),
            reassignments: self.reassignments.clone(),
            preferred_elections: self.preferred.clone().unwrap_or_default(),
        }
    }

    pub(super) fn perform(&mut self, operation: Operation) -> Outcome {
        match operation {
            Operation::LoadContext => Outcome::Context(Box::new(self.snapshot())),
            Operation::ReadBrokers => Outcome::Brokers(self.brokers.values().cloned().collect()),
            Operation::ReadBroker(id) => {
                Outcome::Brokers(self.brokers.get(&id).cloned().into_iter().collect())
            }
            Operation::ListTopics => Outcome::TopicNames(self.topics.keys().cloned().collect()),
            Operation::ReadTopics(names) => {
                Outcome::Topics(names.iter().filter_map(|name| self.topics.get(name).cloned()).collect())
            }
            Operation::ListCreatedPartitions(topic) => {
                let created = self.states.keys().filter(|name| name.topic == topic);
                Outcome::PartitionIndexes(created.map(|name| name.partition).collect())
            }
            Operation::ListDeletions => Outcome::TopicNames(self.markers.iter().cloned().collect()),
            Operation::ReadPartitionStates(names) => {
                Outcome::PartitionStates(names.iter().map(|name| self.states.get(name).cloned()).collect())
            }
            Operation::ReadUncleanElection(names) => {
                Outcome::Flags(names.iter().map(|name| self.unclean.contains(name)).collect())
            }
            Operation::ReadReassignments => Outcome::Reassignments(self.reassignments.clone()),
            Operation::ReadPreferredElection => Outcome::PreferredElection(self.preferred.clone()),
            Operation::ReadIsrChanges => Outcome::IsrChanges {
                names: self.isr_changes.keys().cloned().collect(),
                partitions: self.isr_changes.values().flatten().cloned().collect(),
            },
            Operation::ReadLogDirEvents => Outcome::LogDirEvents {
                names: self.log_dir_events.keys().cloned().collect(),
                brokers: self.log_dir_events.values().copied().collect(),
            },
            Operation::ReadProducerIdBlock => Outcome::ProducerIdBlock(self.producer_ids),
            write => self.write(write),
        }
    }

    fn write(&mut self, operation: Operation) -> Outcome {
        match operation {
            Operation::CreatePartitionStates(creates) => {
                let create = |create: crate::PartitionStateCreate| self.create_state(create);
                return Outcome::Created(creates.into_iter().map(create).collect());
            }
            Operation::WritePartitionStates(writes) => {
                let write = |write: crate::PartitionStateWrite| self.write_state(write);
                return Outcome::Written(writes.into_iter().map(write).collect());
            }
            Operation::WriteTopics(nodes) => {
                let results = nodes.iter().map(|_| Ok(())).collect();
                self.topics.extend(nodes.into_iter().map(|node| (node.name.clone(), node)));
                return Outcome::Results(results);
            }
            Operation::AssignTopicIds(nodes) => return self.assign_ids(nodes),
            Operation::DeleteTopics(names) => {
                for name in &names {
                    self.topics.remove(name);
                    self.markers.remove(name);
                    self.states.retain(|partition, _| partition.topic != *name);
                }
                return Outcome::Results(names.iter().map(|_| Ok(())).collect());
            }
            Operation::WriteProducerIdBlock { block, expected } => {
                let found = self.producer_ids.map(|(_, version)| version);
                if found == expected {
                    let version = found.map_or(ZnodeVersion(0), ZnodeVersion::next);
                    self.producer_ids = Some((Some(block), version));
                }
                return Outcome::Conditional(found == expected);
            }
            Operation::DeleteDeletionMarkers(names) => self.markers.retain(|name| !names.contains(name)),
            Operation::WriteReassignments(entries) => self.reassignments = Some(entries),
            Operation::DeleteReassignments => self.reassignments = None,
            Operation::DeletePreferredElection => self.preferred = None,
            Operation::DeleteIsrChanges(names) => self.isr_changes.retain(|name, _| !names.contains(name)),
            Operation::DeleteLogDirEvents(names) => {
                self.log_dir_events.retain(|name, _| !names.contains(name))
            }
            Operation::WriteFeatures(node) => self.features = Some(node),
            read => unreachable!("{read:?} is a read"),
        }
        Outcome::Done
    }

    fn create_state(&mut self, create: crate::PartitionStateCreate) -> CreateOutcome {
        if !self.topics.contains_key(&create.partition.topic) {
            return CreateOutcome::Failed("NONODE".to_owned());
        }
        if let Some(found) = self.states.get(&create.partition) {
            return CreateOutcome::Exists(Some(found.clone()));
        }
        assert_eq!(create.leadership.leader_and_isr.partition_epoch, PartitionEpoch(0));
        self.states.insert(create.partition, (*create.leadership).clone());
        CreateOutcome::Created
    }

    fn write_state(&mut self, write: crate::PartitionStateWrite) -> WriteOutcome {
        match self.states.get_mut(&write.partition) {
            None => WriteOutcome::Failed("NONODE".to_owned()),
            Some(found) if found.leader_and_isr.partition_epoch != write.expected => {
                WriteOutcome::Conflict(Some(found.clone()))
            }
            Some(found) => {
                assert_eq!(write.leadership.leader_and_isr.partition_epoch, write.expected.next());
                *found = (*write.leadership).clone();
                WriteOutcome::Written
            }
        }
    }

    fn assign_ids(&mut self, nodes: Vec<TopicNode>) -> Outcome {
        let mut assigned = Vec::new();
        for node in nodes {
            let id = self.topic_id();
            let found = self.topics.get_mut(&node.name);
            assigned.push(found.map(|topic| {
                topic.id = Some(id);
                id
            }));
        }
        Outcome::TopicIds(assigned)
    }
}
