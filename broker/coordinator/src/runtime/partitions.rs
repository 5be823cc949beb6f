//! The partitions of a coordinator topic that this broker coordinates: each is loaded, then served by a task of its own.

use std::collections::HashMap;
use std::sync::Arc;

use gregor_model::{LeaderEpoch, Timestamp};
use gregor_records::Compression;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::load::load;
use super::machine::{Loader, Machine};
use super::ownership::{NotHere, Ownership};
use super::partition::{Commands, Handle, PartitionTask, Surroundings};
use super::topic_log::TopicLog;

/// How many partitions are read at the same time after a failover.
const LOADS_AT_ONCE: usize = 2;

/// A partition's task as others see it.
struct Task<M: Machine> {
    handle: Handle<M>,
    stop: CancellationToken,
}

/// One term of one partition.
struct Term<M: Machine> {
    partition: i32,
    epoch: LeaderEpoch,
    commands: Commands<M>,
    stop: CancellationToken,
    /// The end of the term before, whose task must not append any more when this one reads.
    before: Option<CancellationToken>,
}

type ConfigOf<M> = <<M as Machine>::Loader as Loader>::Config;
type Errands<M> = Arc<dyn Fn(i32, LeaderEpoch, <M as Machine>::Errand) + Send + Sync>;

struct State<M: Machine> {
    ownership: Ownership<Task<M>>,
    /// Cancelled when the last term of that partition has ended.
    ended: HashMap<i32, CancellationToken>,
}

/// The partitions of one coordinator topic.
pub struct Partitions<M: Machine> {
    /// How many the topic must have, if that matters.
    count: Option<i32>,
    log: Arc<dyn TopicLog>,
    config: ConfigOf<M>,
    compression: Compression,
    errands: Errands<M>,
    state: Mutex<State<M>>,
    loads: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl<M: Machine> Partitions<M> {
    /// None owned yet. `errands` takes what the machines ask beside answers and appends. While the topic has another number
    /// of partitions than `count`, no partition is loaded.
    pub fn new(
        log: Arc<dyn TopicLog>,
        config: ConfigOf<M>,
        compression: Compression,
        errands: Errands<M>,
        count: Option<i32>,
    ) -> Arc<Partitions<M>> {
        Arc::new(Partitions {
            count,
            log,
            config,
            compression,
            errands,
            state: Mutex::new(State { ownership: Ownership::default(), ended: HashMap::new() }),
            loads: Arc::new(Semaphore::new(LOADS_AT_ONCE)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    /// This broker leads the partition now (`onElection`). A newer epoch of a partition that is already served
    /// changes nothing. Says whether a term begins.
    pub fn elect(self: &Arc<Self>, partition: i32, epoch: LeaderEpoch) -> bool {
        let stop = self.stop.child_token();
        let (handle, commands) = Handle::new();
        let ended = CancellationToken::new();
        let before = {
            let mut state = self.state.lock();
            let task = || Task { handle, stop: stop.clone() };
            if state.ownership.elect(partition, epoch, task).is_none() {
                return false;
            }
            state.ended.insert(partition, ended.clone())
        };
        let partitions = Arc::clone(self);
        let term = Term { partition, epoch, commands, stop, before };
        self.tasks.spawn(async move {
            let _ended = ended.drop_guard();
            partitions.serve(term).await;
        });
        true
    }

    /// Another broker leads the partition now, or it is gone (`onResignation`).
    pub fn resign(&self, partition: i32, epoch: Option<LeaderEpoch>) {
        let task = self.state.lock().ownership.resign(partition, epoch);
        if let Some(task) = task {
            task.stop.cancel();
        }
    }

    async fn serve(self: Arc<Self>, term: Term<M>) {
        let stop = term.stop.clone();
        let Some(Some((machine, effects))) = stop.run_until_cancelled(self.load(&term)).await else { return };
        let Term { partition, epoch, commands, stop, .. } = term;
        let around = Surroundings {
            partition,
            epoch,
            log: Arc::clone(&self.log),
            compression: self.compression,
            errands: Arc::clone(&self.errands),
            stop,
        };
        if self.state.lock().ownership.loaded(partition, epoch) {
            PartitionTask::new(machine, around, commands).run(effects).await;
        }
    }

    /// Reads the partition once its last term is over. `None`: it cannot be served, and another broker should lead it.
    async fn load(&self, term: &Term<M>) -> Option<(M, Vec<M::Effect>)> {
        let Term { partition, epoch, .. } = *term;
        if let Some(before) = &term.before {
            before.cancelled().await;
        }
        if let (Some(expected), Some(found)) = (self.count, self.log.partition_count().await)
            && expected != found
        {
            // Ids are spread over the partitions by their number: another broker may coordinate them by now.
            tracing::error!(
                partition,
                expected,
                found,
                "a coordinator topic's number of partitions has changed"
            );
            return None;
        }
        let permit = self.loads.acquire().await.ok()?;
        let started = Timestamp::now();
        let log = Arc::clone(&self.log);
        let loaded = tokio::task::spawn_blocking(move || load::<M::Loader>(&*log, partition)).await;
        drop(permit);
        let Ok((loader, read)) = loaded else {
            tracing::error!(partition, "loading a coordinator partition was interrupted");
            return None;
        };
        if let Some(error) = read.error {
            // As in Kafka, the partition is served with what could be read.
            tracing::error!(partition, %error, "a coordinator partition could not be read to its end");
        }
        // What was read may have come from a leader that died before it was replicated. Nobody may act upon it as long
        // as it can still be lost with this broker: a transaction decided twice would be torn.
        if let Err(error) = self.log.replicated(partition, read.end).await {
            tracing::warn!(partition, %error, "a coordinator partition cannot be served");
            return None;
        }
        let now = Timestamp::now();
        tracing::info!(partition, %epoch, elapsed_ms = now - started, "loaded a coordinator partition");
        Some(loader.finish(self.config.clone(), now))
    }

    /// The task that serves the partition.
    ///
    /// # Errors
    /// It is not served here, or not yet.
    pub fn find(&self, partition: i32) -> Result<Handle<M>, NotHere> {
        self.state.lock().ownership.find(partition).map(|task| task.handle.clone())
    }

    /// The task that serves the partition, or will as soon as it is loaded: for what happens to a partition meanwhile.
    pub fn find_loading(&self, partition: i32) -> Option<Handle<M>> {
        self.state.lock().ownership.find_loading(partition).map(|task| task.handle.clone())
    }

    /// The task that serves the partition, unless it is another term's.
    pub fn find_in_term(&self, partition: i32, epoch: LeaderEpoch) -> Option<Handle<M>> {
        self.state.lock().ownership.find_in_term(partition, epoch).map(|task| task.handle.clone())
    }

    /// Every partition that is served, and whether others are still being read.
    pub fn all(&self) -> (Vec<(i32, Handle<M>)>, bool) {
        let state = self.state.lock();
        let mut active = Vec::new();
        let mut loading = false;
        for (partition, is_loaded, task) in state.ownership.all() {
            if is_loaded {
                active.push((partition, task.handle.clone()));
            }
            loading |= !is_loaded;
        }
        (active, loading)
    }

    /// Stops every task and waits for it.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
