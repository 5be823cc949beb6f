//! Topic configurations: which broker key is the default of which topic key, and the checks that CreateTopics and
//! AlterConfigs make (`LogConfig`, `ServerTopicConfigSynonyms`).

use crate::cross_check;
use crate::error::InvalidValue;
use crate::keys::topic_table;
use crate::properties::Properties;
use crate::value::Value;
use crate::values::{Source, Values};

/// How a broker key's value becomes a topic key's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// As it is.
    Same,
    /// Hours into milliseconds.
    Hours,
    /// Minutes into milliseconds.
    Minutes,
}

/// A topic key with the broker keys that give its default, the first that is set winning.
#[derive(Clone, Copy, Debug)]
pub struct Synonyms {
    /// The topic key.
    pub topic: &'static str,
    /// Broker keys, strongest first. Only the first may change while the broker runs.
    pub broker: &'static [(&'static str, Unit)],
}

macro_rules! synonyms {
    ($($topic:literal: $($broker:literal $(in $unit:ident)?),+;)*) => {
        &[$(Synonyms { topic: $topic, broker: &[$(($broker, synonyms!(@unit $($unit)?))),+] }),*]
    };
    (@unit) => { Unit::Same };
    (@unit $unit:ident) => { Unit::$unit };
}

/// Every topic key that has a broker key as its default.
pub const SYNONYMS: &[Synonyms] = synonyms! {
    "segment.bytes": "log.segment.bytes";
    "segment.ms": "log.roll.ms", "log.roll.hours" in Hours;
    "segment.jitter.ms": "log.roll.jitter.ms", "log.roll.jitter.hours" in Hours;
    "segment.index.bytes": "log.index.size.max.bytes";
    "flush.messages": "log.flush.interval.messages";
    "flush.ms": "log.flush.interval.ms", "log.flush.scheduler.interval.ms";
    "retention.bytes": "log.retention.bytes";
    "retention.ms": "log.retention.ms", "log.retention.minutes" in Minutes, "log.retention.hours" in Hours;
    "max.message.bytes": "message.max.bytes";
    "index.interval.bytes": "log.index.interval.bytes";
    "delete.retention.ms": "log.cleaner.delete.retention.ms";
    "min.compaction.lag.ms": "log.cleaner.min.compaction.lag.ms";
    "max.compaction.lag.ms": "log.cleaner.max.compaction.lag.ms";
    "file.delete.delay.ms": "log.segment.delete.delay.ms";
    "min.cleanable.dirty.ratio": "log.cleaner.min.cleanable.ratio";
    "cleanup.policy": "log.cleanup.policy";
    "unclean.leader.election.enable": "unclean.leader.election.enable";
    "min.insync.replicas": "min.insync.replicas";
    "compression.type": "compression.type";
    "compression.gzip.level": "compression.gzip.level";
    "compression.lz4.level": "compression.lz4.level";
    "compression.zstd.level": "compression.zstd.level";
    "preallocate": "log.preallocate";
    "message.format.version": "log.message.format.version";
    "message.timestamp.type": "log.message.timestamp.type";
    "message.timestamp.difference.max.ms": "log.message.timestamp.difference.max.ms";
    "message.timestamp.before.max.ms": "log.message.timestamp.before.max.ms";
    "message.timestamp.after.max.ms": "log.message.timestamp.after.max.ms";
    "message.downconversion.enable": "log.message.downconversion.enable";
    "local.retention.ms": "log.local.retention.ms";
    "local.retention.bytes": "log.local.retention.bytes";
};

/// The broker keys behind a topic key; none for keys only topics have.
pub fn synonyms(topic_key: &str) -> &'static [(&'static str, Unit)] {
    SYNONYMS.iter().find(|entry| entry.topic == topic_key).map_or(&[], |entry| entry.broker)
}

/// Why a topic's configuration is refused; the texts are Kafka's, the code on the wire INVALID_CONFIG.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicConfigError {
    /// No such key.
    #[error("Unknown topic config name: {0}")]
    UnknownName(String),
    /// A value its key does not take.
    #[error(transparent)]
    InvalidValue(#[from] InvalidValue),
    /// Keys that do not fit together.
    #[error("conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})")]
    CompactionLags {
        /// `min.compaction.lag.ms`.
        min: i64,
        /// `max.compaction.lag.ms`.
        max: i64,
    },
    /// Keys of KRaft's tiered storage.
    #[error(
        "It is invalid to set `remote.log.delete.on.disable` or `remote.log.copy.disable` under Zookeeper's mode."
    )]
    RemoteLogInZooKeeperMode,
    /// Tiered storage on a broker without it.
    #[error(
        "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."
    )]
    NoTieredStorage,
}

/// The broker's values as a topic without overrides has them (`KafkaConfig.extractLogConfigMap`).
pub fn defaults(broker: &Values) -> Values {
    let mut topic = Values::defaults(topic_table());
    for entry in SYNONYMS {
        let strongest = entry.broker.iter().find(|(name, _)| broker.is_explicit(name));
        let Some((name, _)) = strongest.or(entry.broker.first()) else { continue };
        let value = match entry.topic {
            "segment.ms" => Some(Value::Long(cross_check::log_roll_ms(broker))),
            "segment.jitter.ms" => Some(Value::Long(cross_check::log_roll_jitter_ms(broker))),
            "flush.ms" => Some(Value::Long(cross_check::log_flush_interval_ms(broker))),
            "retention.ms" => Some(Value::Long(cross_check::log_retention_ms(broker))),
            "message.timestamp.before.max.ms" | "message.timestamp.after.max.ms" => {
                Some(Value::Long(timestamp_limit_ms(broker, name)))
            }
            _ => broker.get(name),
        };
        let source = broker.source(name);
        if let (Some(value), true) = (value, source > Source::Default) {
            topic.set(entry.topic, source, value);
        }
    }
    // The deprecated limit sets both of its successors.
    let difference = "log.message.timestamp.difference.max.ms";
    for successor in ["before", "after"] {
        let (topic_key, broker_key) = (
            format!("message.timestamp.{successor}.max.ms"),
            format!("log.message.timestamp.{successor}.max.ms"),
        );
        if broker.is_explicit(difference) && !topic.is_explicit(&topic_key) {
            let limit = Value::Long(timestamp_limit_ms(broker, &broker_key));
            topic.set(&topic_key, broker.source(difference), limit);
        }
    }
    topic
}

/// `before`/`after` when moved from its default, else the deprecated `difference`.
fn timestamp_limit_ms(broker: &Values, name: &str) -> i64 {
    match broker.i64(name) {
        i64::MAX => broker.i64("log.message.timestamp.difference.max.ms"),
        limit => limit,
    }
}

/// A topic's values: its overrides over the broker's. Overrides that do not parse are an error; unknown ones are
/// passed over, since ZooKeeper may hold keys of other releases.
pub fn resolve(broker: &Values, overrides: &Properties) -> Result<Values, InvalidValue> {
    let mut values = defaults(broker);
    for (name, text) in overrides.iter() {
        if let Some(key) = topic_table().get(name) {
            values.set(name, Source::DynamicTopic, Value::parse(key, text)?);
        }
    }
    Ok(values)
}

/// What CreateTopics and AlterConfigs check before they write overrides (`LogConfig.validate`).
pub fn validate(broker: &Values, overrides: &Properties) -> Result<(), TopicConfigError> {
    if let Some((name, _)) = overrides.iter().find(|(name, _)| topic_table().get(name).is_none()) {
        return Err(TopicConfigError::UnknownName(name.to_owned()));
    }
    let values = resolve(broker, overrides)?;
    let (min, max) = (values.i64("min.compaction.lag.ms"), values.i64("max.compaction.lag.ms"));
    if min > max {
        return Err(TopicConfigError::CompactionLags { min, max });
    }
    if values.bool("remote.log.delete.on.disable") || values.bool("remote.log.copy.disable") {
        return Err(TopicConfigError::RemoteLogInZooKeeperMode);
    }
    if values.bool("remote.storage.enable") {
        return Err(TopicConfigError::NoTieredStorage);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::broker_table;

    fn broker(pairs: &[(&str, &str)]) -> Values {
        let properties: Properties = pairs.iter().copied().collect();
        Values::resolve(broker_table(), &[(Source::StaticBroker, &properties)]).expect("valid")
    }

    fn overrides(pairs: &[(&str, &str)]) -> Properties {
        pairs.iter().copied().collect()
    }

    #[test]
    fn tables_agree() {
        for entry in SYNONYMS {
            let topic = topic_table().get(entry.topic).expect("a topic key");
            for (name, unit) in entry.broker {
                let key = broker_table().get(name).expect("a broker key");
                assert!(*unit != Unit::Same || key.value_type == topic.value_type, "{name}");
            }
        }
        let defaults = defaults(&broker(&[]));
        for key in topic_table().iter() {
            assert_eq!(defaults.source(key.name), Source::Default, "{}", key.name);
            let from_broker = synonyms(key.name).first().and_then(|(name, _)| broker(&[]).get(name));
            if let Some(value) = from_broker.filter(|value| *value != Value::Null) {
                assert_eq!(defaults.get(key.name), Some(value), "{}", key.name);
            }
        }
        assert_eq!((broker_table().len(), topic_table().len()), (329, 36));
    }

    #[test]
    fn the_broker_gives_defaults_in_any_unit() {
        let values = defaults(&broker(&[("log.retention.hours", "2"), ("log.roll.hours", "1")]));
        assert_eq!(values.i64("retention.ms"), 7_200_000);
        assert_eq!(values.source("retention.ms"), Source::StaticBroker);
        assert_eq!(values.i64("segment.ms"), 3_600_000);
        let values = defaults(&broker(&[("log.retention.hours", "2"), ("log.retention.minutes", "-5")]));
        assert_eq!(values.i64("retention.ms"), -1);
        let values =
            defaults(&broker(&[("log.flush.scheduler.interval.ms", "7"), ("message.max.bytes", "9")]));
        assert_eq!((values.i64("flush.ms"), values.i32("max.message.bytes")), (7, 9));
    }

    #[test]
    fn the_deprecated_timestamp_limit_sets_its_successors() {
        let values = defaults(&broker(&[
            ("log.message.timestamp.difference.max.ms", "5"),
            ("log.message.timestamp.after.max.ms", "6"),
        ]));
        assert_eq!(values.i64("message.timestamp.before.max.ms"), 5);
        assert_eq!(values.i64("message.timestamp.after.max.ms"), 6);
    }

    #[test]
    fn overrides_win() {
        let values = resolve(&broker(&[("log.segment.bytes", "20")]), &overrides(&[("segment.bytes", "30")]))
            .expect("valid");
        assert_eq!((values.i32("segment.bytes"), values.source("segment.bytes")), (30, Source::DynamicTopic));
    }

    #[test]
    fn refusals_are_kafkas() {
        #[track_caller]
        fn check(pair: (&str, &str), message: &str) {
            let error = validate(&broker(&[]), &overrides(&[pair])).expect_err("refused");
            assert_eq!(error.to_string(), message);
        }
        check(("nonsense", "1"), "Unknown topic config name: nonsense");
        check(
            ("retention.ms", "-2"),
            "Invalid value -2 for configuration retention.ms: Value must be at least -1",
        );
        check(
            ("cleanup.policy", "shred"),
            "Invalid value shred for configuration cleanup.policy: String must be one of: compact, delete",
        );
        check(
            ("compression.gzip.level", "0"),
            "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
        );
        check(
            ("remote.storage.enable", "true"),
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
        );
        let lags = overrides(&[("min.compaction.lag.ms", "3"), ("max.compaction.lag.ms", "2")]);
        assert_eq!(
            validate(&broker(&[]), &lags).expect_err("refused").to_string(),
            "conflict topic config setting min.compaction.lag.ms (3) > max.compaction.lag.ms (2)"
        );
        assert_eq!(validate(&broker(&[]), &overrides(&[("cleanup.policy", "compact,delete")])), Ok(()));
    }
}
