//! What replication asks of its broker (`ReplicaEnvironment`), answered from the metadata cache, the registration and
//! the topics' configuration.

use std::sync::Arc;

use gregor_model::{BrokerEpoch, BrokerId, EndPoint, ListenerName, TopicName, TopicPartition};
use gregor_replication::{ReplicaEnvironment, ThrottledReplicas};

use crate::metadata_cache::MetadataCache;
use crate::registration::Registration;
use crate::topic_configs::TopicConfigs;

/// The broker as its replicas see it.
pub struct BrokerEnvironment {
    /// What the controller told.
    pub metadata: Arc<MetadataCache>,
    /// The broker epoch.
    pub registration: Arc<Registration>,
    /// The throttled replicas.
    pub topics: Arc<TopicConfigs>,
    /// The inter-broker listener.
    pub listener: ListenerName,
}

impl ReplicaEnvironment for BrokerEnvironment {
    fn broker_epoch(&self) -> Option<BrokerEpoch> {
        self.registration.epoch()
    }

    fn is_alive(&self, broker: BrokerId) -> bool {
        self.metadata.snapshot().is_alive(broker)
    }

    fn endpoint(&self, broker: BrokerId) -> Option<EndPoint> {
        self.metadata.snapshot().endpoint(broker, &self.listener).cloned()
    }

    fn rack(&self, broker: BrokerId) -> Option<String> {
        self.metadata.snapshot().broker(broker)?.rack.clone()
    }

    fn knows_partition(&self, partition: &TopicPartition) -> bool {
        self.metadata.snapshot().contains(partition)
    }

    fn throttled_replicas(&self, topic: &TopicName) -> (ThrottledReplicas, ThrottledReplicas) {
        self.topics.throttled_replicas(topic)
    }
}
