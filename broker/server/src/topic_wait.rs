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

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::UpdateMetadataRequest;
    use kafka_protocol::messages::update_metadata_request::{
        UpdateMetadataPartitionState, UpdateMetadataTopicState,
    };
    use kafka_protocol::protocol::StrBytes;

    use super::*;

    /// Says of topic `a` who leads each of its partitions; -2 deletes one.
    fn told(leaders: &[i32]) -> UpdateMetadataRequest {
        let partitions = (0..).zip(leaders).map(|(index, leader)| {
            UpdateMetadataPartitionState::default().with_partition_index(index).with_leader((*leader).into())
        });
        let topic = UpdateMetadataTopicState::default()
            .with_topic_name(StrBytes::from_static_str("a").into())
            .with_partition_states(partitions.collect());
        UpdateMetadataRequest::default().with_topic_states(vec![topic])
    }

    fn names() -> Vec<TopicName> {
        vec![TopicName::new("a")]
    }

    #[tokio::test]
    async fn waits_for_the_leaders_of_all_partitions() {
        let cache = MetadataCache::new();
        let wait =
            wait(&cache, names(), Duration::from_secs(60), |snapshot, name| has_leaders(snapshot, name, 2));
        let tell = async {
            for leaders in [&[1][..], &[1, -1], &[1, 1]] {
                tokio::task::yield_now().await;
                cache.update(&told(leaders), 8).expect("valid");
            }
        };
        assert_eq!(futures::join!(wait, tell).0, []);
    }

    #[tokio::test]
    async fn waits_until_a_topic_is_gone() {
        let cache = MetadataCache::new();
        cache.update(&told(&[1, 1]), 8).expect("valid");
        let tell = async {
            tokio::task::yield_now().await;
            cache.update(&told(&[-2, -2]), 8).expect("valid");
        };
        let wait = wait(&cache, names(), Duration::from_secs(60), is_gone);
        assert_eq!(futures::join!(wait, tell).0, []);
    }

    #[tokio::test]
    async fn answers_what_is_late() {
        let cache = MetadataCache::new();
        cache.update(&told(&[-1]), 8).expect("valid");
        let late = wait(&cache, names(), Duration::ZERO, |snapshot, name| has_leaders(snapshot, name, 1));
        assert_eq!(late.await, names());
    }
}
