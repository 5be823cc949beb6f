//! Configuration that changes while the broker runs (`ZkConfigManager`): topics' overrides and the brokers' own.
//!
//! A change in ZooKeeper is announced by a notification that names an entity; its node is then read, so that order and
//! repetition do not matter. One task follows the notifications for the broker's whole life, over session losses.

use std::collections::BTreeSet;
use std::sync::Arc;

use gregor_config::dynamic::Level;
use gregor_config::{Properties, topic};
use gregor_controller_service::ControllerHandle;
use gregor_controller_service::admin::{ConfigWriteError, change_configs};
use gregor_log::{LogConfig, LogManager};
use gregor_model::{BrokerId, Timestamp, TopicName};
use gregor_replication::ReplicaManager;
use gregor_zookeeper::schema::config::{self, CHANGE_NAME_PREFIX, CHANGES_PATH, Configs, Entity, EntityType};
use gregor_zookeeper::store::Store;
use gregor_zookeeper::watch::ChangeNotifications;
use gregor_zookeeper::{Session, ZooKeeperError};
use tokio_util::sync::CancellationToken;

use crate::config_admin::BrokerLayers;
use crate::topic_configs::TopicConfigs;

/// Reads what ZooKeeper holds for all brokers and for this one.
pub async fn load_layers(
    store: &Store,
    broker: BrokerId,
    layers: &BrokerLayers,
) -> Result<(), ConfigWriteError> {
    layers.set(Level::Cluster, &properties(&store.broker_configs(None).await?));
    let own = store.broker_configs(Some(broker)).await?;
    if let Some(renewed) = layers.renew_passwords(&properties(&own)) {
        change_configs(store, &Entity::broker(Some(broker)), &renewed).await?;
    }
    layers.set(Level::Broker, &properties(&store.broker_configs(Some(broker)).await?));
    Ok(())
}

fn properties(configs: &Configs) -> Properties {
    configs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

/// What changes with the configuration.
pub struct Reconfigured {
    /// `broker.id`.
    pub broker: BrokerId,
    /// The broker's own configuration.
    pub layers: Arc<BrokerLayers>,
    /// Topics' overrides.
    pub topics: Arc<TopicConfigs>,
    /// The logs.
    pub logs: Arc<LogManager>,
    /// The replication throttles.
    pub replicas: Arc<ReplicaManager>,
    /// This broker as controller.
    pub controller: ControllerHandle,
}

impl Reconfigured {
    async fn apply(&self, store: &Store, entity: &Entity) -> Result<(), ZooKeeperError> {
        match entity.entity_type {
            EntityType::Topics => self.apply_topic(store, &TopicName::new(&entity.name)).await,
            EntityType::Brokers if *entity == Entity::broker(None) => {
                self.layers.change(Level::Cluster, &properties(&store.broker_configs(None).await?));
                self.apply_broker(store).await
            }
            EntityType::Brokers if *entity == Entity::broker(Some(self.broker)) => {
                let own = store.broker_configs(Some(self.broker)).await?;
                self.layers.change(Level::Broker, &properties(&own));
                self.apply_broker(store).await
            }
            _ => {
                tracing::debug!(entity = entity.entity_path(), "configuration of something else changed");
                Ok(())
            }
        }
    }

    async fn apply_topic(&self, store: &Store, name: &TopicName) -> Result<(), ZooKeeperError> {
        self.topics.read(store, &self.logs, &BTreeSet::from([name.clone()])).await?;
        tracing::info!(topic = %name, "topic configuration changed");
        if self.logs.topic_config(name).unclean_leader_election_enable {
            self.controller.unclean_election_enabled(Some(name.clone())).await;
        }
        Ok(())
    }

    /// The replication throttles, which no component has from its own configuration.
    fn apply_throttles(&self) {
        let current = self.layers.current();
        self.replicas.set_leader_throttle(current.rate("leader.replication.throttled.rate"));
        self.replicas.set_follower_throttle(current.rate("follower.replication.throttled.rate"));
        self.replicas.set_move_throttle(current.rate("replica.alter.log.dirs.io.max.bytes.per.second"));
    }

    /// The broker's dynamic configuration changed: its parts take over what is theirs.
    async fn apply_broker(&self, store: &Store) -> Result<(), ZooKeeperError> {
        let current = self.layers.current();
        let defaults = LogConfig::from_values(&topic::defaults(&current.values));
        let unclean_allowed = defaults.unclean_leader_election_enable;
        self.logs.update_defaults(defaults);
        for (name, config) in self.topics.load(store).await? {
            self.logs.update_topic_config(&name, Some(config));
        }
        self.logs.update_producer_settings(
            current.values.i32("producer.id.expiration.ms").into(),
            current.values.bool("transaction.partition.verification.enable"),
        );
        self.apply_throttles();
        let fetchers = u32::try_from(current.values.i32("num.replica.fetchers")).unwrap_or(1);
        self.replicas.set_num_replica_fetchers(fetchers).await;
        if unclean_allowed {
            self.controller.unclean_election_enabled(None).await;
        }
        tracing::info!("dynamic broker configuration applied");
        Ok(())
    }
}

/// Follows the notifications until the broker stops.
pub async fn follow(session: Session, parts: Reconfigured, stop: CancellationToken) {
    parts.apply_throttles();
    let store = Store::new(session.clone());
    let mut notifications = ChangeNotifications::new(session, CHANGES_PATH, CHANGE_NAME_PREFIX);
    loop {
        let fresh = match stop.run_until_cancelled(notifications.next(Timestamp::now)).await {
            None => return,
            Some(Ok(fresh)) => fresh,
            Some(Err(error)) => {
                tracing::warn!(%error, "cannot read configuration changes");
                if stop.run_until_cancelled(tokio::time::sleep(RETRY_BACKOFF)).await.is_none() {
                    return;
                }
                continue;
            }
        };
        for data in fresh {
            match config::decode_change(&data) {
                Err(error) => tracing::error!(%error, "unreadable configuration change"),
                Ok(entity) => {
                    if let Err(error) = parts.apply(&store, &entity).await {
                        let entity = entity.entity_path();
                        tracing::error!(entity, %error, "cannot read a changed configuration");
                    }
                }
            }
        }
    }
}

/// How long to wait after ZooKeeper failed.
const RETRY_BACKOFF: std::time::Duration = std::time::Duration::from_secs(1);
