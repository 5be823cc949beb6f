//! Configuration of logs: what a topic may override, and what belongs to the broker.

use std::path::PathBuf;

use gregor_config::Values;
use gregor_records::validate::ValidationConfig;
use gregor_records::{Codec, Compression, TimestampType};

/// `cleanup.policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CleanupPolicy {
    /// Old segments are deleted.
    pub delete: bool,
    /// Only the last record of each key is kept.
    pub compact: bool,
}

/// The configuration of one log, the topic's overrides applied (`LogConfig`). [`LogConfig::default`] is Kafka's.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`.
    pub segment_bytes: u32,
    /// `segment.ms`.
    pub segment_ms: i64,
    /// `segment.jitter.ms`.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`.
    pub index_interval_bytes: u32,
    /// `flush.messages`.
    pub flush_messages: i64,
    /// `flush.ms`.
    pub flush_ms: i64,
    /// `retention.bytes`; `None` is -1, no limit.
    pub retention_bytes: Option<u64>,
    /// `retention.ms`; `None` is -1, no limit.
    pub retention_ms: Option<i64>,
    /// `cleanup.policy`.
    pub cleanup_policy: CleanupPolicy,
    /// `max.message.bytes`.
    pub max_message_bytes: u32,
    /// `delete.retention.ms`.
    pub delete_retention_ms: i64,
    /// `min.compaction.lag.ms`.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`.
    pub max_compaction_lag_ms: i64,
    /// `min.cleanable.dirty.ratio`.
    pub min_cleanable_dirty_ratio: f64,
    /// `file.delete.delay.ms`.
    pub file_delete_delay_ms: i64,
    /// `min.insync.replicas`.
    pub min_insync_replicas: i32,
    /// `unclean.leader.election.enable`.
    pub unclean_leader_election_enable: bool,
    /// `compression.type` with its level; `None` is `producer`, as the producer sent it.
    pub compression: Option<Compression>,
    /// `preallocate`.
    pub preallocate: bool,
    /// `message.timestamp.type`.
    pub message_timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`, the deprecated `message.timestamp.difference.max.ms` resolved.
    pub message_timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`, the deprecated `message.timestamp.difference.max.ms` resolved.
    pub message_timestamp_after_max_ms: i64,
    /// `message.downconversion.enable`.
    pub message_downconversion_enable: bool,
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 7 * DAY_MS,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            retention_bytes: None,
            retention_ms: Some(7 * DAY_MS),
            cleanup_policy: CleanupPolicy { delete: true, compact: false },
            max_message_bytes: (1 << 20) + 12,
            delete_retention_ms: DAY_MS,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_cleanable_dirty_ratio: 0.5,
            file_delete_delay_ms: 60_000,
            min_insync_replicas: 1,
            unclean_leader_election_enable: false,
            compression: None,
            preallocate: false,
            message_timestamp_type: TimestampType::CreateTime,
            message_timestamp_before_max_ms: i64::MAX,
            message_timestamp_after_max_ms: i64::MAX,
            message_downconversion_enable: true,
        }
    }
}

impl LogConfig {
    /// From a topic's values, resolved from the broker's and its own (`gregor_config::topic::resolve`).
    pub fn from_values(values: &Values) -> LogConfig {
        let policy = values.list("cleanup.policy");
        let (before_max_ms, after_max_ms) = timestamp_bounds(values);
        LogConfig {
            segment_bytes: unsigned(values.i32("segment.bytes")),
            segment_ms: values.i64("segment.ms"),
            segment_jitter_ms: values.i64("segment.jitter.ms"),
            segment_index_bytes: unsigned(values.i32("segment.index.bytes")),
            index_interval_bytes: unsigned(values.i32("index.interval.bytes")),
            flush_messages: values.i64("flush.messages"),
            flush_ms: values.i64("flush.ms"),
            retention_bytes: u64::try_from(values.i64("retention.bytes")).ok(),
            retention_ms: Some(values.i64("retention.ms")).filter(|&ms| ms >= 0),
            cleanup_policy: CleanupPolicy {
                delete: policy.iter().any(|policy| policy == "delete"),
                compact: policy.iter().any(|policy| policy == "compact"),
            },
            max_message_bytes: unsigned(values.i32("max.message.bytes")),
            delete_retention_ms: values.i64("delete.retention.ms"),
            min_compaction_lag_ms: values.i64("min.compaction.lag.ms"),
            max_compaction_lag_ms: values.i64("max.compaction.lag.ms"),
            min_cleanable_dirty_ratio: values.f64("min.cleanable.dirty.ratio"),
            file_delete_delay_ms: values.i64("file.delete.delay.ms"),
            min_insync_replicas: values.i32("min.insync.replicas"),
            unclean_leader_election_enable: values.bool("unclean.leader.election.enable"),
            compression: compression(values),
            preallocate: values.bool("preallocate"),
            message_timestamp_type: match values.string("message.timestamp.type").as_str() {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            message_timestamp_before_max_ms: before_max_ms,
            message_timestamp_after_max_ms: after_max_ms,
            message_downconversion_enable: values.bool("message.downconversion.enable"),
        }
    }

    /// What validation of appended records needs of it.
    pub(crate) fn validation(&self) -> ValidationConfig {
        ValidationConfig {
            compression: self.compression,
            compacted: self.cleanup_policy.compact,
            timestamp_type: self.message_timestamp_type,
            timestamp_before_max_ms: self.message_timestamp_before_max_ms,
            timestamp_after_max_ms: self.message_timestamp_after_max_ms,
            max_message_bytes: self.max_message_bytes as usize,
        }
    }

    /// After how many milliseconds a segment rolls: `segment.ms`, but for compacted topics no later than
    /// `max.compaction.lag.ms` (`LogConfig.maxSegmentMs`).
    pub fn segment_ms_max(&self) -> i64 {
        if self.cleanup_policy.compact {
            self.segment_ms.min(self.max_compaction_lag_ms)
        } else {
            self.segment_ms
        }
    }
}

/// The key tables keep these from being negative.
fn unsigned(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

fn compression(values: &Values) -> Option<Compression> {
    let (codec, level) = match values.string("compression.type").as_str() {
        "uncompressed" => (Codec::None, 0),
        "gzip" => (Codec::Gzip, values.i32("compression.gzip.level")),
        "snappy" => (Codec::Snappy, 0),
        "lz4" => (Codec::Lz4, values.i32("compression.lz4.level")),
        "zstd" => (Codec::Zstd, values.i32("compression.zstd.level")),
        _ => return None,
    };
    Some(Compression::with_level(codec, level))
}

/// `message.timestamp.{before,after}.max.ms`; left at their default, the deprecated key for both stands in.
fn timestamp_bounds(values: &Values) -> (i64, i64) {
    let deprecated = values.i64("message.timestamp.difference.max.ms");
    let bound = |name: &str| match values.i64(name) {
        i64::MAX => deprecated,
        own => own,
    };
    (bound("message.timestamp.before.max.ms"), bound("message.timestamp.after.max.ms"))
}

/// What the broker, not the topic, decides about logs.
#[derive(Clone, Debug)]
pub struct LogManagerConfig {
    /// `log.dirs`, each created if absent.
    pub log_dirs: Vec<PathBuf>,
    /// Directories that the server found unusable (no readable `meta.properties`): listed as offline from the start.
    pub initial_offline_dirs: Vec<PathBuf>,
    /// The configuration of topics without overrides.
    pub defaults: LogConfig,
    /// `num.recovery.threads.per.data.dir`.
    pub recovery_threads_per_data_dir: usize,
    /// `log.segment.delete.delay.ms`, for whole partitions.
    pub segment_delete_delay_ms: i64,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i64,
    /// `transaction.partition.verification.enable`.
    pub transaction_verification_enable: bool,
    /// `transaction.max.timeout.ms`, for the metric of late transactions.
    pub transaction_max_timeout_ms: i64,
    /// How many files may be open at a time, beyond those that hold unflushed writes.
    pub open_files_max: usize,
}

impl Default for LogManagerConfig {
    fn default() -> LogManagerConfig {
        LogManagerConfig {
            log_dirs: vec![PathBuf::from("/tmp/kafka-logs")],
            initial_offline_dirs: Vec::new(),
            defaults: LogConfig::default(),
            recovery_threads_per_data_dir: 1,
            segment_delete_delay_ms: 60_000,
            producer_id_expiration_ms: 86_400_000,
            transaction_verification_enable: true,
            transaction_max_timeout_ms: 900_000,
            open_files_max: 4096,
        }
    }
}
