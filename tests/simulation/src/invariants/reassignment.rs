//! A reassignment always ends, and so does the deletion of a topic, once faults have stopped.

use gregor_model::TopicPartition;

use super::Checker;
use crate::zookeeper::Store;

/// What is still under way.
pub fn unfinished(store: &Store, checker: &Checker) -> Option<String> {
    if let Some(topic) = store.deletions.iter().next() {
        return Some(format!("topic {topic} is still to be deleted"));
    }
    store.topics.values().find_map(|topic| {
        // A fork may leave a follower that cannot follow.
        let is_forked =
            |partition: i32| checker.is_forked(&TopicPartition { topic: topic.name.clone(), partition });
        let reassigned = topic
            .partitions
            .iter()
            .find(|(index, assignment)| assignment.is_being_reassigned() && !is_forked(**index));
        reassigned.map(|(index, assignment)| {
            format!("{}-{index} is still being reassigned: {assignment:?}", topic.name)
        })
    })
}
