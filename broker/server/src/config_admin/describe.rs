//! What a resource's keys are set to, and why (`ConfigHelper.describeConfigs`).

use std::collections::HashSet;

use gregor_config::{ConfigKey, Properties, Scope, Source, Value, broker_table, dynamic, topic};
use gregor_zookeeper::ZooKeeperError;

use super::layers::{BrokerLayers, Layered};
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
    /// UNKNOWN_TOPIC_OR_PARTITION; Kafka says no more.
    #[error("")]
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
        let current = self.layers.current();
        let places = Places { current: &current, file: self.layers.fixed().properties() };
        let mut described = match resource {
            ConfigResource::Topic(name) => {
                name.validate()?;
                if snapshot.topic(name.as_str()).is_none() {
                    return Err(DescribeError::UnknownTopic);
                }
                let overrides = self.store.topic_configs(name).await?.into_iter().collect();
                places.topic(&overrides)?
            }
            ConfigResource::Broker(id) if *id == self.id => places.broker(),
            ConfigResource::Broker(id) => {
                return Err(DescribeError::Invalid(format!(
                    "Unexpected broker id, expected {} or empty string, but received {id}",
                    self.id
                )));
            }
            ConfigResource::AllBrokers => places.all_brokers(),
            ConfigResource::BrokerLogger(id) if *id == self.id => loggers(&self.log_levels),
            ConfigResource::BrokerLogger(id) => {
                return Err(DescribeError::Invalid(format!(
                    "Unexpected broker id, expected {} but received {id}",
                    self.id
                )));
            }
        };
        described.retain(|config| keys.is_none_or(|keys| keys.contains(&config.name)));
        for config in &mut described {
            if !options.synonyms {
                config.synonyms.clear();
            }
            if !options.documentation && config.source != Source::DynamicBrokerLogger {
                config.documentation = None;
            }
        }
        Ok(described)
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
        type_id: 0,
        // Kafka leaves it empty, which is not the same as none.
        documentation: Some(String::new()),
    });
    described.collect()
}

/// Where a broker's keys are set.
struct Places<'a> {
    current: &'a Layered,
    file: &'a Properties,
}

impl Places<'_> {
    /// The topic's keys (`createTopicConfigEntry`): an override first, then what the broker says under its own names.
    fn topic(&self, overrides: &Properties) -> Result<Vec<DescribedConfig>, DescribeError> {
        let values = topic::resolve(&self.current.values, overrides)?;
        let described = values.table().iter().map(|key| {
            let value = values.get(key.name).and_then(|value| text(key, &value));
            let mut synonyms = self.topic_synonyms(key.name);
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
                source: strongest(&synonyms),
                sensitive: key.is_sensitive(),
                synonyms,
                type_id: key.value_type.wire_id(),
                documentation: Some(key.doc.to_owned()),
            }
        });
        Ok(described.collect())
    }

    /// Where brokers set the default of a topic's key.
    fn topic_synonyms(&self, name: &str) -> Vec<DescribedSynonym> {
        match topic::synonyms(name).first() {
            Some((broker_name, _)) => self.synonyms(broker_name, false),
            None => Vec::new(),
        }
    }

    /// Every key of this broker, and whatever else is set.
    fn broker(&self) -> Vec<DescribedConfig> {
        let set = self.current.layered.config.properties();
        let known = broker_table().iter().filter(|key| !key.internal).map(|key| {
            let value = self.current.values.get(key.name).and_then(|value| text(key, &value));
            self.describe(key.name, value)
        });
        let is_told = |name: &str| broker_table().get(name).is_some_and(|key| !key.internal);
        let others = set.iter().filter(|(name, _)| !is_told(name));
        known.chain(others.map(|(name, value)| self.describe(name, Some(value.to_owned())))).collect()
    }

    /// What is set for all brokers together; of where else it is set nothing is told.
    fn all_brokers(&self) -> Vec<DescribedConfig> {
        let described = self.current.layered.cluster.iter().map(|(name, value)| {
            let mut config = self.describe(name, Some(value.to_owned()));
            config.synonyms.retain(|synonym| synonym.source == Source::DynamicDefaultBroker);
            config.source = strongest(&config.synonyms);
            config
        });
        described.collect()
    }

    /// One key of brokers, known or not (`createBrokerConfigEntry`).
    fn describe(&self, name: &str, value: Option<String>) -> DescribedConfig {
        let exact = broker_table().get(name);
        let value_type = dynamic::find(name).or_else(|| dynamic::find(dynamic::base_name(name)));
        // Nothing says that an unknown key is no secret.
        let sensitive = value_type.is_none_or(ConfigKey::is_sensitive);
        let synonyms = self.synonyms(name, sensitive);
        DescribedConfig {
            name: name.to_owned(),
            value: value.filter(|_| !sensitive),
            read_only: exact.is_none_or(|key| key.scope == Scope::ReadOnly),
            source: strongest(&synonyms),
            sensitive,
            synonyms,
            type_id: value_type.map_or(0, |key| key.value_type.wire_id()),
            documentation: exact.map(|key| key.doc.to_owned()),
        }
    }

    /// Where a key and those of its family are set, the strongest place first, beginning with the key asked for
    /// (`configSynonyms`).
    fn synonyms(&self, asked: &str, sensitive: bool) -> Vec<DescribedSynonym> {
        let mut names = dynamic::synonyms(asked);
        let base = dynamic::base_name(asked);
        if base != asked {
            names.push(base);
        }
        let places = [
            (Source::DynamicBroker, &self.current.layered.broker),
            (Source::DynamicDefaultBroker, &self.current.layered.cluster),
            (Source::StaticBroker, self.file),
        ];
        let set = places.into_iter().flat_map(|(source, properties)| {
            names.iter().filter_map(move |name| Some((*name, properties.get(name)?.to_owned(), source)))
        });
        let defaults = names.iter().filter_map(|name| {
            let value = Value::default_text(broker_table().get(name)?)?;
            Some((*name, value, Source::Default))
        });
        set.chain(defaults)
            .skip_while(|(name, _, _)| *name != asked)
            .map(|(name, value, source)| DescribedSynonym {
                name: name.to_owned(),
                value: (!sensitive).then_some(value),
                source,
            })
            .collect()
    }
}

/// The source of a value is the first of its synonyms.
fn strongest(synonyms: &[DescribedSynonym]) -> Source {
    synonyms.first().map_or(Source::Default, |synonym| synonym.source)
}

fn text(key: &ConfigKey, value: &Value) -> Option<String> {
    match value {
        _ if key.is_sensitive() => None,
        Value::Null => None,
        value => Some(value.to_string()),
    }
}

/// The keys of a topic that was just created, as CreateTopics tells them.
pub fn created_topic(
    layers: &BrokerLayers,
    overrides: &Properties,
) -> Result<Vec<DescribedConfig>, DescribeError> {
    let current = layers.current();
    Places { current: &current, file: layers.fixed().properties() }.topic(overrides)
}
