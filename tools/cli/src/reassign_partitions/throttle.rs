//! What a throttle is set on: which replicas copy from where to where (`ReassignPartitionsCommand.calculateProposedMoveMap`
//! and those after it). Pure.

use std::collections::{BTreeMap, BTreeSet};

use gregor_model::TopicPartition;

use crate::admin::configs::ConfigChange;
use crate::admin::reassignments::Reassignments;

/// How fast a broker sends throttled replicas, in bytes a second.
const LEADER_RATE: &str = "leader.replication.throttled.rate";
/// How fast it receives them.
const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
/// How fast it moves replicas between its log directories.
const LOG_DIRS_RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";
/// Which of a topic's replicas are throttled when they send.
const LEADER_REPLICAS: &str = "leader.replication.throttled.replicas";
/// Which are throttled when they receive.
const FOLLOWER_REPLICAS: &str = "follower.replication.throttled.replicas";

/// The brokers a partition is copied from, and those it is copied to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Move {
    sources: BTreeSet<i32>,
    destinations: BTreeSet<i32>,
}

/// Every partition that moves.
pub type Moves = BTreeMap<TopicPartition, Move>;

/// What moves once `proposed` is carried out beside what is under way. Where a partition moves already, it is copied from
/// where it was before.
pub fn moves(
    under_way: &Reassignments,
    proposed: &BTreeMap<TopicPartition, Vec<i32>>,
    current: &BTreeMap<TopicPartition, Vec<i32>>,
) -> Moves {
    let mut moves: Moves = under_way
        .iter()
        .map(|(partition, reassignment)| {
            let destinations: BTreeSet<i32> = reassignment.adding.iter().copied().collect();
            let sources =
                reassignment.replicas.iter().copied().filter(|id| !destinations.contains(id)).collect();
            (partition.clone(), Move { sources, destinations })
        })
        .collect();
    for (partition, replicas) in proposed {
        let sources: BTreeSet<i32> = match moves.get(partition) {
            Some(under_way) => under_way.sources.clone(),
            None => current.get(partition).into_iter().flatten().copied().collect(),
        };
        let destinations = replicas.iter().copied().filter(|id| !sources.contains(id)).collect();
        moves.insert(partition.clone(), Move { sources, destinations });
    }
    moves
}

/// For each topic, the configs that name its throttled replicas.
pub fn topic_changes(moves: &Moves) -> BTreeMap<String, Vec<ConfigChange>> {
    let mut leaders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut followers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (TopicPartition { topic, partition }, Move { sources, destinations }) in moves {
        let named = |brokers: &BTreeSet<i32>| -> Vec<String> {
            brokers.iter().map(|broker| format!("{partition}:{broker}")).collect()
        };
        leaders.entry(topic.to_string()).or_default().extend(named(sources));
        followers.entry(topic.to_string()).or_default().extend(named(destinations));
    }
    let list = |names: &BTreeSet<String>| Some(names.iter().cloned().collect::<Vec<_>>().join(","));
    let changes = leaders.into_iter().map(|(topic, leaders)| {
        let followers = followers.get(&topic).cloned().unwrap_or_default();
        let changes = vec![
            (LEADER_REPLICAS.to_owned(), list(&leaders)),
            (FOLLOWER_REPLICAS.to_owned(), list(&followers)),
        ];
        (topic, changes)
    });
    changes.collect()
}

/// Every broker that sends or receives.
pub fn brokers(moves: &Moves) -> BTreeSet<i32> {
    moves.values().flat_map(|one| one.sources.union(&one.destinations).copied()).collect()
}

/// A broker's configs for a throttle between brokers.
pub fn broker_changes(rate: i64) -> Vec<ConfigChange> {
    [LEADER_RATE, FOLLOWER_RATE].map(|key| (key.to_owned(), Some(rate.to_string()))).to_vec()
}

/// A broker's configs for a throttle between its log directories.
pub fn log_dirs_changes(rate: i64) -> Vec<ConfigChange> {
    vec![(LOG_DIRS_RATE.to_owned(), Some(rate.to_string()))]
}

/// What lifts every throttle of a broker.
pub fn broker_removals() -> Vec<ConfigChange> {
    [LEADER_RATE, FOLLOWER_RATE, LOG_DIRS_RATE].map(|key| (key.to_owned(), None)).to_vec()
}

/// What lifts every throttle of a topic.
pub fn topic_removals() -> Vec<ConfigChange> {
    [LEADER_REPLICAS, FOLLOWER_REPLICAS].map(|key| (key.to_owned(), None)).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::reassignments::Reassignment;

    fn partition(index: i32) -> TopicPartition {
        TopicPartition::new("t", index)
    }

    fn set(ids: &[i32]) -> BTreeSet<i32> {
        ids.iter().copied().collect()
    }

    #[test]
    fn what_moves() {
        let reassignment = Reassignment { replicas: vec![4, 1, 2], adding: vec![4], removing: vec![1] };
        let under_way =
            Reassignments::from([(partition(0), reassignment.clone()), (partition(9), reassignment)]);
        let proposed = BTreeMap::from([(partition(0), vec![2, 5]), (partition(1), vec![1, 3])]);
        let current = BTreeMap::from([(partition(0), vec![4, 1, 2]), (partition(1), vec![1, 2])]);
        let moves = moves(&under_way, &proposed, &current);
        let expected = Moves::from([
            (partition(0), Move { sources: set(&[1, 2]), destinations: set(&[5]) }),
            (partition(1), Move { sources: set(&[1, 2]), destinations: set(&[3]) }),
            (partition(9), Move { sources: set(&[1, 2]), destinations: set(&[4]) }),
        ]);
        assert_eq!(moves, expected);
        assert_eq!(brokers(&moves), set(&[1, 2, 3, 4, 5]));
        let changes = topic_changes(&moves);
        let value = |index: usize| changes["t"][index].1.clone().unwrap();
        assert_eq!((value(0), value(1)), ("0:1,0:2,1:1,1:2,9:1,9:2".to_owned(), "0:5,1:3,9:4".to_owned()));
    }

    #[test]
    fn configs() {
        assert!(broker_changes(5).iter().all(|(_, value)| value.as_deref() == Some("5")));
        assert_eq!(broker_removals().len(), 3);
        assert!(topic_removals().iter().chain(&broker_removals()).all(|(_, value)| value.is_none()));
        assert_eq!(log_dirs_changes(7), [(LOG_DIRS_RATE.to_owned(), Some("7".to_owned()))]);
    }
}
