//! Changing configurations (`ConfigAdminManager`, `ZkAdminManager`): checked as a whole, written to the entity's node,
//! announced to every broker.

use std::collections::BTreeMap;

use gregor_config::dynamic::{self, DynamicConfigError, Level};
use gregor_config::topic::{self, TopicConfigError};
use gregor_config::{Properties, ValueType, broker_table, topic_table};
use gregor_model::{BrokerId, ZnodeVersion};
use gregor_zookeeper::ZooKeeperError;
use gregor_zookeeper::schema::config::{Configs, Entity};

use super::{ConfigAdmin, ConfigResource};
use crate::log_levels::LogLevelError;
use crate::metadata_cache::MetadataSnapshot;

/// What to do with a key (`AlterConfigOp.OpType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlterOperation {
    /// 0.
    Set,
    /// 1.
    Delete,
    /// 2: add to a list.
    Append,
    /// 3: take from a list.
    Subtract,
}

impl AlterOperation {
    /// The operation with that id.
    pub fn from_wire(id: i8) -> Option<AlterOperation> {
        Some(match id {
            0 => AlterOperation::Set,
            1 => AlterOperation::Delete,
            2 => AlterOperation::Append,
            3 => AlterOperation::Subtract,
            _ => return None,
        })
    }
}

/// One key's change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    /// The key.
    pub name: String,
    /// What to do.
    pub operation: AlterOperation,
    /// The value; only deletions need none.
    pub value: Option<String>,
}

/// Why a configuration was not changed; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum AlterConfigsError {
    /// INVALID_REQUEST.
    #[error("{0}")]
    Invalid(String),
    /// INVALID_CONFIG.
    #[error("{0}")]
    Config(String),
    /// INVALID_CONFIG.
    #[error(transparent)]
    Topic(#[from] TopicConfigError),
    /// INVALID_TOPIC_EXCEPTION.
    #[error(transparent)]
    TopicName(#[from] gregor_model::InvalidTopicName),
    /// UNKNOWN_TOPIC_OR_PARTITION.
    #[error("The topic '{0}' does not exist.")]
    UnknownTopic(String),
    /// UNKNOWN_SERVER_ERROR.
    #[error(transparent)]
    ZooKeeper(#[from] ZooKeeperError),
}

impl From<DynamicConfigError> for AlterConfigsError {
    fn from(error: DynamicConfigError) -> AlterConfigsError {
        AlterConfigsError::Invalid(error.to_string())
    }
}

impl From<LogLevelError> for AlterConfigsError {
    fn from(error: LogLevelError) -> AlterConfigsError {
        match error {
            LogLevelError::UnknownLevel { .. } => AlterConfigsError::Config(error.to_string()),
            LogLevelError::UnknownLogger(_) | LogLevelError::RootRemoved => {
                AlterConfigsError::Invalid(error.to_string())
            }
        }
    }
}

impl ConfigAdmin {
    /// IncrementalAlterConfigs of one resource.
    pub async fn change(
        &self,
        snapshot: &MetadataSnapshot,
        resource: &ConfigResource,
        changes: &[ConfigChange],
        validate_only: bool,
    ) -> Result<(), AlterConfigsError> {
        check_changes(changes)?;
        if let ConfigResource::BrokerLogger(id) = resource {
            self.check_broker(*id)?;
            return self.change_levels(changes, validate_only);
        }
        let stored = self.stored(resource).await?;
        let next = changed(resource, &stored, changes)?;
        self.replace_checked(snapshot, resource, next, validate_only).await
    }

    /// AlterConfigs of one resource: what is not named is removed.
    pub async fn replace(
        &self,
        snapshot: &MetadataSnapshot,
        resource: &ConfigResource,
        configs: Configs,
        validate_only: bool,
    ) -> Result<(), AlterConfigsError> {
        if matches!(resource, ConfigResource::BrokerLogger(_)) {
            return Err(AlterConfigsError::Invalid("Unsupported resource type: 8".to_owned()));
        }
        self.replace_checked(snapshot, resource, configs, validate_only).await
    }

    async fn stored(&self, resource: &ConfigResource) -> Result<Configs, AlterConfigsError> {
        match resource.entity() {
            Some(entity) => Ok(self.store.configs(&entity).await?),
            None => Ok(Configs::new()),
        }
    }

    async fn replace_checked(
        &self,
        snapshot: &MetadataSnapshot,
        resource: &ConfigResource,
        configs: Configs,
        validate_only: bool,
    ) -> Result<(), AlterConfigsError> {
        let properties: Properties =
            configs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match resource {
            ConfigResource::Topic(name) => {
                if name.as_str().is_empty() {
                    return Err(AlterConfigsError::Invalid(
                        "Default topic resources are not allowed.".to_owned(),
                    ));
                }
                name.validate()?;
                if snapshot.topic(name.as_str()).is_none() {
                    return Err(AlterConfigsError::UnknownTopic(name.to_string()));
                }
                topic::validate(&self.layers.current().values, &properties)?;
            }
            ConfigResource::Broker(id) => {
                self.check_broker(*id)?;
                self.check_dynamic(&properties, Level::Broker)?;
            }
            ConfigResource::AllBrokers => self.check_dynamic(&properties, Level::Cluster)?,
            ConfigResource::BrokerLogger(_) => {}
        }
        match resource.entity() {
            Some(entity) if !validate_only => self.write(&entity, &configs).await,
            _ => Ok(()),
        }
    }

    fn check_broker(&self, id: BrokerId) -> Result<(), AlterConfigsError> {
        if id == self.id {
            return Ok(());
        }
        Err(AlterConfigsError::Invalid(format!(
            "Unexpected broker id, expected {} or empty string, but received {id}",
            self.id
        )))
    }

    fn check_dynamic(&self, properties: &Properties, level: Level) -> Result<(), AlterConfigsError> {
        dynamic::validate(properties, level)?;
        if let Some((name, _)) = properties.iter().find(|(name, _)| dynamic::is_password(name)) {
            // Stored in ZooKeeper it would have to be encrypted, which password.encoder.secret is for.
            return Err(AlterConfigsError::Invalid(format!(
                "Password config {name} cannot be set dynamically: password.encoder.secret is not configured"
            )));
        }
        let current = self.layers.current();
        for (name, value) in properties.iter() {
            let is_pool = matches!(
                name,
                "num.io.threads"
                    | "num.network.threads"
                    | "num.replica.fetchers"
                    | "num.recovery.threads.per.data.dir"
                    | "background.threads"
            );
            if let (true, Ok(new)) = (is_pool, value.trim().parse()) {
                dynamic::may_resize(name, current.values.i32(name), new)
                    .map_err(|error| AlterConfigsError::Invalid(error.to_string()))?;
            }
        }
        Ok(())
    }

    fn change_levels(&self, changes: &[ConfigChange], validate_only: bool) -> Result<(), AlterConfigsError> {
        let mut levels = Vec::with_capacity(changes.len());
        for change in changes {
            match change.operation {
                AlterOperation::Set | AlterOperation::Delete => {
                    levels.push((change.name.clone(), change.value.clone()));
                }
                AlterOperation::Append | AlterOperation::Subtract => {
                    let message = format!(
                        "{:?} operation is not allowed for the BROKER_LOGGER resource",
                        change.operation
                    );
                    return Err(AlterConfigsError::Invalid(message));
                }
            }
        }
        match validate_only {
            true => self.log_levels.check(&levels)?,
            false => self.log_levels.change(&levels)?,
        }
        Ok(())
    }

    /// First the node, then the announcement: whoever hears of it finds the new state.
    async fn write(&self, entity: &Entity, configs: &Configs) -> Result<(), AlterConfigsError> {
        let controller = self.store.controller().await?;
        let version = controller.map_or(ZnodeVersion(0), |controller| controller.version);
        self.store.set_configs(entity, configs, version).await?;
        self.store.notify_config_change(entity).await?;
        tracing::info!(entity = entity.entity_path(), "configuration changed by an administrator");
        Ok(())
    }
}

/// Each key once, and a value for all but deletions.
fn check_changes(changes: &[ConfigChange]) -> Result<(), AlterConfigsError> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for change in changes {
        *counts.entry(&change.name).or_default() += 1;
    }
    let duplicates: Vec<&str> =
        counts.iter().filter(|(_, count)| **count > 1).map(|(name, _)| *name).collect();
    if !duplicates.is_empty() {
        return Err(AlterConfigsError::Invalid(format!(
            "Error due to duplicate config keys : {}",
            duplicates.join(",")
        )));
    }
    let nulls: Vec<&str> = changes
        .iter()
        .filter(|change| change.value.is_none() && change.operation != AlterOperation::Delete)
        .map(|change| change.name.as_str())
        .collect();
    if nulls.is_empty() {
        return Ok(());
    }
    Err(AlterConfigsError::Invalid(format!("Null value not supported for : {}", nulls.join(","))))
}

/// What is stored after the changes.
fn changed(
    resource: &ConfigResource,
    stored: &Configs,
    changes: &[ConfigChange],
) -> Result<Configs, AlterConfigsError> {
    let table = match resource {
        ConfigResource::Topic(_) => topic_table(),
        _ => broker_table(),
    };
    let mut next = stored.clone();
    for change in changes {
        let value = change.value.as_deref().unwrap_or("");
        match change.operation {
            AlterOperation::Delete => {
                next.remove(&change.name);
            }
            AlterOperation::Set => {
                next.insert(change.name.clone(), value.to_owned());
            }
            AlterOperation::Append | AlterOperation::Subtract => {
                let key = table.get(&change.name);
                if key.is_none_or(|key| key.value_type != ValueType::List) {
                    let what = if change.operation == AlterOperation::Append { "append" } else { "subtract" };
                    return Err(AlterConfigsError::Config(format!(
                        "Config value {what} is not allowed for config key: {}",
                        change.name
                    )));
                }
                let before = next.get(&change.name).map(String::as_str).or(key.and_then(|key| key.default));
                let list = edit_list(before.unwrap_or(""), value, change.operation == AlterOperation::Append);
                next.insert(change.name.clone(), list);
            }
        }
    }
    Ok(next)
}

fn edit_list(before: &str, value: &str, append: bool) -> String {
    let split = |text: &str| -> Vec<String> {
        text.split(',').map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty()).collect()
    };
    let mut list = split(before);
    for entry in split(value) {
        if append {
            if !list.contains(&entry) {
                list.push(entry);
            }
        } else {
            list.retain(|kept| *kept != entry);
        }
    }
    list.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, operation: AlterOperation, value: &str) -> ConfigChange {
        ConfigChange { name: name.to_owned(), operation, value: Some(value.to_owned()) }
    }

    #[test]
    fn changes_of_a_topic() {
        use AlterOperation::{Append, Delete, Set, Subtract};
        let topic = ConfigResource::Topic("t".into());
        let stored = Configs::from([("retention.ms".to_owned(), "1".to_owned())]);
        #[track_caller]
        fn check(
            resource: &ConfigResource,
            stored: &Configs,
            change: ConfigChange,
            expected: &[(&str, &str)],
        ) {
            let next = changed(resource, stored, &[change]).expect("a legal change");
            let next: Vec<(&str, &str)> =
                next.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(next, expected);
        }
        check(&topic, &stored, change("retention.ms", Set, "2"), &[("retention.ms", "2")]);
        check(&topic, &stored, change("retention.ms", Delete, ""), &[]);
        check(
            &topic,
            &stored,
            change("cleanup.policy", Append, "compact"),
            &[("cleanup.policy", "delete,compact"), ("retention.ms", "1")],
        );
        check(
            &topic,
            &stored,
            change("cleanup.policy", Subtract, "delete"),
            &[("cleanup.policy", ""), ("retention.ms", "1")],
        );
        let refused = changed(&topic, &stored, &[change("retention.ms", Append, "2")]);
        assert!(matches!(refused, Err(AlterConfigsError::Config(_))));
    }

    #[test]
    fn each_key_once_and_with_a_value() {
        let twice = [change("a", AlterOperation::Set, "1"), change("a", AlterOperation::Delete, "")];
        assert_eq!(
            check_changes(&twice).map_err(|error| error.to_string()),
            Err("Error due to duplicate config keys : a".to_owned())
        );
        let null = ConfigChange { name: "a".to_owned(), operation: AlterOperation::Set, value: None };
        assert_eq!(
            check_changes(&[null]).map_err(|error| error.to_string()),
            Err("Null value not supported for : a".to_owned())
        );
    }
}
