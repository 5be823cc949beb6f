//! A transactional producer (librdkafka) whose transactions a test opens, leaves open, and ends.

use anyhow::{Context as _, Result};
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one step may take while brokers come and go.
pub(crate) const STEP: Duration = Duration::from_secs(10);
/// After so long without success something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The producer, which delivers in a thread of its own.
pub(crate) type Transactional = ThreadedProducer<DefaultProducerContext>;

/// An application with one transactional id.
#[derive(Clone)]
pub struct Transactor(Arc<Transactional>);

impl std::fmt::Debug for Transactor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Transactor")
    }
}

impl Transactor {
    /// Takes the transactional id over from whoever had it.
    pub async fn start(bootstrap: &str, transactional_id: &str) -> Result<Transactor> {
        let (bootstrap, id) = (bootstrap.to_owned(), transactional_id.to_owned());
        let producer = tokio::task::spawn_blocking(move || new_producer(&bootstrap, &id)).await??;
        Ok(Transactor(Arc::new(producer)))
    }

    /// Begins a transaction and sends these payloads to a partition; all are acknowledged when this returns.
    pub async fn begin_with(&self, topic: &str, partition: i32, payloads: &[String]) -> Result<()> {
        let (producer, topic, payloads) = (self.0.clone(), topic.to_owned(), payloads.to_vec());
        tokio::task::spawn_blocking(move || {
            producer.begin_transaction().context("beginning")?;
            for payload in &payloads {
                producer
                    .send(BaseRecord::<(), str>::to(&topic).partition(partition).payload(payload))
                    .map_err(|(error, _)| error)
                    .context("sending")?;
            }
            producer.flush(PATIENCE).context("waiting for acknowledgements")
        })
        .await?
    }

    /// Commits the open transaction.
    pub async fn commit(&self) -> Result<()> {
        let producer = self.0.clone();
        tokio::task::spawn_blocking(move || {
            retried(|| producer.commit_transaction(STEP)).context("committing")
        })
        .await?
    }

    /// Aborts it.
    pub async fn abort(&self) -> Result<()> {
        let producer = self.0.clone();
        tokio::task::spawn_blocking(move || retried(|| producer.abort_transaction(STEP)).context("aborting"))
            .await?
    }
}

/// A producer that has initialized its transactions.
pub(crate) fn new_producer(bootstrap: &str, transactional_id: &str) -> Result<Transactional> {
    let producer: Transactional = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("transactional.id", transactional_id)
        .set("transaction.timeout.ms", "60000")
        .set("linger.ms", "2")
        .set("reconnect.backoff.max.ms", "500")
        .set("retry.backoff.ms", "50")
        .set("socket.timeout.ms", "10000")
        // librdkafka waits for ever to send offsets to a group coordinator that went out of the metadata (its issues 5456
        // and 5511), until some connection changes state: let idle ones be closed.
        .set("connections.max.idle.ms", "1000")
        .create_with_context(DefaultProducerContext)?;
    retried(|| producer.init_transactions(STEP)).context("initializing transactions")?;
    Ok(producer)
}

/// Repeats a step while librdkafka says that it can be.
pub(crate) fn retried(step: impl Fn() -> KafkaResult<()>) -> KafkaResult<()> {
    let start = Instant::now();
    loop {
        match step() {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && start.elapsed() < PATIENCE => {}
            outcome => return outcome,
        }
    }
}
