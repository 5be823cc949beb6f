//! The overrides of topics, for all who follow them (`TopicConfigHandler`, `ZkConfigRepository`).
//!
//! They are read when the broker starts, when one is announced as changed, and before the first log of a topic is
//! created here: the creation of a topic is not announced as a change. What was read last is what is in force, as who
//! finds that another reading was applied meanwhile reads again.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use gregor_config::{Properties, Values, topic};
use gregor_log::{LogConfig, LogManager};
use gregor_model::{BrokerId, TopicName};
use gregor_replication::ThrottledReplicas;
use gregor_zookeeper::ZooKeeperError;
use gregor_zookeeper::schema::config::{Configs, Entity, EntityType};
use gregor_zookeeper::store::Store;
use parking_lot::{Mutex, RwLock};

use crate::config_admin::BrokerLayers;

/// The overrides of topics.
pub struct TopicConfigs {
    broker: BrokerId,
    layers: Arc<BrokerLayers>,
    throttled: RwLock<HashMap<TopicName, (ThrottledReplicas, ThrottledReplicas)>>,
    /// How many readings were applied. Held while one is, never while reading.
    applied: Mutex<u64>,
}

impl TopicConfigs {
    /// No overrides known yet; the broker's configuration gives the defaults.
    pub fn new(broker: BrokerId, layers: Arc<BrokerLayers>) -> TopicConfigs {
        TopicConfigs { broker, layers, throttled: RwLock::default(), applied: Mutex::default() }
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

    /// Reads the overrides of these topics, and gives them to their logs and to those created later.
    pub async fn read(
        &self,
        store: &Store,
        logs: &LogManager,
        names: &BTreeSet<TopicName>,
    ) -> Result<(), ZooKeeperError> {
        let entities: Vec<Entity> = names.iter().map(Entity::topic).collect();
        loop {
            let before = *self.applied.lock();
            let configs = store.configs_of(&entities).await?;
            let mut applied = self.applied.lock();
            if *applied == before {
                *applied += 1;
                names.iter().zip(&configs).for_each(|(name, configs)| self.apply(logs, name, configs));
                return Ok(());
            }
        }
    }

    fn apply(&self, logs: &LogManager, name: &TopicName, configs: &Configs) {
        if let Some(config) = self.resolve(name, configs) {
            tracing::debug!(topic = %name, overrides = ?configs, "topic configuration read");
            logs.update_topic_config(name, (!configs.is_empty()).then_some(config));
        }
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
}
