//! The producer (`KafkaProducer`): records become batches, batches are sent, and the caller is told what became of them.
//!
//! One task sends; the caller's side appends under a lock held for one record. Memory is bounded by `buffer.memory`:
//! [`Producer::send`] waits when it is used up.

mod accumulator;
mod batch;
mod drain;
pub(crate) mod identity;
mod queue;
mod request;
mod sender;
mod transaction;
mod verdict;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use gregor_model::{Offset, ProducerEpoch, ProducerId, Timestamp, TopicName, TopicPartition};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use accumulator::{Accumulator, Identity, Refused};
pub use batch::Content;
use sender::Sender;
use transaction::Transaction;

use crate::cluster::{Cluster, Topics, View};
use crate::config::ProducerConfig;
use crate::error::Error;
use crate::partitioner::{Sticky, partition_of_key};

/// Answers to produce requests are small.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Where records were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Of the first of them; the others follow. None when the broker did not tell.
    pub base_offset: Option<Offset>,
    /// The broker's time, on topics with LogAppendTime.
    pub append_time: Option<Timestamp>,
}

/// What became of records that were sent together.
#[derive(Debug)]
pub struct Delivery<T> {
    /// Where they were to go.
    pub partition: TopicPartition,
    /// Whether they are there.
    pub result: Result<Written, Error>,
    /// What was handed over with each, in order.
    pub tokens: Vec<T>,
}

struct Shared<T> {
    config: ProducerConfig,
    cluster: Cluster,
    accumulator: Mutex<Accumulator<T>>,
    transaction: Mutex<Transaction>,
    /// Why nothing can be sent any more.
    failed: Mutex<Option<Error>>,
    on_delivery: Box<dyn Fn(Delivery<T>) + Send + Sync>,
    /// There is something to send.
    look: Notify,
    /// Memory was given back, or the identity is known.
    memory: Notify,
    /// Everything has been dealt with.
    drained: Notify,
    closing: CancellationToken,
}

/// What is known of a topic, in the form in which records need it.
struct Route {
    partitions: usize,
    available: Vec<usize>,
    sticky: Sticky,
}

/// A producer. Each record is sent with a token of the caller's, which comes back with the outcome.
pub struct Producer<T> {
    shared: Arc<Shared<T>>,
    view: Arc<View>,
    routes: HashMap<TopicName, Route>,
    sender: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Producer<T> {
    /// Starts a producer. `on_delivery` is called in the sending task, and must not wait.
    pub fn start(
        config: ProducerConfig,
        on_delivery: impl Fn(Delivery<T>) + Send + Sync + 'static,
    ) -> Producer<T> {
        let cluster = Cluster::plaintext(config.common.clone(), ANSWER_BYTES_MAX);
        let shared = Arc::new(Shared {
            accumulator: Mutex::new(Accumulator::new(&config)),
            transaction: Mutex::default(),
            failed: Mutex::default(),
            on_delivery: Box::new(on_delivery),
            look: Notify::new(),
            memory: Notify::new(),
            drained: Notify::new(),
            closing: CancellationToken::new(),
            cluster,
            config,
        });
        let sender = tokio::spawn(Sender::new(shared.clone()).run());
        Producer { view: shared.cluster.view(), shared, routes: HashMap::new(), sender: Some(sender) }
    }

    /// Hands over a record: to `partition`, or to the one that its key or the load suggests. Waits, up to `max.block.ms`,
    /// for metadata, for the producer's id and for memory.
    ///
    /// # Errors
    /// The record was not taken, and its token is gone.
    pub async fn send(
        &mut self,
        topic: &TopicName,
        partition: Option<i32>,
        content: &Content<'_>,
        token: T,
    ) -> Result<(), Error> {
        self.check_size(content)?;
        if !self.knows(topic) {
            self.wait_for_metadata(topic).await?;
        }
        let at = self.choose(topic, partition, content)?;
        if self.shared.config.transactional_id.is_some() {
            self.join_transaction(topic, at).await?;
        }
        let mut token = token;
        let mut deadline = None;
        loop {
            let now = Instant::now();
            // Registered before the attempt, so that no notice in between is missed.
            let freed = self.shared.memory.notified();
            let appended = self.shared.accumulator.lock().append(topic, at, content, token, now);
            token = match appended {
                Ok(look) => {
                    if look {
                        self.shared.look.notify_one();
                    }
                    return Ok(());
                }
                Err(Refused::Failed(error)) => return Err(error),
                Err(Refused::Full(token)) => {
                    self.shared.accumulator.lock().starved = true;
                    token
                }
                Err(Refused::NoIdentity(token)) => token,
            };
            if let Some(error) = self.shared.failed.lock().clone() {
                return Err(error);
            }
            self.shared.look.notify_one();
            let until = *deadline.get_or_insert(now + self.shared.config.max_block);
            let waited = tokio::time::timeout_at(tokio::time::Instant::from_std(until), freed).await;
            self.shared.accumulator.lock().starved = false;
            waited.map_err(|_| self.no_memory())?;
        }
    }

    fn no_memory(&self) -> Error {
        let config = &self.shared.config;
        Error::Timeout(format!(
            "Failed to allocate {} bytes within the configured max blocking time {} ms. Total memory: {} bytes.",
            config.batch_size,
            config.max_block.as_millis(),
            config.buffer_memory
        ))
    }

    fn check_size(&self, content: &Content<'_>) -> Result<(), Error> {
        let size = gregor_records::HEADER_LENGTH + content.size_max();
        let config = &self.shared.config;
        if size > config.max_request_size {
            return Err(Error::RecordTooLarge(format!(
                "The message is {size} bytes when serialized which is larger than {}, which is the value of the \
                 max.request.size configuration.",
                config.max_request_size
            )));
        }
        if size > config.buffer_memory {
            return Err(Error::RecordTooLarge(format!(
                "The message is {size} bytes when serialized which is larger than the total memory buffer you have \
                 configured with the buffer.memory configuration."
            )));
        }
        Ok(())
    }

    /// Whether the topic has partitions, by the newest metadata.
    fn knows(&mut self, topic: &TopicName) -> bool {
        let view = self.shared.cluster.view();
        if !Arc::ptr_eq(&view, &self.view) {
            for (topic, route) in &mut self.routes {
                route.update(&view, topic);
            }
            self.view = view;
        }
        match self.routes.get(topic) {
            Some(route) => route.partitions > 0,
            None => {
                let mut route = Route {
                    partitions: 0,
                    available: Vec::new(),
                    sticky: Sticky::new(self.shared.config.batch_size),
                };
                route.update(&self.view, topic);
                let known = route.partitions > 0;
                self.routes.insert(topic.clone(), route);
                known
            }
        }
    }

    async fn wait_for_metadata(&mut self, topic: &TopicName) -> Result<(), Error> {
        let config = &self.shared.config;
        let (max_block, backoff) = (config.max_block, config.common.retry_backoff);
        let deadline = Instant::now() + max_block;
        loop {
            let mut names: Vec<TopicName> = self.view.topics.keys().cloned().collect();
            if !names.contains(topic) {
                names.push(topic.clone());
            }
            let refresh = self.shared.cluster.refresh(Topics::Named { names: &names, create: true });
            let refreshed = tokio::time::timeout_at(tokio::time::Instant::from_std(deadline), refresh).await;
            if self.knows(topic) {
                return Ok(());
            }
            let known = self.view.topics.get(topic).and_then(|topic| topic.error);
            match known {
                Some(code) if code == crate::ErrorCode::TOPIC_AUTHORIZATION_FAILED => {
                    return Err(Error::not_authorized(topic));
                }
                Some(code) if !code.is_retriable() => return Err(code.into()),
                _ => {}
            }
            if refreshed.is_err() || Instant::now() + backoff >= deadline {
                return Err(Error::no_metadata(topic, max_block.as_millis()));
            }
            tokio::time::sleep(backoff).await;
        }
    }

    fn choose(
        &mut self,
        topic: &TopicName,
        partition: Option<i32>,
        content: &Content<'_>,
    ) -> Result<usize, Error> {
        let Some(route) = self.routes.get_mut(topic) else { return Err(Error::no_metadata(topic, 0)) };
        if let Some(partition) = partition {
            return usize::try_from(partition)
                .ok()
                .filter(|at| *at < route.partitions)
                .ok_or(Error::NoSuchPartition { partition, count: route.partitions });
        }
        let keyed = content.key.filter(|_| !self.shared.config.ignore_keys);
        let chosen = match keyed {
            Some(key) => partition_of_key(key, route.partitions),
            None => route
                .sticky
                .partition(content.size_max(), &route.available, |below| rand::random_range(0..below)),
        };
        // Without a single leader, any: its records wait for one.
        Ok(chosen.unwrap_or(0))
    }

    async fn join_transaction(&mut self, topic: &TopicName, at: usize) -> Result<(), Error> {
        let partition = TopicPartition::new(topic.clone(), i32::try_from(at).unwrap_or(i32::MAX));
        {
            let transaction = self.shared.transaction.lock();
            if !transaction.open {
                let message =
                    "Cannot add partition to a transaction before completing a call to beginTransaction";
                return Err(Error::Fatal(message.to_owned()));
            }
            if let Some(error) = transaction.failure() {
                return Err(error.clone());
            }
            if transaction.contains(&partition) {
                return Ok(());
            }
        }
        let identity = self.identity().await?;
        let shared = &self.shared;
        transaction::add_partition(&shared.cluster, &shared.config, identity, &partition).await?;
        shared.transaction.lock().add(partition);
        Ok(())
    }

    /// The producer's id, as soon as it is known.
    async fn identity(&self) -> Result<(ProducerId, ProducerEpoch), Error> {
        let deadline = tokio::time::Instant::now() + self.shared.config.max_block;
        loop {
            let known = self.shared.memory.notified();
            if let Identity::Known(id, epoch) = self.shared.accumulator.lock().identity() {
                return Ok((id, epoch));
            }
            if let Some(error) = self.shared.failed.lock().clone() {
                return Err(error);
            }
            self.shared.look.notify_one();
            let waited = tokio::time::timeout_at(deadline, known).await;
            waited.map_err(|_| Error::Timeout("Timeout expired while awaiting InitProducerId".to_owned()))?;
        }
    }

    /// Makes the transactional id this producer's own, and ends what another left open.
    ///
    /// # Errors
    /// There is no transactional id, or its coordinator refuses.
    pub async fn init_transactions(&self) -> Result<(), Error> {
        if self.shared.config.transactional_id.is_none() {
            let message = "Cannot use transactional methods without enabling transactions by setting the \
                           transactional.id configuration property";
            return Err(Error::Fatal(message.to_owned()));
        }
        self.identity().await.map(drop)
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// One is open.
    pub fn begin_transaction(&self) -> Result<(), Error> {
        self.shared.transaction.lock().begin()
    }

    /// Sends what waits, and commits.
    ///
    /// # Errors
    /// A record of the transaction was not written, or the coordinator refuses.
    pub async fn commit_transaction(&self) -> Result<(), Error> {
        self.flush().await;
        if let Some(error) = self.shared.transaction.lock().failure().cloned() {
            return Err(error);
        }
        self.end_transaction(true).await
    }

    /// Drops what waits, and aborts.
    ///
    /// # Errors
    /// The coordinator refuses.
    pub async fn abort_transaction(&self) -> Result<(), Error> {
        let abandoned = self.shared.accumulator.lock().abandon();
        for (partition, batch) in abandoned {
            let result = Err(Error::Fatal("Failing batch since transaction was aborted".to_owned()));
            (self.shared.on_delivery)(Delivery { partition, result, tokens: batch.tokens });
        }
        self.flush().await;
        self.end_transaction(false).await
    }

    async fn end_transaction(&self, commit: bool) -> Result<(), Error> {
        let identity = self.identity().await?;
        if self.shared.transaction.lock().end() {
            transaction::end(&self.shared.cluster, &self.shared.config, identity, commit).await?;
        }
        if !commit {
            // What was dropped has left holes in the sequences.
            self.shared.accumulator.lock().lose_identity();
            self.shared.look.notify_one();
        }
        Ok(())
    }

    /// Waits until everything handed over so far has been dealt with.
    pub async fn flush(&self) {
        loop {
            let drained = self.shared.drained.notified();
            {
                let mut accumulator = self.shared.accumulator.lock();
                accumulator.flushing = !accumulator.is_empty();
                if !accumulator.flushing {
                    return;
                }
            }
            self.shared.look.notify_one();
            drained.await;
        }
    }

    /// Sends what waits, and ends.
    pub async fn close(mut self) {
        self.flush().await;
        self.shared.closing.cancel();
        self.shared.look.notify_one();
        if let Some(sender) = self.sender.take() {
            // It panics in no case; then there would be nothing to wait for either.
            let _ = sender.await;
        }
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        self.shared.closing.cancel();
        if let Some(sender) = &self.sender {
            sender.abort();
        }
    }
}

impl Route {
    fn update(&mut self, view: &View, topic: &TopicName) {
        let partitions = view.topics.get(topic).map(|topic| topic.partitions.as_slice()).unwrap_or_default();
        self.partitions = partitions.len();
        let led = partitions.iter().enumerate().filter(|(_, partition)| partition.leader.is_some());
        self.available = led.map(|(at, _)| at).collect();
    }
}
