//! `--generate`: a proposal that spreads topics over brokers (`ReassignPartitionsCommand.calculateAssignment`). Pure; the
//! random numbers that Kafka draws for each topic are handed in.

use std::collections::{BTreeMap, BTreeSet};

use gregor_controller_machine::{Candidate, PlacementError, PlacementStart, place_replicas};
use gregor_model::{BrokerId, TopicPartition};

use crate::admin::Cluster;

/// Why there is no proposal; the text is what Kafka's tool prints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError {
    /// A broker id that is no number.
    #[error("For input string: \"{0}\"")]
    BrokerId(String),
    /// A broker named twice.
    #[error("Broker list contains duplicate entries: [{0}]")]
    DuplicateBroker(i32),
    /// Racks that only some brokers have.
    #[error(
        "Not all brokers have rack information. Add --disable-rack-aware in command line to make replica assignment without \
         rack information."
    )]
    MixedRacks,
    /// Too few brokers.
    #[error(transparent)]
    Placement(#[from] PlacementError),
}

/// The brokers in `--broker-list`.
pub fn read_brokers(list: &str) -> Result<BTreeSet<i32>, GenerateError> {
    let mut brokers = BTreeSet::new();
    for word in list.split(',') {
        let id = word.parse().map_err(|_| GenerateError::BrokerId(word.to_owned()))?;
        if !brokers.insert(id) {
            return Err(GenerateError::DuplicateBroker(id));
        }
    }
    Ok(brokers)
}

/// The brokers that live among those wanted, with their racks if they are to be heeded.
pub fn candidates(
    cluster: &Cluster,
    wanted: &BTreeSet<i32>,
    with_racks: bool,
) -> Result<Vec<Candidate>, GenerateError> {
    let candidates: Vec<Candidate> = cluster
        .nodes
        .values()
        .filter(|node| wanted.contains(&node.id))
        .map(|node| Candidate { id: BrokerId(node.id), rack: node.rack.clone().filter(|_| with_racks) })
        .collect();
    let rackless = candidates.iter().filter(|candidate| candidate.rack.is_none()).count();
    if with_racks && rackless != 0 && rackless != candidates.len() {
        return Err(GenerateError::MixedRacks);
    }
    Ok(candidates)
}

/// An assignment of the same topics, each with the replication factor of its first partition. `start` draws where the
/// placement of a topic begins, for so many brokers.
pub fn propose(
    current: &BTreeMap<TopicPartition, Vec<i32>>,
    candidates: &[Candidate],
    mut start: impl FnMut(usize) -> PlacementStart,
) -> Result<BTreeMap<TopicPartition, Vec<i32>>, GenerateError> {
    let mut topics: BTreeMap<&str, Vec<&Vec<i32>>> = BTreeMap::new();
    for (partition, replicas) in current {
        topics.entry(partition.topic.as_str()).or_default().push(replicas);
    }
    let mut proposed = BTreeMap::new();
    for (topic, partitions) in topics {
        let count = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
        let factor = partitions.first().map_or(0, |replicas| replicas.len());
        let factor = i16::try_from(factor).unwrap_or(i16::MAX);
        let placed = place_replicas(candidates, count, factor, 0, start(candidates.len()))?;
        proposed.extend(placed.into_iter().map(|(partition, replicas)| {
            let replicas = replicas.into_iter().map(|BrokerId(id)| id).collect();
            (TopicPartition::new(topic, partition), replicas)
        }));
    }
    Ok(proposed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::Node;

    fn cluster(racks: [Option<&str>; 3]) -> Cluster {
        let node = |(id, rack): (i32, Option<&str>)| {
            (id, Node { id, host: "h".to_owned(), port: 1, rack: rack.map(str::to_owned) })
        };
        Cluster { nodes: (0..).zip(racks).map(node).collect(), ..Cluster::default() }
    }

    #[test]
    fn lists_of_brokers() {
        for (list, expected) in [
            ("0,2", Ok(BTreeSet::from([0, 2]))),
            ("0,x", Err("For input string: \"x\"")),
            ("1,1", Err("Broker list contains duplicate entries: [1]")),
        ] {
            let answer = read_brokers(list).map_err(|error| error.to_string());
            assert_eq!(answer, expected.map_err(str::to_owned));
        }
    }

    #[test]
    fn racks_are_heeded_if_all_have_one() {
        let wanted = BTreeSet::from([0, 1, 9]);
        let mixed = cluster([Some("a"), None, None]);
        assert_eq!(candidates(&mixed, &wanted, true), Err(GenerateError::MixedRacks));
        let found = candidates(&mixed, &wanted, false).unwrap();
        assert_eq!(
            found.iter().map(|one| (one.id.0, one.rack.clone())).collect::<Vec<_>>(),
            [(0, None), (1, None)]
        );
    }

    #[test]
    fn a_proposal_has_the_same_partitions_and_replication_factor() {
        let all = BTreeSet::from([0, 1, 2]);
        let brokers = candidates(&cluster([None, None, None]), &all, true).unwrap();
        let current: BTreeMap<TopicPartition, Vec<i32>> =
            (0..3).map(|partition| (TopicPartition::new("t", partition), vec![0, 1])).collect();
        let proposed = propose(&current, &brokers, |_| PlacementStart { first: 1, shift: 0 }).unwrap();
        assert!(proposed.keys().eq(current.keys()));
        assert_eq!(proposed.values().map(|replicas| replicas[0]).collect::<Vec<_>>(), [1, 2, 0]);
        assert!(proposed.values().all(|replicas| replicas.len() == 2));
        let error = propose(&current, &brokers[..1], |_| PlacementStart { first: 0, shift: 0 }).unwrap_err();
        assert_eq!(error.to_string(), "Replication factor: 2 larger than available brokers: 1.");
    }
}
