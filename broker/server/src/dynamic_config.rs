//! Configuration that changes while the broker runs (`ZkConfigManager`, `TopicConfigHandler`): topics' overrides.
//!
//! A change in ZooKeeper is announced by a notification that names an entity; its node is then read, so that order and
//! repetition do not matter. One task follows the notifications for the broker's whole life, over session losses.

use std::collections::HashMap;
use std::sync::Arc;

use gregor_config::{Properties, Values, topic};
use gregor_controller_service::ControllerHandle;
use gregor_log::{LogConfig, LogManager};
use gregor_model::{BrokerId, Timestamp, TopicName};
use gregor_replication::{ReplicaManager, ThrottledReplicas};
use gregor_zookeeper::schema::config::{self, CHANGE_NAME_PREFIX, CHANGES_PATH, Configs, Entity, EntityType};
use gregor_zookeeper::store::Store;
use gregor_zookeeper::watch::ChangeNotifications;
use gregor_zookeeper::{Session, ZooKeeperError};
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

use crate::config_admin::BrokerLayers;

/// The overrides of topics, for all who follow them.
pub struct TopicConfigs {
    broker: BrokerId,
    layers: Arc<BrokerLayers>,
    throttled: RwLock<HashMap<TopicName, (ThrottledReplicas, ThrottledReplicas)>>,
}

impl TopicConfigs {
    /// No overrides known yet; the broker's configuration gives the defaults.
    pub fn new(broker: BrokerId, layers: Arc<BrokerLayers>) -> TopicConfigs {
        TopicConfigs { broker, layers, throttled: RwLock::default() }
    }

    /// Reads the overrides of every topic, as the log manager needs them when it opens.
    pub async fn load(&self, store: &Store) -> Result<HashMap<TopicName, LogConfig>, ZooKeeperError> {
        let entities = store.entities(EntityType::Topics).await?;
        let configs = store.configs_of(&entities).await?;
        let mut overridden = HashMap::new();
        for (entity, configs) in entities.into_iter().zip(configs) {
            let name = TopicName::new(&entity.name);
            if !configs.is_empty()
                && let Some(config) = self.resolve(&name, &configs)
            {
                overridden.insert(name, config);
            }
        }
        Ok(overridden)
    }

    /// Which replicas of a topic are throttled, as leader and as follower.
    pub fn throttled_replicas(&self, topic: &TopicName) -> (ThrottledReplicas, ThrottledReplicas) {
        self.throttled.read().get(topic).cloned().unwrap_or_default()
    }

    /// The log's part of a topic's configuration; the throttles are noted here. `None` when a value does not parse: then
    /// what was in force stays.
    fn resolve(&self, name: &TopicName, configs: &Configs) -> Option<LogConfig> {
        let overrides: Properties =
            configs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let values = topic::resolve(&self.layers.current().values, &overrides)
            .inspect_err(
                |error| tracing::error!(topic = %name, %error, "invalid topic configuration is ignored"),
            )
            .ok()?;
        self.note_throttles(name, &values);
        Some(LogConfig::from_values(&values))
    }

    fn note_throttles(&self, name: &TopicName, values: &Values) {
        let parse = |key| ThrottledReplicas::parse(&values.list(key).join(","), self.broker);
        let leader = parse("leader.replication.throttled.replicas");
        let follower = parse("follower.replication.throttled.replicas");
        let mut throttled = self.throttled.write();
        if leader == ThrottledReplicas::None && follower == ThrottledReplicas::None {
            throttled.remove(name);
        } else {
            throttled.insert(name.clone(), (leader, follower));
        }
    }

    /// Reads one topic's overrides again and gives them to its logs.
    async fn apply(&self, store: &Store, logs: &LogManager, name: &TopicName) -> Result<(), ZooKeeperError> {
        let configs = store.topic_configs(name).await?;
        if let Some(config) = self.resolve(name, &configs) {
            tracing::info!(topic = %name, overrides = ?configs, "topic configuration changed");
            logs.update_topic_config(name, (!configs.is_empty()).then_some(config));
        }
        Ok(())
    }
}

/// Reads what ZooKeeper holds for all brokers and for this one.
pub async fn load_layers(
    store: &Store,
    broker: BrokerId,
    layers: &BrokerLayers,
) -> Result<(), ZooKeeperError> {
    layers.set_cluster(properties(&store.broker_configs(None).await?));
    layers.set_broker(properties(&store.broker_configs(Some(broker)).await?));
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
                self.layers.set_cluster(properties(&store.broker_configs(None).await?));
                self.apply_broker(store).await
            }
            EntityType::Brokers if *entity == Entity::broker(Some(self.broker)) => {
                self.layers.set_broker(properties(&store.broker_configs(Some(self.broker)).await?));
                self.apply_broker(store).await
            }
            _ => {
                tracing::debug!(entity = entity.entity_path(), "configuration of something else changed");
                Ok(())
            }
        }
    }

    async fn apply_topic(&self, store: &Store, name: &TopicName) -> Result<(), ZooKeeperError> {
        self.topics.apply(store, &self.logs, name).await?;
        if self.logs.topic_config(name).unclean_leader_election_enable {
            self.controller.unclean_election_enabled(Some(name.clone())).await;
        }
        Ok(())
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
        self.replicas.set_leader_throttle(current.rate("leader.replication.throttled.rate"));
        self.replicas.set_follower_throttle(current.rate("follower.replication.throttled.rate"));
        if unclean_allowed {
            self.controller.unclean_election_enabled(None).await;
        }
        tracing::info!(cluster = ?current.cluster, broker = ?current.broker, "dynamic broker configuration applied");
        Ok(())
    }
}

/// Follows the notifications until the broker stops.
pub async fn follow(session: Session, parts: Reconfigured, stop: CancellationToken) {
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
