//! The task of one partition: it owns the machine, keeps who waits for an answer, and runs the appends. Commits that come
//! together are written together.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use gregor_model::{LeaderEpoch, Offset, Sequence, SteadyClock, Timestamp};
use gregor_records::{BatchBuilder, BatchOptions, BuildError, Compression, Producer};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::machine::{AppendPlan, Machine, Step};
use super::topic_log::{TopicAppend, TopicLog};
use crate::group::AppendFailure;
use crate::group::request::{AppendId, RequestId};

/// How many requests may wait for one partition's task; more make their connections wait.
const QUEUE_LENGTH: usize = 1_024;

type Command<M> = Box<dyn FnOnce(&mut M, Timestamp, &mut Desk<M>) -> Vec<<M as Machine>::Effect> + Send>;
type Appending = Pin<Box<dyn Future<Output = (Appends, Result<Offset, AppendFailure>)> + Send>>;

/// The appends that share a batch, each with the place of its first record.
type Appends = Vec<(AppendId, i64)>;

/// How many commands are taken before what they ask to append is written.
const COMMANDS_AT_ONCE: usize = 256;
/// How large gathered appends become before they are written, in bytes of keys and values.
const GATHERED_BYTES_MAX: usize = 64 * 1024;

/// The partition was unloaded before it could answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the coordinator has moved")]
pub struct Unloaded;

/// Who waits for which answer.
pub(super) struct Desk<M: Machine> {
    last: u64,
    waiting: HashMap<RequestId, oneshot::Sender<M::Reply>>,
}

/// The way to a partition's task.
pub struct Handle<M: Machine> {
    commands: mpsc::Sender<Command<M>>,
}

impl<M: Machine> Clone for Handle<M> {
    fn clone(&self) -> Self {
        Handle { commands: self.commands.clone() }
    }
}

/// What was asked of a partition's task and not done yet; it may begin to wait before the task does its work.
pub(super) struct Commands<M: Machine>(mpsc::Receiver<Command<M>>);

impl<M: Machine> Handle<M> {
    /// A way to a task, and its other end.
    pub(super) fn new() -> (Handle<M>, Commands<M>) {
        let (sender, commands) = mpsc::channel(QUEUE_LENGTH);
        (Handle { commands: sender }, Commands(commands))
    }

    /// Asks something that may be answered later. The future is small: what is asked is put away before it is polled.
    ///
    /// # Errors
    /// The partition was unloaded meanwhile.
    pub fn ask(
        self,
        work: impl FnOnce(&mut M, RequestId, Timestamp) -> Vec<M::Effect> + Send + 'static,
    ) -> impl Future<Output = Result<M::Reply, Unloaded>> + Send {
        let (sender, answer) = oneshot::channel();
        let command: Command<M> = Box::new(move |machine, now, desk| {
            desk.last += 1;
            let request = RequestId(desk.last);
            desk.waiting.insert(request, sender);
            work(machine, request, now)
        });
        async move {
            self.commands.send(command).await.map_err(|_| Unloaded)?;
            answer.await.map_err(|_| Unloaded)
        }
    }

    /// Does something that is answered at once.
    ///
    /// # Errors
    /// The partition was unloaded meanwhile.
    pub async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut M, Timestamp) -> (T, Vec<M::Effect>) + Send + 'static,
    ) -> Result<T, Unloaded> {
        let (sender, answer) = oneshot::channel();
        let command: Command<M> = Box::new(move |machine, now, _| {
            let (result, effects) = work(machine, now);
            // Whoever asked may have gone; the work stands.
            let _ = sender.send(result);
            effects
        });
        self.commands.send(command).await.map_err(|_| Unloaded)?;
        answer.await.map_err(|_| Unloaded)
    }
}

/// What the task needs besides its machine.
pub(super) struct Surroundings<M: Machine> {
    pub(super) partition: i32,
    pub(super) epoch: LeaderEpoch,
    pub(super) log: Arc<dyn TopicLog>,
    pub(super) compression: Compression,
    pub(super) errands: Arc<dyn Fn(i32, LeaderEpoch, M::Errand) + Send + Sync>,
    pub(super) stop: CancellationToken,
}

/// One partition's task.
pub(super) struct PartitionTask<M: Machine> {
    machine: M,
    /// What the machine's timers go by: sessions do not end because the wall clock is set.
    clock: SteadyClock,
    around: Surroundings<M>,
    commands: mpsc::Receiver<Command<M>>,
    desk: Desk<M>,
    /// Appends to be written as one batch as soon as no more commands are at hand.
    gathered: Gathered,
    appending: FuturesUnordered<Appending>,
}

/// Appends that will share a batch.
#[derive(Default)]
struct Gathered {
    appends: Appends,
    records: Vec<(Bytes, Option<Bytes>)>,
    bytes: usize,
}

impl Gathered {
    fn push(&mut self, append: AppendId, records: Vec<(Bytes, Option<Bytes>)>) {
        self.appends.push((append, i64::try_from(self.records.len()).unwrap_or(i64::MAX)));
        self.bytes += size_of(&records);
        self.records.extend(records);
    }

    fn is_empty(&self) -> bool {
        self.appends.is_empty()
    }

    /// Whether these may come in: a batch that is too large for the topic must have only itself to blame.
    fn has_room(&self, records: &[(Bytes, Option<Bytes>)]) -> bool {
        self.appends.is_empty() || self.bytes + size_of(records) <= GATHERED_BYTES_MAX
    }

    /// Empties it, unless there is nothing.
    fn take(&mut self) -> Option<(Appends, AppendPlan)> {
        if self.appends.is_empty() {
            return None;
        }
        let Gathered { appends, records, .. } = std::mem::take(self);
        let plan = AppendPlan {
            records,
            producer: None,
            acknowledged: true,
            timeout_ms: None,
            verification: None,
            gathers: true,
        };
        Some((appends, plan))
    }
}

impl<M: Machine> PartitionTask<M> {
    pub(super) fn new(machine: M, around: Surroundings<M>, commands: Commands<M>) -> PartitionTask<M> {
        let desk = Desk { last: 0, waiting: HashMap::new() };
        PartitionTask {
            machine,
            clock: SteadyClock::start(),
            around,
            commands: commands.0,
            desk,
            gathered: Gathered::default(),
            appending: FuturesUnordered::new(),
        }
    }

    /// Works until it is stopped; then everyone who waits is sent to the new coordinator.
    pub(super) async fn run(mut self, first: Vec<M::Effect>) {
        self.perform(first).await;
        loop {
            let timer = self.machine.next_timer().map(|at| at - self.clock.now());
            let effects = tokio::select! {
                biased;
                () = self.around.stop.cancelled() => break,
                Some((appends, outcome)) = self.appending.next() => self.appended(appends, outcome),
                command = self.commands.recv() => match command {
                    Some(command) => command(&mut self.machine, self.clock.now(), &mut self.desk),
                    None => break,
                },
                () = sleep(timer), if timer.is_some() => self.machine.fire_timers(self.clock.now()),
            };
            self.perform(effects).await;
            if !self.gathered.is_empty() {
                // Whoever is ready to ask for a commit, too, may do so before this one is written.
                tokio::task::yield_now().await;
            }
            for _ in 1..COMMANDS_AT_ONCE {
                let Ok(command) = self.commands.try_recv() else { break };
                let effects = command(&mut self.machine, self.clock.now(), &mut self.desk);
                self.perform(effects).await;
            }
            self.write_gathered().await;
        }
        for effect in self.machine.unload(self.clock.now()) {
            if let Step::Reply(request, reply) = M::step(effect)
                && let Some(waiting) = self.desk.waiting.remove(&request)
            {
                // Whoever asked may have gone.
                let _ = waiting.send(reply);
            }
        }
    }

    async fn perform(&mut self, effects: Vec<M::Effect>) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match M::step(effect) {
                Step::Reply(request, reply) => {
                    if let Some(waiting) = self.desk.waiting.remove(&request) {
                        // Whoever asked may have gone.
                        let _ = waiting.send(reply);
                    }
                }
                Step::Append(append, plan) if plan.gathers => {
                    if !self.gathered.has_room(&plan.records) {
                        effects.extend(self.take_gathered().await);
                    }
                    self.gathered.push(append, plan.records);
                }
                Step::Append(append, plan) => {
                    // Records keep the order in which they were asked for.
                    effects.extend(self.take_gathered().await);
                    effects.extend(self.write(vec![(append, 0)], plan).await);
                }
                Step::Errand(errand) => {
                    (self.around.errands)(self.around.partition, self.around.epoch, errand)
                }
            }
        }
    }

    /// Writes what was gathered, and what follows from that.
    async fn write_gathered(&mut self) {
        loop {
            let effects = self.take_gathered().await;
            if effects.is_empty() {
                return;
            }
            self.perform(effects).await;
        }
    }

    async fn take_gathered(&mut self) -> Vec<M::Effect> {
        match self.gathered.take() {
            Some((appends, plan)) => self.write(appends, plan).await,
            None => Vec::new(),
        }
    }

    /// Begins to write a batch, and gives what follows from it if it is done at once.
    async fn write(&mut self, appends: Appends, plan: AppendPlan) -> Vec<M::Effect> {
        let mut appending = self.append(appends, plan);
        // The first poll does the local append, so that batches keep the order of their effects.
        match futures::poll!(&mut appending) {
            Poll::Ready((appends, outcome)) => self.appended(appends, outcome),
            Poll::Pending => {
                self.appending.push(appending);
                Vec::new()
            }
        }
    }

    fn appended(&mut self, appends: Appends, outcome: Result<Offset, AppendFailure>) -> Vec<M::Effect> {
        let now = self.clock.now();
        let mut effects = Vec::with_capacity(appends.len());
        for (append, index) in appends {
            effects.extend(self.machine.appended(append, outcome.map(|base| base + index), now));
        }
        effects
    }

    fn append(&self, appends: Appends, plan: AppendPlan) -> Appending {
        let log = Arc::clone(&self.around.log);
        let partition = self.around.partition;
        let batch = build(&plan, self.around.compression, Timestamp::now());
        Box::pin(async move {
            let outcome = match batch {
                Ok(batch) => {
                    let append = TopicAppend {
                        batch,
                        acknowledged: plan.acknowledged,
                        timeout_ms: plan.timeout_ms,
                        verification: plan.verification,
                    };
                    log.append(partition, append).await
                }
                Err(error) => {
                    tracing::error!(partition, %error, "a coordinator's batch could not be built");
                    Err(AppendFailure::MessageTooLarge)
                }
            };
            (appends, outcome)
        })
    }
}

fn size_of(records: &[(Bytes, Option<Bytes>)]) -> usize {
    records.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Bytes::len)).sum()
}

fn build(plan: &AppendPlan, compression: Compression, now: Timestamp) -> Result<Bytes, BuildError> {
    let producer = plan.producer.map(|(id, epoch)| Producer { id, epoch, base_sequence: Some(Sequence(0)) });
    let options =
        BatchOptions { compression, producer, transactional: producer.is_some(), ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(options)?;
    for (index, (key, value)) in plan.records.iter().enumerate() {
        let offset = Offset(i64::try_from(index).unwrap_or(i64::MAX));
        builder.append(offset, Some(now), Some(key), value.as_deref(), &[])?;
    }
    builder.finish().map(Bytes::from)
}

async fn sleep(wait_ms: Option<i64>) {
    tokio::time::sleep(Duration::from_millis(u64::try_from(wait_ms.unwrap_or(0)).unwrap_or(0))).await;
}
