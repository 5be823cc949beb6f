//! Topics within the context: look-up by name and id, partitions coming and going, the deletion queue.

use std::collections::BTreeMap;
use std::sync::Arc;

use gregor_model::{ReplicaAssignment, TopicId, TopicName, TopicPartition};

use super::{Context, Partition, PartitionKey, PartitionState, ReplicaState, Topic, TopicKey};
use crate::znode::TopicNode;

impl Context {
    /// The topic, unless it is gone.
    pub(crate) fn topic(&self, key: TopicKey) -> Option<&Topic> {
        self.topics.get(key.0 as usize)?.as_deref()
    }

    fn topic_mut(&mut self, key: TopicKey) -> Option<&mut Topic> {
        self.topics.get_mut(key.0 as usize)?.as_deref_mut()
    }

    /// The key of a topic.
    pub(crate) fn topic_key(&self, name: &TopicName) -> Option<TopicKey> {
        self.topics_by_name.get(name).copied()
    }

    /// The key of the topic with this id.
    pub(crate) fn topic_by_id(&self, id: TopicId) -> Option<TopicKey> {
        self.topics_by_id.get(&id).copied()
    }

    /// All topics.
    pub(crate) fn topics(&self) -> impl Iterator<Item = (TopicKey, &Topic)> {
        (0u32..).zip(&self.topics).filter_map(|(key, topic)| Some((TopicKey(key), topic.as_deref()?)))
    }

    /// Partitions of a topic, by index.
    pub(crate) fn partitions_of(&self, topic: TopicKey) -> Vec<PartitionKey> {
        self.topic(topic).map(|topic| topic.partitions.values().copied().collect()).unwrap_or_default()
    }

    /// Adds a topic with its partitions, all of them NonExistent; a topic that is known stays as it is.
    pub(crate) fn add_topic(&mut self, node: TopicNode) -> TopicKey {
        if let Some(key) = self.topic_key(&node.name) {
            return key;
        }
        let key = TopicKey(u32::try_from(self.topics.len()).expect("fewer than 2^32 topics in one term"));
        self.topics_by_name.insert(node.name.clone(), key);
        if let Some(id) = node.id {
            self.topics_by_id.entry(id).or_insert(key);
        }
        self.topics.push(Some(Box::new(Topic {
            name: node.name,
            id: node.id,
            partitions: BTreeMap::new(),
            queued_for_deletion: false,
            deletion_started: false,
            ineligible_for_deletion: false,
        })));
        for (index, assignment) in node.partitions {
            self.add_partition(key, index, assignment);
        }
        key
    }

    /// Adds a partition of a known topic.
    pub(crate) fn add_partition(
        &mut self,
        topic: TopicKey,
        index: i32,
        assignment: Arc<ReplicaAssignment>,
    ) -> Option<PartitionKey> {
        let key = PartitionKey(
            u32::try_from(self.partitions.len()).expect("fewer than 2^32 partitions in one term"),
        );
        let owner = self.topic_mut(topic)?;
        let name = TopicPartition { topic: owner.name.clone(), partition: index };
        owner.partitions.insert(index, key);
        for broker in &assignment.replicas {
            self.assigned.entry(*broker).or_default().insert(key);
        }
        if assignment.is_being_reassigned() {
            self.reassigning.insert(key);
        }
        self.partitions.push(Some(Box::new(Partition {
            topic,
            name,
            assignment,
            leadership: None,
            state: PartitionState::NonExistent,
            replicas: Vec::new(),
        })));
        Some(key)
    }

    /// Forgets a topic and all about it (`removeTopic`).
    pub(crate) fn remove_topic(&mut self, key: TopicKey) {
        let Some(topic) = self.topics.get_mut(key.0 as usize).and_then(Option::take) else { return };
        self.topics_by_name.remove(&topic.name);
        if let Some(id) = topic.id
            && self.topics_by_id.get(&id) == Some(&key)
        {
            self.topics_by_id.remove(&id);
        }
        self.deleting.remove(&key);
        for partition in topic.partitions.values() {
            self.forget_partition(*partition);
        }
    }

    fn forget_partition(&mut self, key: PartitionKey) {
        let Some(partition) = self.partitions.get_mut(key.0 as usize).and_then(Option::take) else { return };
        for broker in &partition.assignment.replicas {
            self.unassign(key, *broker);
        }
        self.unsettled.remove(&key);
        self.reassigning.remove(&key);
    }

    /// The topic's znode as the cache has it.
    pub(crate) fn topic_node(&self, key: TopicKey) -> Option<TopicNode> {
        let topic = self.topic(key)?;
        let partitions = topic
            .partitions
            .iter()
            .filter_map(|(index, key)| Some((*index, Arc::clone(&self.partition(*key)?.assignment))))
            .collect();
        Some(TopicNode { name: topic.name.clone(), id: topic.id, partitions })
    }

    /// `isTopicQueuedUpForDeletion`.
    pub(crate) fn is_queued_for_deletion(&self, key: TopicKey) -> bool {
        self.topic(key).is_some_and(|topic| topic.queued_for_deletion)
    }

    /// Whether the partition's topic is queued for deletion.
    pub(crate) fn is_partition_queued_for_deletion(&self, key: PartitionKey) -> bool {
        self.partition(key).is_some_and(|partition| self.is_queued_for_deletion(partition.topic))
    }

    /// Topics queued for deletion.
    pub(crate) fn deleting(&self) -> Vec<TopicKey> {
        self.deleting.iter().copied().collect()
    }

    /// Queues a topic for deletion.
    pub(crate) fn queue_deletion(&mut self, key: TopicKey) {
        if let Some(topic) = self.topic_mut(key) {
            topic.queued_for_deletion = true;
            self.deleting.insert(key);
        }
    }

    /// Notes that the deletion of a queued topic began.
    pub(crate) fn start_deletion(&mut self, key: TopicKey) {
        if let Some(topic) = self.topic_mut(key) {
            topic.deletion_started = true;
        }
    }

    /// Notes whether the deletion of a topic has to wait; only for queued ones. Tells whether that is new.
    pub(crate) fn set_ineligible(&mut self, key: TopicKey, ineligible: bool) -> bool {
        match self.topic_mut(key) {
            Some(topic) if topic.queued_for_deletion => {
                std::mem::replace(&mut topic.ineligible_for_deletion, ineligible) != ineligible
            }
            _ => false,
        }
    }

    /// States of all assigned replicas of a topic.
    pub(crate) fn replica_states(
        &self,
        key: TopicKey,
    ) -> impl Iterator<Item = (super::Replica, ReplicaState)> {
        let partitions = self.topic(key).into_iter().flat_map(|topic| topic.partitions.values());
        partitions.filter_map(|key| Some((*key, self.partition(*key)?))).flat_map(|(key, partition)| {
            let replicas = partition.assignment.replicas.iter();
            replicas.map(move |broker| ((key, *broker), partition.replica_state(*broker)))
        })
    }
}
