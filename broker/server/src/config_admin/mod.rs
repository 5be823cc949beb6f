//! Configurations as administrators read and change them (`ConfigHelper`, `ConfigAdminManager`): of topics, of brokers
//! and of all brokers together. What is changed is written to ZooKeeper and announced; every broker then reads it
//! again, this one too.

mod alter;
mod alteration;
mod describe;
mod layers;
mod password_encoder;
mod resource;

use std::sync::Arc;

use gregor_config::Properties;
use gregor_model::BrokerId;
use gregor_zookeeper::store::Store;

use crate::log_levels::LogLevels;

pub use alter::AlterConfigsError;
pub use alteration::{AlterOperation, Alteration, ConfigChange};
pub use describe::{DescribeError, DescribeOptions, DescribedConfig, DescribedSynonym};
pub use layers::BrokerLayers;
pub use resource::ConfigResource;

/// Reads and changes configurations.
pub struct ConfigAdmin {
    id: BrokerId,
    store: Store,
    layers: Arc<BrokerLayers>,
    log_levels: Arc<LogLevels>,
}

impl ConfigAdmin {
    /// `layers` are the dynamic configurations that this broker has in force.
    pub fn new(
        id: BrokerId,
        store: Store,
        layers: Arc<BrokerLayers>,
        log_levels: Arc<LogLevels>,
    ) -> ConfigAdmin {
        ConfigAdmin { id, store, layers, log_levels }
    }

    /// The keys of a topic with these overrides, as CreateTopics tells them.
    pub fn describe_created(&self, overrides: &Properties) -> Result<Vec<DescribedConfig>, DescribeError> {
        describe::created_topic(&self.layers, overrides)
    }
}
