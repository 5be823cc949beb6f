//! How a group's leader divides partitions among members (`RangeAssignor`, `RoundRobinAssignor`). Pure.

use std::collections::{BTreeMap, BTreeSet};

use gregor_model::{TopicName, TopicPartition};

use crate::config::Assignor;

/// A member and what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Its id.
    pub member: String,
    /// Its instance id, if it has one; members stand by it.
    pub instance: Option<String>,
    /// The topics it wants.
    pub topics: BTreeSet<TopicName>,
}

/// Divides the partitions of `topics` (how many each has) among `subscribers`.
pub fn assign(
    assignor: Assignor,
    subscribers: &[Subscriber],
    topics: &BTreeMap<TopicName, usize>,
) -> BTreeMap<String, Vec<TopicPartition>> {
    let mut members: Vec<&Subscriber> = subscribers.iter().collect();
    // Those with an instance id come first, by that; the others by their member id.
    members.sort_by_key(|one| (one.instance.is_none(), one.instance.clone(), one.member.clone()));
    let mut assignment: BTreeMap<String, Vec<TopicPartition>> =
        members.iter().map(|one| (one.member.clone(), Vec::new())).collect();
    let mut give = |member: &Subscriber, topic: &TopicName, partition: usize| {
        if let Some(partitions) = assignment.get_mut(&member.member) {
            let partition = i32::try_from(partition).unwrap_or(i32::MAX);
            partitions.push(TopicPartition::new(topic.clone(), partition));
        }
    };
    match assignor {
        Assignor::Range => {
            for (topic, count) in topics {
                let takers: Vec<_> = members.iter().filter(|one| one.topics.contains(topic)).collect();
                let (Some(each), Some(more)) =
                    (count.checked_div(takers.len()), count.checked_rem(takers.len()))
                else {
                    continue;
                };
                let mut next = 0;
                for (at, member) in takers.into_iter().enumerate() {
                    let end = next + each + usize::from(at < more);
                    (next..end).for_each(|partition| give(member, topic, partition));
                    next = end;
                }
            }
        }
        Assignor::RoundRobin => {
            let mut turn = 0;
            let all = topics.iter().flat_map(|(topic, count)| (0..*count).map(move |at| (topic, at)));
            for (topic, partition) in all {
                let count = members.len();
                let taker = (0..count)
                    .map(|step| (turn + step) % count)
                    .find(|at| members.get(*at).is_some_and(|one| one.topics.contains(topic)));
                if let Some((at, member)) = taker.and_then(|at| Some((at, members.get(at)?))) {
                    give(member, topic, partition);
                    turn = at + 1;
                }
            }
        }
    }
    assignment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        assignor: Assignor,
        members: &[(&str, &str)],
        topics: &[(&str, usize)],
        expected: &[(&str, &str)],
    ) {
        let subscribers: Vec<_> = members
            .iter()
            .map(|(member, topics)| Subscriber {
                member: (*member).to_owned(),
                instance: None,
                topics: topics.split_whitespace().map(TopicName::new).collect(),
            })
            .collect();
        let topics = topics.iter().map(|(topic, count)| (TopicName::new(topic), *count)).collect();
        let assigned = assign(assignor, &subscribers, &topics);
        let shown: Vec<(String, String)> = assigned
            .into_iter()
            .map(|(member, partitions)| {
                (member, partitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
            })
            .collect();
        let expected: Vec<_> = expected.iter().map(|(m, p)| ((*m).to_owned(), (*p).to_owned())).collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn range_goes_topic_by_topic() {
        let both = [("m2", "a b"), ("m1", "a b")];
        check(Assignor::Range, &both, &[("a", 3), ("b", 1)], &[("m1", "a-0 a-1 b-0"), ("m2", "a-2")]);
        check(
            Assignor::Range,
            &[("m1", "a"), ("m2", "b")],
            &[("a", 2), ("b", 1)],
            &[("m1", "a-0 a-1"), ("m2", "b-0")],
        );
        check(Assignor::Range, &[("m1", "")], &[("a", 2)], &[("m1", "")]);
        check(Assignor::Range, &[], &[("a", 2)], &[]);
    }

    #[test]
    fn round_robin_goes_over_all_partitions() {
        let both = [("m2", "a b"), ("m1", "a b")];
        check(
            Assignor::RoundRobin,
            &both,
            &[("a", 3), ("b", 2)],
            &[("m1", "a-0 a-2 b-1"), ("m2", "a-1 b-0")],
        );
        let uneven = [("m1", "a"), ("m2", "a b"), ("m3", "b")];
        check(
            Assignor::RoundRobin,
            &uneven,
            &[("a", 2), ("b", 2)],
            &[("m1", "a-0"), ("m2", "a-1 b-1"), ("m3", "b-0")],
        );
        check(Assignor::RoundRobin, &[], &[("a", 2)], &[]);
    }
}
