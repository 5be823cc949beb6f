//! Configs and their change notifications (`AdminZkClient.changeEntityConfig`).

use gregor_model::{BrokerId, TopicName, ZnodeVersion};

use super::{Result, Store};
use crate::client::{CreateMode, Write};
use crate::error::{MultiError, ZooKeeperError};
use crate::schema::config::{self, Configs, Entity, EntityType};
use crate::schema::controller;

impl Store {
    /// An entity's configs; none when it has no node.
    pub async fn configs(&self, entity: &Entity) -> Result<Configs> {
        match self.session.find(&entity.path()).await? {
            None => Ok(Configs::new()),
            Some(node) => Ok(config::decode(&node.data)?),
        }
    }

    /// The overrides of a topic.
    pub async fn topic_configs(&self, topic: &TopicName) -> Result<Configs> {
        self.configs(&Entity::topic(topic)).await
    }

    /// The dynamic configs of a broker, or of the default of all brokers.
    pub async fn broker_configs(&self, id: Option<BrokerId>) -> Result<Configs> {
        self.configs(&Entity::broker(id)).await
    }

    /// The configs of many entities, in their order.
    pub async fn configs_of(&self, entities: &[Entity]) -> Result<Vec<Configs>> {
        let nodes = self.read_all(entities.iter().map(Entity::path).collect()).await?;
        let decode = |node: Option<crate::client::Node>| match node {
            None => Ok(Configs::new()),
            Some(node) => config::decode(&node.data).map_err(ZooKeeperError::from),
        };
        nodes.into_iter().map(decode).collect()
    }

    /// The entities of a type that have a node (`getAllEntitiesWithConfig`); the client ids below users are not listed.
    pub async fn entities(&self, entity_type: EntityType) -> Result<Vec<Entity>> {
        let names = match self.session.children(&entity_type.path()).await {
            Err(ZooKeeperError::NoNode) => Vec::new(),
            result => result?,
        };
        Ok(names.into_iter().map(|name| Entity { entity_type, name }).collect())
    }

    /// The client ids with configs below each of these users (`fetchAllChildEntityConfigs`): `alice/clients/app-1`.
    pub async fn client_ids_of_users(&self, users: &[Entity]) -> Result<Vec<Entity>> {
        let mut found = Vec::new();
        for user in users {
            let names = match self.session.children(&format!("{}/clients", user.path())).await {
                Err(ZooKeeperError::NoNode) => continue,
                result => result?,
            };
            let below = |name: String| Entity {
                entity_type: user.entity_type,
                name: format!("{}/clients/{name}", user.name),
            };
            found.extend(names.into_iter().map(below));
        }
        Ok(found)
    }

    /// Replaces an entity's configs, or creates its node (`setOrCreateEntityConfigs`). `controller_version` is that of
    /// `/controller` read just before: the write is refused with `BadVersion` if that node has changed. The first write
    /// of an entity's configs is never fenced, as in Kafka.
    pub async fn set_configs(
        &self,
        entity: &Entity,
        configs: &Configs,
        controller_version: ZnodeVersion,
    ) -> Result<()> {
        let data = config::encode(configs);
        let path = entity.path();
        let writes = [
            Write::Check { path: controller::PATH.to_owned(), version: controller_version },
            Write::Set { path: path.clone(), data: data.clone(), version: None },
        ];
        match self.session.write_many(&writes).await {
            Ok(_) => return Ok(()),
            Err(MultiError::Operation { error: ZooKeeperError::NoNode, .. }) => {}
            Err(error) => return Err(error.into()),
        }
        match self.create_with_parents(&path, &data).await {
            Err(ZooKeeperError::NodeExists) => Ok(self.session.write_many(&writes).await.map(|_| ())?),
            result => result,
        }
    }

    async fn create_with_parents(&self, path: &str, data: &[u8]) -> Result<()> {
        match self.session.create(path, data, CreateMode::Persistent).await {
            Err(ZooKeeperError::NoNode) => {}
            result => return result.map(|_| ()),
        }
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.session.ensure_path(parent).await?;
        }
        self.session.create(path, data, CreateMode::Persistent).await.map(|_| ())
    }

    /// Tells every broker that an entity's configs changed (`createConfigChangeNotification`).
    pub async fn notify_config_change(&self, entity: &Entity) -> Result<()> {
        let data = config::encode_change(entity);
        self.session.ensure_path(config::CHANGES_PATH).await?;
        self.session.create(config::CHANGE_PREFIX, &data, CreateMode::PersistentSequential).await.map(|_| ())
    }
}
