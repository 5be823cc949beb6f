//! Configuration that changes while brokers run (`DynamicBrokerConfig`): which keys may, and the whole configuration with
//! the dynamic layers on top. Pure: ZooKeeper and the reconfigured components are the server's business.

mod reconfiguration;
#[cfg(test)]
mod tests;

use crate::broker::{BrokerConfig, base_of_listener_key};
use crate::definition::{ConfigKey, Scope, ValueType, long};
use crate::error::{ConfigError, InvalidValue};
use crate::keys::broker_table;
use crate::properties::Properties;
use crate::value::Value;
use crate::values::Source;

pub use reconfiguration::ReconfigurationError;

/// Keys that exist only as dynamic ones (`QuotaConfigs`, `DynamicConfig.Broker`).
pub const DYNAMIC_ONLY: &[ConfigKey] = &[
    long(
        "leader.replication.throttled.rate",
        "9223372036854775807",
        "Bytes per second that throttled leader replicas may send to followers.",
    )
    .at_least(0)
    .per_broker(),
    long(
        "follower.replication.throttled.rate",
        "9223372036854775807",
        "Bytes per second that throttled follower replicas may fetch from leaders.",
    )
    .at_least(0)
    .per_broker(),
    long(
        "replica.alter.log.dirs.io.max.bytes.per.second",
        "9223372036854775807",
        "Bytes per second that replicas may be copied between log directories of a broker.",
    )
    .at_least(0)
    .per_broker(),
];

/// Why a dynamic change of a broker's configuration is refused; the code on the wire is INVALID_REQUEST.
#[derive(Debug, thiserror::Error)]
pub enum DynamicConfigError {
    /// Keys that need a restart.
    #[error("Cannot update these configs dynamically: {}", set("Set", .0))]
    NotDynamic(Vec<String>),
    /// Security keys without the listener's prefix.
    #[error(
        "These security configs can be dynamically updated only per-listener using the listener prefix: {}",
        set("HashSet", .0)
    )]
    NeedsListenerPrefix(Vec<String>),
    /// A value of the wrong type or out of range.
    #[error(transparent)]
    InvalidValue(#[from] InvalidValue),
    /// Keys that only make sense for one broker.
    #[error("Cannot update these configs at default cluster level, broker id must be specified: {}", set("Set", .0))]
    PerBrokerOnly(Vec<String>),
    /// The whole configuration would not be one to start with.
    #[error(transparent)]
    Whole(ConfigError),
    /// A running part cannot change so far. Kafka gives the reason in the place of a value, and its own words in that of
    /// the key.
    #[error(
        "Invalid value org.apache.kafka.common.config.ConfigException: {0} for configuration Invalid dynamic configuration"
    )]
    Reconfiguration(#[from] ReconfigurationError),
}

/// As Scala prints a set of that class.
fn set(class: &str, names: &[String]) -> String {
    format!("{class}({})", names.join(", "))
}

/// For whom a change is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `/config/brokers/<default>`.
    Cluster,
    /// `/config/brokers/<id>`.
    Broker,
}

/// The configuration of a running broker: its file, and the dynamic layers that are in force.
#[derive(Clone, Debug)]
pub struct LayeredConfig {
    /// `/config/brokers/<default>`, without what was left out as invalid; passwords in clear.
    pub cluster: Properties,
    /// `/config/brokers/<id>`, likewise.
    pub broker: Properties,
    /// All of it put together.
    pub config: BrokerConfig,
}

impl LayeredConfig {
    /// No dynamic layer yet.
    pub fn fixed(config: &BrokerConfig) -> LayeredConfig {
        LayeredConfig { cluster: Properties::new(), broker: Properties::new(), config: config.clone() }
    }

    /// Whether a layer may be replaced by these properties (`DynamicBrokerConfig.validate`): each key may change at that
    /// level, the whole is a configuration, and every running part can take it over. Gives that configuration.
    ///
    /// # Errors
    /// Why it may not.
    pub fn validate(
        &self,
        fixed: &BrokerConfig,
        level: Level,
        properties: &Properties,
    ) -> Result<BrokerConfig, DynamicConfigError> {
        validate(properties, level)?;
        let next = match level {
            Level::Cluster => merge(fixed, properties, &self.broker),
            Level::Broker => merge(fixed, &self.cluster, properties),
        };
        let next = next.map_err(DynamicConfigError::Whole)?;
        reconfiguration::check(&self.config, &next)?;
        Ok(next)
    }
}

/// Checks a whole set of dynamic properties (`DynamicBrokerConfig.validateConfigs`). Unknown names pass: plugins may
/// know them.
pub fn validate(properties: &Properties, level: Level) -> Result<(), DynamicConfigError> {
    let named = |wanted: fn(&str) -> bool| -> Vec<String> {
        properties.iter().map(|(name, _)| name).filter(|name| wanted(name)).map(str::to_owned).collect()
    };
    let refuse = |names: Vec<String>, error: fn(Vec<String>) -> DynamicConfigError| {
        if names.is_empty() { Ok(()) } else { Err(error(names)) }
    };
    refuse(named(is_read_only), DynamicConfigError::NotDynamic)?;
    refuse(named(needs_listener_prefix), DynamicConfigError::NeedsListenerPrefix)?;
    for (name, text) in properties.iter() {
        check_type(name, text)?;
    }
    match level {
        Level::Cluster => refuse(named(is_per_broker), DynamicConfigError::PerBrokerOnly),
        Level::Broker => Ok(()),
    }
}

/// What of a stored layer is taken over (`DynamicBrokerConfig.fromPersistentProps`), with passwords in clear; and why the
/// rest is not. `decode` decrypts a password.
pub fn accept(
    stored: &Properties,
    level: Level,
    decode: impl Fn(&str) -> Option<String>,
) -> (Properties, Vec<String>) {
    let mut accepted = Properties::new();
    let mut refused = Vec::new();
    for (name, text) in stored.iter() {
        let reason = if let Err(error) = check_type(name, text) {
            error.to_string()
        } else if is_read_only(name) {
            format!("{name} cannot be changed while the broker runs")
        } else if needs_listener_prefix(name) {
            format!("{name} can be changed only with a listener's prefix")
        } else if level == Level::Cluster && is_per_broker(name) {
            format!("{name} can be changed only for one broker")
        } else if !is_password(name) {
            accepted.set(name, text);
            continue;
        } else if let Some(password) = decode(text) {
            accepted.set(name, password);
            continue;
        } else {
            format!("the password {name} cannot be decoded")
        };
        refused.push(reason);
    }
    (accepted, refused)
}

/// The file's configuration with the dynamic layers over it. A key of a layer takes away its synonyms below it
/// (`overrideProps`): `log.retention.ms` wins over whatever `log.retention.hours` says.
pub fn merge(
    fixed: &BrokerConfig,
    cluster: &Properties,
    broker: &Properties,
) -> Result<BrokerConfig, ConfigError> {
    let (mut file, mut cluster) = (fixed.properties().clone(), cluster.clone());
    for (name, _) in cluster.iter() {
        synonyms(name).iter().for_each(|synonym| drop(file.remove(synonym)));
    }
    for (name, _) in broker.iter() {
        for synonym in synonyms(name) {
            file.remove(synonym);
            cluster.remove(synonym);
        }
    }
    BrokerConfig::from_layers(vec![
        (Source::StaticBroker, file),
        (Source::DynamicDefaultBroker, cluster),
        (Source::DynamicBroker, broker.clone()),
    ])
}

/// Keys that set the same thing in different units, the strongest first (`DynamicBrokerConfig.brokerConfigSynonyms`
/// without listeners).
pub fn synonyms(name: &str) -> Vec<&str> {
    const FAMILIES: &[&[&str]] = &[
        &["log.roll.ms", "log.roll.hours"],
        &["log.roll.jitter.ms", "log.roll.jitter.hours"],
        &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
    ];
    match FAMILIES.iter().find(|family| family.contains(&name)) {
        Some(family) => family.to_vec(),
        // The interval of the scheduler is the default of the other, and nothing more.
        None if name == "log.flush.interval.ms" => vec![name, "log.flush.scheduler.interval.ms"],
        None => vec![name],
    }
}

/// The key itself, or the key under a `listener.name.<name>.` prefix.
pub fn base_name(name: &str) -> &str {
    base_of_listener_key(name).unwrap_or(name)
}

/// A key of brokers, dynamic-only ones included.
pub fn find(name: &str) -> Option<&'static ConfigKey> {
    broker_table().get(name).or_else(|| DYNAMIC_ONLY.iter().find(|key| key.name == name))
}

/// Whether the dynamic value of this key is a secret, and therefore stored encrypted.
pub fn is_password(name: &str) -> bool {
    find(base_name(name))
        .is_some_and(|key| key.value_type == ValueType::Password && key.scope != Scope::ReadOnly)
}

fn check_type(name: &str, text: &str) -> Result<(), InvalidValue> {
    match find(base_name(name)) {
        Some(key) => Value::parse(key, text).map(|_| ()),
        None => Ok(()),
    }
}

fn is_read_only(name: &str) -> bool {
    find(name).is_some_and(|key| key.scope == Scope::ReadOnly)
}

/// `PerBrokerConfigs`, and the keys of a listener but for a few.
fn is_per_broker(name: &str) -> bool {
    const CLUSTER_WIDE: &[&str] = &["max.connections", "max.connection.creation.rate", "num.network.threads"];
    match base_of_listener_key(name) {
        Some(base) => !CLUSTER_WIDE.contains(&base),
        None => broker_table().get(name).is_some_and(|key| key.scope == Scope::PerBroker),
    }
}

/// `SslConfigs.RECONFIGURABLE_CONFIGS`: certificates may change while the broker runs, for a named listener.
fn needs_listener_prefix(name: &str) -> bool {
    const RELOADABLE: &[&str] = &[
        "ssl.keystore.type",
        "ssl.keystore.location",
        "ssl.keystore.password",
        "ssl.key.password",
        "ssl.truststore.type",
        "ssl.truststore.location",
        "ssl.truststore.password",
        "ssl.keystore.certificate.chain",
        "ssl.keystore.key",
        "ssl.truststore.certificates",
    ];
    RELOADABLE.contains(&name)
}
