//! A broker's metadata cache: what the last UpdateMetadata requests told.

use std::collections::{BTreeMap, BTreeSet};

use gregor_controller_machine::UpdateMetadataContent;
use gregor_model::{BrokerId, TopicId, TopicName, TopicPartition};

/// See the module.
#[derive(Debug, Default)]
pub struct Metadata {
    /// Brokers that are registered.
    pub live: BTreeSet<BrokerId>,
    /// The controller.
    pub controller: Option<BrokerId>,
    partitions: BTreeMap<TopicPartition, Option<BrokerId>>,
    topics: BTreeMap<TopicId, TopicName>,
}

impl Metadata {
    /// Takes an UpdateMetadata in.
    pub fn update(&mut self, controller: BrokerId, content: &UpdateMetadataContent) {
        self.controller = Some(controller);
        self.live = content.live_brokers.iter().map(|broker| broker.id).collect();
        for topic in &content.topics {
            if let Some(id) = topic.id {
                self.topics.insert(id, topic.name.clone());
            }
            for partition in &topic.partitions {
                let name = TopicPartition { topic: topic.name.clone(), partition: partition.partition };
                if partition.deleting {
                    self.partitions.remove(&name);
                } else {
                    self.partitions.insert(name, partition.leadership.leader_and_isr.leader);
                }
            }
        }
    }

    /// The name of a topic.
    pub fn name_of(&self, id: TopicId) -> Option<TopicName> {
        self.topics.get(&id).cloned()
    }

    /// Who leads what.
    pub fn leaders(&self) -> Vec<(TopicPartition, Option<BrokerId>)> {
        self.partitions.iter().map(|(partition, leader)| (partition.clone(), *leader)).collect()
    }
}
