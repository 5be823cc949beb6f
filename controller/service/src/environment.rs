//! What the controller asks of the broker it lives in.

use async_trait::async_trait;
use gregor_model::ZnodeVersion;
use gregor_zookeeper::Session;
use gregor_zookeeper::registration::RegisterError;
use gregor_zookeeper::schema::config::Configs;

/// The broker, as its controller sees it.
#[async_trait]
pub trait ControllerEnvironment: Send + Sync + 'static {
    /// Registers this broker under a new session; called again after a pause when it fails. The session is pinned.
    async fn register(&self, session: &Session) -> Result<(), RegisterError>;

    /// Whether `unclean.leader.election.enable` holds for a topic with these overrides, over this broker's current
    /// configuration. Overrides that cannot be read count as `false`.
    fn unclean_leader_election_enable(&self, overrides: &Configs) -> bool;

    /// The version of `/feature` that this broker has seen, which is the epoch it tells in ApiVersions.
    fn features_version(&self) -> Option<ZnodeVersion>;
}
