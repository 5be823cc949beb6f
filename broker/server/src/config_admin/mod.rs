//! Configurations as administrators read and change them (`ConfigHelper`, `ConfigAdminManager`): of topics, of brokers
//! and of all brokers together. What is changed is written to ZooKeeper and announced; every broker then reads it
//! again, this one too.

mod alter;
mod describe;
mod layers;
mod resource;

use std::sync::Arc;

use gregor_config::BrokerConfig;
use gregor_model::BrokerId;
use gregor_zookeeper::store::Store;

use crate::log_levels::LogLevels;

pub use alter::{AlterConfigsError, AlterOperation, ConfigChange};
pub use describe::{DescribeError, DescribeOptions, DescribedConfig, DescribedSynonym};
pub use layers::BrokerLayers;
pub use resource::ConfigResource;

/// Reads and changes configurations.
pub struct ConfigAdmin {
    id: BrokerId,
    store: Store,
    config: Arc<BrokerConfig>,
    layers: Arc<BrokerLayers>,
    log_levels: Arc<LogLevels>,
}

impl ConfigAdmin {
    /// `layers` are the dynamic configurations that this broker has in force.
    pub fn new(
        id: BrokerId,
        store: Store,
        config: Arc<BrokerConfig>,
        layers: Arc<BrokerLayers>,
        log_levels: Arc<LogLevels>,
    ) -> ConfigAdmin {
        ConfigAdmin { id, store, config, layers, log_levels }
    }
}
