//! Configuration of replication: the struct the replica manager is given. The server fills it from its properties.

use gregor_model::BrokerId;

use crate::partition::replica_selector::ReplicaSelector;

/// What the broker's properties say about replication; defaults are Kafka's.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicationConfig {
    /// `broker.id`.
    pub broker_id: BrokerId,
    /// `replica.lag.time.max.ms`.
    pub replica_lag_time_max_ms: i64,
    /// `replica.fetch.wait.max.ms`.
    pub replica_fetch_wait_max_ms: i32,
    /// `replica.fetch.min.bytes`.
    pub replica_fetch_min_bytes: i32,
    /// `replica.fetch.max.bytes`, per partition.
    pub replica_fetch_max_bytes: i32,
    /// `replica.fetch.response.max.bytes`.
    pub replica_fetch_response_max_bytes: i32,
    /// `replica.fetch.backoff.ms`.
    pub replica_fetch_backoff_ms: i64,
    /// `replica.high.watermark.checkpoint.interval.ms`.
    pub high_watermark_checkpoint_interval_ms: u64,
    /// `num.replica.fetchers`.
    pub num_replica_fetchers: u32,
    /// `fetch.max.bytes`: what one fetch may be answered with, whatever it asks for.
    pub fetch_max_bytes: i32,
    /// `max.incremental.fetch.session.cache.slots`.
    pub fetch_session_cache_slots: usize,
    /// `replica.selector.class`.
    pub replica_selector: ReplicaSelector,
    /// What `inter.broker.protocol.version` allows fetchers to send.
    pub protocol: ReplicaProtocol,
    /// `replication.quota.window.num`.
    pub quota_window_num: u32,
    /// `replication.quota.window.size.seconds`.
    pub quota_window_size_ms: i64,
    /// `num.replica.alter.log.dirs.threads`: how many partitions are copied between log directories at a time.
    pub num_replica_alter_log_dirs_threads: usize,
    /// `alter.log.dirs.replication.quota.window.num`.
    pub alter_log_dirs_quota_window_num: u32,
    /// `alter.log.dirs.replication.quota.window.size.seconds`.
    pub alter_log_dirs_quota_window_size_ms: i64,
}

impl ReplicationConfig {
    /// Kafka's defaults.
    pub fn new(broker_id: BrokerId) -> ReplicationConfig {
        ReplicationConfig {
            broker_id,
            replica_lag_time_max_ms: 30_000,
            replica_fetch_wait_max_ms: 500,
            replica_fetch_min_bytes: 1,
            replica_fetch_max_bytes: 1 << 20,
            replica_fetch_response_max_bytes: 10 << 20,
            replica_fetch_backoff_ms: 1_000,
            high_watermark_checkpoint_interval_ms: 5_000,
            num_replica_fetchers: 1,
            fetch_max_bytes: 55 << 20,
            fetch_session_cache_slots: 1_000,
            replica_selector: ReplicaSelector::default(),
            protocol: ReplicaProtocol::default(),
            quota_window_num: 11,
            quota_window_size_ms: 1_000,
            num_replica_alter_log_dirs_threads: 1,
            alter_log_dirs_quota_window_num: 11,
            alter_log_dirs_quota_window_size_ms: 1_000,
        }
    }
}

/// The request versions a follower sends to its leader; what `inter.broker.protocol.version` decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaProtocol {
    /// Fetch: 17 at 3.9; 12 and later tell where logs diverge, 13 and later name topics by id.
    pub fetch: i16,
    /// ListOffsets.
    pub list_offsets: i16,
    /// OffsetForLeaderEpoch.
    pub offset_for_leader_epoch: i16,
}

impl ReplicaProtocol {
    /// Whether followers truncate on what Fetch answers rather than asking for epochs first (IBP 2.7-IV1).
    pub fn truncates_on_fetch(self) -> bool {
        self.fetch >= 12
    }
}

impl Default for ReplicaProtocol {
    /// Those of 3.9.
    fn default() -> ReplicaProtocol {
        ReplicaProtocol { fetch: 17, list_offsets: 9, offset_for_leader_epoch: 4 }
    }
}
