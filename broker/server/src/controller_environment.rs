//! What the controller asks of the broker it lives in (`ControllerEnvironment`).

use std::sync::Arc;

use async_trait::async_trait;
use gregor_config::{Properties, topic};
use gregor_controller_service::ControllerEnvironment;
use gregor_model::ZnodeVersion;
use gregor_zookeeper::Session;
use gregor_zookeeper::registration::RegisterError;
use gregor_zookeeper::schema::config::Configs;

use crate::config_admin::BrokerLayers;
use crate::features::FeatureCache;
use crate::registration::Registration;

/// The broker as its controller sees it.
pub struct BrokerAsController {
    /// This broker's registration.
    pub registration: Arc<Registration>,
    /// The broker's configuration, which topics' builds on.
    pub layers: Arc<BrokerLayers>,
    /// The finalized features as last read.
    pub features: Arc<FeatureCache>,
}

#[async_trait]
impl ControllerEnvironment for BrokerAsController {
    async fn register(&self, session: &Session) -> Result<(), RegisterError> {
        self.registration.register(session).await.map(|_| ())
    }

    fn unclean_leader_election_enable(&self, overrides: &Configs) -> bool {
        let overrides: Properties =
            overrides.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        topic::resolve(&self.layers.current().values, &overrides)
            .is_ok_and(|values| values.bool("unclean.leader.election.enable"))
    }

    fn features_version(&self) -> Option<ZnodeVersion> {
        let features = self.features.load_full()?;
        i32::try_from(features.epoch).ok().map(ZnodeVersion)
    }
}
