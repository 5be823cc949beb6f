//! The range assignor (`RangeAssignor`): each topic is cut into ranges, one per subscriber, in one order of subscribers for
//! all topics, so that topics alike are cut alike.

use std::collections::BTreeMap;

use gregor_model::TopicId;

use super::Subscriber;
use crate::Assignment;

/// What each subscriber is to own, in their order.
pub(super) fn assign(subscribers: &[Subscriber<'_>], partitions: &BTreeMap<TopicId, i32>) -> Vec<Assignment> {
    let mut order: Vec<usize> = (0..subscribers.len()).collect();
    // Static members come first and are ordered by their instance: their places outlive their member ids.
    order.sort_by_key(|index| {
        subscribers
            .get(*index)
            .map(|subscriber| (subscriber.instance.is_none(), subscriber.instance, subscriber.member))
    });
    let mut assigned = vec![Assignment::new(); subscribers.len()];
    for (topic, count) in partitions {
        let of_topic: Vec<usize> = order
            .iter()
            .copied()
            .filter(|index| subscribers.get(*index).is_some_and(|it| it.topics.contains(topic)))
            .collect();
        let Ok(size) = i32::try_from(of_topic.len()) else { continue };
        if size == 0 {
            continue;
        }
        let (quota, mut extra) = (count / size, count % size);
        let mut next = 0;
        for index in of_topic {
            let end = next + quota + i32::from(extra > 0);
            extra -= 1;
            if let Some(assigned) = assigned.get_mut(index) {
                assigned.extend((next..end).map(|partition| (*topic, partition)));
            }
            next = end;
        }
    }
    assigned
}
