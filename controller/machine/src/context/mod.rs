//! What the active controller knows (`ControllerContext`): brokers, topics, partitions, replicas and their states.
//!
//! Built for hundreds of thousands of partitions: a partition is a small key into one array, and what events ask
//! for (replicas of a broker, partitions without a leader, reassignments, deletions) is kept as an index. Owned by the
//! controller; every change goes through methods that keep the indexes true. Keys are never used twice in a term, so a
//! key that outlives its partition finds nothing.

mod brokers;
mod state;
mod topics;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use gregor_model::{
    BrokerId, ControllerEpoch, LeaderEpoch, ReplicaAssignment, TopicId, TopicName, TopicPartition,
};

pub(crate) use brokers::{Brokers, Liveness};
pub(crate) use state::{PartitionState, ReplicaState};

use crate::control::Leadership;
use crate::znode::FinalizedFeatures;

/// Names a partition within one term of one controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PartitionKey(u32);

/// Names a topic within one term of one controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TopicKey(u32);

/// One replica: a partition on a broker (`PartitionAndReplica`).
pub(crate) type Replica = (PartitionKey, BrokerId);

/// A topic and where its deletion stands.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: TopicName,
    pub(crate) id: Option<TopicId>,
    pub(crate) partitions: BTreeMap<i32, PartitionKey>,
    /// `topicsToBeDeleted`.
    pub(crate) queued_for_deletion: bool,
    /// `topicsWithDeletionStarted`.
    pub(crate) deletion_started: bool,
    /// `topicsIneligibleForDeletion`.
    pub(crate) ineligible_for_deletion: bool,
}

/// A partition, its leadership as cached, and the states of it and its replicas.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) topic: TopicKey,
    pub(crate) name: TopicPartition,
    pub(crate) assignment: Arc<ReplicaAssignment>,
    pub(crate) leadership: Option<Leadership>,
    pub(crate) state: PartitionState,
    /// States of replicas that have one; those without are `NonExistentReplica`.
    replicas: Vec<(BrokerId, ReplicaState)>,
}

impl Partition {
    /// The state of this partition's replica on `broker`.
    pub(crate) fn replica_state(&self, broker: BrokerId) -> ReplicaState {
        self.replicas
            .iter()
            .find(|(id, _)| *id == broker)
            .map_or(ReplicaState::NonExistent, |(_, state)| *state)
    }

    /// The leader, when leadership is known and there is one.
    pub(crate) fn leader(&self) -> Option<BrokerId> {
        self.leadership.as_ref().and_then(|leadership| leadership.leader_and_isr.leader)
    }

    /// `A[0]`.
    pub(crate) fn preferred_leader(&self) -> Option<BrokerId> {
        self.assignment.replicas.first().copied()
    }
}

/// Everything the active controller knows; empty when not active.
#[derive(Debug, Default)]
pub(crate) struct Context {
    pub(crate) epoch: ControllerEpoch,
    pub(crate) brokers: Brokers,
    pub(crate) finalized_features: FinalizedFeatures,
    /// Whether `/admin/reassign_partitions` exists, as far as we know.
    pub(crate) legacy_reassignment: bool,
    topics: Vec<Option<Box<Topic>>>,
    partitions: Vec<Option<Box<Partition>>>,
    topics_by_name: HashMap<TopicName, TopicKey>,
    topics_by_id: HashMap<TopicId, TopicKey>,
    assigned: BTreeMap<BrokerId, BTreeSet<PartitionKey>>,
    offline_dirs: BTreeMap<BrokerId, BTreeSet<PartitionKey>>,
    unsettled: BTreeSet<PartitionKey>,
    reassigning: BTreeSet<PartitionKey>,
    deleting: BTreeSet<TopicKey>,
}

impl Context {
    /// The partition, unless it is gone.
    pub(crate) fn partition(&self, key: PartitionKey) -> Option<&Partition> {
        self.partitions.get(key.0 as usize)?.as_deref()
    }

    fn partition_mut(&mut self, key: PartitionKey) -> Option<&mut Partition> {
        self.partitions.get_mut(key.0 as usize)?.as_deref_mut()
    }

    /// All partitions, in the order they became known.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = (PartitionKey, &Partition)> {
        (0u32..)
            .zip(&self.partitions)
            .filter_map(|(key, partition)| Some((PartitionKey(key), partition.as_deref()?)))
    }

    /// The key of a partition.
    pub(crate) fn find(&self, name: &TopicPartition) -> Option<PartitionKey> {
        self.topic(self.topic_key(&name.topic)?)?.partitions.get(&name.partition).copied()
    }

    /// Keys of these partitions; unknown ones are left out.
    pub(crate) fn find_all<'a>(
        &self,
        names: impl IntoIterator<Item = &'a TopicPartition>,
    ) -> Vec<PartitionKey> {
        names.into_iter().filter_map(|name| self.find(name)).collect()
    }

    /// Partitions assigned to a broker.
    pub(crate) fn partitions_on(&self, broker: BrokerId) -> impl Iterator<Item = PartitionKey> {
        self.assigned.get(&broker).into_iter().flatten().copied()
    }

    /// Replicas on these brokers.
    pub(crate) fn replicas_on(&self, brokers: &[BrokerId]) -> Vec<Replica> {
        brokers.iter().flat_map(|broker| self.partitions_on(*broker).map(|key| (key, *broker))).collect()
    }

    /// Assigned replicas of these partitions.
    pub(crate) fn replicas_of(&self, keys: &[PartitionKey]) -> Vec<Replica> {
        keys.iter()
            .filter_map(|key| Some((*key, self.partition(*key)?)))
            .flat_map(|(key, partition)| {
                partition.assignment.replicas.iter().map(move |broker| (key, *broker))
            })
            .collect()
    }

    /// Partitions in state New or Offline whose topic is not queued for deletion.
    pub(crate) fn unsettled(&self, topic: Option<TopicKey>) -> Vec<PartitionKey> {
        let wanted = |key: &PartitionKey| {
            self.partition(*key).is_some_and(|partition| {
                topic.is_none_or(|topic| topic == partition.topic)
                    && !self.is_queued_for_deletion(partition.topic)
            })
        };
        self.unsettled.iter().copied().filter(wanted).collect()
    }

    /// Partitions of topics outside deletion whose leadership is known and whose leader is not online.
    pub(crate) fn with_offline_leader(&self) -> Vec<PartitionKey> {
        self.partitions()
            .filter(|(key, partition)| {
                partition.leadership.is_some()
                    && !partition.leader().is_some_and(|leader| self.is_online(*key, leader))
                    && !self.is_queued_for_deletion(partition.topic)
            })
            .map(|(key, _)| key)
            .collect()
    }

    /// Partitions of topics outside deletion whose leadership is known (`partitionsWithLeaders`).
    pub(crate) fn with_leadership(&self) -> Vec<PartitionKey> {
        self.partitions()
            .filter(|(_, partition)| {
                partition.leadership.is_some() && !self.is_queued_for_deletion(partition.topic)
            })
            .map(|(key, _)| key)
            .collect()
    }

    /// Partitions being reassigned.
    pub(crate) fn reassigning(&self) -> impl Iterator<Item = PartitionKey> {
        self.reassigning.iter().copied()
    }

    /// Whether the partition is being reassigned (`partitionsBeingReassigned`).
    pub(crate) fn is_reassigning(&self, key: PartitionKey) -> bool {
        self.reassigning.contains(&key)
    }

    /// Notes whether the partition is being reassigned.
    pub(crate) fn set_reassigning(&mut self, key: PartitionKey, reassigning: bool) {
        if reassigning {
            self.reassigning.insert(key);
        } else {
            self.reassigning.remove(&key);
        }
    }

    /// How the replica's host stands, its log directory considered.
    pub(crate) fn liveness(&self, key: PartitionKey, broker: BrokerId) -> Liveness {
        if self.offline_dirs.get(&broker).is_some_and(|keys| keys.contains(&key)) {
            Liveness::Offline
        } else {
            self.brokers.liveness(broker)
        }
    }

    /// `isReplicaOnline`: broker live, not shutting down, log directory not known to be offline.
    pub(crate) fn is_online(&self, key: PartitionKey, broker: BrokerId) -> bool {
        self.liveness(key, broker) == Liveness::Online
    }

    /// Changes the state of a partition.
    pub(crate) fn set_partition_state(&mut self, key: PartitionKey, state: PartitionState) {
        let Some(partition) = self.partition_mut(key) else { return };
        partition.state = state;
        if matches!(state, PartitionState::New | PartitionState::Offline) {
            self.unsettled.insert(key);
        } else {
            self.unsettled.remove(&key);
        }
    }

    /// Changes the state of a replica; `NonExistent` forgets it.
    pub(crate) fn set_replica_state(&mut self, (key, broker): Replica, state: ReplicaState) {
        let Some(partition) = self.partition_mut(key) else { return };
        partition.replicas.retain(|(id, _)| *id != broker);
        if state != ReplicaState::NonExistent {
            partition.replicas.push((broker, state));
        }
    }

    /// Caches leadership.
    pub(crate) fn set_leadership(&mut self, key: PartitionKey, leadership: Leadership) {
        if let Some(partition) = self.partition_mut(key) {
            partition.leadership = Some(leadership);
        }
    }

    /// Caches an assignment.
    pub(crate) fn set_assignment(&mut self, key: PartitionKey, assignment: Arc<ReplicaAssignment>) {
        let Some(partition) = self.partition_mut(key) else { return };
        let before = std::mem::replace(&mut partition.assignment, Arc::clone(&assignment));
        for broker in before.replicas.iter().filter(|broker| !assignment.replicas.contains(broker)) {
            self.unassign(key, *broker);
        }
        for broker in &assignment.replicas {
            self.assigned.entry(*broker).or_default().insert(key);
        }
    }

    fn unassign(&mut self, key: PartitionKey, broker: BrokerId) {
        if let Some(keys) = self.assigned.get_mut(&broker) {
            keys.remove(&key);
            if keys.is_empty() {
                self.assigned.remove(&broker);
            }
        }
        self.set_offline_dir((key, broker), false);
    }

    /// Notes whether the replica's log directory is offline; tells whether that is new.
    pub(crate) fn set_offline_dir(&mut self, (key, broker): Replica, offline: bool) -> bool {
        if offline {
            return self.offline_dirs.entry(broker).or_default().insert(key);
        }
        let Some(keys) = self.offline_dirs.get_mut(&broker) else { return false };
        let changed = keys.remove(&key);
        if keys.is_empty() {
            self.offline_dirs.remove(&broker);
        }
        changed
    }

    /// Forgets which directories of a broker were offline.
    pub(crate) fn forget_offline_dirs(&mut self, broker: BrokerId) {
        self.offline_dirs.remove(&broker);
    }

    /// The leader epoch in StopReplica: whether the topic is queued for deletion, and the cached epoch.
    pub(crate) fn stop_epoch(&self, key: PartitionKey) -> (bool, Option<LeaderEpoch>) {
        let Some(partition) = self.partition(key) else { return (false, None) };
        let epoch = partition.leadership.as_ref().map(|leadership| leadership.leader_and_isr.leader_epoch);
        (self.is_queued_for_deletion(partition.topic), epoch)
    }
}
