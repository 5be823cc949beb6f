//! Creating and deleting topics in ZooKeeper (`ZkAdminManager`, `AdminZkClient`). The controller sees the new nodes and
//! does the rest; waiting for that is the request handlers' business.
//!
//! Any broker may do this, whoever is the controller: CreateTopics is kept to the controller by its handler, auto creation is not.

mod assignment;
mod error;
mod growth;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use gregor_config::{Properties, topic};
use gregor_model::{
    BrokerId, ReplicaAssignment, TopicId, TopicName, ZnodeVersion, has_collision_chars, names_collide,
};
use gregor_zookeeper::schema::config::{Configs, Entity};
use gregor_zookeeper::schema::topic::TopicAssignment;
use gregor_zookeeper::store::Store;

use crate::config_admin::BrokerLayers;
use crate::metadata_cache::MetadataSnapshot;

pub use assignment::{Assignment, Layout, TopicDefaults};
pub use error::{CreateTopicError, DeleteTopicError};
pub use growth::{GrowError, Growth};

/// A topic to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name, legal or not.
    pub name: TopicName,
    /// How many partitions and replicas, or where each.
    pub layout: Layout,
    /// Its overrides; `None` values are refused.
    pub configs: Vec<(String, Option<String>)>,
}

/// A topic that was created, or could be.
#[derive(Clone, Debug)]
pub struct CreatedTopic {
    /// The new id; `None` when nothing was written.
    pub id: Option<TopicId>,
    /// Replicas by partition.
    pub assignment: Assignment,
    /// Its own configuration.
    pub overrides: Properties,
}

/// Creates and deletes topics.
pub struct TopicAdmin {
    store: Store,
    layers: Arc<BrokerLayers>,
    defaults: TopicDefaults,
}

impl TopicAdmin {
    /// `layers` are the broker's configuration: topics' configurations build on them.
    pub fn new(store: Store, layers: Arc<BrokerLayers>, defaults: TopicDefaults) -> TopicAdmin {
        TopicAdmin { store, layers, defaults }
    }

    /// Creates a topic, or with `validate_only` says whether it could be. The first check that fails is told.
    pub async fn create(
        &self,
        snapshot: &MetadataSnapshot,
        new: &NewTopic,
        validate_only: bool,
    ) -> Result<CreatedTopic, CreateTopicError> {
        if snapshot.topic(new.name.as_str()).is_some() {
            return Err(CreateTopicError::Exists(new.name.clone()));
        }
        let overrides = overrides(&new.configs)?;
        let start = |brokers: usize| assignment::random_start(brokers);
        let assignment = assignment::resolve(&new.layout, self.defaults, snapshot, start)?;
        self.check_name(&new.name).await?;
        assignment::check(&assignment)?;
        topic::validate(&self.layers.current().values, &overrides)?;
        let id = match validate_only {
            true => None,
            false => Some(self.write(&new.name, &overrides, &assignment).await?),
        };
        Ok(CreatedTopic { id, assignment, overrides })
    }

    /// Marks a topic for deletion; one that is marked already is fine (`AdminZkClient.deleteTopic`).
    pub async fn delete(&self, name: &TopicName) -> Result<(), DeleteTopicError> {
        if !self.store.topic_exists(name).await? {
            return Err(DeleteTopicError::Unknown(name.clone()));
        }
        self.store.mark_for_deletion(name).await?;
        tracing::info!(topic = %name, "topic marked for deletion");
        Ok(())
    }

    /// Whether a topic of this name may come to be (`AdminZkClient.validateTopicCreate`).
    async fn check_name(&self, name: &TopicName) -> Result<(), CreateTopicError> {
        name.validate()?;
        if self.store.is_marked_for_deletion(name).await? {
            return Err(CreateTopicError::MarkedForDeletion(name.clone()));
        }
        if self.store.topic_exists(name).await? {
            return Err(CreateTopicError::Exists(name.clone()));
        }
        if !has_collision_chars(name.as_str()) {
            return Ok(());
        }
        let existing = self.store.topic_names().await?;
        let colliding = existing.into_iter().filter(|other| names_collide(name.as_str(), other.as_str()));
        let colliding: Vec<_> = colliding.collect();
        if colliding.contains(name) {
            return Err(CreateTopicError::Exists(name.clone()));
        }
        match colliding.is_empty() {
            true => Ok(()),
            false => Err(CreateTopicError::Collides { name: name.clone(), existing: colliding }),
        }
    }

    /// First the configuration, then the topic: the controller acts on the topic's node alone.
    async fn write(
        &self,
        name: &TopicName,
        overrides: &Properties,
        assignment: &Assignment,
    ) -> Result<TopicId, CreateTopicError> {
        let configs: Configs =
            overrides.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let controller = self.store.controller().await?;
        let version = controller.map_or(ZnodeVersion(0), |controller| controller.version);
        self.store.set_configs(&Entity::topic(name), &configs, version).await?;
        let id = random_topic_id();
        let partitions = assignment
            .iter()
            .map(|(partition, replicas)| (*partition, ReplicaAssignment::new(replicas.clone())))
            .collect();
        self.store.create_topic(name, &TopicAssignment { topic_id: Some(id), partitions }).await?;
        tracing::info!(topic = %name, %id, ?assignment, ?configs, "created topic");
        Ok(id)
    }
}

/// The overrides, of which none may be null.
fn overrides(configs: &[(String, Option<String>)]) -> Result<Properties, CreateTopicError> {
    let nulls: Vec<_> =
        configs.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.clone()).collect();
    if !nulls.is_empty() {
        return Err(CreateTopicError::NullConfigs(nulls));
    }
    Ok(configs.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?))).collect())
}

fn random_topic_id() -> TopicId {
    loop {
        if let Some(id) = TopicId::from_random(rand::random()) {
            return id;
        }
    }
}

/// The brokers that may get replicas, in the order of their ids.
fn candidates(snapshot: &MetadataSnapshot) -> Vec<gregor_controller_machine::Candidate> {
    snapshot
        .brokers()
        .map(|broker| gregor_controller_machine::Candidate {
            id: BrokerId(broker.id.0),
            rack: broker.rack.clone(),
        })
        .collect()
}
