//! Adding partitions to a topic (`ZkAdminManager.createPartitions`, `AdminZkClient.addPartitions`).

use std::collections::BTreeSet;

use gregor_controller_machine::{PlacementError, PlacementStart, place_replicas};
use gregor_controller_service::TopicStanding;
use gregor_model::{BrokerId, ReplicaAssignment, TopicName};
use gregor_zookeeper::ZooKeeperError;
use gregor_zookeeper::store::TopicWriteError;

use super::{TopicAdmin, candidates};
use crate::metadata_cache::MetadataSnapshot;

/// What a topic is to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// The topic.
    pub name: TopicName,
    /// How many partitions it is to have in all.
    pub count: i32,
    /// The replicas of the new ones; `None` for Kafka's placement.
    pub assignments: Option<Vec<Vec<BrokerId>>>,
}

/// Why a topic did not grow; the texts are Kafka's.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GrowError {
    /// INVALID_TOPIC_EXCEPTION.
    #[error("The topic is queued for deletion.")]
    QueuedForDeletion,
    /// REASSIGNMENT_IN_PROGRESS.
    #[error("A partition reassignment is in progress for the topic '{0}'.")]
    BeingReassigned(TopicName),
    /// UNKNOWN_TOPIC_OR_PARTITION.
    #[error("The topic '{0}' does not exist.")]
    Unknown(TopicName),
    /// INVALID_PARTITIONS.
    #[error("Topic currently has {current} partitions, which is higher than the requested {wanted}.")]
    Fewer {
        /// How many it has.
        current: usize,
        /// How many were asked for.
        wanted: i32,
    },
    /// INVALID_PARTITIONS.
    #[error("Topic already has {0} partitions.")]
    AsMany(usize),
    /// INVALID_REPLICA_ASSIGNMENT.
    #[error("{0}")]
    Assignment(String),
    /// The code of the placement error.
    #[error(transparent)]
    Placement(#[from] PlacementError),
    /// UNKNOWN_SERVER_ERROR.
    #[error("{0}")]
    ZooKeeper(#[from] ZooKeeperError),
}

impl From<TopicWriteError> for GrowError {
    fn from(error: TopicWriteError) -> GrowError {
        match error {
            TopicWriteError::Exists(name) | TopicWriteError::Missing(name) => GrowError::Unknown(name),
            TopicWriteError::ZooKeeper(error) => GrowError::ZooKeeper(error),
        }
    }
}

impl TopicAdmin {
    /// Adds partitions, or with `validate_only` says whether it could. Returns how many there are then.
    pub async fn grow(
        &self,
        snapshot: &MetadataSnapshot,
        growth: &Growth,
        standing: TopicStanding,
        validate_only: bool,
    ) -> Result<usize, GrowError> {
        if standing.queued_for_deletion {
            return Err(GrowError::QueuedForDeletion);
        }
        let Some(stored) = self.store.topic(&growth.name).await? else {
            return Err(GrowError::Unknown(growth.name.clone()));
        };
        let mut assignment = stored.assignment;
        if standing.being_reassigned
            || assignment.partitions.values().any(ReplicaAssignment::is_being_reassigned)
        {
            return Err(GrowError::BeingReassigned(growth.name.clone()));
        }
        let current = assignment.partitions.len();
        let first = i32::try_from(current).unwrap_or(i32::MAX);
        let added = growth.count.saturating_sub(first);
        if added < 0 {
            return Err(GrowError::Fewer { current, wanted: growth.count });
        }
        if added == 0 {
            return Err(GrowError::AsMany(current));
        }
        let model =
            assignment.partitions.get(&0).map(|replicas| replicas.replicas.clone()).unwrap_or_default();
        let placed: Vec<Vec<BrokerId>> = match &growth.assignments {
            Some(lists) => {
                check_lists(snapshot, lists, first, added, model.len())?;
                lists.clone()
            }
            None => {
                let brokers = candidates(snapshot);
                let start = PlacementStart::after(model.first().copied().unwrap_or_default(), &brokers);
                let factor = i16::try_from(model.len()).unwrap_or(i16::MAX);
                place_replicas(&brokers, added, factor, first, start)?.into_values().collect()
            }
        };
        for (partition, replicas) in (first..).zip(placed) {
            assignment.partitions.insert(partition, ReplicaAssignment::new(replicas));
        }
        let count = assignment.partitions.len();
        if !validate_only {
            self.store.replace_topic(&growth.name, &assignment).await?;
            tracing::info!(topic = %growth.name, partitions = count, "partitions added");
        }
        Ok(count)
    }
}

/// Whether the lists given are replicas of so many new partitions (`validateReplicaAssignment`).
fn check_lists(
    snapshot: &MetadataSnapshot,
    lists: &[Vec<BrokerId>],
    first: i32,
    added: i32,
    replication_factor: usize,
) -> Result<(), GrowError> {
    let refuse = |message: String| Err(GrowError::Assignment(message));
    let unknown: BTreeSet<BrokerId> =
        lists.iter().flatten().copied().filter(|id| !snapshot.is_alive(*id)).collect();
    if !unknown.is_empty() {
        let unknown: Vec<String> = unknown.iter().map(ToString::to_string).collect();
        return refuse(format!("Unknown broker(s) in replica assignment: {}.", unknown.join(", ")));
    }
    if lists.len() != usize::try_from(added).unwrap_or(0) {
        return refuse(format!(
            "Increasing the number of partitions by {added} but {} assignments provided.",
            lists.len()
        ));
    }
    for (partition, list) in (first..).zip(lists) {
        let distinct: BTreeSet<&BrokerId> = list.iter().collect();
        if list.is_empty() {
            return refuse(format!("Cannot have replication factor of 0 for partition id {partition}."));
        }
        if distinct.len() != list.len() {
            let list = listed(list);
            return refuse(format!(
                "Duplicate brokers not allowed in replica assignment: {list} for partition id {partition}."
            ));
        }
    }
    let uneven: Vec<(i32, usize)> = (first..)
        .zip(lists)
        .map(|(partition, list)| (partition, list.len()))
        .filter(|(_, size)| *size != replication_factor)
        .collect();
    if uneven.is_empty() {
        return Ok(());
    }
    let partitions: Vec<i32> = uneven.iter().map(|(partition, _)| *partition).collect();
    let sizes: Vec<usize> = uneven.iter().map(|(_, size)| *size).collect();
    refuse(format!(
        "Inconsistent replication factor between partitions, partition 0 has {replication_factor} while partitions [{}] have replication factors [{}], respectively.",
        listed(&partitions),
        listed(&sizes)
    ))
}

fn listed<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
