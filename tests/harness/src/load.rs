//! A producer under load that remembers every message the cluster acknowledged, and where.

use crate::wait;
use anyhow::{Context as _, Result};
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// One acknowledged message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Where it was acknowledged.
    pub partition: i32,
    /// At which offset.
    pub offset: i64,
    /// What it says; every message of a load is different.
    pub payload: String,
}

/// What the deliveries came to.
#[derive(Debug, Default)]
struct Deliveries {
    acknowledged: Mutex<Vec<Acknowledged>>,
    failed: Mutex<Vec<String>>,
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
                lock(&self.0.acknowledged).push(acknowledged);
            }
            Err((error, _)) => lock(&self.0.failed).push(error.to_string()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running load: acks=all, no idempotence (so retries may duplicate, but what is acknowledged must be there), spread over
/// all partitions.
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
            .set("acks", "all")
            .set("linger.ms", "2")
            .set("message.timeout.ms", "60000")
            .set("request.timeout.ms", "5000")
            .set("socket.timeout.ms", "10000")
            .set("reconnect.backoff.max.ms", "500")
            .set("retry.backoff.ms", "50")
            .set("topic.metadata.refresh.interval.ms", "1000")
            .set("sticky.partitioning.linger.ms", "0")
            .create_with_context(Recorder(deliveries.clone()))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let topic = topic.to_owned();
        let task = tokio::spawn(async move {
            let mut number = 0_u64;
            let mut tick = tokio::time::interval(Duration::from_millis(10));
            while !stopped.load(Ordering::Relaxed) {
                tick.tick().await;
                for _ in 0..(rate / 100).max(1) {
                    let payload = format!("message-{number:08}-{}", "x".repeat(80));
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

    /// Stops producing, waits for what is under way, and returns every acknowledged message.
    pub async fn stop(self) -> Result<Vec<Acknowledged>> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await??;
        let failed = lock(&self.deliveries.failed);
        if let Some(first) = failed.first() {
            println!("{} messages of the load failed, the first with: {first}", failed.len());
        }
        drop(failed);
        Ok(std::mem::take(&mut *lock(&self.deliveries.acknowledged)))
    }
}
