//! Which brokers get the replicas of a new partition (`AdminUtils.assignReplicasToBrokers`), with and without racks.
//!
//! Used by whoever writes a topic's znode. Kafka draws two random numbers per topic; here they are handed in.

use std::collections::{BTreeMap, BTreeSet};

use gregor_model::BrokerId;

/// A broker that may get replicas (`BrokerMetadata`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The broker.
    pub id: BrokerId,
    /// `broker.rack`.
    pub rack: Option<String>,
}

/// Where placement begins. For a new topic both are drawn at random from 0 to the number of brokers, exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacementStart {
    /// Position of partition 0's first replica in the broker list (`startIndex`).
    pub first: usize,
    /// How far the second replica is from the first (`nextReplicaShift`).
    pub shift: usize,
}

impl PlacementStart {
    /// Where placement goes on when partitions are added to a topic (`AdminZkClient.createNewPartitionsAssignment`):
    /// both at the first broker, by id, that is not below partition 0's first replica.
    pub fn after(first_replica: BrokerId, brokers: &[Candidate]) -> PlacementStart {
        let mut ids: Vec<BrokerId> = brokers.iter().map(|broker| broker.id).collect();
        ids.sort_unstable();
        let position = ids.iter().position(|id| *id >= first_replica).unwrap_or(0);
        PlacementStart { first: position, shift: position }
    }
}

/// Why replicas cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// INVALID_PARTITIONS (37).
    #[error("Number of partitions must be larger than 0.")]
    InvalidPartitions,
    /// INVALID_REPLICATION_FACTOR (38).
    #[error("Replication factor must be larger than 0.")]
    ReplicationFactorBelowOne,
    /// INVALID_REPLICATION_FACTOR (38).
    #[error("Replication factor: {replication_factor} larger than available brokers: {brokers}.")]
    ReplicationFactorTooLarge {
        /// Wanted.
        replication_factor: i16,
        /// There are.
        brokers: usize,
    },
    /// Some brokers have a rack and some have none; UNKNOWN_SERVER_ERROR (-1) in Kafka.
    #[error("Not all brokers have rack information for replica rack aware assignment.")]
    MixedRacks,
}

/// Places `partitions` partitions, numbered from `first_partition`. The order of `brokers` matters without racks (Kafka
/// gives CreateTopics the order of its metadata cache and CreatePartitions the order of ids).
pub fn place_replicas(
    brokers: &[Candidate],
    partitions: i32,
    replication_factor: i16,
    first_partition: i32,
    start: PlacementStart,
) -> Result<BTreeMap<i32, Vec<BrokerId>>, PlacementError> {
    if partitions <= 0 {
        return Err(PlacementError::InvalidPartitions);
    }
    let replicas = usize::try_from(replication_factor).ok().filter(|factor| *factor > 0);
    let replicas = replicas.ok_or(PlacementError::ReplicationFactorBelowOne)?;
    if replicas > brokers.len() {
        let brokers = brokers.len();
        return Err(PlacementError::ReplicationFactorTooLarge { replication_factor, brokers });
    }
    let with_rack = brokers.iter().filter(|broker| broker.rack.is_some()).count();
    if with_rack != 0 && with_rack != brokers.len() {
        return Err(PlacementError::MixedRacks);
    }
    let arranged = if with_rack == 0 { brokers.to_vec() } else { alternate_racks(brokers) };
    let racks = arranged.iter().filter_map(|broker| broker.rack.as_deref()).collect::<BTreeSet<_>>().len();
    let first_partition = first_partition.max(0);
    let mut shift = start.shift;
    let numbers = first_partition..first_partition.saturating_add(partitions);
    let placed = numbers.map(|partition| {
        let number = usize::try_from(partition).unwrap_or_default();
        if number > 0 && number % arranged.len() == 0 {
            shift += 1;
        }
        let first = number.wrapping_add(start.first) % arranged.len();
        let list = if racks == 0 {
            without_racks(&arranged, first, shift, replicas)
        } else {
            across_racks(&arranged, racks, first, shift, replicas)
        };
        (partition, list)
    });
    Ok(placed.collect())
}

/// The position of a further replica: never that of the first.
fn position(first: usize, shift: usize, step: usize, brokers: usize) -> usize {
    (first + 1 + (shift.wrapping_add(step)) % (brokers - 1)) % brokers
}

fn without_racks(brokers: &[Candidate], first: usize, shift: usize, replicas: usize) -> Vec<BrokerId> {
    let further = (0..replicas - 1).map(|step| position(first, shift, step, brokers.len()));
    std::iter::once(first).chain(further).filter_map(|place| Some(brokers.get(place)?.id)).collect()
}

fn across_racks(
    brokers: &[Candidate],
    racks: usize,
    first: usize,
    shift: usize,
    replicas: usize,
) -> Vec<BrokerId> {
    let mut list = Vec::with_capacity(replicas);
    let mut used_racks = BTreeSet::new();
    let mut take = |list: &mut Vec<BrokerId>, broker: &Candidate| {
        // A rack or a broker is used again only when all have been used.
        let rack_ok = !used_racks.contains(&broker.rack) || used_racks.len() == racks;
        let broker_ok = !list.contains(&broker.id) || list.len() == brokers.len();
        if rack_ok && broker_ok {
            list.push(broker.id);
            used_racks.insert(broker.rack.clone());
        }
    };
    if let Some(broker) = brokers.get(first) {
        take(&mut list, broker);
    }
    let mut step = 0;
    // Steps beyond one round of all positions repeat, so a list that is not full by then never would be.
    while list.len() < replicas && step < replicas * brokers.len() {
        let place = position(first, shift.wrapping_mul(racks), step, brokers.len());
        if let Some(broker) = brokers.get(place) {
            take(&mut list, broker);
        }
        step += 1;
    }
    list
}

/// Brokers so that neighbours are in different racks: racks by name, brokers of each by id, one per rack in turn
/// (`AdminUtils.getRackAlternatedBrokerList`).
fn alternate_racks(brokers: &[Candidate]) -> Vec<Candidate> {
    let mut racks: BTreeMap<&str, Vec<&Candidate>> = BTreeMap::new();
    for broker in brokers {
        racks.entry(broker.rack.as_deref().unwrap_or_default()).or_default().push(broker);
    }
    for members in racks.values_mut() {
        members.sort_by_key(|broker| broker.id);
    }
    let longest = racks.values().map(Vec::len).max().unwrap_or_default();
    let rounds = (0..longest).flat_map(|round| racks.values().filter_map(move |members| members.get(round)));
    rounds.map(|broker| (*broker).clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brokers(racks: &[(i32, &str)]) -> Vec<Candidate> {
        let rack = |rack: &str| (!rack.is_empty()).then(|| rack.to_owned());
        racks.iter().map(|(id, name)| Candidate { id: BrokerId(*id), rack: rack(name) }).collect()
    }

    #[track_caller]
    fn check(
        racks: &[(i32, &str)],
        replication_factor: i16,
        first_partition: i32,
        start: (usize, usize),
        expected: &[&[i32]],
    ) {
        let start = PlacementStart { first: start.0, shift: start.1 };
        let count = i32::try_from(expected.len()).unwrap();
        let placed =
            place_replicas(&brokers(racks), count, replication_factor, first_partition, start).unwrap();
        let placed: Vec<Vec<i32>> =
            placed.into_values().map(|list| list.iter().map(|id| id.0).collect()).collect();
        assert_eq!(placed, expected);
    }

    #[test]
    fn as_kafka_places() {
        let plain = [(1, ""), (2, ""), (3, ""), (4, ""), (5, "")];
        check(
            &plain,
            3,
            0,
            (2, 3),
            &[&[3, 2, 4], &[4, 3, 5], &[5, 4, 1], &[1, 5, 2], &[2, 1, 3], &[3, 4, 5], &[4, 5, 1], &[5, 1, 2]],
        );
        let pairs = [(1, "a"), (4, "a"), (2, "b"), (5, "b"), (3, "c"), (6, "c")];
        check(
            &pairs,
            3,
            0,
            (0, 0),
            &[&[1, 2, 3], &[2, 3, 4], &[3, 4, 5], &[4, 5, 6], &[5, 6, 1], &[6, 1, 2], &[1, 5, 6], &[2, 6, 1]],
        );
        let uneven = [(1, "a"), (2, "a"), (3, "b"), (4, "b"), (5, "c")];
        check(
            &uneven,
            3,
            0,
            (1, 2),
            &[&[3, 1, 5], &[5, 1, 3], &[2, 3, 5], &[4, 5, 2], &[1, 4, 5], &[3, 2, 5], &[5, 4, 1]],
        );
        check(&[(1, ""), (2, ""), (3, ""), (4, "")], 2, 3, (2, 2), &[&[2, 1], &[3, 4]]);
        check(&[(1, "a"), (2, "a"), (3, "b"), (4, "b")], 2, 1, (2, 2), &[&[4, 2], &[1, 4]]);
        check(&[(7, "")], 1, 0, (0, 0), &[&[7], &[7], &[7]]);
        check(&[(7, "a")], 1, 0, (0, 0), &[&[7], &[7]]);
    }

    #[test]
    fn added_partitions_go_on_from_the_first() {
        let four = brokers(&[(1, ""), (2, ""), (3, ""), (4, "")]);
        assert_eq!(PlacementStart::after(BrokerId(3), &four), PlacementStart { first: 2, shift: 2 });
        assert_eq!(PlacementStart::after(BrokerId(9), &four), PlacementStart { first: 0, shift: 0 });
    }

    #[test]
    fn refusals() {
        let start = PlacementStart { first: 0, shift: 0 };
        let place = |racks: &[(i32, &str)], partitions, factor| {
            place_replicas(&brokers(racks), partitions, factor, 0, start).unwrap_err()
        };
        assert_eq!(place(&[(1, "")], 0, 1), PlacementError::InvalidPartitions);
        assert_eq!(place(&[(1, "")], 1, 0), PlacementError::ReplicationFactorBelowOne);
        let too_large = PlacementError::ReplicationFactorTooLarge { replication_factor: 2, brokers: 1 };
        assert_eq!(place(&[(1, "")], 1, 2), too_large);
        assert_eq!(place(&[(1, ""), (2, "a")], 1, 1), PlacementError::MixedRacks);
    }

    proptest::proptest! {
        #[test]
        fn lists_are_full_and_without_repetition(
            racks in proptest::collection::vec(0..4u8, 1..9),
            use_racks: bool,
            factor in 1..9i16,
            first in 0..9usize,
            shift in 0..9usize,
        ) {
            let rack = |rack: &u8| use_racks.then(|| rack.to_string());
            let brokers: Vec<Candidate> =
                (0..).zip(&racks).map(|(id, name)| Candidate { id: BrokerId(id), rack: rack(name) }).collect();
            let start = PlacementStart { first: first % brokers.len(), shift: shift % brokers.len() };
            let factor = factor.min(i16::try_from(brokers.len()).unwrap());
            let placed = place_replicas(&brokers, 20, factor, 0, start).unwrap();
            for list in placed.values() {
                let distinct: BTreeSet<_> = list.iter().collect();
                proptest::prop_assert_eq!(distinct.len(), usize::try_from(factor).unwrap());
            }
        }
    }
}
