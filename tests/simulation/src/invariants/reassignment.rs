//! A reassignment always ends, and so does the deletion of a topic, once faults have stopped.

use crate::zookeeper::Store;

/// What is still under way.
pub fn unfinished(store: &Store) -> Option<String> {
    if let Some(topic) = store.deletions.iter().next() {
        return Some(format!("topic {topic} is still to be deleted"));
    }
    store.topics.values().find_map(|topic| {
        let reassigned = topic.partitions.iter().find(|(_, assignment)| assignment.is_being_reassigned());
        reassigned.map(|(index, assignment)| {
            format!("{}-{index} is still being reassigned: {assignment:?}", topic.name)
        })
    })
}
