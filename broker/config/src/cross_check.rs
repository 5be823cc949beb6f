//! Checks across keys, with Kafka's messages (`KafkaConfig.validateValues`), and keys that are given in more than one
//! unit.

use std::path::PathBuf;

use crate::broker::listener_overrides;
use crate::error::ConfigError;
use crate::inter_broker_protocol;
use crate::listeners::{self, ListenersConfig};
use crate::properties::Properties;
use crate::value::Value;
use crate::values::Values;

use gregor_model::SecurityProtocol;

const MS_PER_MINUTE: i64 = 60 * 1000;
const MS_PER_HOUR: i64 = 60 * MS_PER_MINUTE;

/// `log.roll.ms`, or `log.roll.hours`.
pub fn log_roll_ms(values: &Values) -> i64 {
    values.opt_i64("log.roll.ms").unwrap_or_else(|| MS_PER_HOUR * i64::from(values.i32("log.roll.hours")))
}

/// `log.roll.jitter.ms`, or `log.roll.jitter.hours`.
pub fn log_roll_jitter_ms(values: &Values) -> i64 {
    values
        .opt_i64("log.roll.jitter.ms")
        .unwrap_or_else(|| MS_PER_HOUR * i64::from(values.i32("log.roll.jitter.hours")))
}

/// `log.flush.interval.ms`, or `log.flush.scheduler.interval.ms`.
pub fn log_flush_interval_ms(values: &Values) -> i64 {
    values.opt_i64("log.flush.interval.ms").unwrap_or_else(|| values.i64("log.flush.scheduler.interval.ms"))
}

/// `log.retention.ms`, or `.minutes`, or `.hours`; everything negative means without limit and becomes -1.
pub fn log_retention_ms(values: &Values) -> i64 {
    let milliseconds =
        values.opt_i64("log.retention.ms").unwrap_or_else(|| match values.opt_i32("log.retention.minutes") {
            Some(minutes) => MS_PER_MINUTE * i64::from(minutes),
            None => MS_PER_HOUR * i64::from(values.i32("log.retention.hours")),
        });
    milliseconds.max(-1)
}

/// `log.dirs`, or `log.dir`.
pub(crate) fn log_dirs(values: &Values) -> Vec<PathBuf> {
    let text = values.opt_string("log.dirs").unwrap_or_else(|| values.string("log.dir"));
    text.split(',').map(str::trim).filter(|dir| !dir.is_empty()).map(PathBuf::from).collect()
}

fn require(holds: bool, otherwise: &str) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError::conflict(otherwise)) }
}

/// All checks but those about listeners, which are in `listeners`.
pub(crate) fn check(values: &Values) -> Result<(), ConfigError> {
    check_identity(values)?;
    check_mode(values)?;
    check_log(values)?;
    check_replication(values)?;
    check_consumer_groups(values)?;
    check_connections(values)
}

fn check_identity(values: &Values) -> Result<(), ConfigError> {
    let broker_id = values.i32("broker.id");
    require(values.i32("node.id") == broker_id, "You must set `node.id` to the same value as `broker.id`.")?;
    if values.bool("broker.id.generation.enable") {
        require(
            (-1..=values.i32("reserved.broker.max.id")).contains(&broker_id),
            "broker.id must be greater than or equal to -1 and not greater than reserved.broker.max.id",
        )
    } else {
        require(broker_id >= 0, "broker.id must be greater than or equal to 0")
    }
}

/// Gregor has ZooKeeper mode only.
fn check_mode(values: &Values) -> Result<(), ConfigError> {
    require(
        values.opt_string("controller.listener.names").unwrap_or_default().is_empty(),
        "controller.listener.names must be empty when not running in KRaft mode",
    )?;
    let protocols = values.list("group.coordinator.rebalance.protocols");
    require(
        protocols.iter().any(|protocol| protocol == "classic"),
        "group.coordinator.rebalance.protocols: Disabling the 'CLASSIC' protocol is not supported.",
    )?;
    require(
        !protocols.iter().any(|protocol| protocol == "consumer"),
        "group.coordinator.rebalance.protocols: The new 'CONSUMER' rebalance protocol is only supported in KRaft cluster.",
    )
}

fn check_log(values: &Values) -> Result<(), ConfigError> {
    require(log_roll_ms(values) >= 1, "log.roll.ms must be greater than or equal to 1")?;
    require(log_roll_jitter_ms(values) >= 0, "log.roll.jitter.ms must be greater than or equal to 0")?;
    let retention = log_retention_ms(values);
    require(
        retention >= 1 || retention == -1,
        "log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
    )?;
    require(
        !log_dirs(values).is_empty(),
        "At least one log directory must be defined via log.dirs or log.dir.",
    )?;
    let cleaner_threads = i64::from(values.i32("log.cleaner.threads"));
    let buffer_per_thread = values.i64("log.cleaner.dedupe.buffer.size").checked_div(cleaner_threads);
    require(
        buffer_per_thread.is_some_and(|bytes| bytes > 1024 * 1024),
        "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.",
    )?;
    check_message_format(values)
}

/// Before 3.0 the stored format may lag behind the protocol, never run ahead of it.
fn check_message_format(values: &Values) -> Result<(), ConfigError> {
    let protocol_text = values.string("inter.broker.protocol.version");
    let format_text = values.string("log.message.format.version");
    let (Some(protocol), Some(format)) =
        (inter_broker_protocol::parse(&protocol_text), inter_broker_protocol::parse(&format_text))
    else {
        return Ok(());
    };
    let magic = |version: inter_broker_protocol::InterBrokerProtocol| {
        u8::from(version.is_at_least("0.10.0-IV0")) + u8::from(version.is_at_least("0.11.0-IV0"))
    };
    require(
        protocol.is_at_least("3.0-IV0") || magic(protocol) >= magic(format),
        &format!(
            "log.message.format.version {format_text} can only be used when inter.broker.protocol.version is set to the same version or higher"
        ),
    )
}

fn check_replication(values: &Values) -> Result<(), ConfigError> {
    let wait_max_ms = i64::from(values.i32("replica.fetch.wait.max.ms"));
    require(
        wait_max_ms <= i64::from(values.i32("replica.socket.timeout.ms")),
        "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary socket timeouts",
    )?;
    require(
        wait_max_ms <= values.i64("replica.lag.time.max.ms"),
        "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent frequent changes in ISR",
    )?;
    let required_acks = values.i16("offsets.commit.required.acks");
    require(
        (-1..=values.i16("offsets.topic.replication.factor")).contains(&required_acks),
        "offsets.commit.required.acks must be greater or equal -1 and less or equal to offsets.topic.replication.factor",
    )
}

fn check_consumer_groups(values: &Values) -> Result<(), ConfigError> {
    for of in ["heartbeat.interval.ms", "session.timeout.ms"] {
        let key = |bound: &str| format!("group.consumer.{bound}{of}");
        let (min, max) = (key("min."), key("max."));
        for (name, least) in [(&max, &min), (&key(""), &min)] {
            require(
                values.i32(name) >= values.i32(least),
                &format!("{name} must be greater than or equals to {least}"),
            )?;
        }
        require(
            values.i32(&key("")) <= values.i32(&max),
            &format!("{} must be less than or equals to {max}", key("")),
        )?;
    }
    require(
        !values.list("group.consumer.assignors").is_empty(),
        "group.consumer.assignors must name an assignor",
    )
}

fn check_connections(values: &Values) -> Result<(), ConfigError> {
    let queued_max = values.i64("queued.max.request.bytes");
    require(
        queued_max <= 0 || queued_max >= i64::from(values.i32("socket.request.max.bytes")),
        "queued.max.request.bytes must be larger or equal to socket.request.max.bytes",
    )?;
    let overrides =
        listeners::parse_connection_overrides(&values.string("max.connections.per.ip.overrides"))?;
    require(
        values.i32("max.connections.per.ip") != 0 || !overrides.is_empty(),
        "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.",
    )?;
    let idle_ms = values.i64("connections.max.idle.ms");
    let delay_ms = values.i32("connection.failed.authentication.delay.ms");
    require(
        idle_ms < 0 || i64::from(delay_ms) < idle_ms,
        &format!(
            "connection.failed.authentication.delay.ms={delay_ms} should always be less than connections.max.idle.ms={idle_ms} to prevent failed authentication responses from timing out"
        ),
    )
}

/// Brokers that log in to each other by SASL need their mechanism enabled on that listener.
pub(crate) fn check_inter_broker_sasl(
    values: &Values,
    properties: &Properties,
    listeners: &ListenersConfig,
) -> Result<(), ConfigError> {
    let uses_sasl = matches!(
        listeners.inter_broker_protocol,
        SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl
    );
    let overrides = listener_overrides(properties, &listeners.inter_broker);
    let enabled = match overrides.get("sasl.enabled.mechanisms") {
        Some(text) => text.split(',').map(|mechanism| mechanism.trim().to_owned()).collect(),
        None => values.list("sasl.enabled.mechanisms"),
    };
    let mechanism = Value::String(values.string("sasl.mechanism.inter.broker.protocol"));
    require(
        !uses_sasl || enabled.into_iter().any(|enabled| Value::String(enabled) == mechanism),
        "sasl.mechanism.inter.broker.protocol must be included in sasl.enabled.mechanisms when SASL is used for inter-broker communication",
    )
}
