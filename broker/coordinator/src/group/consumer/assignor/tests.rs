//! Both assignors over any subscriptions, and the cases that matter by hand.

use proptest::prelude::*;

use super::*;

fn topic(seed: u8) -> TopicId {
    TopicId::from_random([seed; 16]).expect("not reserved")
}

/// Members `m0`, `m1`, ... with the topics each subscribes to and what each had.
struct Group {
    ids: Vec<MemberId>,
    instances: Vec<Option<InstanceId>>,
    topics: Vec<Vec<u8>>,
    targets: Vec<Assignment>,
    partitions: BTreeMap<TopicId, i32>,
}

impl Group {
    fn new(topics: &[&[u8]], partitions: &[(u8, i32)]) -> Group {
        Group {
            ids: (0..topics.len()).map(|index| MemberId::from(format!("m{index}"))).collect(),
            instances: vec![None; topics.len()],
            topics: topics.iter().map(|topics| topics.to_vec()).collect(),
            targets: vec![Assignment::new(); topics.len()],
            partitions: partitions.iter().map(|(seed, count)| (topic(*seed), *count)).collect(),
        }
    }

    fn assign(&self, assignor: Assignor) -> Vec<Assignment> {
        let subscribers: Vec<Subscriber<'_>> = self
            .ids
            .iter()
            .enumerate()
            .map(|(index, member)| Subscriber {
                member,
                instance: self.instances[index].as_ref(),
                topics: self.topics[index].iter().map(|seed| topic(*seed)).collect(),
                target: &self.targets[index],
            })
            .collect();
        assignor.assign(&subscribers, &self.partitions)
    }

    /// Assigns, and lets everyone have it.
    fn settle(&mut self, assignor: Assignor) -> Vec<usize> {
        self.targets = self.assign(assignor);
        self.targets.iter().map(Assignment::len).collect()
    }

    fn leave(&mut self, index: usize) {
        self.ids.remove(index);
        self.instances.remove(index);
        self.topics.remove(index);
        self.targets.remove(index);
    }

    fn join(&mut self, name: &str, topics: &[u8]) {
        self.ids.push(name.into());
        self.instances.push(None);
        self.topics.push(topics.to_vec());
        self.targets.push(Assignment::new());
    }

    fn subscribed(&self) -> Assignment {
        let mut all = Assignment::new();
        for (id, count) in &self.partitions {
            if self.topics.iter().flatten().any(|seed| topic(*seed) == *id) {
                all.extend((0..*count).map(|partition| (*id, partition)));
            }
        }
        all
    }

    /// How many partitions an owner that is still there loses.
    fn moved(&self, before: &[Assignment]) -> usize {
        before.iter().zip(&self.targets).map(|(before, after)| before.difference(after).len()).sum()
    }
}

/// Whether every partition of `all` is assigned, and only once.
fn is_partition_of(assigned: &[Assignment], all: &Assignment) -> bool {
    let mut seen = Assignment::new();
    assigned.iter().flat_map(Assignment::iter).all(|(topic, partition)| seen.insert(topic, partition))
        && seen == *all
}

#[test]
fn uniform_shares_are_even_and_sticky() {
    let mut group = Group::new(&[&[1, 2], &[1, 2], &[1, 2]], &[(1, 5), (2, 5)]);
    assert_eq!(group.settle(Assignor::Uniform), [4, 3, 3]);
    let before = group.targets.clone();
    assert_eq!(group.settle(Assignor::Uniform), [4, 3, 3]);
    assert_eq!(group.targets, before, "nothing changed, nothing moves");

    group.leave(1);
    let before = group.targets.clone();
    assert_eq!(group.settle(Assignor::Uniform), [5, 5]);
    assert_eq!(group.moved(&before), 0, "who stays keeps what it has");

    group.join("m9", &[1, 2]);
    let before = group.targets.clone();
    assert_eq!(group.settle(Assignor::Uniform), [4, 3, 3]);
    assert_eq!(group.moved(&before), 3, "no more than the new one gets");
}

#[test]
fn one_of_a_hundred_leaves() {
    let topics: Vec<&[u8]> = vec![&[1]; 100];
    let mut group = Group::new(&topics, &[(1, 250)]);
    group.settle(Assignor::Uniform);
    group.leave(40);
    let before = group.targets.clone();
    let loads = group.settle(Assignor::Uniform);
    assert_eq!(group.moved(&before), 0);
    assert!(loads.iter().all(|load| (2..=3).contains(load)));
}

#[test]
fn uniform_evens_out_different_subscriptions() {
    #[track_caller]
    fn check(topics: &[&[u8]], partitions: &[(u8, i32)], expected: &[usize]) {
        let mut group = Group::new(topics, partitions);
        let mut loads = group.settle(Assignor::Uniform);
        loads.sort_unstable();
        assert_eq!(loads, expected);
    }
    check(&[&[1], &[1, 2]], &[(1, 4), (2, 4)], &[4, 4]);
    check(&[&[1], &[2]], &[(1, 6), (2, 2)], &[2, 6]);
    check(&[&[1, 2], &[2, 3], &[3]], &[(1, 2), (2, 1), (3, 0)], &[0, 1, 2]);
    check(&[&[1], &[1, 2], &[2, 3], &[3, 4]], &[(1, 8), (2, 0), (3, 0), (4, 0)], &[0, 0, 4, 4]);
    check(&[], &[(1, 8)], &[]);
    check(&[&[]], &[(1, 8)], &[0]);
}

#[test]
fn a_chain_of_members_evens_out() {
    // The first can give only to the second, the second only to the third.
    let mut group = Group::new(&[&[1], &[1, 2], &[2]], &[(1, 4), (2, 2)]);
    group.targets[0].extend((0..4).map(|partition| (topic(1), partition)));
    group.targets[1].extend((0..2).map(|partition| (topic(2), partition)));
    assert_eq!(group.settle(Assignor::Uniform), [2, 2, 2]);
}

#[test]
fn ranges() {
    let mut group = Group::new(&[&[1, 2], &[1, 2], &[1]], &[(1, 7), (2, 3)]);
    group.settle(Assignor::Range);
    let range = |seed: u8, partitions: std::ops::Range<i32>| partitions.map(move |it| (topic(seed), it));
    assert_eq!(group.targets[0], range(1, 0..3).chain(range(2, 0..2)).collect());
    assert_eq!(group.targets[1], range(1, 3..5).chain(range(2, 2..3)).collect());
    assert_eq!(group.targets[2], range(1, 5..7).collect());
    // Static members come first.
    group.instances[2] = Some("i".into());
    group.settle(Assignor::Range);
    assert_eq!(group.targets[2], range(1, 0..3).collect());
}

proptest! {
    #[test]
    fn everything_is_assigned_once_and_evenly(
        topics in proptest::collection::vec(proptest::collection::btree_set(1_u8..5, 0..4), 0..8),
        counts in proptest::array::uniform4(0_i32..12),
        leaving in any::<prop::sample::Index>(),
    ) {
        let partitions: Vec<(u8, i32)> = (1..5).zip(counts).collect();
        let topics: Vec<Vec<u8>> = topics.into_iter().map(|set| set.into_iter().collect()).collect();
        let slices: Vec<&[u8]> = topics.iter().map(Vec::as_slice).collect();
        for assignor in [Assignor::Uniform, Assignor::Range] {
            let mut group = Group::new(&slices, &partitions);
            group.settle(assignor);
            prop_assert!(is_partition_of(&group.targets, &group.subscribed()));
            let before = group.targets.clone();
            group.settle(assignor);
            prop_assert_eq!(group.moved(&before), 0);
            if !group.ids.is_empty() {
                group.leave(leaving.index(group.ids.len()));
                group.settle(assignor);
                prop_assert!(is_partition_of(&group.targets, &group.subscribed()));
            }
            for (index, target) in group.targets.iter().enumerate() {
                let subscribes = |id: TopicId| group.topics[index].iter().any(|seed| topic(*seed) == id);
                prop_assert!(target.topics().all(|(id, _)| subscribes(id)));
            }
        }
    }
}
