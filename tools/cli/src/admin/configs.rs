//! Configs of topics, brokers and loggers: described and altered.

use kafka_protocol::messages::alter_configs_request::{
    AlterConfigsResource as ReplacedResource, AlterableConfig as ReplacingConfig,
};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{
    AlterConfigsRequest, ApiKey, DescribeConfigsRequest, IncrementalAlterConfigsRequest,
};

use super::{Admin, AdminError, Target, text};

/// What has configs (`ConfigResource.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceType {
    /// A topic, by name.
    Topic = 2,
    /// A broker, by id; or all of them, by the empty name.
    Broker = 4,
    /// The log levels of a broker, by its id.
    BrokerLogger = 8,
    /// What clients tell of themselves; only clusters without ZooKeeper have it.
    ClientMetrics = 16,
}

/// Something that has configs (`ConfigResource`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigResource {
    /// What it is.
    pub kind: ResourceType,
    /// Its name.
    pub name: String,
}

impl ConfigResource {
    /// A topic.
    pub fn topic(name: impl Into<String>) -> ConfigResource {
        ConfigResource { kind: ResourceType::Topic, name: name.into() }
    }

    /// A broker.
    pub fn broker(id: i32) -> ConfigResource {
        ConfigResource { kind: ResourceType::Broker, name: id.to_string() }
    }

    /// A broker's own configs only that broker knows; the rest any does.
    fn target(&self) -> Target {
        match (self.kind, self.name.parse()) {
            (ResourceType::Broker | ResourceType::BrokerLogger, Ok(id)) => Target::Broker(id),
            _ => Target::Any,
        }
    }
}

/// A config's value and where it comes from (`ConfigEntry`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigEntry {
    /// The key.
    pub name: String,
    /// The value, unless it is sensitive.
    pub value: Option<String>,
    /// Where the value comes from, by the protocol's number (`ConfigSource`).
    pub source: i8,
    /// Whether nobody set it.
    pub is_default: bool,
    /// Whether it is a secret.
    pub is_sensitive: bool,
    /// Every place that has a value, the one that counts first.
    pub synonyms: Vec<ConfigSynonym>,
}

/// A place that has a value for a config (`ConfigSynonym`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// The key there.
    pub name: String,
    /// The value there.
    pub value: Option<String>,
    /// Which place, by the protocol's number.
    pub source: i8,
}

/// A topic's own configs.
pub const DYNAMIC_TOPIC_CONFIG: i8 = 1;
/// A broker's own configs, changed while it runs.
pub const DYNAMIC_BROKER_CONFIG: i8 = 2;
/// What all brokers have, changed while they run.
pub const DYNAMIC_DEFAULT_BROKER_CONFIG: i8 = 3;
/// `server.properties`.
const STATIC_BROKER_CONFIG: i8 = 4;
/// Kafka's own.
const DEFAULT_CONFIG: i8 = 5;
/// A logger's level.
const DYNAMIC_BROKER_LOGGER_CONFIG: i8 = 6;

/// A subscription of client metrics.
pub const DYNAMIC_CLIENT_METRICS_CONFIG: i8 = 7;

/// Kafka's name of a source.
pub fn source_name(source: i8) -> &'static str {
    match source {
        DYNAMIC_TOPIC_CONFIG => "DYNAMIC_TOPIC_CONFIG",
        DYNAMIC_BROKER_CONFIG => "DYNAMIC_BROKER_CONFIG",
        DYNAMIC_DEFAULT_BROKER_CONFIG => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        STATIC_BROKER_CONFIG => "STATIC_BROKER_CONFIG",
        DEFAULT_CONFIG => "DEFAULT_CONFIG",
        DYNAMIC_BROKER_LOGGER_CONFIG => "DYNAMIC_BROKER_LOGGER_CONFIG",
        DYNAMIC_CLIENT_METRICS_CONFIG => "DYNAMIC_CLIENT_METRICS_CONFIG",
        8 => "GROUP_CONFIG",
        _ => "UNKNOWN",
    }
}

/// Sets a config, or deletes it where there is no value.
pub type ConfigChange = (String, Option<String>);

const OPERATION_SET: i8 = 0;
const OPERATION_DELETE: i8 = 1;

impl Admin {
    /// The configs of resources that are asked of the same broker, in the broker's order.
    pub async fn describe_configs(
        &mut self,
        resources: &[ConfigResource],
        with_synonyms: bool,
    ) -> Result<Vec<(ConfigResource, Vec<ConfigEntry>)>, AdminError> {
        let Some(first) = resources.first() else { return Ok(Vec::new()) };
        let wanted = resources.iter().map(|resource| {
            DescribeConfigsResource::default()
                .with_resource_type(resource.kind as i8)
                .with_resource_name(text(&resource.name))
                .with_configuration_keys(None)
        });
        let request = DescribeConfigsRequest::default().with_resources(wanted.collect());
        let build = |version| {
            // Version 0 has no synonyms.
            if version >= 1 { request.clone().with_include_synonyms(with_synonyms) } else { request.clone() }
        };
        let target = first.target();
        let answer = self.call("describeConfigs", ApiKey::DescribeConfigs, target, build, |_| 0).await?;
        let mut found = Vec::new();
        for resource in resources {
            let result = answer.results.iter().find(|result| {
                result.resource_type == resource.kind as i8 && *result.resource_name == *resource.name
            });
            let result = result.ok_or(AdminError::Incomplete("DESCRIBE_CONFIGS"))?;
            AdminError::check(result.error_code, result.error_message.as_deref())?;
            found.push((resource.clone(), result.configs.iter().map(entry).collect()));
        }
        Ok(found)
    }

    /// Changes single configs of a resource.
    pub async fn change_configs(
        &mut self,
        resource: &ConfigResource,
        changes: &[ConfigChange],
    ) -> Result<(), AdminError> {
        let configs = changes.iter().map(|(name, value)| {
            let operation = if value.is_some() { OPERATION_SET } else { OPERATION_DELETE };
            AlterableConfig::default()
                .with_name(text(name))
                .with_config_operation(operation)
                .with_value(value.as_deref().map(text))
        });
        let altered = AlterConfigsResource::default()
            .with_resource_type(resource.kind as i8)
            .with_resource_name(text(&resource.name))
            .with_configs(configs.collect());
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![altered]);
        let build = |_| request.clone();
        let key = ApiKey::IncrementalAlterConfigs;
        let answer = self
            .call("incrementalAlterConfigs", key, resource.target(), build, |answer| {
                answer.responses.first().map_or(0, |response| response.error_code)
            })
            .await?;
        let response = answer.responses.first();
        let response = response.ok_or(AdminError::Incomplete("INCREMENTAL_ALTER_CONFIGS"))?;
        AdminError::check(response.error_code, response.error_message.as_deref())
    }

    /// Replaces all configs of a resource.
    pub async fn replace_configs(
        &mut self,
        resource: &ConfigResource,
        configs: &[(String, String)],
    ) -> Result<(), AdminError> {
        let configs = configs.iter().map(|(name, value)| {
            ReplacingConfig::default().with_name(text(name)).with_value(Some(text(value)))
        });
        let replaced = ReplacedResource::default()
            .with_resource_type(resource.kind as i8)
            .with_resource_name(text(&resource.name))
            .with_configs(configs.collect());
        let request = AlterConfigsRequest::default().with_resources(vec![replaced]);
        let build = |_| request.clone();
        let target = resource.target();
        let answer = self
            .call("alterConfigs", ApiKey::AlterConfigs, target, build, |answer| {
                answer.responses.first().map_or(0, |response| response.error_code)
            })
            .await?;
        let response = answer.responses.first().ok_or(AdminError::Incomplete("ALTER_CONFIGS"))?;
        AdminError::check(response.error_code, response.error_message.as_deref())
    }
}

fn entry(config: &DescribeConfigsResourceResult) -> ConfigEntry {
    let synonyms = config.synonyms.iter().map(|synonym| ConfigSynonym {
        name: synonym.name.to_string(),
        value: synonym.value.as_ref().map(ToString::to_string),
        source: synonym.source,
    });
    ConfigEntry {
        name: config.name.to_string(),
        value: config.value.as_ref().map(ToString::to_string),
        source: config.config_source,
        is_default: config.is_default || config.config_source == DEFAULT_CONFIG,
        is_sensitive: config.is_sensitive,
        synonyms: synonyms.collect(),
    }
}
