//! The transaction coordinator as request handlers see it, and the loop that brings markers to partition leaders.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gregor_model::{BrokerId, LeaderEpoch, ProducerEpoch, ProducerId, Timestamp, TopicPartition};
use gregor_records::Compression;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::ownership::NotHere;
use super::partition::Handle;
use super::partitions::Partitions;
use super::topic_log::TopicLog;
use crate::transaction::{
    AddPartitions, DescribedTransaction, EndTransaction, InitProducer, ListedTransaction, MarkerAnswer,
    MarkerQueue, MarkerTarget, Markers, ProducerIds, SettledMarkers, TransactionConfig, TransactionError,
    TransactionReply, TransactionShard, Verified, VerifyPartitions, WriteMarkers,
};
use crate::{TransactionalId, partition_of};

/// How long to wait before leaders are looked up again, and before a failed completion is stored again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Blocks of producer ids; the server supplies it from the controller (AllocateProducerIds).
#[async_trait]
pub trait ProducerIdSource: Send + Sync + 'static {
    /// The start and length of a new block; `None` when the controller could not be asked or refused.
    async fn allocate(&self) -> Option<(i64, i32)>;
}

/// The way to partition leaders; the server supplies it from its metadata and its channels to other brokers.
#[async_trait]
pub trait MarkerRoute: Send + Sync + 'static {
    /// Who leads the partition now.
    fn target(&self, partition: &TopicPartition) -> MarkerTarget;
    /// Sends WriteTxnMarkers: for each of the markers, in order, what became of each of its partitions. `None` when
    /// the broker did not answer.
    async fn write(&self, broker: BrokerId, markers: &WriteMarkers) -> Option<Vec<Vec<MarkerAnswer>>>;
}

/// All transactional ids that this broker coordinates.
pub struct TransactionCoordinator {
    partitions: Arc<Partitions<TransactionShard>>,
    count: i32,
    producer_ids: Arc<Mutex<ProducerIds>>,
    source: Arc<dyn ProducerIdSource>,
    route: Arc<dyn MarkerRoute>,
    queue: Arc<Mutex<MarkerQueue>>,
    queued: Arc<Notify>,
}

impl From<NotHere> for TransactionError {
    fn from(why: NotHere) -> TransactionError {
        match why {
            NotHere::Loading => TransactionError::CoordinatorLoadInProgress,
            NotHere::NotOwned => TransactionError::NotCoordinator,
        }
    }
}

impl TransactionCoordinator {
    /// No partition yet; `count` is how many `__transaction_state` has, which stays until the broker restarts.
    pub fn new(
        log: Arc<dyn TopicLog>,
        config: TransactionConfig,
        count: i32,
        source: Arc<dyn ProducerIdSource>,
        route: Arc<dyn MarkerRoute>,
    ) -> Arc<TransactionCoordinator> {
        let queue = Arc::new(Mutex::new(MarkerQueue::new()));
        let queued = Arc::new(Notify::new());
        let errands = {
            let (queue, queued) = (Arc::clone(&queue), Arc::clone(&queued));
            Arc::new(move |partition, epoch: LeaderEpoch, markers: Markers| {
                // Leaders are looked up by the sending loop, which can also tell the machine of partitions that are gone.
                queue.lock().retry(partition, epoch.0, markers);
                queued.notify_one();
            })
        };
        Arc::new(TransactionCoordinator {
            partitions: Partitions::new(log, config, Compression::NONE, errands, Some(count)),
            count,
            producer_ids: Arc::new(Mutex::new(ProducerIds::new())),
            source,
            route,
            queue,
            queued,
        })
    }

    /// The partition of `__transaction_state` that an id belongs to.
    pub fn partition_of(&self, id: &TransactionalId) -> i32 {
        partition_of(id.as_str(), self.count)
    }

    /// This broker leads the partition now. A term that goes on keeps its markers.
    pub fn elect(&self, partition: i32, epoch: LeaderEpoch) {
        self.partitions.elect(partition, epoch);
    }

    /// This broker no longer leads the partition.
    pub fn resign(&self, partition: i32, epoch: Option<LeaderEpoch>) {
        self.partitions.resign(partition, epoch);
        self.queue.lock().forget(partition);
    }

    fn gate(&self, id: &TransactionalId) -> Result<Handle<TransactionShard>, TransactionError> {
        if id.is_empty() {
            return Err(TransactionError::InvalidRequest);
        }
        Ok(self.partitions.find(self.partition_of(id))?)
    }

    /// A producer id that nobody has: for an idempotent producer, or a new transactional id.
    ///
    /// # Errors
    /// No block is there yet; a producer tries again soon.
    pub fn claim_producer_id(&self) -> Result<ProducerId, TransactionError> {
        let claim = self.producer_ids.lock().claim(Timestamp::now());
        if claim.request_block {
            let (source, ids) = (Arc::clone(&self.source), Arc::clone(&self.producer_ids));
            tokio::spawn(async move {
                match source.allocate().await {
                    Some((start, length)) => ids.lock().block_granted(start, length),
                    None => ids.lock().block_failed(Timestamp::now()),
                }
            });
        }
        claim.id.ok_or(TransactionError::CoordinatorLoadInProgress)
    }

    /// InitProducerId with a transactional id.
    ///
    /// # Errors
    /// As Kafka's `handleInitProducerId`.
    pub async fn init(&self, init: InitProducer) -> Result<(ProducerId, ProducerEpoch), TransactionError> {
        let handle = self.gate(&init.id)?;
        let asked = init.clone();
        let needed = handle.call(move |shard, _| (shard.needs_producer_id(&asked), Vec::new())).await;
        let fresh = match needed.map_err(|_| TransactionError::NotCoordinator)? {
            true => Some(self.claim_producer_id()?),
            false => None,
        };
        match handle.ask(move |shard, request, now| shard.init(request, &init, fresh, now)).await {
            Ok(TransactionReply::Init(result)) => result,
            Ok(TransactionReply::Done(_)) => Err(TransactionError::UnknownServerError),
            Err(_) => Err(TransactionError::NotCoordinator),
        }
    }

    /// AddPartitionsToTxn and AddOffsetsToTxn.
    ///
    /// # Errors
    /// As Kafka's `handleAddPartitionsToTransaction`.
    pub async fn add_partitions(&self, add: AddPartitions) -> Result<(), TransactionError> {
        let handle = self.gate(&add.id)?;
        done(handle.ask(move |shard, request, now| shard.add_partitions(request, add, now)).await)
    }

    /// Whether partitions are in an open transaction, for another broker (KIP-890).
    ///
    /// # Errors
    /// As Kafka's `handleVerifyPartitionsInTransaction`.
    pub async fn verify(&self, verify: VerifyPartitions) -> Result<Verified, TransactionError> {
        let handle = self.gate(&verify.id)?;
        let verified = handle.call(move |shard, _| (shard.verify_partitions(&verify), Vec::new())).await;
        verified.unwrap_or(Err(TransactionError::NotCoordinator))
    }

    /// EndTxn.
    ///
    /// # Errors
    /// As Kafka's `handleEndTransaction`.
    pub async fn end(&self, end: EndTransaction) -> Result<(), TransactionError> {
        let handle = self.gate(&end.id)?;
        done(handle.ask(move |shard, request, now| shard.end(request, &end, now)).await)
    }

    /// DescribeTransactions, one of them.
    ///
    /// # Errors
    /// The id is unknown, or not coordinated here.
    pub async fn describe(&self, id: TransactionalId) -> Result<DescribedTransaction, TransactionError> {
        let handle = self.gate(&id)?;
        let described = handle.call(move |shard, _| (shard.describe(&id), Vec::new())).await;
        described.unwrap_or(Err(TransactionError::NotCoordinator))
    }

    /// ListTransactions.
    ///
    /// # Errors
    /// Some partition is still being loaded.
    pub async fn list(&self) -> Result<Vec<ListedTransaction>, TransactionError> {
        let (active, loading) = self.partitions.all();
        if loading {
            return Err(TransactionError::CoordinatorLoadInProgress);
        }
        let mut all = Vec::new();
        for (_, handle) in active {
            let listed = handle.call(|shard, _| (shard.list().collect::<Vec<_>>(), Vec::new())).await;
            all.extend(listed.unwrap_or_default());
        }
        Ok(all)
    }

    /// How many markers wait for a leader to be known (`UnknownDestinationQueueSize`).
    pub fn unresolved_markers(&self) -> usize {
        self.queue.lock().unresolved()
    }

    /// How many transactions whose markers are written could not be stored as complete (`LogAppendRetryQueueSize`).
    pub async fn incomplete(&self) -> usize {
        let mut count = 0;
        for (_, handle) in self.partitions.all().0 {
            let counted = handle.call(|shard, _| (shard.incomplete(), Vec::new())).await;
            count += counted.unwrap_or_default();
        }
        count
    }

    /// Aborts transactions that take too long, at the given interval, until stopped.
    pub async fn abort_timed_out_periodically(&self, interval: Duration, stop: CancellationToken) {
        self.periodically(interval, stop, TransactionShard::abort_timed_out).await;
    }

    /// Forgets idle transactional ids, at the given interval, until stopped.
    pub async fn forget_idle_periodically(&self, interval: Duration, stop: CancellationToken) {
        self.periodically(interval, stop, TransactionShard::forget_idle).await;
    }

    async fn periodically(
        &self,
        interval: Duration,
        stop: CancellationToken,
        work: fn(&mut TransactionShard, Timestamp) -> Vec<crate::transaction::TransactionEffect>,
    ) {
        let mut ticks = tokio::time::interval(interval);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            for (_, handle) in self.partitions.all().0 {
                // An unloaded partition is its new coordinator's to look after.
                let _ = handle.call(move |shard, now| ((), work(shard, now))).await;
            }
        }
    }

    /// Brings markers to partition leaders until stopped (`TransactionMarkerChannelManager`): one request per broker at
    /// a time; what cannot be sent or is refused for now is tried again after a pause.
    pub async fn send_markers(self: Arc<Self>, stop: CancellationToken) {
        let busy: Arc<Mutex<HashSet<BrokerId>>> = Arc::default();
        while !stop.is_cancelled() {
            let gone = self.queue.lock().resolve(|partition| self.route.target(partition));
            for (state_partition, epoch, markers) in gone {
                self.settled(state_partition, LeaderEpoch(epoch), markers).await;
            }
            for broker in self.queue.lock().brokers() {
                if busy.lock().insert(broker) {
                    let (coordinator, busy) = (Arc::clone(&self), Arc::clone(&busy));
                    tokio::spawn(async move {
                        coordinator.send_to(broker).await;
                        busy.lock().remove(&broker);
                        coordinator.queued.notify_one();
                    });
                }
            }
            self.retry_completions().await;
            let waits = self.queue.lock().has_unresolved();
            let pause = async {
                match waits {
                    true => tokio::time::sleep(RETRY_PAUSE).await,
                    false => self.wait_for_work().await,
                }
            };
            stop.run_until_cancelled(pause).await;
        }
    }

    /// Waits for new markers; looks in at times for completions that could not be stored.
    async fn wait_for_work(&self) {
        // The time being up is as good as a notice.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.queued.notified()).await;
    }

    async fn retry_completions(&self) {
        for (_, handle) in self.partitions.all().0 {
            let retry = |shard: &mut TransactionShard, _| match shard.incomplete() {
                0 => ((), Vec::new()),
                _ => ((), shard.retry_completions()),
            };
            // An unloaded partition is its new coordinator's to complete.
            let _ = handle.call(retry).await;
        }
    }

    async fn send_to(&self, broker: BrokerId) {
        let Some(request) = self.queue.lock().take(broker) else { return };
        let answers = self.route.write(broker, &request).await;
        let SettledMarkers { settled, again, fenced } = request.answered(answers.as_deref());
        for (_, _, markers) in fenced {
            tracing::warn!(transaction = %markers.id, "a newer coordinator writes the markers");
        }
        for (state_partition, epoch, markers) in again {
            if self.partitions.find_in_term(state_partition, LeaderEpoch(epoch)).is_some() {
                self.queue.lock().retry(state_partition, epoch, markers);
            }
        }
        for (state_partition, epoch, markers) in settled {
            self.settled(state_partition, LeaderEpoch(epoch), markers).await;
        }
    }

    /// Tells the machine which markers need no more sending. Only that of the term in which they were sent: a later one
    /// may be at a later transaction of the same producer, whose markers these are not.
    async fn settled(&self, state_partition: i32, epoch: LeaderEpoch, markers: Markers) {
        let Some(handle) = self.partitions.find_in_term(state_partition, epoch) else { return };
        let settle = move |shard: &mut TransactionShard, now| {
            let settled = markers.partitions.iter();
            let effects = settled.flat_map(|partition| shard.marker_settled(&markers.id, partition, now));
            ((), effects.collect())
        };
        // An unloaded partition is its new coordinator's to complete.
        let _ = handle.call(settle).await;
    }

    /// Stops serving; whoever waits is sent elsewhere.
    pub async fn shutdown(&self) {
        self.partitions.shutdown().await;
    }
}

fn done(reply: Result<TransactionReply, super::partition::Unloaded>) -> Result<(), TransactionError> {
    match reply {
        Ok(TransactionReply::Done(result)) => result,
        Ok(TransactionReply::Init(_)) => Err(TransactionError::UnknownServerError),
        Err(_) => Err(TransactionError::NotCoordinator),
    }
}
