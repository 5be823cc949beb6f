//! The uniform assignor (`UniformAssignor`): loads differ by one at most where subscriptions allow it, and what need not
//! move stays.
//!
//! Three steps: everyone keeps what it had, up to its share; what is left goes to who has least; then loads are evened out
//! along chains of members. Where all subscribe to the same topics the first two steps are enough.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use gregor_model::TopicId;

use super::Subscriber;
use crate::Assignment;

type Partition = (TopicId, i32);

/// What each subscriber is to own, in their order.
pub(super) fn assign(subscribers: &[Subscriber<'_>], partitions: &BTreeMap<TopicId, i32>) -> Vec<Assignment> {
    let mut plan = Plan {
        subscribers,
        assigned: vec![Assignment::new(); subscribers.len()],
        loads: vec![0; subscribers.len()],
    };
    let mut left = all_partitions(subscribers, partitions);
    let alike = subscribers.windows(2).all(|pair| matches!(pair, [a, b] if a.topics == b.topics));
    let shares = if alike { shares(subscribers, left.len(), partitions) } else { Vec::new() };
    plan.keep(&mut left, &shares);
    plan.give(left);
    if !alike {
        plan.even_out();
    }
    plan.assigned
}

/// Every partition that somebody subscribes to.
fn all_partitions(
    subscribers: &[Subscriber<'_>],
    partitions: &BTreeMap<TopicId, i32>,
) -> BTreeSet<Partition> {
    let subscribed: BTreeSet<TopicId> =
        subscribers.iter().flat_map(|subscriber| subscriber.topics.iter().copied()).collect();
    let known = subscribed.into_iter().filter_map(|topic| Some((topic, *partitions.get(&topic)?)));
    known.flat_map(|(topic, count)| (0..count).map(move |partition| (topic, partition))).collect()
}

/// How many of `total` partitions each subscriber is to have. Those that had most get the odd ones, so that fewer move.
fn shares(subscribers: &[Subscriber<'_>], total: usize, partitions: &BTreeMap<TopicId, i32>) -> Vec<usize> {
    let size = subscribers.len().max(1);
    let (share, odd) = (total / size, total % size);
    let had = |subscriber: &Subscriber<'_>| {
        let valid = |topic: &TopicId| subscriber.topics.contains(topic) && partitions.contains_key(topic);
        subscriber.target.topics().filter(|(topic, _)| valid(topic)).map(|(_, set)| set.len()).sum::<usize>()
    };
    let mut order: Vec<usize> = (0..subscribers.len()).collect();
    order.sort_by_key(|index| Reverse(subscribers.get(*index).map_or(0, had)));
    let mut shares = vec![share; subscribers.len()];
    for index in order.into_iter().take(odd) {
        if let Some(share) = shares.get_mut(index) {
            *share += 1;
        }
    }
    shares
}

struct Plan<'a> {
    subscribers: &'a [Subscriber<'a>],
    assigned: Vec<Assignment>,
    loads: Vec<usize>,
}

impl Plan<'_> {
    fn load(&self, index: usize) -> usize {
        self.loads.get(index).copied().unwrap_or(0)
    }

    fn add(&mut self, index: usize, (topic, partition): Partition) {
        if let (Some(assigned), Some(load)) = (self.assigned.get_mut(index), self.loads.get_mut(index))
            && assigned.insert(topic, partition)
        {
            *load += 1;
        }
    }

    fn take(&mut self, index: usize, (topic, partition): Partition) {
        if let (Some(assigned), Some(load)) = (self.assigned.get_mut(index), self.loads.get_mut(index))
            && assigned.remove(topic, partition)
        {
            *load -= 1;
        }
    }

    /// Everyone keeps what it had, as far as it is still there and, where shares are given, within its share.
    fn keep(&mut self, left: &mut BTreeSet<Partition>, shares: &[usize]) {
        for (index, subscriber) in self.subscribers.iter().enumerate() {
            let share = shares.get(index).copied().unwrap_or(usize::MAX);
            for partition in subscriber.target.iter() {
                if self.load(index) >= share {
                    break;
                }
                if subscriber.topics.contains(&partition.0) && left.remove(&partition) {
                    self.add(index, partition);
                }
            }
        }
    }

    /// What is left goes to who has least of those that subscribe to it.
    fn give(&mut self, left: BTreeSet<Partition>) {
        let mut by_topic: BTreeMap<TopicId, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in left {
            by_topic.entry(topic).or_default().push(partition);
        }
        let mut topics: Vec<(Vec<usize>, TopicId, Vec<i32>)> = by_topic
            .into_iter()
            .map(|(topic, partitions)| (self.subscribers_of(topic), topic, partitions))
            .collect();
        // First what few can have.
        topics.sort_by_key(|(subscribers, topic, _)| (subscribers.len(), *topic));
        for (subscribers, topic, partitions) in topics {
            let mut by_load: BTreeSet<(usize, usize)> =
                subscribers.iter().map(|index| (self.load(*index), *index)).collect();
            for partition in partitions {
                let Some((load, index)) = by_load.pop_first() else { break };
                self.add(index, (topic, partition));
                by_load.insert((load + 1, index));
            }
        }
    }

    fn subscribers_of(&self, topic: TopicId) -> Vec<usize> {
        let subscribes = |(index, subscriber): (usize, &Subscriber<'_>)| {
            subscriber.topics.contains(&topic).then_some(index)
        };
        self.subscribers.iter().enumerate().filter_map(subscribes).collect()
    }

    /// Moves partitions along chains of members, from one that has two more to one that has two less, until there is no
    /// such chain. Every chain lessens the sum of squared loads, so this ends.
    fn even_out(&mut self) {
        let topics: BTreeSet<TopicId> =
            self.subscribers.iter().flat_map(|subscriber| subscriber.topics.iter().copied()).collect();
        let subscribers: BTreeMap<TopicId, Vec<usize>> =
            topics.into_iter().map(|topic| (topic, self.subscribers_of(topic))).collect();
        loop {
            let mut fullest: Vec<usize> = (0..self.loads.len()).collect();
            fullest.sort_by_key(|index| Reverse(self.load(*index)));
            let Some(chain) = fullest.into_iter().find_map(|from| self.chain(from, &subscribers)) else {
                return;
            };
            for (from, to, partition) in chain {
                self.take(from, partition);
                self.add(to, partition);
            }
        }
    }

    /// The shortest chain of moves from a member to one whose load is less by two at least.
    fn chain(
        &self,
        from: usize,
        subscribers: &BTreeMap<TopicId, Vec<usize>>,
    ) -> Option<Vec<(usize, usize, Partition)>> {
        let mut reached: BTreeMap<usize, (usize, Partition)> = BTreeMap::new();
        let mut seen_topics: BTreeSet<TopicId> = BTreeSet::new();
        let mut queue = VecDeque::from([from]);
        while let Some(at) = queue.pop_front() {
            for (topic, partitions) in self.assigned.get(at)?.topics() {
                let (Some(partition), true) = (partitions.first(), seen_topics.insert(topic)) else {
                    continue;
                };
                for to in subscribers.get(&topic)? {
                    if *to == from || reached.contains_key(to) {
                        continue;
                    }
                    reached.insert(*to, (at, (topic, *partition)));
                    if self.load(*to) + 2 <= self.load(from) {
                        return Some(trace(from, *to, &reached));
                    }
                    queue.push_back(*to);
                }
            }
        }
        None
    }
}

fn trace(
    from: usize,
    to: usize,
    reached: &BTreeMap<usize, (usize, Partition)>,
) -> Vec<(usize, usize, Partition)> {
    let mut moves = Vec::new();
    let mut at = to;
    while let (true, Some((before, partition))) = (at != from, reached.get(&at)) {
        moves.push((*before, at, *partition));
        at = *before;
    }
    moves
}
