//! Which partitions of a coordinator topic this broker coordinates: elected, loading, or served by a task.

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
use super::partition::{Handle, PartitionTask, Surroundings};
use super::topic_log::TopicLog;

/// How many partitions are read at the same time after a failover.
const LOADS_AT_ONCE: usize = 2;

/// Why a partition does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotHere {
    /// Its records are being read.
    #[error("the partition is being loaded")]
    Loading,
    /// Another broker leads it.
    #[error("the partition is led elsewhere")]
    NotOwned,
}

enum Owned<M: Machine> {
    Loading(CancellationToken),
    Active(Handle<M>, CancellationToken),
}

struct Ownership<M: Machine> {
    owned: HashMap<i32, Owned<M>>,
    /// The highest leader epoch heard for each partition: older elections and resignations are ignored.
    epochs: HashMap<i32, LeaderEpoch>,
}

type ConfigOf<M> = <<M as Machine>::Loader as Loader>::Config;
type Errands<M> = Arc<dyn Fn(i32, LeaderEpoch, <M as Machine>::Errand) + Send + Sync>;

/// The partitions of one coordinator topic.
pub struct Partitions<M: Machine> {
    log: Arc<dyn TopicLog>,
    config: ConfigOf<M>,
    compression: Compression,
    errands: Errands<M>,
    ownership: Mutex<Ownership<M>>,
    loads: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl<M: Machine> Partitions<M> {
    /// None owned yet. `errands` takes what the machines ask beside answers and appends.
    pub fn new(
        log: Arc<dyn TopicLog>,
        config: ConfigOf<M>,
        compression: Compression,
        errands: Errands<M>,
    ) -> Arc<Partitions<M>> {
        Arc::new(Partitions {
            log,
            config,
            compression,
            errands,
            ownership: Mutex::new(Ownership { owned: HashMap::new(), epochs: HashMap::new() }),
            loads: Arc::new(Semaphore::new(LOADS_AT_ONCE)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    /// This broker leads the partition now (`onElection`). A newer epoch of a partition that is already served
    /// changes nothing.
    pub fn elect(self: &Arc<Self>, partition: i32, epoch: LeaderEpoch) {
        let stop = self.stop.child_token();
        {
            let mut ownership = self.ownership.lock();
            if ownership.epochs.get(&partition).is_some_and(|known| *known > epoch) {
                return;
            }
            ownership.epochs.insert(partition, epoch);
            if ownership.owned.contains_key(&partition) {
                return;
            }
            ownership.owned.insert(partition, Owned::Loading(stop.clone()));
        }
        let partitions = Arc::clone(self);
        self.tasks.spawn(async move { partitions.serve(partition, epoch, stop).await });
    }

    /// Another broker leads the partition now, or it is gone (`onResignation`).
    pub fn resign(&self, partition: i32, epoch: Option<LeaderEpoch>) {
        let mut ownership = self.ownership.lock();
        if let Some(epoch) = epoch {
            if ownership.epochs.get(&partition).is_some_and(|known| *known > epoch) {
                return;
            }
            ownership.epochs.insert(partition, epoch);
        }
        match ownership.owned.remove(&partition) {
            Some(Owned::Loading(stop) | Owned::Active(_, stop)) => stop.cancel(),
            None => {}
        }
    }

    async fn serve(self: Arc<Self>, partition: i32, epoch: LeaderEpoch, stop: CancellationToken) {
        let Ok(_permit) = self.loads.acquire().await else { return };
        let started = Timestamp::now();
        let log = Arc::clone(&self.log);
        let loaded = tokio::task::spawn_blocking(move || load::<M::Loader>(&*log, partition)).await;
        drop(_permit);
        let Ok((loader, result)) = loaded else {
            tracing::error!(partition, "loading a coordinator partition was interrupted");
            self.ownership.lock().owned.remove(&partition);
            return;
        };
        if let Err(error) = result {
            // As in Kafka, the partition is served with what could be read.
            tracing::error!(partition, %error, "a coordinator partition could not be read to its end");
        }
        let now = Timestamp::now();
        tracing::info!(partition, %epoch, elapsed_ms = now - started, "loaded a coordinator partition");
        let (machine, effects) = loader.finish(self.config.clone(), now);
        let around = Surroundings {
            partition,
            epoch,
            log: Arc::clone(&self.log),
            compression: self.compression,
            errands: Arc::clone(&self.errands),
            stop: stop.clone(),
        };
        let (task, handle) = PartitionTask::new(machine, around);
        {
            let mut ownership = self.ownership.lock();
            if stop.is_cancelled() {
                return;
            }
            ownership.owned.insert(partition, Owned::Active(handle, stop));
        }
        task.run(effects).await;
    }

    /// The task that serves the partition.
    ///
    /// # Errors
    /// It is not served here, or not yet.
    pub fn find(&self, partition: i32) -> Result<Handle<M>, NotHere> {
        match self.ownership.lock().owned.get(&partition) {
            Some(Owned::Active(handle, _)) => Ok(handle.clone()),
            Some(Owned::Loading(_)) => Err(NotHere::Loading),
            None => Err(NotHere::NotOwned),
        }
    }

    /// Every partition that is served, and whether others are still being read.
    pub fn all(&self) -> (Vec<(i32, Handle<M>)>, bool) {
        let ownership = self.ownership.lock();
        let mut active = Vec::new();
        let mut loading = false;
        for (partition, owned) in &ownership.owned {
            match owned {
                Owned::Active(handle, _) => active.push((*partition, handle.clone())),
                Owned::Loading(_) => loading = true,
            }
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
