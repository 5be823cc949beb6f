//! Changing configurations (`ConfigAdminManager`, `ZkAdminManager`): checked as a whole, written to the entity's node,
//! announced to every broker.

use gregor_config::dynamic::{self, DynamicConfigError, Level};
use gregor_config::topic::{self, TopicConfigError};
use gregor_config::{Properties, broker_table, topic_table};
use gregor_controller_service::admin::{ConfigWriteError, change_configs};
use gregor_model::{BrokerId, TopicName};
use gregor_zookeeper::ZooKeeperError;
use gregor_zookeeper::schema::config::{Configs, Entity};

use super::alteration::{AlterOperation, Alteration};
use super::{ConfigAdmin, resource};
use crate::log_levels::LogLevelError;
use crate::metadata_cache::MetadataSnapshot;

/// Why a configuration was not changed; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum AlterConfigsError {
    /// INVALID_REQUEST.
    #[error("{0}")]
    Invalid(String),
    /// INVALID_REQUEST.
    #[error(transparent)]
    Broker(#[from] DynamicConfigError),
    /// INVALID_CONFIG.
    #[error("{0}")]
    Config(String),
    /// Of a topic, where it is UNKNOWN_SERVER_ERROR: Kafka has no code for it there.
    #[error("Unknown operations type {0}")]
    UnknownOperation(i8),
    /// UNKNOWN_TOPIC_OR_PARTITION.
    #[error("The topic '{0}' does not exist.")]
    UnknownTopic(String),
    /// UNKNOWN_SERVER_ERROR.
    #[error(transparent)]
    ZooKeeper(#[from] ZooKeeperError),
    /// STALE_CONTROLLER_EPOCH, or UNKNOWN_SERVER_ERROR.
    #[error(transparent)]
    Write(#[from] ConfigWriteError),
}

impl From<LogLevelError> for AlterConfigsError {
    fn from(error: LogLevelError) -> AlterConfigsError {
        match error {
            LogLevelError::UnknownLevel { .. } | LogLevelError::UnknownLogger(_) => {
                AlterConfigsError::Config(error.to_string())
            }
            LogLevelError::RootRemoved => AlterConfigsError::Invalid(error.to_string()),
        }
    }
}

impl ConfigAdmin {
    /// AlterConfigs or IncrementalAlterConfigs of one resource, named as in the request.
    pub async fn alter(
        &self,
        snapshot: &MetadataSnapshot,
        (resource_type, name): (i8, &str),
        alteration: &Alteration,
        validate_only: bool,
    ) -> Result<(), AlterConfigsError> {
        alteration.check()?;
        match (resource_type, alteration) {
            (resource::TOPIC, _) => self.alter_topic(snapshot, name, alteration, validate_only).await,
            (resource::BROKER, _) if name.is_empty() => {
                self.alter_brokers(Level::Cluster, alteration, validate_only).await
            }
            (resource::BROKER, _) => {
                self.check_own_id(name)?;
                self.alter_brokers(Level::Broker, alteration, validate_only).await
            }
            (resource::BROKER_LOGGER, Alteration::Change(_)) => {
                self.check_own_id(name)?;
                self.change_levels(alteration, validate_only)
            }
            (resource::CLIENT_METRICS, _) => Err(AlterConfigsError::Invalid(
                "AlterConfigs is only supported for topics and brokers, but resource type is CLIENT_METRICS"
                    .to_owned(),
            )),
            (other, _) => Err(AlterConfigsError::Invalid(format!("Unknown resource type {other}"))),
        }
    }

    async fn alter_topic(
        &self,
        snapshot: &MetadataSnapshot,
        name: &str,
        alteration: &Alteration,
        validate_only: bool,
    ) -> Result<(), AlterConfigsError> {
        if name.is_empty() {
            return Err(AlterConfigsError::Invalid("Default topic resources are not allowed.".to_owned()));
        }
        if snapshot.topic(name).is_none() {
            // What exists has a legal name: nothing else gets into a path.
            return Err(AlterConfigsError::UnknownTopic(name.to_owned()));
        }
        let entity = Entity::topic(&TopicName::new(name));
        let next = alteration.apply(self.stored(&entity, alteration).await?, topic_table())?;
        topic::validate(&self.layers.current().values, &next).map_err(|error| {
            AlterConfigsError::Config(match &error {
                TopicConfigError::InvalidValue(_) | TopicConfigError::NoTieredStorage => {
                    invalid("TOPIC", name, &error.to_string())
                }
                TopicConfigError::UnknownName(_)
                | TopicConfigError::CompactionLags { .. }
                | TopicConfigError::RemoteLogInZooKeeperMode => error.to_string(),
            })
        })?;
        self.write(&entity, next, validate_only).await
    }

    async fn alter_brokers(
        &self,
        level: Level,
        alteration: &Alteration,
        validate_only: bool,
    ) -> Result<(), AlterConfigsError> {
        let entity = Entity::broker((level == Level::Broker).then_some(self.id));
        let stored = self.layers.accept(&self.stored(&entity, alteration).await?, level);
        let next = alteration.apply(stored, broker_table()).map_err(|error| match error {
            // Looked at before Kafka comes to where it has no code for it.
            AlterConfigsError::UnknownOperation(_) => AlterConfigsError::Invalid(error.to_string()),
            error => error,
        })?;
        self.layers.validate(level, &next)?;
        if validate_only {
            return Ok(());
        }
        let encoded = self.encode_passwords(level, next)?;
        self.write(&entity, encoded, false).await
    }

    /// Passwords go to ZooKeeper encrypted, and belong to one broker.
    fn encode_passwords(
        &self,
        level: Level,
        mut properties: Properties,
    ) -> Result<Properties, AlterConfigsError> {
        let passwords: Vec<(String, String)> = properties
            .iter()
            .filter(|(name, _)| dynamic::is_password(name))
            .map(|(name, password)| (name.to_owned(), password.to_owned()))
            .collect();
        for (name, password) in passwords {
            let refused = |reason: &str| {
                let broker = if level == Level::Broker { self.id.to_string() } else { String::new() };
                AlterConfigsError::Config(invalid("BROKER", &broker, reason))
            };
            if level == Level::Cluster {
                return Err(refused("Password config can be defined only at broker level"));
            }
            let encoder = self.layers.passwords();
            let encoder = encoder.ok_or_else(|| refused("Password encoder secret not configured"))?;
            let encoded = encoder.encode(&password);
            properties.set(name, encoded.ok_or_else(|| refused("Password could not be encoded"))?);
        }
        Ok(properties)
    }

    /// What is stored, unless nothing of it stays.
    async fn stored(
        &self,
        entity: &Entity,
        alteration: &Alteration,
    ) -> Result<Properties, AlterConfigsError> {
        match alteration {
            Alteration::Replace(_) => Ok(Properties::new()),
            Alteration::Change(_) => Ok(self.store.configs(entity).await?.into_iter().collect()),
        }
    }

    fn check_own_id(&self, name: &str) -> Result<(), AlterConfigsError> {
        let id: BrokerId = name.parse().map(BrokerId).map_err(|_| {
            AlterConfigsError::Invalid(format!("Node id must be an integer, but it is: {name}"))
        })?;
        if id == self.id {
            return Ok(());
        }
        let message = format!("Unexpected broker id, expected {}, but received {name}", self.id);
        Err(AlterConfigsError::Invalid(message))
    }

    fn change_levels(&self, alteration: &Alteration, validate_only: bool) -> Result<(), AlterConfigsError> {
        let mut levels = Vec::with_capacity(alteration.changes().len());
        for change in alteration.changes() {
            let operation = match change.operation {
                AlterOperation::Set => {
                    levels.push((change.name.clone(), change.value.clone()));
                    continue;
                }
                AlterOperation::Delete => {
                    levels.push((change.name.clone(), None));
                    continue;
                }
                AlterOperation::Append => "APPEND operation".to_owned(),
                AlterOperation::Subtract => "SUBTRACT operation".to_owned(),
                AlterOperation::Unknown(id) => format!("Unknown operation type {id}"),
            };
            let message = format!("{operation} is not allowed for the BROKER_LOGGER resource");
            return Err(AlterConfigsError::Invalid(message));
        }
        match validate_only {
            true => self.log_levels.check(&levels)?,
            false => self.log_levels.change(&levels)?,
        }
        Ok(())
    }

    async fn write(
        &self,
        entity: &Entity,
        properties: Properties,
        validate_only: bool,
    ) -> Result<(), AlterConfigsError> {
        if !validate_only {
            let configs: Configs = properties.into_iter().collect();
            change_configs(&self.store, entity, &configs).await?;
            tracing::info!(entity = entity.entity_path(), "configuration changed by an administrator");
        }
        Ok(())
    }
}

/// Kafka's frame around a value that its key does not take.
fn invalid(resource_type: &str, name: &str, reason: &str) -> String {
    format!("Invalid config value for resource ConfigResource(type={resource_type}, name='{name}'): {reason}")
}
