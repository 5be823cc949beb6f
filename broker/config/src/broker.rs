//! A broker's whole configuration, read and checked before anything else starts.

use std::path::{Path, PathBuf};

use gregor_model::{BrokerId, ListenerName};

use crate::cross_check;
use crate::definition::Treatment;
use crate::error::{ConfigError, InvalidValue};
use crate::inter_broker_protocol::{self, InterBrokerProtocol};
use crate::keys::{authorizer_table, broker_table, gregor_table};
use crate::layers;
use crate::listeners::ListenersConfig;
use crate::properties::Properties;
use crate::value::{Password, Value};
use crate::values::{Source, Values};
use crate::zookeeper::ZooKeeperConfig;

/// What a broker was started with (`KafkaConfig`). Every key is in `values`; the structs hold those that most of the
/// broker needs, already checked against each other.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// Every key of the table.
    pub values: Values,
    /// Every key that Kafka does not have.
    pub own: Values,
    /// Who this broker is.
    pub identity: IdentityConfig,
    /// How to reach ZooKeeper.
    pub zookeeper: ZooKeeperConfig,
    /// Where to listen.
    pub listeners: ListenersConfig,
    /// `log.dirs`, or `log.dir`, as absolute paths: requests and answers name them so.
    pub log_dirs: Vec<PathBuf>,
    /// `inter.broker.protocol.version`.
    pub inter_broker_protocol: InterBrokerProtocol,
    properties: Properties,
    warnings: Vec<String>,
}

/// Who a broker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityConfig {
    /// `broker.id`; `None` when ZooKeeper is to hand one out.
    pub broker_id: Option<BrokerId>,
    /// `broker.id.generation.enable`.
    pub generation_enabled: bool,
    /// `reserved.broker.max.id`: generated ids are above it.
    pub reserved_max_id: i32,
    /// `broker.rack`.
    pub rack: Option<String>,
}

/// Where a path leads from the working directory, without a separator at its end.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).map_or(path, |absolute| absolute.components().collect())
}

impl BrokerConfig {
    /// Reads the file, lays the environment's `GREGOR_*` and the `key=value` overrides over it, and checks all.
    pub fn load(
        file: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
        overrides: &[String],
    ) -> Result<BrokerConfig, ConfigError> {
        BrokerConfig::from_properties(layers::load(file, environment, overrides, broker_table())?)
    }

    /// Checks properties that were put together elsewhere.
    pub fn from_properties(properties: Properties) -> Result<BrokerConfig, ConfigError> {
        BrokerConfig::from_layers(vec![(Source::StaticBroker, properties)])
    }

    /// Checks layers of properties, the weakest first, as one configuration.
    pub(crate) fn from_layers(mut layers: Vec<(Source, Properties)>) -> Result<BrokerConfig, ConfigError> {
        if let Some((_, file)) = layers.first_mut() {
            make_synonyms_equal(file);
        }
        let borrowed: Vec<_> = layers.iter().map(|(source, properties)| (*source, properties)).collect();
        let values = Values::resolve(broker_table(), &borrowed)?;
        let own = Values::resolve(gregor_table(), &borrowed)?;
        let properties: Properties = layers.into_iter().flat_map(|(_, properties)| properties).collect();
        check_listener_overrides(&properties)?;
        refuse_unhonoured(&values)?;
        cross_check::check(&values)?;
        let listeners = ListenersConfig::from_values(&values)?;
        cross_check::check_inter_broker_sasl(&values, &properties, &listeners)?;
        let version = values.string(inter_broker_protocol::KEY);
        Ok(BrokerConfig {
            identity: IdentityConfig {
                broker_id: BrokerId::from_wire(values.i32("broker.id")),
                generation_enabled: values.bool("broker.id.generation.enable"),
                reserved_max_id: values.i32("reserved.broker.max.id"),
                rack: values.opt_string("broker.rack"),
            },
            zookeeper: ZooKeeperConfig::from_values(&values)?,
            listeners,
            log_dirs: cross_check::log_dirs(&values).into_iter().map(absolute).collect(),
            inter_broker_protocol: inter_broker_protocol::parse(&version)
                .unwrap_or_else(InterBrokerProtocol::latest),
            warnings: warnings(&properties, &values),
            values,
            own,
            properties,
        })
    }

    /// The texts as given, with keys that no table has: authorizers, quotas and listeners have their own.
    pub fn properties(&self) -> &Properties {
        &self.properties
    }

    /// What to tell the operator at start: unknown keys, and keys without effect.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The values as one listener has them: `listener.name.<name>.<key>` over `<key>`
    /// (`AbstractConfig.valuesWithPrefixOverride`).
    pub fn for_listener(&self, listener: &ListenerName) -> Values {
        let overrides = listener_overrides(&self.properties, listener);
        let layers = [(Source::StaticBroker, &self.properties), (Source::StaticBroker, &overrides)];
        // Every text was parsed when the configuration was read.
        Values::resolve(broker_table(), &layers).unwrap_or_else(|_| self.values.clone())
    }

    /// Every key with its value, one `key = value` per line as Kafka logs them at start; secrets hidden.
    pub fn describe(&self) -> String {
        let line = |name: &str| match self.values.get(name) {
            Some(Value::Password(_)) => format!("\t{name} = {}", Password::HIDDEN),
            Some(value) => format!("\t{name} = {value}"),
            None => String::new(),
        };
        let lines: Vec<_> = broker_table().iter().map(|key| line(key.name)).collect();
        lines.join("\n")
    }
}

/// What `listener.name.<name>.` sets, without the prefix.
pub(crate) fn listener_overrides(properties: &Properties, listener: &ListenerName) -> Properties {
    let prefix = format!("listener.name.{}.", listener.as_str().to_ascii_lowercase());
    properties.iter().filter_map(|(key, value)| Some((key.strip_prefix(&prefix)?, value))).collect()
}

/// The key under a `listener.name.<name>.` prefix, with or without a mechanism before it.
pub(crate) fn base_of_listener_key(key: &str) -> Option<&str> {
    /// Keys that may also be set for one SASL mechanism of a listener.
    const MECHANISM_KEYS: &[&str] = &[
        "sasl.jaas.config",
        "sasl.login.callback.handler.class",
        "sasl.login.class",
        "sasl.server.callback.handler.class",
        "connections.max.reauth.ms",
    ];
    let (_, rest) = key.strip_prefix("listener.name.")?.split_once('.')?;
    Some(MECHANISM_KEYS.iter().find(|suffix| rest.ends_with(**suffix)).copied().unwrap_or(rest))
}

/// `broker.id` and `node.id` are one (`KafkaConfig.populateSynonyms`).
fn make_synonyms_equal(properties: &mut Properties) {
    for (from, to) in [("broker.id", "node.id"), ("node.id", "broker.id")] {
        if let (Some(value), None) = (properties.get(from).map(str::to_owned), properties.get(to)) {
            properties.set(to, value);
        }
    }
}

fn check_listener_overrides(properties: &Properties) -> Result<(), InvalidValue> {
    for (name, text) in properties.iter() {
        let key = base_of_listener_key(name).and_then(|base| broker_table().get(base));
        if let Some(key) = key {
            Value::parse(key, text).map_err(|error| InvalidValue { name: name.to_owned(), ..error })?;
        }
    }
    Ok(())
}

/// Refuses values that would silently mean something else here than in Kafka.
fn refuse_unhonoured(values: &Values) -> Result<(), ConfigError> {
    for key in broker_table().iter() {
        let Treatment::Refused { reason, unless } = key.treatment else { continue };
        let Some(value) = values.get(key.name).and_then(|value| value.to_text()) else { continue };
        let is_default = key.default.unwrap_or_default() == value;
        if !is_default && !unless.contains(&value.as_str()) {
            return Err(ConfigError::Refused { name: key.name.to_owned(), value, reason });
        }
    }
    Ok(())
}

fn warnings(properties: &Properties, values: &Values) -> Vec<String> {
    let mut warnings = Vec::new();
    for (name, _) in properties.iter() {
        let base = base_of_listener_key(name).unwrap_or(name);
        match broker_table().get(base) {
            Some(key) => {
                if let (Treatment::Accepted(reason), Some(value)) = (key.treatment, values.get(base))
                    && value.to_text().as_deref() != key.default
                {
                    warnings.push(format!("configuration {name} has no effect: {reason}"));
                }
            }
            None if authorizer_table().get(base).or(gregor_table().get(base)).is_some() => {}
            None => warnings.push(format!("configuration {name} is not known and has no effect")),
        }
    }
    warnings
}

#[cfg(test)]
mod tests;
