//! What a resource's keys are set to, and why (`ConfigHelper.describeConfigs`).

use std::collections::HashSet;

use gregor_config::{ConfigKey, Properties, Scope, Source, Value, ValueType, broker_table, dynamic, topic};
use gregor_model::BrokerId;
use gregor_zookeeper::ZooKeeperError;

use super::layers::Layered;
use super::{ConfigAdmin, ConfigResource};
use crate::log_levels::LogLevels;
use crate::metadata_cache::MetadataSnapshot;

/// What to tell beside the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DescribeOptions {
    /// Where else a value is set.
    pub synonyms: bool,
    /// What keys mean.
    pub documentation: bool,
}

/// Another place where a value is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedSynonym {
    /// The key there.
    pub name: String,
    /// The value there; `None` for secrets.
    pub value: Option<String>,
    /// The place.
    pub source: Source,
}

/// One key's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedConfig {
    /// The key.
    pub name: String,
    /// Its value; `None` for null and for secrets.
    pub value: Option<String>,
    /// Whether it changes by a restart alone.
    pub read_only: bool,
    /// Where the value comes from.
    pub source: Source,
    /// Whether the value is kept secret.
    pub sensitive: bool,
    /// Every place where it is set, the one in force first.
    pub synonyms: Vec<DescribedSynonym>,
    /// The type's id; 0 for an unknown one.
    pub type_id: i8,
    /// What the key means.
    pub documentation: Option<String>,
}

/// Why a resource cannot be described.
#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    /// INVALID_REQUEST.
    #[error("{0}")]
    Invalid(String),
    /// INVALID_TOPIC_EXCEPTION.
    #[error(transparent)]
    TopicName(#[from] gregor_model::InvalidTopicName),
    /// UNKNOWN_TOPIC_OR_PARTITION.
    #[error("This server does not host this topic-partition.")]
    UnknownTopic,
    /// UNKNOWN_SERVER_ERROR.
    #[error(transparent)]
    ZooKeeper(#[from] ZooKeeperError),
    /// UNKNOWN_SERVER_ERROR: a stored override does not parse.
    #[error(transparent)]
    Stored(#[from] gregor_config::InvalidValue),
}

impl ConfigAdmin {
    /// The keys of a resource: those named, or all.
    pub async fn describe(
        &self,
        snapshot: &MetadataSnapshot,
        resource: &ConfigResource,
        keys: Option<&HashSet<String>>,
        options: DescribeOptions,
    ) -> Result<Vec<DescribedConfig>, DescribeError> {
        let mut described = match resource {
            ConfigResource::Topic(name) => {
                name.validate()?;
                if snapshot.topic(name.as_str()).is_none() {
                    return Err(DescribeError::UnknownTopic);
                }
                let stored = self.store.topic_configs(name).await?;
                let overrides = stored.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
                topic_configs(&self.layers.current(), &self.static_properties(), &overrides)?
            }
            ConfigResource::Broker(id) if *id == self.id => {
                broker_configs(&self.layers.current(), &self.static_properties())
            }
            ConfigResource::AllBrokers => cluster_configs(&self.layers.current(), &self.static_properties()),
            ConfigResource::Broker(id) | ConfigResource::BrokerLogger(id) if *id != self.id => {
                return Err(unexpected_broker(self.id, *id));
            }
            ConfigResource::Broker(_) | ConfigResource::BrokerLogger(_) => loggers(&self.log_levels),
        };
        described.retain(|config| keys.is_none_or(|keys| keys.contains(&config.name)));
        for config in &mut described {
            if !options.synonyms {
                config.synonyms.clear();
            }
            if !options.documentation {
                config.documentation = None;
            }
        }
        Ok(described)
    }

    fn static_properties(&self) -> Properties {
        self.config.properties().clone()
    }
}

/// The loggers and their levels.
fn loggers(levels: &LogLevels) -> Vec<DescribedConfig> {
    let described = levels.all().into_iter().map(|(name, level)| DescribedConfig {
        name,
        value: Some(level.to_owned()),
        read_only: false,
        source: Source::DynamicBrokerLogger,
        sensitive: false,
        synonyms: Vec::new(),
        type_id: ValueType::String.wire_id(),
        documentation: None,
    });
    described.collect()
}

fn unexpected_broker(ours: BrokerId, asked: BrokerId) -> DescribeError {
    DescribeError::Invalid(format!(
        "Unexpected broker id, expected {ours} or empty string, but received {asked}"
    ))
}

fn text(key: &ConfigKey, value: &Value) -> Option<String> {
    match value {
        _ if key.is_sensitive() => None,
        Value::Null => None,
        value => Some(value.to_string()),
    }
}

/// The topic's keys (`createTopicConfigEntry`): an override first, then what the broker says under its own names.
fn topic_configs(
    layered: &Layered,
    file: &Properties,
    overrides: &Properties,
) -> Result<Vec<DescribedConfig>, DescribeError> {
    let values = topic::resolve(&layered.values, overrides)?;
    let keys = values.table().iter().filter(|key| !key.internal || overrides.contains(key.name));
    let described = keys.map(|key| {
        let value = values.get(key.name).and_then(|value| text(key, &value));
        let broker_names: Vec<&str> = topic::synonyms(key.name).iter().map(|(name, _)| *name).collect();
        let mut synonyms = match broker_names.first() {
            Some(name) => synonyms_of(layered, file, &broker_names, name),
            None => Vec::new(),
        };
        if overrides.contains(key.name) {
            let own = DescribedSynonym {
                name: key.name.to_owned(),
                value: value.clone(),
                source: Source::DynamicTopic,
            };
            synonyms.insert(0, own);
        }
        DescribedConfig {
            name: key.name.to_owned(),
            value,
            read_only: false,
            source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
            sensitive: key.is_sensitive(),
            synonyms,
            type_id: key.value_type.wire_id(),
            documentation: Some(key.doc.to_owned()),
        }
    });
    Ok(described.collect())
}

/// Every key of this broker, and what else is set (`createBrokerConfigEntry`).
fn broker_configs(layered: &Layered, file: &Properties) -> Vec<DescribedConfig> {
    let table = broker_table();
    let known = table.iter().filter(|key| !key.internal || layered.values.is_explicit(key.name)).map(|key| {
        let value = layered.values.get(key.name).and_then(|value| text(key, &value));
        of_broker_key(layered, file, key, value)
    });
    let mut described: Vec<DescribedConfig> = known.collect();
    let unknown = [&layered.broker, &layered.cluster].into_iter().flat_map(Properties::iter);
    let mut seen: HashSet<String> = described.iter().map(|config| config.name.clone()).collect();
    for (name, value) in unknown {
        if seen.insert(name.to_owned()) {
            described.push(of_any_key(layered, file, name, value));
        }
    }
    described
}

/// What is set for all brokers together.
fn cluster_configs(layered: &Layered, file: &Properties) -> Vec<DescribedConfig> {
    layered
        .cluster
        .iter()
        .map(|(name, value)| of_any_key(layered, file, name, value))
        .map(cluster_only)
        .collect()
}

/// Of all brokers' default only what is set there is told.
fn cluster_only(mut config: DescribedConfig) -> DescribedConfig {
    config.synonyms.retain(|synonym| {
        synonym.source >= Source::DynamicDefaultBroker || synonym.source == Source::Default
    });
    config.synonyms.retain(|synonym| synonym.source != Source::DynamicBroker);
    config.source = Source::DynamicDefaultBroker;
    config
}

fn of_any_key(layered: &Layered, file: &Properties, name: &str, value: &str) -> DescribedConfig {
    let known =
        broker_table().get(name).or_else(|| dynamic::DYNAMIC_ONLY.iter().find(|key| key.name == name));
    if let Some(key) = known {
        let value = (!key.is_sensitive()).then(|| value.to_owned());
        return of_broker_key(layered, file, key, value);
    }
    // Nothing says that an unknown key is no secret.
    let synonyms = synonyms_of(layered, file, &[name], name)
        .into_iter()
        .map(|synonym| DescribedSynonym { value: None, ..synonym })
        .collect::<Vec<_>>();
    DescribedConfig {
        name: name.to_owned(),
        value: None,
        read_only: false,
        source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
        sensitive: true,
        synonyms,
        type_id: 0,
        documentation: None,
    }
}

fn of_broker_key(
    layered: &Layered,
    file: &Properties,
    key: &ConfigKey,
    value: Option<String>,
) -> DescribedConfig {
    let names = family(key.name);
    let synonyms = synonyms_of(layered, file, &names, key.name);
    DescribedConfig {
        name: key.name.to_owned(),
        value,
        read_only: key.scope == Scope::ReadOnly,
        source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
        sensitive: key.is_sensitive(),
        synonyms,
        type_id: key.value_type.wire_id(),
        documentation: Some(key.doc.to_owned()),
    }
}

/// Keys that set the same thing in different units, the strongest first (`DynamicBrokerConfig.brokerConfigSynonyms`).
fn family(name: &str) -> Vec<&str> {
    const FAMILIES: &[&[&str]] = &[
        &["log.roll.ms", "log.roll.hours"],
        &["log.roll.jitter.ms", "log.roll.jitter.hours"],
        &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
    ];
    match FAMILIES.iter().find(|family| family.contains(&name)) {
        Some(family) => family.to_vec(),
        None => vec![name],
    }
}

/// Where the keys of a family are set, the strongest place first, beginning with the key asked for (`configSynonyms`).
fn synonyms_of(layered: &Layered, file: &Properties, names: &[&str], asked: &str) -> Vec<DescribedSynonym> {
    let places = [
        (Source::DynamicBroker, &layered.broker),
        (Source::DynamicDefaultBroker, &layered.cluster),
        (Source::StaticBroker, file),
    ];
    let table = broker_table();
    let secret = |name: &str| table.get(name).is_some_and(|key| key.value_type == ValueType::Password);
    let mut synonyms = Vec::new();
    for (source, properties) in places {
        for name in names {
            if let Some(value) = properties.get(name) {
                let value = (!secret(name)).then(|| value.to_owned());
                synonyms.push(DescribedSynonym { name: (*name).to_owned(), value, source });
            }
        }
    }
    for name in names {
        if let Some(default) = table.get(name).and_then(|key| key.default) {
            let value = (!secret(name)).then(|| default.to_owned());
            synonyms.push(DescribedSynonym { name: (*name).to_owned(), value, source: Source::Default });
        }
    }
    let first = synonyms.iter().position(|synonym| synonym.name == asked);
    match first {
        Some(first) => synonyms.split_off(first),
        None => synonyms,
    }
}
