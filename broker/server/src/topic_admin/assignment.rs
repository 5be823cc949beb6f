//! Where the replicas of a new topic go: as the request says, or by Kafka's placement.

use std::collections::{BTreeMap, BTreeSet};

use gregor_controller_machine::{PlacementStart, place_replicas};
use gregor_model::BrokerId;

use super::candidates;
use super::error::CreateTopicError;
use crate::metadata_cache::MetadataSnapshot;

/// Replicas by partition, the preferred leader first.
pub type Assignment = BTreeMap<i32, Vec<BrokerId>>;

/// The most partitions of a topic: its node would be larger than ZooKeeper takes (1 MiB) with more.
const PARTITIONS_MAX: i32 = 200_000;

/// What a request says about partitions and replicas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// How many partitions; `None` (-1) is `num.partitions`.
    pub partitions: Option<i32>,
    /// How many replicas; `None` (-1) is `default.replication.factor`.
    pub replication_factor: Option<i16>,
    /// The replicas of each partition, as the request lists them; then the two above must not be given.
    pub assignments: Vec<(i32, Vec<BrokerId>)>,
}

/// What holds where a request says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicDefaults {
    /// `num.partitions`.
    pub partitions: i32,
    /// `default.replication.factor`.
    pub replication_factor: i16,
}

/// A random place to begin, for that many brokers.
pub fn random_start(brokers: usize) -> PlacementStart {
    let below = |limit: usize| if limit == 0 { 0 } else { rand::random_range(0..limit) };
    PlacementStart { first: below(brokers), shift: below(brokers) }
}

/// The replicas of each partition. Brokers named by the request may be unknown, as in Kafka.
pub fn resolve(
    layout: &Layout,
    defaults: TopicDefaults,
    snapshot: &MetadataSnapshot,
    start: impl FnOnce(usize) -> PlacementStart,
) -> Result<Assignment, CreateTopicError> {
    if !layout.assignments.is_empty() {
        if layout.partitions.is_some() || layout.replication_factor.is_some() {
            return Err(CreateTopicError::CountsAndAssignments);
        }
        return Ok(layout.assignments.iter().cloned().collect());
    }
    let partitions = layout.partitions.unwrap_or(defaults.partitions);
    let replication_factor = layout.replication_factor.unwrap_or(defaults.replication_factor);
    if partitions > PARTITIONS_MAX {
        return Err(CreateTopicError::TooManyPartitions { wanted: partitions, max: PARTITIONS_MAX });
    }
    let brokers = candidates(snapshot);
    Ok(place_replicas(&brokers, partitions, replication_factor, 0, start(brokers.len()))?)
}

/// Whether the assignment is one of a topic (`AdminZkClient.validateTopicCreate`).
pub fn check(assignment: &Assignment) -> Result<(), CreateTopicError> {
    let sizes: BTreeSet<_> = assignment.values().map(Vec::len).collect();
    if sizes.len() != 1 {
        return Err(CreateTopicError::UnequalReplicas);
    }
    let is_doubled = |replicas: &Vec<BrokerId>| {
        let distinct: BTreeSet<_> = replicas.iter().collect();
        distinct.len() != replicas.len()
    };
    if assignment.values().any(is_doubled) {
        return Err(CreateTopicError::DuplicateReplica(assignment.clone()));
    }
    if !assignment.keys().copied().eq((0..).take(assignment.len())) {
        return Err(CreateTopicError::PartitionGaps);
    }
    Ok(())
}
