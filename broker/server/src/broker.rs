//! What request handlers share: the parts of this broker.

use std::sync::Arc;

use gregor_controller_service::ControllerHandle;
use gregor_log::LogManager;
use gregor_model::{BrokerId, ClusterId};
use gregor_replication::ReplicaManager;
use gregor_zookeeper::store::Store;
use parking_lot::Mutex;

use crate::auto_topic_creation::AutoTopicCreation;
use crate::config_admin::ConfigAdmin;
use crate::coordinators::{ConsumerProtocol, Coordinators};
use crate::features::FeatureCache;
use crate::metadata_cache::MetadataCache;
use crate::quota_admin::QuotaAdmin;
use crate::registration::Registration;
use crate::scram_admin::ScramAdmin;
use crate::settings::RequestSettings;
use crate::topic_admin::TopicAdmin;
use crate::topic_configs::TopicConfigs;
use crate::zookeeper_offsets::ZookeeperOffsets;

/// The parts of this broker. Each guards its own state.
pub struct Broker {
    /// `broker.id`, given or generated.
    pub id: BrokerId,
    /// The cluster this broker belongs to.
    pub cluster_id: ClusterId,
    /// What the configuration says about requests.
    pub settings: RequestSettings,
    /// What the controller told.
    pub metadata: Arc<MetadataCache>,
    /// Serialises UpdateMetadata.
    pub metadata_updates: Mutex<()>,
    /// The logs of this broker; handlers ask them for topics' configuration only.
    pub logs: Arc<LogManager>,
    /// The overrides of topics, to be read before a topic's first log is created.
    pub topic_configs: Arc<TopicConfigs>,
    /// What ZooKeeper holds.
    pub store: Store,
    /// The partitions of this broker.
    pub replicas: Arc<ReplicaManager>,
    /// The broker epoch.
    pub registration: Arc<Registration>,
    /// Topics being created because someone asked for them.
    pub auto_topic_creation: AutoTopicCreation,
    /// Creates and deletes topics in ZooKeeper.
    pub topic_admin: TopicAdmin,
    /// This broker as controller.
    pub controller: ControllerHandle,
    /// The finalized features.
    pub features: Arc<FeatureCache>,
    /// Consumer groups and transactions.
    pub coordinators: Arc<Coordinators>,
    /// Whether consumer groups are served.
    pub consumer_protocol: Arc<ConsumerProtocol>,
    /// Offsets of clients that keep them in ZooKeeper.
    pub zookeeper_offsets: ZookeeperOffsets,
    /// Reads and changes configurations.
    pub config_admin: ConfigAdmin,
    /// Reads and changes client quotas.
    pub quota_admin: QuotaAdmin,
    /// Reads and changes SCRAM credentials.
    pub scram_admin: ScramAdmin,
}
