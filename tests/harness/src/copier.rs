//! An application that copies a topic exactly once: it consumes in a group, produces what it read in a transaction, and
//! commits its offsets in the same transaction. It recovers from every error that librdkafka says can be recovered from.

use crate::read_back::Topic;
use crate::transactor::{PATIENCE, STEP, Transactional, new_producer, retried};
use crate::wait;
use anyhow::{Context as _, Result, anyhow, ensure};
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, ConsumerGroupMetadata, Rebalance};
use rdkafka::error::KafkaResult;
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Records in one transaction, at most.
const BATCH: usize = 50;

/// What a copier copies.
#[derive(Clone, Debug)]
pub struct CopyJob {
    /// The cluster.
    pub bootstrap: String,
    /// The group that consumes; copiers of one group share the work.
    pub group: String,
    /// The transactional id, one per copier.
    pub transactional_id: String,
    /// The topic to read.
    pub from: String,
    /// The topic to write, with as many partitions: each record becomes "PARTITION/OFFSET" of the one it came from.
    pub to: String,
}

#[derive(Debug, Default)]
struct Progress {
    stop: AtomicBool,
    copied: AtomicUsize,
    aborted: AtomicUsize,
}

/// A running copier.
#[derive(Debug)]
pub struct Copier {
    progress: Arc<Progress>,
    thread: Option<JoinHandle<Result<()>>>,
}

/// The membership under which the records at hand were read: offsets are committed under that and no later one.
#[derive(Default)]
struct Membership {
    rebalances: AtomicUsize,
    metadata: Mutex<Option<Arc<ConsumerGroupMetadata>>>,
}

impl ClientContext for Membership {}

impl ConsumerContext for Membership {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, _: &Rebalance<'_>) {
        self.rebalances.fetch_add(1, Ordering::SeqCst);
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let metadata = match rebalance {
            Rebalance::Assign(_) => consumer.group_metadata().map(Arc::new),
            _ => None,
        };
        *self.metadata.lock().unwrap_or_else(PoisonError::into_inner) = metadata;
    }
}

impl Membership {
    fn metadata(&self) -> Result<Arc<ConsumerGroupMetadata>> {
        let metadata = self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
        metadata.clone().context("records without an assignment")
    }
}

impl Copier {
    /// Starts copying.
    pub fn start(copy: CopyJob) -> Copier {
        let progress = Arc::<Progress>::default();
        let shared = progress.clone();
        let thread = std::thread::spawn(move || copy_until_stopped(&copy, &shared));
        Copier { progress, thread: Some(thread) }
    }

    /// Records copied in transactions that were committed.
    pub fn copied(&self) -> usize {
        self.progress.copied.load(Ordering::SeqCst)
    }

    /// Transactions that had to be aborted.
    pub fn aborted(&self) -> usize {
        self.progress.aborted.load(Ordering::SeqCst)
    }

    /// Whether it gave up.
    fn ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends after the transaction at hand, and says why if it could not go on.
    pub async fn stop(mut self) -> Result<()> {
        self.progress.stop.store(true, Ordering::SeqCst);
        let thread = self.thread.take().context("a copier without a thread")?;
        tokio::task::spawn_blocking(move || thread.join()).await?.map_err(|_| anyhow!("a copier panicked"))?
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        self.progress.stop.store(true, Ordering::SeqCst);
    }
}

/// Waits until these copiers have committed `wanted` records together.
pub async fn wait_for_copies(copiers: &[Copier], wanted: usize, deadline: Duration) -> Result<()> {
    wait::until_true(&format!("{wanted} copied records"), deadline, || async {
        let copied: usize = copiers.iter().map(Copier::copied).sum();
        ensure!(
            copied >= wanted,
            "{copied} are, and {} copiers ended",
            copiers.iter().filter(|c| c.ended()).count()
        );
        Ok(true)
    })
    .await
}

/// Fails unless the output's partitions, as read_committed shows them, hold each record of the input's once, in order.
pub fn check_copies(input: &Topic, output: &Topic) -> Result<()> {
    for (partition, records) in input {
        let wanted: Vec<String> = records.keys().map(|offset| format!("{partition}/{offset}")).collect();
        let found: Vec<String> = output.get(partition).context("no such output")?.values().cloned().collect();
        let different = wanted.iter().zip(&found).find(|(wanted, found)| wanted != found);
        ensure!(
            found == wanted,
            "partition {partition}: {} records were copied to {}; the first difference is {different:?}",
            wanted.len(),
            found.len()
        );
    }
    Ok(())
}

fn copy_until_stopped(copy: &CopyJob, progress: &Progress) -> Result<()> {
    let consumer: BaseConsumer<Membership> = ClientConfig::new()
        .set("bootstrap.servers", &copy.bootstrap)
        .set("group.id", &copy.group)
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("heartbeat.interval.ms", "500")
        .set("session.timeout.ms", "20000")
        .set("reconnect.backoff.max.ms", "500")
        .create_with_context(Membership::default())?;
    consumer.subscribe(&[&copy.from])?;
    let mut producer = new_producer(&copy.bootstrap, &copy.transactional_id)?;
    while !progress.stop.load(Ordering::SeqCst) {
        let batch = next_batch(&consumer);
        if batch.is_empty() {
            continue;
        }
        match copy_batch(&consumer, &producer, copy, &batch) {
            Ok(()) => {
                progress.copied.fetch_add(batch.len(), Ordering::SeqCst);
            }
            Err(error) => {
                println!("{}: {error:#}; the transaction is aborted", copy.transactional_id);
                progress.aborted.fetch_add(1, Ordering::SeqCst);
                // Always another producer: after a flush that timed out librdkafka goes on with the sequence numbers of
                // what it gave up, and the leader, which has those records, takes the next ones for duplicates.
                producer = new_producer(&copy.bootstrap, &copy.transactional_id)?;
                rewind(&consumer)?;
            }
        }
    }
    Ok(())
}

/// Up to `BATCH` records, as partition and offset, all read under one membership.
fn next_batch(consumer: &BaseConsumer<Membership>) -> Vec<(i32, i64)> {
    let rebalances = || consumer.context().rebalances.load(Ordering::SeqCst);
    let mut batch = Vec::new();
    let mut before = rebalances();
    while batch.len() < BATCH {
        let polled = consumer.poll(Duration::from_millis(50));
        if rebalances() != before {
            // What was read belongs to somebody else now, or is read again.
            before = rebalances();
            batch.clear();
        }
        match polled {
            None => break,
            Some(Ok(message)) => batch.push((message.partition(), message.offset())),
            Some(Err(error)) => println!("a copier was told: {error} (retried)"),
        }
    }
    batch
}

fn copy_batch(
    consumer: &BaseConsumer<Membership>,
    producer: &Transactional,
    copy: &CopyJob,
    batch: &[(i32, i64)],
) -> Result<()> {
    producer.begin_transaction().context("beginning")?;
    let mut next = BTreeMap::new();
    for (partition, offset) in batch {
        let payload = format!("{partition}/{offset}");
        producer
            .send(BaseRecord::<(), str>::to(&copy.to).partition(*partition).payload(&payload))
            .map_err(|(error, _)| error)
            .context("sending")?;
        next.insert(*partition, offset + 1);
    }
    let mut offsets = TopicPartitionList::new();
    for (partition, offset) in next {
        offsets.add_partition_offset(&copy.from, partition, Offset::Offset(offset))?;
    }
    let metadata = consumer.context().metadata()?;
    retried(|| producer.send_offsets_to_transaction(&offsets, &metadata, STEP)).context("sending offsets")?;
    retried(|| producer.commit_transaction(STEP)).context("committing")
}

/// Goes back to what is committed, as nothing read since then was copied.
fn rewind(consumer: &BaseConsumer<Membership>) -> Result<()> {
    let start = Instant::now();
    loop {
        match try_rewind(consumer) {
            Ok(()) => return Ok(()),
            Err(error) if start.elapsed() > PATIENCE => return Err(error).context("going back"),
            Err(error) => println!("going back: {error} (retried)"),
        }
    }
}

fn try_rewind(consumer: &BaseConsumer<Membership>) -> KafkaResult<()> {
    let assignment = consumer.assignment()?;
    if assignment.count() == 0 {
        return Ok(());
    }
    let committed = consumer.committed_offsets(assignment, STEP)?;
    let mut positions = TopicPartitionList::new();
    for element in committed.elements() {
        element.error()?;
        let offset = match element.offset() {
            Offset::Offset(offset) => Offset::Offset(offset),
            _ => Offset::Beginning,
        };
        positions.add_partition_offset(element.topic(), element.partition(), offset)?;
    }
    for element in consumer.seek_partitions(positions, STEP)?.elements() {
        element.error()?;
    }
    Ok(())
}
