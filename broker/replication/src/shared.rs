//! What every partition of this broker leans on: configuration, the broker around it, clocks, quotas and the way to the controller.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gregor_model::{BrokerId, Timestamp, TopicPartition};

use crate::alter_partition::task::IsrChangeQueue;
use crate::config::ReplicationConfig;
use crate::environment::ReplicaEnvironment;
use crate::follower_clock::FollowerClocks;
use crate::metrics::ReplicationMetrics;
use crate::partition::leader::Followers;
use crate::spare_worker::SpareWorker;
use crate::throttle::ReplicationThrottle;

/// How often ISRs changed, since the start.
#[derive(Debug, Default)]
pub(crate) struct IsrCounters {
    pub(crate) expands: AtomicU64,
    pub(crate) shrinks: AtomicU64,
    pub(crate) failed_updates: AtomicU64,
}

impl IsrCounters {
    /// One more.
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Shared by the manager, its partitions and its tasks.
pub(crate) struct Shared {
    pub(crate) config: ReplicationConfig,
    pub(crate) environment: Arc<dyn ReplicaEnvironment>,
    pub(crate) clocks: FollowerClocks,
    pub(crate) spare_worker: SpareWorker,
    pub(crate) isr_changes: Arc<IsrChangeQueue>,
    pub(crate) isr_counters: IsrCounters,
    pub(crate) metrics: ReplicationMetrics,
    pub(crate) leader_throttle: ReplicationThrottle,
    pub(crate) follower_throttle: ReplicationThrottle,
    /// `replica.alter.log.dirs.io.max.bytes.per.second`.
    pub(crate) move_throttle: ReplicationThrottle,
}

impl Shared {
    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        self.environment.now()
    }

    /// The other brokers as they are at `now`.
    pub(crate) fn followers(&self, now: Timestamp) -> FollowersAt<'_> {
        FollowersAt { shared: self, now }
    }

    /// Whether the topic's config throttles that partition on this broker as a leader.
    pub(crate) fn is_leader_throttled(&self, partition: &TopicPartition) -> bool {
        self.leader_throttle.is_limited()
            && self.environment.throttled_replicas(&partition.topic).0.contains(partition.partition)
    }

    /// Whether the topic's config throttles that partition on this broker as a follower.
    pub(crate) fn is_follower_throttled(&self, partition: &TopicPartition) -> bool {
        self.follower_throttle.is_limited()
            && self.environment.throttled_replicas(&partition.topic).1.contains(partition.partition)
    }
}

/// The other brokers at one moment.
pub(crate) struct FollowersAt<'a> {
    shared: &'a Shared,
    now: Timestamp,
}

impl Followers for FollowersAt<'_> {
    fn now(&self, follower: BrokerId) -> Timestamp {
        self.shared.clocks.now(follower, self.now)
    }

    fn is_alive(&self, follower: BrokerId) -> bool {
        self.shared.environment.is_alive(follower)
    }
}
