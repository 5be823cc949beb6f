//! Waiting until this broker's metadata cache shows what the controller did (the "topic" purgatory of
//! `ZkAdminManager`: `DelayedCreatePartitions`, `DelayedDeleteTopics`).
//!
//! Nothing is queued: each waiting request watches the cache's update count, so a crowd of waiters costs one wake-up each per update.

use std::time::Duration;

use gregor_model::TopicName;
use tokio::time::Instant;

use crate::metadata_cache::{MetadataCache, MetadataSnapshot};

/// Waits until `done` holds for every name, at most `timeout`; answers the names for which it does not hold yet.
pub async fn wait(
    cache: &MetadataCache,
    mut names: Vec<TopicName>,
    timeout: Duration,
    done: impl Fn(&MetadataSnapshot, &TopicName) -> bool,
) -> Vec<TopicName> {
    let deadline = Instant::now() + timeout;
    let mut updates = cache.updates();
    loop {
        updates.mark_unchanged();
        let snapshot = cache.snapshot();
        names.retain(|name| !done(&snapshot, name));
        if names.is_empty() {
            return names;
        }
        match tokio::time::timeout_at(deadline, updates.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return names,
        }
    }
}

/// Whether all `partitions` of the topic have a leader (`DelayedCreatePartitions.isMissingLeader`, inverted).
pub fn has_leaders(snapshot: &MetadataSnapshot, name: &TopicName, partitions: usize) -> bool {
    snapshot.topic(name.as_str()).is_some_and(|topic| {
        topic.partitions.len() >= partitions
            && topic.partitions.values().all(|partition| partition.leader.is_some())
    })
}

/// Whether the topic is gone (`DelayedDeleteTopics.topicExists`, inverted).
pub fn is_gone(snapshot: &MetadataSnapshot, name: &TopicName) -> bool {
    snapshot.topic(name.as_str()).is_none()
}
