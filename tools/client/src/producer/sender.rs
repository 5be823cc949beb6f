//! The task that sends: asks the accumulator what to send, sends it, and tells it what came back (`Sender`).
//!
//! Owned by the producer, which waits for its end. Bounded: so many requests per broker are on their way, and one for
//! metadata, and one for the producer's identity.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use gregor_model::{BrokerId, ProducerEpoch, ProducerId, TopicName, TopicPartition};
use gregor_wire::client::ClientError;
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};

use super::batch::Batch;
use super::drain::Batches;
use super::request::{BatchAnswer, answer_for, build};
use super::verdict::{Verdict, of_answer, of_failure};
use super::{Delivery, Shared, Written, identity};
use crate::cluster::{Cluster, Topics};
use crate::config::Acks;
use crate::error::Error;

/// What came back to the sender.
enum Event<T> {
    /// A request was answered, or will not be.
    Produced { broker: BrokerId, batches: Batches<T>, answer: Result<Option<ProduceResponse>, Error> },
    /// Metadata came, or did not.
    Refreshed,
    /// The producer is known to brokers.
    Identified(Result<(ProducerId, ProducerEpoch), Error>),
}

pub(super) struct Sender<T> {
    shared: Arc<Shared<T>>,
    under_way: FuturesUnordered<BoxFuture<'static, Event<T>>>,
    requests: HashMap<BrokerId, usize>,
    refreshing: bool,
    identifying: bool,
    last_refresh: Instant,
}

impl<T: Send + 'static> Sender<T> {
    pub(super) fn new(shared: Arc<Shared<T>>) -> Sender<T> {
        Sender {
            shared,
            under_way: FuturesUnordered::new(),
            requests: HashMap::new(),
            refreshing: false,
            identifying: false,
            last_refresh: Instant::now(),
        }
    }

    /// Runs until the producer is closed and everything has been dealt with.
    pub(super) async fn run(mut self) {
        loop {
            let look_again = self.send_what_is_ready();
            if self.is_idle() && self.shared.closing.is_cancelled() && self.under_way.is_empty() {
                return;
            }
            let shared = self.shared.clone();
            let until = tokio::time::Instant::from_std(look_again);
            tokio::select! {
                event = self.under_way.next(), if !self.under_way.is_empty() => {
                    if let Some(event) = event {
                        self.on_event(event);
                    }
                }
                () = shared.look.notified() => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    /// Whether everything has been dealt with; those who wait for it are told.
    fn is_idle(&self) -> bool {
        let idle = self.shared.accumulator.lock().is_empty();
        if idle {
            self.shared.drained.notify_waiters();
        }
        idle
    }

    /// Starts every request that may be started. Returns when to look again at the latest.
    fn send_what_is_ready(&mut self) -> Instant {
        let now = Instant::now();
        let max_age = self.shared.config.common.metadata_max_age;
        let mut look_again = self.last_refresh + max_age;
        loop {
            let view = self.shared.cluster.view();
            let max = self.shared.config.max_in_flight;
            let drained = {
                let mut accumulator = self.shared.accumulator.lock();
                let free = |broker| self.requests.get(&broker).is_none_or(|count| *count < max);
                accumulator.drain(&view, now, free)
            };
            let stale = !drained.leaderless.is_empty() || now >= self.last_refresh + max_age;
            if stale {
                self.refresh();
            }
            for (partition, batch) in drained.expired {
                let waited = self.shared.config.delivery_timeout.as_millis();
                let error = Error::Timeout(format!(
                    "Expiring {} record(s) for {partition}:{waited} ms has passed since batch creation",
                    batch.tokens.len(),
                ));
                self.shared.deliver(partition, batch.tokens, Err(error));
            }
            look_again = drained.look_again.map_or(look_again, |at| at.min(look_again));
            if drained.requests.is_empty() {
                break;
            }
            for (broker, batches) in drained.requests {
                *self.requests.entry(broker).or_default() += 1;
                let shared = self.shared.clone();
                let request = build(&shared.config, &batches);
                self.under_way.push(Box::pin(async move {
                    let answer = produce(&shared.cluster, shared.config.acks, broker, request).await;
                    Event::Produced { broker, batches, answer }
                }));
            }
        }
        self.identify();
        look_again.max(now + std::time::Duration::from_millis(1))
    }

    fn refresh(&mut self) {
        if std::mem::replace(&mut self.refreshing, true) {
            return;
        }
        let shared = self.shared.clone();
        let elapsed = self.last_refresh.elapsed();
        self.under_way.push(Box::pin(async move {
            let pause = shared.config.common.retry_backoff.saturating_sub(elapsed);
            tokio::time::sleep(pause).await;
            let names: Vec<TopicName> = shared.cluster.view().topics.keys().cloned().collect();
            // What failed now is tried again as long as somebody needs it.
            let _ = shared.cluster.refresh(Topics::Named { names: &names, create: true }).await;
            Event::Refreshed
        }));
    }

    fn identify(&mut self) {
        if self.identifying || !self.shared.accumulator.lock().wants_identity() {
            return;
        }
        self.identifying = true;
        let shared = self.shared.clone();
        self.under_way.push(Box::pin(async move {
            Event::Identified(identity::obtain(&shared.cluster, &shared.config).await)
        }));
    }

    fn on_event(&mut self, event: Event<T>) {
        match event {
            Event::Refreshed => {
                self.refreshing = false;
                self.last_refresh = Instant::now();
            }
            Event::Identified(result) => {
                self.identifying = false;
                match result {
                    Ok((id, epoch)) => self.shared.accumulator.lock().renew(id, epoch),
                    Err(error) => self.shared.fail(error),
                }
                self.shared.memory.notify_waiters();
            }
            Event::Produced { broker, batches, answer } => {
                if let Some(count) = self.requests.get_mut(&broker) {
                    *count = count.saturating_sub(1);
                }
                for (partition, batch) in batches {
                    self.on_batch(partition, batch, &answer);
                }
                self.shared.memory.notify_waiters();
            }
        }
    }

    fn on_batch(
        &mut self,
        partition: TopicPartition,
        batch: Batch<T>,
        answer: &Result<Option<ProduceResponse>, Error>,
    ) {
        let now = Instant::now();
        let mut accumulator = self.shared.accumulator.lock();
        let attempt = accumulator.attempt(&partition, &batch, now);
        let (verdict, said) = match answer {
            // Nobody asked for an answer.
            Ok(None) => (Verdict::WrittenBefore, None),
            Ok(Some(answer)) => match answer_for(answer, &partition) {
                Some(said) => (of_answer(said.code, attempt), Some(said)),
                None => (of_failure(attempt), None),
            },
            Err(_) => (of_failure(attempt), None),
        };
        let stale = answer.is_err()
            || said.as_ref().and_then(|said| said.code).is_some_and(|code| code.is_stale_metadata());
        let not_before = now + self.shared.config.common.retry_backoff;
        let result = match verdict {
            Verdict::Retry => {
                accumulator.retry(&partition, batch, not_before);
                None
            }
            Verdict::RenewAndRetry => {
                accumulator.retry(&partition, batch, not_before);
                accumulator.lose_identity();
                None
            }
            Verdict::Split => {
                accumulator.split(&partition, batch).err().map(|(error, tokens)| (tokens, Err(error)))
            }
            Verdict::Written | Verdict::WrittenBefore => {
                accumulator.finished(&partition, &batch);
                Some((batch.tokens, Ok(written(said.as_ref()))))
            }
            Verdict::Fail => {
                accumulator.finished(&partition, &batch);
                if batch.producer.is_some() {
                    accumulator.lose_identity();
                }
                Some((batch.tokens, Err(failure(said, answer))))
            }
        };
        drop(accumulator);
        if let Some((tokens, result)) = result {
            self.shared.deliver(partition, tokens, result);
        }
        if stale {
            self.refresh();
        }
    }
}

fn written(said: Option<&BatchAnswer>) -> Written {
    Written {
        base_offset: said.and_then(|said| said.base_offset),
        append_time: said.and_then(|said| said.append_time),
    }
}

fn failure(said: Option<BatchAnswer>, answer: &Result<Option<ProduceResponse>, Error>) -> Error {
    match (said, answer) {
        (Some(BatchAnswer { code: Some(code), message, .. }), _) => Error::Refused { code, message },
        (_, Err(error)) => error.clone(),
        _ => Error::Network("The server's answer does not tell what became of the batch.".to_owned()),
    }
}

/// Sends one request; without acks there is no answer.
async fn produce(
    cluster: &Cluster,
    acks: Acks,
    broker: BrokerId,
    request: ProduceRequest,
) -> Result<Option<ProduceResponse>, Error> {
    let peer = cluster.peer(broker).await?;
    if acks == Acks::None {
        let version = peer.version::<ProduceRequest>()?;
        peer.connection().send_unanswered(request, version).await?;
        return Ok(None);
    }
    match peer.call(|_| request).await {
        Ok(answer) => Ok(Some(answer)),
        Err(ClientError::Timeout(_) | ClientError::Disconnected(_)) => {
            Err(Error::Network("The server disconnected before a response was received.".to_owned()))
        }
        Err(error) => Err(error.into()),
    }
}

impl<T> Shared<T> {
    /// Tells the caller what became of records.
    fn deliver(&self, partition: TopicPartition, tokens: Vec<T>, result: Result<Written, Error>) {
        if let Err(error) = &result {
            self.transaction.lock().note_failure(error);
        }
        (self.on_delivery)(Delivery { partition, result, tokens });
    }

    /// The producer can send nothing any more.
    fn fail(&self, error: Error) {
        let abandoned = self.accumulator.lock().abandon();
        *self.failed.lock() = Some(error.clone());
        for (partition, batch) in abandoned {
            self.deliver(partition, batch.tokens, Err(error.clone()));
        }
    }
}
