//! The topics of the metadata cache as consumer groups see them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gregor_coordinator::group::consumer::Topics;
use gregor_coordinator::schema::consumer_group::SubscribedTopic;
use gregor_model::TopicName;

use crate::metadata_cache::{MetadataSnapshot, PartitionMetadata};

impl Topics for MetadataSnapshot {
    fn version(&self) -> u64 {
        MetadataSnapshot::version(self)
    }

    fn find(&self, name: &TopicName) -> Option<SubscribedTopic> {
        let topic = self.topic(name.as_str())?;
        let racks = |partition: &PartitionMetadata| -> BTreeSet<Arc<str>> {
            let racks =
                partition.replicas.iter().filter_map(|replica| self.broker(*replica)?.rack.as_deref());
            racks.map(Arc::from).collect()
        };
        let racks: BTreeMap<_, _> = topic
            .partitions
            .iter()
            .map(|(index, partition)| (*index, racks(partition)))
            .filter(|(_, racks)| !racks.is_empty())
            .collect();
        let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        Some(SubscribedTopic { id: topic.id?, partitions, racks })
    }
}
