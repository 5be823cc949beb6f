//! A producer under load that remembers every message the cluster acknowledged, and where.

use crate::wait;
use anyhow::{Context as _, Result, ensure};
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// One acknowledged message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Where it was acknowledged.
    pub partition: i32,
    /// At which offset; negative where the client was not told.
    pub offset: i64,
    /// What it says; every message of a load is different.
    pub payload: String,
}

/// What the deliveries came to.
#[derive(Debug, Default)]
struct Deliveries {
    acknowledged: Mutex<Vec<Acknowledged>>,
    failed: Mutex<Vec<String>>,
    progress: Mutex<BTreeMap<i32, Progress>>,
}

/// When a partition took messages.
#[derive(Clone, Copy, Debug)]
struct Progress {
    last: Instant,
    longest: Duration,
}

impl Deliveries {
    fn note_progress(&self, partition: i32) {
        let now = Instant::now();
        let mut progress = lock(&self.progress);
        let known = progress.entry(partition).or_insert(Progress { last: now, longest: Duration::ZERO });
        known.longest = known.longest.max(now - known.last);
        known.last = now;
    }
}

struct Recorder(Arc<Deliveries>);

impl ClientContext for Recorder {}

impl ProducerContext for Recorder {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(message) => {
                let payload = String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned();
                let acknowledged =
                    Acknowledged { partition: message.partition(), offset: message.offset(), payload };
                self.0.note_progress(acknowledged.partition);
                lock(&self.0.acknowledged).push(acknowledged);
            }
            Err((error, _)) => lock(&self.0.failed).push(error.to_string()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells the loads of one test program apart in their messages.
static LOADS: AtomicU32 = AtomicU32::new(0);

/// A running load: an idempotent producer with acks=all, whose messages are numbered and spread over all partitions. None may be
/// lost, none may come twice, and in each partition their numbers ascend; see [`crate::read_back::check_acknowledged`].
#[derive(Debug)]
pub struct Load {
    deliveries: Arc<Deliveries>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<()>>,
}

impl Load {
    /// Starts producing about `rate` messages a second to `topic`.
    pub fn start(bootstrap: &str, topic: &str, rate: u32) -> Result<Load> {
        let deliveries = Arc::<Deliveries>::default();
        let producer: ThreadedProducer<Recorder> = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("enable.idempotence", "true")
            .set("linger.ms", "2")
            .set("message.timeout.ms", "120000")
            .set("request.timeout.ms", "5000")
            .set("socket.timeout.ms", "10000")
            .set("socket.connection.setup.timeout.ms", "2000")
            .set("reconnect.backoff.max.ms", "500")
            .set("retry.backoff.ms", "50")
            .set("topic.metadata.refresh.interval.ms", "1000")
            .set("sticky.partitioning.linger.ms", "0")
            .create_with_context(Recorder(deliveries.clone()))?;
        let load = LOADS.fetch_add(1, Ordering::Relaxed);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let topic = topic.to_owned();
        let task = tokio::spawn(async move {
            let mut number = 0_u64;
            let mut tick = tokio::time::interval(Duration::from_millis(10));
            while !stopped.load(Ordering::Relaxed) {
                tick.tick().await;
                for _ in 0..(rate / 100).max(1) {
                    let payload = numbered(load, number, &"x".repeat(80));
                    match producer.send(BaseRecord::<(), str>::to(&topic).payload(&payload)) {
                        Ok(()) => number += 1,
                        // The local queue is full while the cluster is away: try again at the next tick.
                        Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => break,
                        Err((error, _)) => return Err(error).context("queueing a message"),
                    }
                }
            }
            tokio::task::spawn_blocking(move || producer.flush(Duration::from_secs(60)))
                .await?
                .context("flushing the load's last messages")
        });
        Ok(Load { deliveries, stop, task })
    }

    /// How many messages were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        lock(&self.deliveries.acknowledged).len()
    }

    /// Waits until `more` messages beyond those of now were acknowledged.
    pub async fn wait_for_progress(&self, more: usize, deadline: Duration) -> Result<()> {
        let wanted = self.acknowledged() + more;
        wait::until_true(&format!("{more} more acknowledged messages"), deadline, || async {
            Ok(self.acknowledged() >= wanted)
        })
        .await
    }

    /// When a partition last took a message.
    pub fn last_progress(&self, partition: i32) -> Option<Instant> {
        lock(&self.deliveries.progress).get(&partition).map(|known| known.last)
    }

    /// The longest time without an acknowledgement since the start, or since it was last asked for, and in which of these
    /// partitions (all, if none is named); what lasts still counts.
    pub fn take_longest_pause(&self, partitions: &[i32]) -> (i32, Duration) {
        let now = Instant::now();
        let mut progress = lock(&self.deliveries.progress);
        let asked = progress.iter_mut().filter(|(id, _)| partitions.is_empty() || partitions.contains(id));
        let pauses = asked.map(|(partition, known)| {
            let longest = std::mem::take(&mut known.longest).max(now - known.last);
            (*partition, longest)
        });
        pauses.max_by_key(|(_, pause)| *pause).unwrap_or_default()
    }

    /// Stops producing, waits for what is under way, says for how long there was no progress, and returns every
    /// acknowledged message. Fails if a single one was given up.
    pub async fn stop(self) -> Result<Vec<Acknowledged>> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await??;
        {
            let failed = lock(&self.deliveries.failed);
            let first = failed.first().cloned().unwrap_or_default();
            ensure!(
                failed.is_empty(),
                "{} messages of the load failed, the first with: {first}",
                failed.len()
            );
        }
        let acknowledged = std::mem::take(&mut *lock(&self.deliveries.acknowledged));
        let longest = lock(&self.deliveries.progress).values().map(|known| known.longest).max();
        println!(
            "{} messages acknowledged; the longest time without progress in a partition was {:?}",
            acknowledged.len(),
            longest.unwrap_or_default()
        );
        Ok(acknowledged)
    }
}

/// A message of a load.
fn numbered(load: u32, number: u64, filler: &str) -> String {
    format!("message-{load:04}-{number:08}-{filler}")
}

/// Which load a message is of, and its number there; `None`: of none.
pub(crate) fn number_of(payload: &str) -> Option<(u32, u64)> {
    let (load, rest) = payload.strip_prefix("message-")?.split_once('-')?;
    let (number, _) = rest.split_once('-')?;
    Some((load.parse().ok()?, number.parse().ok()?))
}
