//! All partitions of this broker and what is asked of them (`ReplicaManager`).
//!
//! The manager routes: rules live in the pure modules, one partition's state in its `HostedPartition`, waiting in the
//! purgatory. Control requests (LeaderAndIsr, StopReplica) are serialized by one lock; data requests never take it.

mod alter_log_dirs;
mod control;
mod delete_records;
mod fetch;
mod leader_and_isr;
mod lifecycle;
mod offsets;
mod produce;
mod stop_replica;
mod types;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gregor_log::{LogManager, PartitionLog};
use gregor_model::{ControllerEpoch, LeaderEpoch, TopicPartition};
use parking_lot::{Mutex, RwLock};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use types::{
    EpochEnd, FetchParams, FetchPartition, FetchRequester, FetchedPartition, PartitionRecords,
    PartitionStatus, ProduceParams, ReplicationCounts, RequiredAcks, RoleChanges, StaleControllerEpoch,
};

use crate::alter_partition::task::IsrChangeQueue;
use crate::config::ReplicationConfig;
use crate::environment::{IsrAuthority, LeaderEndpoints, ReplicaEnvironment};
use crate::error::PartitionError;
use crate::fetch_session::FetchSessionCache;
use crate::fetcher::pool::FetcherPool;
use crate::fetcher::stats::FetcherStats;
use crate::follower_clock::FollowerClocks;
use crate::hosted_partition::HostedPartition;
use crate::log_dir_moves::task::Moves;
use crate::metrics::ReplicationMetrics;
use crate::shared::{IsrCounters, Shared};
use crate::spare_worker::SpareWorker;
use crate::throttle::ReplicationThrottle;

/// All partitions of this broker.
pub struct ReplicaManager {
    shared: Arc<Shared>,
    logs: Arc<LogManager>,
    authority: Arc<dyn IsrAuthority>,
    partitions: Arc<PartitionMap>,
    /// Held while a control request is applied; inside, the newest controller epoch heard of.
    control: Mutex<ControllerEpoch>,
    fetchers: FetcherPool,
    /// Replicas on their way to other log directories.
    moves: Arc<Moves>,
    sessions: FetchSessionCache,
    /// Set by the first LeaderAndIsr: before it, checkpoints would forget partitions not announced yet.
    is_announced: AtomicBool,
    cancel: CancellationToken,
    tasks: TaskTracker,
}

/// Different at every start, so that session ids of the last run are not mistaken for new ones.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

/// A partition that a LeaderAndIsr named.
#[derive(Clone)]
pub(crate) enum Hosted {
    /// Usable.
    Online(Arc<HostedPartition>),
    /// Its log directory failed.
    Offline,
}

/// Every partition hosted here.
#[derive(Default)]
pub(crate) struct PartitionMap {
    map: RwLock<HashMap<TopicPartition, Hosted>>,
}

impl PartitionMap {
    /// The partition, if it is here.
    pub(crate) fn get(&self, partition: &TopicPartition) -> Option<Hosted> {
        self.map.read().get(partition).cloned()
    }

    /// The partition, if it is here and online.
    pub(crate) fn online(&self, partition: &TopicPartition) -> Option<Arc<HostedPartition>> {
        match self.map.read().get(partition) {
            Some(Hosted::Online(hosted)) => Some(Arc::clone(hosted)),
            Some(Hosted::Offline) | None => None,
        }
    }

    /// Every partition that is online.
    pub(crate) fn all_online(&self) -> Vec<Arc<HostedPartition>> {
        let map = self.map.read();
        let online = map.values().filter_map(|hosted| match hosted {
            Hosted::Online(hosted) => Some(Arc::clone(hosted)),
            Hosted::Offline => None,
        });
        online.collect()
    }

    /// The partition, made if it is not here; `None` when it is offline.
    fn get_or_insert(
        &self,
        partition: &TopicPartition,
        metrics: &ReplicationMetrics,
    ) -> Option<Arc<HostedPartition>> {
        match self.get(partition) {
            Some(Hosted::Online(hosted)) => Some(hosted),
            Some(Hosted::Offline) => None,
            None => {
                let hosted = Arc::new(HostedPartition::new(partition.clone(), &metrics.topics));
                self.map.write().insert(partition.clone(), Hosted::Online(Arc::clone(&hosted)));
                Some(hosted)
            }
        }
    }

    fn remove(&self, partition: &TopicPartition) -> Option<Hosted> {
        self.map.write().remove(partition)
    }

    fn set_offline(&self, partition: &TopicPartition) -> Option<Hosted> {
        self.map.write().insert(partition.clone(), Hosted::Offline)
    }
}

impl ReplicaManager {
    /// A manager without partitions; they come with LeaderAndIsr.
    pub fn new(
        config: ReplicationConfig,
        logs: Arc<LogManager>,
        authority: Arc<dyn IsrAuthority>,
        leaders: Arc<dyn LeaderEndpoints>,
        environment: Arc<dyn ReplicaEnvironment>,
    ) -> Arc<ReplicaManager> {
        let throttle = || ReplicationThrottle::new(config.quota_window_num, config.quota_window_size_ms);
        let move_throttle = ReplicationThrottle::new(
            config.alter_log_dirs_quota_window_num,
            config.alter_log_dirs_quota_window_size_ms,
        );
        let shared = Arc::new(Shared {
            environment,
            clocks: FollowerClocks::new(),
            spare_worker: SpareWorker::new(),
            isr_changes: Arc::new(IsrChangeQueue::default()),
            isr_counters: IsrCounters::default(),
            metrics: ReplicationMetrics::default(),
            leader_throttle: throttle(),
            follower_throttle: throttle(),
            move_throttle,
            config,
        });
        let partitions = Arc::new(PartitionMap::default());
        let cancel = CancellationToken::new();
        let tasks = TaskTracker::new();
        Arc::new(ReplicaManager {
            fetchers: FetcherPool::new(
                Arc::clone(&shared),
                Arc::clone(&partitions),
                leaders,
                cancel.child_token(),
                tasks.clone(),
            ),
            sessions: FetchSessionCache::new(shared.config.fetch_session_cache_slots, random_seed()),
            shared,
            moves: Arc::default(),
            logs,
            authority,
            partitions,
            control: Mutex::new(ControllerEpoch(0)),
            is_announced: AtomicBool::new(false),
            cancel,
            tasks,
        })
    }

    /// What was counted since the start.
    pub fn metrics(&self) -> &ReplicationMetrics {
        &self.shared.metrics
    }

    /// Sessions of incremental fetches.
    pub fn sessions(&self) -> &FetchSessionCache {
        &self.sessions
    }

    /// `leader.replication.throttled.rate`, in bytes per second; `None`: unlimited.
    pub fn set_leader_throttle(&self, bytes_per_second: Option<u64>) {
        self.shared.leader_throttle.set_limit(bytes_per_second);
    }

    /// `follower.replication.throttled.rate`, in bytes per second; `None`: unlimited.
    pub fn set_follower_throttle(&self, bytes_per_second: Option<u64>) {
        self.shared.follower_throttle.set_limit(bytes_per_second);
    }

    /// The partition, or why requests for it must fail.
    pub(crate) fn hosted(&self, partition: &TopicPartition) -> Result<Arc<HostedPartition>, PartitionError> {
        match self.partitions.get(partition) {
            Some(Hosted::Online(hosted)) => Ok(hosted),
            Some(Hosted::Offline) => Err(PartitionError::Offline(partition.clone())),
            None if self.shared.environment.knows_partition(partition) => {
                Err(PartitionError::NotLeaderOrFollower(partition.clone()))
            }
            None => Err(PartitionError::Unknown(partition.clone())),
        }
    }

    /// The log of a partition led here, and the term.
    pub fn leader_log(
        &self,
        partition: &TopicPartition,
    ) -> Result<(Arc<PartitionLog>, LeaderEpoch), PartitionError> {
        self.hosted(partition)?.leader_log()
    }

    /// The log of a partition hosted here, whatever the role.
    pub fn log(&self, partition: &TopicPartition) -> Result<Arc<PartitionLog>, PartitionError> {
        self.hosted(partition)?.log()
    }

    /// One partition's status, if it is hosted here.
    pub fn status(&self, partition: &TopicPartition) -> Option<PartitionStatus> {
        self.partitions.online(partition).map(|hosted| hosted.status())
    }

    /// The status of every partition hosted here and online.
    pub fn statuses(&self) -> Vec<PartitionStatus> {
        self.partitions.all_online().iter().map(|hosted| hosted.status()).collect()
    }

    /// Counters and gauges of replication, for metrics.
    pub fn replication_counts(&self) -> ReplicationCounts {
        let counters = &self.shared.isr_counters;
        let map = self.partitions.map.read();
        ReplicationCounts {
            isr_expands: counters.expands.load(Ordering::Relaxed),
            isr_shrinks: counters.shrinks.load(Ordering::Relaxed),
            failed_isr_updates: counters.failed_updates.load(Ordering::Relaxed),
            offline_partitions: map.values().filter(|hosted| matches!(hosted, Hosted::Offline)).count(),
            failed_partitions: self.fetchers.failed_partitions(),
            max_lag: self.fetchers.max_lag(),
            min_fetch_rate: self.fetchers.min_fetch_rate(self.shared.now()),
            dead_fetchers: self.fetchers.dead(),
        }
    }

    /// What each fetcher of this broker counts.
    pub fn fetcher_stats(&self) -> Vec<Arc<FetcherStats>> {
        self.fetchers.stats()
    }

    /// How many partitions fetchers gave up until the next leader epoch (`FailedPartitionsCount`).
    pub fn failed_partitions(&self) -> usize {
        self.fetchers.failed_partitions()
    }
}
