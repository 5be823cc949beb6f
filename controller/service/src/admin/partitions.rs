//! Adding partitions to a topic (`AdminZkClient.addPartitions`, `ZkAdminManager.createPartitions`).

use std::collections::{BTreeMap, HashSet};

use gregor_controller_machine::{Candidate, PlacementError, PlacementStart, place_replicas};
use gregor_model::{BrokerId, ReplicaAssignment, TopicName};
use gregor_zookeeper::ZooKeeperError;
use gregor_zookeeper::schema::topic::TopicAssignment;
use gregor_zookeeper::store::{Store, TopicWriteError};

/// Why partitions were not added; the texts are Kafka's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddPartitionsError {
    /// UNKNOWN_TOPIC_OR_PARTITION (3).
    #[error("The topic '{0}' does not exist.")]
    UnknownTopic(TopicName),
    /// INVALID_PARTITIONS (37).
    #[error("Topic already has {0} partitions.")]
    Unchanged(i32),
    /// INVALID_PARTITIONS (37).
    #[error("Topic currently has {current} partitions, which is higher than the requested {wanted}.")]
    Fewer {
        /// As it is.
        current: i32,
        /// As asked for.
        wanted: i32,
    },
    /// INVALID_PARTITIONS (37).
    #[error("{0} partitions do not fit into a znode.")]
    TooMany(i32),
    /// INVALID_REPLICA_ASSIGNMENT (39).
    #[error("{0}")]
    InvalidAssignment(String),
    /// Mixed racks: UNKNOWN_SERVER_ERROR (-1); too few brokers: INVALID_REPLICATION_FACTOR (38).
    #[error(transparent)]
    Placement(#[from] PlacementError),
    /// UNKNOWN_SERVER_ERROR (-1).
    #[error(transparent)]
    ZooKeeper(#[from] ZooKeeperError),
}

/// The most partitions of a topic: its znode must fit into a ZooKeeper request.
const PARTITIONS_MAX: i32 = 200_000;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPartitions {
    /// The topic.
    pub topic: TopicName,
    /// How many partitions it is to have.
    pub count: i32,
    /// Replicas of each new partition; `None` to place them.
    pub assignments: Option<Vec<Vec<BrokerId>>>,
}

/// The replicas of the new partitions.
pub type AddedPartitions = BTreeMap<i32, Vec<BrokerId>>;

/// Adds partitions, or with `validate_only` says whether they could be. That the topic is neither queued for deletion nor
/// being reassigned is for the caller to check with the controller.
pub async fn add_partitions(
    store: &Store,
    new: &NewPartitions,
    validate_only: bool,
) -> Result<AddedPartitions, AddPartitionsError> {
    let unknown = || AddPartitionsError::UnknownTopic(new.topic.clone());
    let topic = store.topic(&new.topic).await?.ok_or_else(unknown)?;
    let brokers: Vec<Candidate> = store
        .brokers()
        .await?
        .into_iter()
        .map(|broker| Candidate { id: broker.id, rack: broker.registration.rack })
        .collect();
    let added = assign(&topic.assignment, new, &brokers)?;
    if !validate_only {
        let mut assignment = topic.assignment;
        let replicas = added.iter().map(|(index, list)| (*index, ReplicaAssignment::new(list.clone())));
        assignment.partitions.extend(replicas);
        store.replace_topic(&new.topic, &assignment).await.map_err(|error| match error {
            TopicWriteError::ZooKeeper(error) => AddPartitionsError::ZooKeeper(error),
            TopicWriteError::Missing(_) | TopicWriteError::Exists(_) => unknown(),
        })?;
    }
    Ok(added)
}

fn assign(
    topic: &TopicAssignment,
    new: &NewPartitions,
    brokers: &[Candidate],
) -> Result<AddedPartitions, AddPartitionsError> {
    let current = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    let added = match new.count.checked_sub(current) {
        Some(0) => return Err(AddPartitionsError::Unchanged(current)),
        Some(added @ 1..) if new.count <= PARTITIONS_MAX => added,
        Some(1..) => return Err(AddPartitionsError::TooMany(new.count)),
        _ => return Err(AddPartitionsError::Fewer { current, wanted: new.count }),
    };
    let missing = || {
        AddPartitionsError::InvalidAssignment(
            "Unexpected existing replica assignment: partition 0 is missing.".to_owned(),
        )
    };
    let existing = &topic.partitions.get(&0).ok_or_else(missing)?.replicas;
    match &new.assignments {
        Some(lists) => {
            check(lists, added, existing.len(), brokers)?;
            Ok((current..).zip(lists.iter().cloned()).collect())
        }
        None => {
            let start = PlacementStart::after(existing.first().copied().unwrap_or_default(), brokers);
            let factor = i16::try_from(existing.len()).unwrap_or(i16::MAX);
            Ok(place_replicas(brokers, added, factor, current, start)?)
        }
    }
}

fn check(
    lists: &[Vec<BrokerId>],
    added: i32,
    replication_factor: usize,
    brokers: &[Candidate],
) -> Result<(), AddPartitionsError> {
    let invalid = |reason: String| Err(AddPartitionsError::InvalidAssignment(reason));
    let known: HashSet<BrokerId> = brokers.iter().map(|broker| broker.id).collect();
    let mut unknown: Vec<i32> =
        lists.iter().flatten().filter(|id| !known.contains(id)).map(|id| id.0).collect();
    unknown.sort_unstable();
    unknown.dedup();
    if !unknown.is_empty() {
        let unknown: Vec<String> = unknown.iter().map(i32::to_string).collect();
        return invalid(format!("Unknown broker(s) in replica assignment: {}.", unknown.join(", ")));
    }
    if i32::try_from(lists.len()) != Ok(added) {
        let count = lists.len();
        return invalid(format!(
            "Increasing the number of partitions by {added} but {count} assignments provided."
        ));
    }
    for list in lists {
        let distinct: HashSet<&BrokerId> = list.iter().collect();
        if list.is_empty() {
            return invalid("Cannot have replication factor of 0 for a partition.".to_owned());
        }
        if distinct.len() != list.len() {
            return invalid("Duplicate brokers not allowed in replica assignment.".to_owned());
        }
        if list.len() != replication_factor {
            return invalid(format!(
                "Inconsistent replication factor between partitions: expected {replication_factor}, found {}.",
                list.len()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brokers() -> Vec<Candidate> {
        (1..=4).map(|id| Candidate { id: BrokerId(id), rack: None }).collect()
    }

    fn topic(lists: &[&[i32]]) -> TopicAssignment {
        let replicas = |list: &&[i32]| ReplicaAssignment::new(list.iter().copied().map(BrokerId).collect());
        let partitions = (0..).zip(lists.iter().map(replicas)).collect();
        TopicAssignment { topic_id: None, partitions }
    }

    fn ids(list: &[i32]) -> Vec<BrokerId> {
        list.iter().copied().map(BrokerId).collect()
    }

    #[track_caller]
    fn check_assign(count: i32, lists: Option<&[&[i32]]>) -> Result<AddedPartitions, AddPartitionsError> {
        let assignments = lists.map(|lists| lists.iter().map(|list| ids(list)).collect());
        let new = NewPartitions { topic: TopicName::new("t"), count, assignments };
        assign(&topic(&[&[3, 1], &[4, 2], &[1, 3]]), &new, &brokers())
    }

    #[test]
    fn placement_goes_on_from_the_first_replica() {
        // The reference's example: 3 to 5 partitions, brokers 1 to 4, partition 0 on [3, 1].
        let added = check_assign(5, None).unwrap();
        assert_eq!(added, BTreeMap::from([(3, ids(&[2, 1])), (4, ids(&[3, 4]))]));
    }

    #[test]
    fn counts_must_grow() {
        assert_eq!(check_assign(3, None), Err(AddPartitionsError::Unchanged(3)));
        assert_eq!(check_assign(2, None), Err(AddPartitionsError::Fewer { current: 3, wanted: 2 }));
        assert_eq!(check_assign(-7, None), Err(AddPartitionsError::Fewer { current: 3, wanted: -7 }));
        assert_eq!(
            check_assign(i32::MIN, None),
            Err(AddPartitionsError::Fewer { current: 3, wanted: i32::MIN })
        );
        assert_eq!(check_assign(i32::MAX, None), Err(AddPartitionsError::TooMany(i32::MAX)));
    }

    #[test]
    fn lists_must_fit() {
        assert_eq!(check_assign(4, Some(&[&[2, 3]])).unwrap(), BTreeMap::from([(3, ids(&[2, 3]))]));
        for (count, lists) in
            [(4, &[&[2, 9][..]][..]), (5, &[&[2, 3]]), (4, &[&[]]), (4, &[&[2, 2]]), (4, &[&[2, 3, 4]])]
        {
            let result = check_assign(count, Some(lists));
            assert!(matches!(result, Err(AddPartitionsError::InvalidAssignment(_))), "{lists:?}: {result:?}");
        }
    }
}
