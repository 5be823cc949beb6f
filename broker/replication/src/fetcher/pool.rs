//! Which fetcher has which partition (`ReplicaFetcherManager`).
//!
//! Owner: the replica manager. `num.replica.fetchers` tasks per leader, started when they get a partition and stopped when they lose the
//! last. Invariant: a partition is in one fetcher at most, so moving one disturbs no other.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use gregor_model::{BrokerId, LeaderEpoch, Timestamp, TopicId, TopicName, TopicPartition};
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::local::LocalReplicas;
use super::machine::FetcherMachine;
use super::message::TopicNames;
use super::session::FetcherSession;
use super::stats::FetcherStats;
use super::task::{Command, FailedPartitions, Fetcher, Mailbox};
use crate::environment::LeaderEndpoints;
use crate::manager::PartitionMap;
use crate::shared::Shared;

pub(crate) use super::machine::FetchStart;

/// A fetcher: its leader, and its number among those of that leader.
type FetcherKey = (BrokerId, u32);

/// All fetchers of this broker.
pub(crate) struct FetcherPool {
    shared: Arc<Shared>,
    partitions: Arc<PartitionMap>,
    leaders: Arc<dyn LeaderEndpoints>,
    cancel: CancellationToken,
    tasks: TaskTracker,
    failed: FailedPartitions,
    /// `num.replica.fetchers`.
    fetchers_per_leader: AtomicU32,
    state: Mutex<Assignments>,
}

#[derive(Default)]
struct Assignments {
    fetchers: HashMap<FetcherKey, RunningFetcher>,
    assigned: HashMap<TopicPartition, (FetcherKey, LeaderEpoch)>,
}

struct RunningFetcher {
    mailbox: Arc<Mailbox>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
    stats: Arc<FetcherStats>,
    partitions: usize,
}

impl Assignments {
    /// Takes a partition from whoever has it; returns that fetcher.
    fn unassign(&mut self, partition: &TopicPartition) -> Option<FetcherKey> {
        let (key, _) = self.assigned.remove(partition)?;
        if let Some(fetcher) = self.fetchers.get_mut(&key) {
            fetcher.partitions -= 1;
        }
        Some(key)
    }
}

impl FetcherPool {
    /// A pool without fetchers.
    pub(crate) fn new(
        shared: Arc<Shared>,
        partitions: Arc<PartitionMap>,
        leaders: Arc<dyn LeaderEndpoints>,
        cancel: CancellationToken,
        tasks: TaskTracker,
    ) -> FetcherPool {
        let (failed, state) = (FailedPartitions::default(), Mutex::default());
        let fetchers_per_leader = AtomicU32::new(shared.config.num_replica_fetchers);
        FetcherPool { shared, partitions, leaders, cancel, tasks, failed, fetchers_per_leader, state }
    }

    /// Starts to fetch partitions; one that another fetcher has moves over. Call it in a Tokio runtime.
    pub(crate) fn add(&self, starts: Vec<FetchStart>) {
        let mut state = self.state.lock();
        if self.cancel.is_cancelled() {
            return;
        }
        let mut posts: HashMap<FetcherKey, Vec<(TopicPartition, Command)>> = HashMap::new();
        let fetchers = self.fetchers_per_leader.load(Ordering::Relaxed);
        for start in starts {
            let partition = start.partition.clone();
            let key = (start.leader, fetcher_id(&partition, fetchers));
            self.failed.lock().remove(&partition);
            if let Some(former) = state.unassign(&partition)
                && former != key
            {
                posts.entry(former).or_default().push((partition.clone(), Command::Stop));
            }
            let fetcher = state.fetchers.entry(key).or_insert_with(|| self.spawn(key));
            fetcher.partitions += 1;
            state.assigned.insert(partition.clone(), (key, start.leader_epoch));
            posts.entry(key).or_default().push((partition, Command::Start(start)));
        }
        for (key, commands) in posts {
            if let Some(fetcher) = state.fetchers.get(&key) {
                fetcher.mailbox.post(commands);
            }
        }
    }

    /// Stops to fetch partitions.
    pub(crate) fn remove<'a>(&self, partitions: impl Iterator<Item = &'a TopicPartition>) {
        let mut state = self.state.lock();
        let mut posts: HashMap<FetcherKey, Vec<(TopicPartition, Command)>> = HashMap::new();
        for partition in partitions {
            self.failed.lock().remove(partition);
            if let Some(key) = state.unassign(partition) {
                posts.entry(key).or_default().push((partition.clone(), Command::Stop));
            }
        }
        for (key, commands) in posts {
            if let Some(fetcher) = state.fetchers.get(&key) {
                fetcher.mailbox.post(commands);
            }
        }
    }

    /// Tells the partition's fetcher that its topic got an id, or that the controller does not know ids.
    pub(crate) fn set_topic_id(&self, partition: &TopicPartition, topic_id: Option<TopicId>) {
        let state = self.state.lock();
        if let Some(fetcher) = state.assigned.get(partition).and_then(|(key, _)| state.fetchers.get(key)) {
            fetcher.mailbox.post([(partition.clone(), Command::SetTopicId(topic_id))]);
        }
    }

    /// Stops fetchers without partitions.
    pub(crate) fn stop_idle(&self) {
        self.state.lock().fetchers.retain(|_, fetcher| {
            if fetcher.partitions == 0 {
                fetcher.cancel.cancel();
            }
            fetcher.partitions > 0
        });
    }

    /// How many partitions were given up until their next term.
    pub(crate) fn failed_partitions(&self) -> usize {
        self.failed.lock().len()
    }

    /// By how much the partition that lags most is behind.
    pub(crate) fn max_lag(&self) -> i64 {
        self.stats().iter().map(|stats| stats.max_lag()).max().unwrap_or(0)
    }

    /// How often the slowest fetcher is answered, per second (`MinFetchRate`); 0 without any.
    pub(crate) fn min_fetch_rate(&self, now: Timestamp) -> f64 {
        self.stats().iter().map(|stats| stats.per_second(now)).reduce(f64::min).unwrap_or(0.0)
    }

    /// How many fetchers ended without being told to (`DeadThreadCount`).
    pub(crate) fn dead(&self) -> usize {
        let state = self.state.lock();
        let ended = |fetcher: &&RunningFetcher| fetcher.task.is_finished() && !fetcher.cancel.is_cancelled();
        state.fetchers.values().filter(ended).count()
    }

    /// What each fetcher counts.
    pub(crate) fn stats(&self) -> Vec<Arc<FetcherStats>> {
        self.state.lock().fetchers.values().map(|fetcher| Arc::clone(&fetcher.stats)).collect()
    }

    /// `num.replica.fetchers` as it is now.
    pub(crate) fn per_leader(&self) -> u32 {
        self.fetchers_per_leader.load(Ordering::Relaxed)
    }

    /// Changes `num.replica.fetchers`: stops all fetchers, waits for each to end, so that no partition is ever in two, and
    /// returns what they had, with its leader and term, to be added again. Call it on a blocking thread of a Tokio runtime.
    pub(crate) fn resize(&self, fetchers: u32) -> Vec<(TopicPartition, BrokerId, LeaderEpoch)> {
        let Assignments { fetchers: running, assigned } = std::mem::take(&mut *self.state.lock());
        self.fetchers_per_leader.store(fetchers, Ordering::Relaxed);
        for fetcher in running.values() {
            fetcher.cancel.cancel();
        }
        let runtime = tokio::runtime::Handle::current();
        for fetcher in running.into_values() {
            if let Err(error) = runtime.block_on(fetcher.task) {
                tracing::error!(%error, "a fetcher failed");
            }
        }
        let failed = self.failed.lock();
        let assigned = assigned.into_iter().filter(|(partition, _)| !failed.contains(partition));
        assigned.map(|(partition, ((leader, _), term))| (partition, leader, term)).collect()
    }

    fn spawn(&self, key: FetcherKey) -> RunningFetcher {
        let (leader, number) = key;
        let config = &self.shared.config;
        let mailbox = Arc::new(Mailbox::default());
        let cancel = self.cancel.child_token();
        let stats = Arc::new(FetcherStats::new(leader, number));
        let fetcher = Fetcher {
            leader,
            client_id: format!("broker-{}-fetcher-{number}", config.broker_id),
            shared: Arc::clone(&self.shared),
            replicas: LocalReplicas {
                broker: self.shared.config.broker_id,
                partitions: Arc::clone(&self.partitions),
            },
            leaders: Arc::clone(&self.leaders),
            mailbox: Arc::clone(&mailbox),
            failed: Arc::clone(&self.failed),
            stats: Arc::clone(&stats),
            machine: FetcherMachine::new(
                config.protocol.truncates_on_fetch(),
                config.replica_fetch_backoff_ms,
            ),
            session: FetcherSession::default(),
            names: TopicNames::default(),
            connection: None,
        };
        let task = self.tasks.spawn(fetcher.run(cancel.clone()));
        RunningFetcher { mailbox, cancel, task, stats, partitions: 0 }
    }
}

/// Which of a leader's fetchers gets the partition (`AbstractFetcherManager.getFetcherId`): by Java's string hash.
fn fetcher_id(partition: &TopicPartition, fetchers: u32) -> u32 {
    let hash = java_hash(&partition.topic).wrapping_mul(31).wrapping_add(partition.partition);
    // Kafka's `Utils.abs`: the smallest integer becomes 0.
    let hash = if hash == i32::MIN { 0 } else { hash.unsigned_abs() };
    hash % fetchers.max(1)
}

fn java_hash(topic: &TopicName) -> i32 {
    topic
        .as_str()
        .encode_utf16()
        .fold(0, |hash: i32, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_spread_by_javas_hash() {
        assert_eq!(java_hash(&"hello".into()), 99_162_322);
        assert_eq!(
            java_hash(&"__consumer_offsets".into()),
            "__consumer_offsets".bytes().fold(0_i32, |h, b| h.wrapping_mul(31).wrapping_add(i32::from(b)))
        );
        let spread: std::collections::HashSet<u32> =
            (0..8).map(|index| fetcher_id(&TopicPartition::new("hello", index), 4)).collect();
        assert_eq!(spread.len(), 4);
        assert_eq!(fetcher_id(&TopicPartition::new("hello", 3), 0), 0);
    }
}
