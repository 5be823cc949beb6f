//! Configuration that changes while brokers run: which keys may, and the values with the dynamic layers on top
//! (`DynamicBrokerConfig`). Pure: ZooKeeper and the reconfigured components are the server's business.

use crate::broker::{BrokerConfig, base_of_listener_key};
use crate::definition::{ConfigKey, Scope, ValueType, long};
use crate::error::InvalidValue;
use crate::keys::broker_table;
use crate::properties::Properties;
use crate::value::Value;
use crate::values::{Source, Values};

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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DynamicConfigError {
    /// Keys that need a restart.
    #[error("Cannot update these configs dynamically: {}", set(.0))]
    NotDynamic(Vec<String>),
    /// Security keys without the listener's prefix.
    #[error("These security configs can be dynamically updated only per-listener using the listener prefix: {}", set(.0))]
    NeedsListenerPrefix(Vec<String>),
    /// A value of the wrong type or out of range.
    #[error(transparent)]
    InvalidValue(#[from] InvalidValue),
    /// Keys that only make sense for one broker.
    #[error("Cannot update these configs at default cluster level, broker id must be specified: {}", set(.0))]
    PerBrokerOnly(Vec<String>),
}

/// As Scala prints a set.
fn set(names: &[String]) -> String {
    format!("Set({})", names.join(", "))
}

/// For whom a change is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `/config/brokers/<default>`.
    Cluster,
    /// `/config/brokers/<id>`.
    Broker,
}

/// Checks a whole set of dynamic properties (`DynamicBrokerConfig.validateConfigs`). Unknown names pass: plugins may
/// know them.
pub fn validate(properties: &Properties, level: Level) -> Result<(), DynamicConfigError> {
    let named = |wanted: &dyn Fn(&str) -> bool| -> Vec<String> {
        properties.iter().map(|(name, _)| name).filter(|name| wanted(name)).map(str::to_owned).collect()
    };
    let not_dynamic = named(&|name| scope(name) == Some(Scope::ReadOnly));
    if !not_dynamic.is_empty() {
        return Err(DynamicConfigError::NotDynamic(not_dynamic));
    }
    let unprefixed = named(&needs_listener_prefix);
    if !unprefixed.is_empty() {
        return Err(DynamicConfigError::NeedsListenerPrefix(unprefixed));
    }
    for (name, text) in properties.iter() {
        if let Some(key) = find(base_of_listener_key(name).unwrap_or(name)) {
            Value::parse(key, text)?;
        }
    }
    let per_broker = named(&|name| match base_of_listener_key(name) {
        Some(base) => !is_cluster_level_listener_key(base),
        None => broker_table().get(name).is_some_and(|key| key.scope == Scope::PerBroker),
    });
    if level == Level::Cluster && !per_broker.is_empty() {
        return Err(DynamicConfigError::PerBrokerOnly(per_broker));
    }
    Ok(())
}

/// The values with the dynamic layers over the static one. Texts that do not parse are left out and returned, as
/// Kafka logs and skips them.
pub fn resolve(
    config: &BrokerConfig,
    cluster: &Properties,
    broker: &Properties,
) -> (Values, Vec<InvalidValue>) {
    let mut values = config.values.clone();
    let mut skipped = Vec::new();
    for (source, layer) in [(Source::DynamicDefaultBroker, cluster), (Source::DynamicBroker, broker)] {
        for (name, text) in layer.iter() {
            let Some(key) = broker_table().get(name).filter(|key| key.scope != Scope::ReadOnly) else {
                continue;
            };
            match Value::parse(key, text) {
                Ok(value) => values.set(name, source, value),
                Err(error) => skipped.push(error),
            }
        }
    }
    (values, skipped)
}

/// A change of a thread count that goes too far at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Dynamic thread count update validation failed for {name}={new}, value should {reason}")]
pub struct ThreadCountError {
    name: String,
    new: i32,
    reason: String,
}

/// Whether a thread pool may be resized so: at least half and at most double its size (`DynamicThreadPool`).
pub fn may_resize(name: &str, current: i32, new: i32) -> Result<(), ThreadCountError> {
    let refused = |reason: String| Err(ThreadCountError { name: name.to_owned(), new, reason });
    if new <= 0 {
        refused("be at least 1".to_owned())
    } else if new < current / 2 {
        refused(format!("be at least half the current value {current}"))
    } else if i64::from(new) > 2 * i64::from(current) {
        refused(format!("not be greater than double the current value {current}"))
    } else {
        Ok(())
    }
}

fn find(name: &str) -> Option<&'static ConfigKey> {
    broker_table().get(name).or_else(|| DYNAMIC_ONLY.iter().find(|key| key.name == name))
}

fn scope(name: &str) -> Option<Scope> {
    find(name).map(|key| key.scope)
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

fn is_cluster_level_listener_key(base: &str) -> bool {
    matches!(base, "max.connections" | "max.connection.creation.rate" | "num.network.threads")
}

/// Whether the dynamic value of this key is a secret, and therefore stored encrypted.
pub fn is_password(name: &str) -> bool {
    let base = base_of_listener_key(name).unwrap_or(name);
    find(base).is_some_and(|key| key.value_type == ValueType::Password)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(pairs: &[(&str, &str)]) -> Properties {
        pairs.iter().copied().collect()
    }

    #[test]
    fn what_may_change() {
        #[track_caller]
        fn check(level: Level, pair: (&str, &str), expected: Result<(), &str>) {
            let found = validate(&properties(&[pair]), level).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned));
        }
        check(Level::Cluster, ("log.retention.ms", "5"), Ok(()));
        check(Level::Cluster, ("leader.replication.throttled.rate", "5"), Ok(()));
        check(Level::Cluster, ("plugin.key", "5"), Ok(()));
        check(Level::Broker, ("listener.name.in.max.connections", "5"), Ok(()));
        check(Level::Cluster, ("listener.name.in.max.connections", "5"), Ok(()));
        check(
            Level::Broker,
            ("log.dirs", "/a"),
            Err("Cannot update these configs dynamically: Set(log.dirs)"),
        );
        check(
            Level::Broker,
            ("ssl.keystore.location", "/a"),
            Err(
                "These security configs can be dynamically updated only per-listener using the listener prefix: Set(ssl.keystore.location)",
            ),
        );
        check(Level::Broker, ("listener.name.in.ssl.keystore.location", "/a"), Ok(()));
        check(
            Level::Cluster,
            ("advertised.listeners", "A://a:1"),
            Err(
                "Cannot update these configs at default cluster level, broker id must be specified: Set(advertised.listeners)",
            ),
        );
        check(
            Level::Cluster,
            ("num.io.threads", "0"),
            Err("Invalid value 0 for configuration num.io.threads: Value must be at least 1"),
        );
    }

    #[test]
    fn broker_beats_cluster_and_nonsense_is_skipped() {
        let config =
            BrokerConfig::from_properties(properties(&[("zookeeper.connect", "z"), ("log.dir", "/a")]))
                .expect("valid");
        let cluster = properties(&[("num.io.threads", "4"), ("message.max.bytes", "7"), ("log.dir", "/b")]);
        let broker = properties(&[("num.io.threads", "5"), ("log.segment.bytes", "x")]);
        let (values, skipped) = resolve(&config, &cluster, &broker);
        assert_eq!((values.i32("num.io.threads"), values.i32("message.max.bytes")), (5, 7));
        assert_eq!(values.source("message.max.bytes"), Source::DynamicDefaultBroker);
        assert_eq!(values.string("log.dir"), "/a");
        assert_eq!(skipped.len(), 1);
    }

    #[test]
    fn thread_pools_at_most_double_or_halve() {
        for (current, new, fits) in
            [(8, 4, true), (8, 16, true), (8, 3, false), (8, 17, false), (1, 0, false)]
        {
            assert_eq!(may_resize("num.io.threads", current, new).is_ok(), fits, "{current} {new}");
        }
    }
}
