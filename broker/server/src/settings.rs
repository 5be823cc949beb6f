//! The configuration of each component, made of the broker's values once at start.
//!
//! Components get their struct and never see a property map; this module is the only place that knows both sides.

use std::path::PathBuf;
use std::time::Duration;

use gregor_config::{BrokerConfig, Values, topic};
use gregor_controller_machine::ControllerConfig;
use gregor_controller_service::{ControlVersions, ControllerSettings};
use gregor_log::{LogConfig, LogManagerConfig};
use gregor_model::{BrokerId, ListenerName};
use gregor_replication::{ReplicaSelector, ReplicationConfig};

use crate::background::LogSchedule;

/// What request handlers ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSettings {
    /// `auto.create.topics.enable`.
    pub auto_create_topics: bool,
    /// `delete.topic.enable`.
    pub delete_topics: bool,
    /// `num.partitions`.
    pub num_partitions: i32,
    /// `default.replication.factor`.
    pub default_replication_factor: i16,
    /// `fetch.max.bytes`.
    pub fetch_max_bytes: i32,
}

/// How this broker takes its leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlledShutdownSettings {
    /// `controlled.shutdown.enable`.
    pub enabled: bool,
    /// `controlled.shutdown.max.retries`.
    pub attempts: u32,
    /// `controlled.shutdown.retry.backoff.ms`.
    pub backoff: Duration,
}

/// For request handlers.
pub fn request_settings(values: &Values) -> RequestSettings {
    RequestSettings {
        auto_create_topics: values.bool("auto.create.topics.enable"),
        delete_topics: values.bool("delete.topic.enable"),
        num_partitions: values.i32("num.partitions"),
        default_replication_factor: i16::try_from(values.i32("default.replication.factor"))
            .unwrap_or(i16::MAX),
        fetch_max_bytes: values.i32("fetch.max.bytes"),
    }
}

/// For the controlled shutdown.
pub fn controlled_shutdown_settings(values: &Values) -> ControlledShutdownSettings {
    ControlledShutdownSettings {
        enabled: values.bool("controlled.shutdown.enable"),
        attempts: u32::try_from(values.i32("controlled.shutdown.max.retries")).unwrap_or(0),
        backoff: milliseconds(values.i64("controlled.shutdown.retry.backoff.ms")),
    }
}

/// For the log manager; `offline` are directories found unusable already.
pub fn log_manager_config(
    values: &Values,
    log_dirs: Vec<PathBuf>,
    offline: Vec<PathBuf>,
) -> LogManagerConfig {
    LogManagerConfig {
        log_dirs,
        initial_offline_dirs: offline,
        defaults: LogConfig::from_values(&topic::defaults(values)),
        recovery_threads_per_data_dir: usize::try_from(values.i32("num.recovery.threads.per.data.dir"))
            .unwrap_or(1),
        segment_delete_delay_ms: values.i64("log.segment.delete.delay.ms"),
        producer_id_expiration_ms: values.i32("producer.id.expiration.ms").into(),
        transaction_verification_enable: values.bool("transaction.partition.verification.enable"),
        transaction_max_timeout_ms: values.i32("transaction.max.timeout.ms").into(),
        ..LogManagerConfig::default()
    }
}

/// For housekeeping.
pub fn log_schedule(values: &Values) -> LogSchedule {
    let flush_interval = values.i64("log.flush.scheduler.interval.ms");
    LogSchedule {
        initial_delay: milliseconds(values.i64("log.initial.task.delay.ms")),
        retention_check_interval: milliseconds(values.i64("log.retention.check.interval.ms")),
        flush_interval: (flush_interval != i64::MAX).then(|| milliseconds(flush_interval)),
        recovery_point_checkpoint_interval: milliseconds(
            values.i32("log.flush.offset.checkpoint.interval.ms").into(),
        ),
        log_start_offset_checkpoint_interval: milliseconds(
            values.i32("log.flush.start.offset.checkpoint.interval.ms").into(),
        ),
        producer_expiration_interval: milliseconds(
            values.i32("producer.id.expiration.check.interval.ms").into(),
        ),
    }
}

/// For replication.
pub fn replication_config(config: &BrokerConfig, broker_id: BrokerId) -> ReplicationConfig {
    let values = &config.values;
    ReplicationConfig {
        replica_lag_time_max_ms: values.i64("replica.lag.time.max.ms"),
        replica_fetch_wait_max_ms: values.i32("replica.fetch.wait.max.ms"),
        replica_fetch_min_bytes: values.i32("replica.fetch.min.bytes"),
        replica_fetch_max_bytes: values.i32("replica.fetch.max.bytes"),
        replica_fetch_response_max_bytes: values.i32("replica.fetch.response.max.bytes"),
        replica_fetch_backoff_ms: values.i32("replica.fetch.backoff.ms").into(),
        high_watermark_checkpoint_interval_ms: u64::try_from(
            values.i64("replica.high.watermark.checkpoint.interval.ms"),
        )
        .unwrap_or(u64::MAX),
        num_replica_fetchers: u32::try_from(values.i32("num.replica.fetchers")).unwrap_or(1),
        fetch_max_bytes: values.i32("fetch.max.bytes"),
        fetch_session_cache_slots: usize::try_from(values.i32("max.incremental.fetch.session.cache.slots"))
            .unwrap_or(0),
        replica_selector: match values.opt_string("replica.selector.class") {
            Some(class) if class.ends_with("RackAwareReplicaSelector") => ReplicaSelector::RackAware,
            _ => ReplicaSelector::default(),
        },
        quota_window_num: u32::try_from(values.i32("replication.quota.window.num")).unwrap_or(1),
        quota_window_size_ms: 1_000 * i64::from(values.i32("replication.quota.window.size.seconds")),
        num_replica_alter_log_dirs_threads: values
            .opt_i32("num.replica.alter.log.dirs.threads")
            .and_then(|threads| usize::try_from(threads).ok())
            .unwrap_or(config.log_dirs.len()),
        alter_log_dirs_quota_window_num: u32::try_from(
            values.i32("alter.log.dirs.replication.quota.window.num"),
        )
        .unwrap_or(1),
        alter_log_dirs_quota_window_size_ms: 1_000
            * i64::from(values.i32("alter.log.dirs.replication.quota.window.size.seconds")),
        ..ReplicationConfig::new(broker_id)
    }
}

/// For the controller.
pub fn controller_settings(config: &BrokerConfig, broker_id: BrokerId) -> ControllerSettings {
    let values = &config.values;
    ControllerSettings {
        machine: ControllerConfig {
            delete_topic_enable: values.bool("delete.topic.enable"),
            auto_leader_rebalance_enable: values.bool("auto.leader.rebalance.enable"),
            leader_imbalance_check_interval_seconds: values.i64("leader.imbalance.check.interval.seconds"),
            leader_imbalance_per_broker_percentage: values.i32("leader.imbalance.per.broker.percentage"),
            ..ControllerConfig::new(broker_id)
        },
        listener: control_listener(config),
        features_timeout: config.zookeeper.connection_timeout,
        versions: ControlVersions::of(config.inter_broker_protocol),
        refusal_timeout: Some(config.own.i32("gregor.controller.refusal.timeout.ms"))
            .filter(|timeout| *timeout > 0)
            .map(|timeout| milliseconds(i64::from(timeout))),
    }
}

/// The listener on which brokers and the controller reach each other.
pub fn control_listener(config: &BrokerConfig) -> ListenerName {
    let listeners = &config.listeners;
    listeners.control_plane.clone().unwrap_or_else(|| listeners.inter_broker.clone())
}

/// A configured time; negative ones were refused, and what is too long to wait for is never waited out.
fn milliseconds(value: i64) -> Duration {
    const LONGEST: u64 = 100 * 365 * 24 * 60 * 60 * 1000;
    Duration::from_millis(u64::try_from(value).unwrap_or(0).min(LONGEST))
}
