//! What was handed over and is not yet acknowledged (`RecordAccumulator`, with the sequences of `TransactionManager`). Pure:
//! the sender asks it what to send, and tells it what became of that.
//!
//! Invariants: memory reserved never passes `buffer.memory`, but for one batch when nothing else is held; sequences of a
//! partition rise without holes as long as the producer's identity stays.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use gregor_model::{ProducerEpoch, ProducerId, Sequence, TopicName, TopicPartition};
use gregor_records::{Compression, Producer};

use super::batch::{Batch, Content, OpenBatch, advanced};
use super::queue::Queue;
use super::verdict::Attempt;
use crate::config::ProducerConfig;
use crate::error::Error;

/// Who produces, as brokers know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// Batches carry none.
    NotNeeded,
    /// It is to be asked for.
    Wanted,
    /// It is this.
    Known(ProducerId, ProducerEpoch),
    /// Another is to be asked for, once nothing is on its way.
    Lost,
}

/// Why a record was not taken.
#[derive(Debug)]
pub(super) enum Refused<T> {
    /// `buffer.memory` is used up.
    Full(T),
    /// The producer's identity is not known.
    NoIdentity(T),
    /// It cannot be.
    Failed(Error),
}

pub(super) struct Accumulator<T> {
    pub(super) topics: HashMap<TopicName, Vec<Queue<T>>>,
    pub(super) settings: Settings,
    pub(super) reserved_bytes: usize,
    /// Compressed bytes by uncompressed ones, as seen of late.
    pub(super) ratio: f32,
    pub(super) identity: Identity,
    pub(super) batches_in_flight: usize,
    /// Which partition comes first.
    pub(super) turn: usize,
    /// Somebody waits for memory.
    pub(super) starved: bool,
    /// Somebody waits for everything to be sent.
    pub(super) flushing: bool,
}

#[derive(Clone, Copy)]
pub(super) struct Settings {
    pub(super) compression: Compression,
    pub(super) batch_size: usize,
    pub(super) linger: Duration,
    pub(super) buffer_memory: usize,
    pub(super) request_bytes_max: usize,
    pub(super) delivery_timeout: Duration,
    pub(super) retries: u32,
    pub(super) transactional: bool,
    pub(super) one_at_a_time: bool,
}

impl<T> Accumulator<T> {
    pub(super) fn new(config: &ProducerConfig) -> Accumulator<T> {
        Accumulator {
            topics: HashMap::new(),
            settings: Settings {
                compression: config.compression,
                batch_size: config.batch_size,
                linger: config.linger,
                buffer_memory: config.buffer_memory,
                request_bytes_max: config.max_request_size,
                delivery_timeout: config.delivery_timeout,
                retries: config.retries,
                transactional: config.transactional_id.is_some(),
                one_at_a_time: config.max_in_flight == 1,
            },
            reserved_bytes: 0,
            ratio: 1.0,
            identity: if config.idempotence { Identity::Wanted } else { Identity::NotNeeded },
            batches_in_flight: 0,
            turn: 0,
            starved: false,
            flushing: false,
        }
    }

    pub(super) fn identity(&self) -> Identity {
        self.identity
    }

    /// Whether everything handed over has been dealt with.
    pub(super) fn is_empty(&self) -> bool {
        self.topics.values().flatten().all(Queue::is_empty)
    }

    /// Whether a new identity is to be asked for now.
    pub(super) fn wants_identity(&self) -> bool {
        match self.identity {
            Identity::Wanted => true,
            Identity::Lost => self.batches_in_flight == 0,
            Identity::NotNeeded | Identity::Known(..) => false,
        }
    }

    /// The sequences so far are worth nothing any more.
    pub(super) fn lose_identity(&mut self) {
        if self.identity != Identity::NotNeeded {
            self.identity = Identity::Lost;
        }
    }

    /// Takes a new identity: what waits begins at sequence 0.
    pub(super) fn renew(&mut self, id: ProducerId, epoch: ProducerEpoch) {
        self.identity = Identity::Known(id, epoch);
        for queue in self.topics.values_mut().flatten() {
            let mut producer = Producer { id, epoch, base_sequence: Some(Sequence(0)) };
            if let Some(open) = queue.open.take()
                && let Ok((batch, _)) = open.close(queue.take_ordinal())
            {
                queue.put_back(batch);
            }
            for batch in &mut queue.closed {
                batch.stamp(producer);
                producer = advanced(producer, batch.record_count());
            }
            queue.next_sequence = producer.base_sequence.unwrap_or(Sequence(0));
        }
    }

    /// Takes a record. True if the sender should look.
    pub(super) fn append(
        &mut self,
        topic: &TopicName,
        partition: usize,
        content: &Content<'_>,
        token: T,
        now: Instant,
    ) -> Result<bool, Refused<T>> {
        let identity = match self.identity {
            Identity::NotNeeded => None,
            Identity::Known(id, epoch) => Some((id, epoch)),
            Identity::Wanted | Identity::Lost => return Err(Refused::NoIdentity(token)),
        };
        let settings = self.settings;
        let ratio = self.ratio;
        let queues = match self.topics.get_mut(topic) {
            Some(queues) => queues,
            None => self.topics.entry(topic.clone()).or_default(),
        };
        if queues.len() <= partition {
            queues.resize_with(partition + 1, Queue::default);
        }
        let Some(queue) = queues.get_mut(partition) else { return Ok(false) };
        if let Some(open) = &mut queue.open
            && open.has_room(content, settings.batch_size, ratio)
        {
            open.append(content, token).map_err(Refused::Failed)?;
            return Ok(open.is_full(settings.batch_size, ratio));
        }
        let reserve = settings.batch_size.max(gregor_records::HEADER_LENGTH + content.size_max());
        if self.reserved_bytes > 0 && self.reserved_bytes + reserve > settings.buffer_memory {
            return Err(Refused::Full(token));
        }
        self.close_open(topic, partition);
        let Some(queue) = self.topics.get_mut(topic).and_then(|queues| queues.get_mut(partition)) else {
            return Ok(false);
        };
        let producer =
            identity.map(|(id, epoch)| Producer { id, epoch, base_sequence: Some(queue.next_sequence) });
        let mut open = OpenBatch::new(settings.compression, producer, settings.transactional, reserve, now)
            .map_err(Refused::Failed)?;
        open.append(content, token).map_err(Refused::Failed)?;
        queue.open = Some(open);
        self.reserved_bytes += reserve;
        Ok(true)
    }

    /// Closes the batch of a partition that takes records, if there is one.
    pub(super) fn close_open(&mut self, topic: &TopicName, partition: usize) {
        let Some(queue) = self.topics.get_mut(topic).and_then(|queues| queues.get_mut(partition)) else {
            return;
        };
        let Some(open) = queue.open.take() else { return };
        let ordinal = queue.take_ordinal();
        let (count, producer) = (open.record_count(), open.producer());
        // Only a codec can fail here, and none does on memory.
        if let Ok((batch, ratio)) = open.close(ordinal) {
            if let Some(sequence) = producer.map(|p| advanced(p, count)).and_then(|p| p.base_sequence) {
                queue.next_sequence = sequence;
            }
            queue.put_back(batch);
            // As `CompressionRatioEstimator`: up at once, down slowly.
            self.ratio = if ratio > self.ratio {
                ratio.max(self.ratio + 0.05)
            } else {
                (self.ratio - 0.005).max(ratio)
            };
        }
    }

    /// What a verdict on a batch that came back depends on.
    pub(super) fn attempt(&self, partition: &TopicPartition, batch: &Batch<T>, now: Instant) -> Attempt {
        let queue = usize::try_from(partition.partition)
            .ok()
            .and_then(|at| self.topics.get(&partition.topic)?.get(at));
        let in_time = now < batch.created + self.settings.delivery_timeout;
        Attempt {
            retries_left: batch.attempts <= self.settings.retries && in_time,
            idempotent: batch.producer.is_some(),
            transactional: self.settings.transactional,
            oldest: queue.is_none_or(|queue| queue.is_oldest(batch.ordinal)),
            divisible: batch.tokens.len() > 1,
        }
    }

    /// A batch came back and will not be sent again.
    pub(super) fn finished(&mut self, partition: &TopicPartition, batch: &Batch<T>) {
        self.reserved_bytes -= batch.reserved_bytes.min(self.reserved_bytes);
        if let Some(queue) = self.returned(partition, batch.ordinal)
            && queue.is_empty()
            && queue.closed.capacity() > 64
        {
            queue.closed.shrink_to_fit();
        }
    }

    /// A batch came back and will be sent again, not before `not_before`.
    pub(super) fn retry(&mut self, partition: &TopicPartition, mut batch: Batch<T>, not_before: Instant) {
        batch.not_before = Some(not_before);
        if let Some(queue) = self.returned(partition, batch.ordinal) {
            queue.put_back(batch);
        }
    }

    /// A batch came back and will be sent again in two halves.
    pub(super) fn split(
        &mut self,
        partition: &TopicPartition,
        batch: Batch<T>,
    ) -> Result<(), (Error, Vec<T>)> {
        let reserved_bytes = batch.reserved_bytes;
        let compression = self.settings.compression;
        // What compresses worse than thought is estimated anew.
        self.ratio = self.ratio.max(1.0);
        let Some(queue) = self.returned(partition, batch.ordinal) else { return Ok(()) };
        match batch.split(compression) {
            Ok([first, second]) => {
                queue.put_back(second);
                queue.put_back(first);
                Ok(())
            }
            Err(failed) => {
                self.reserved_bytes -= reserved_bytes.min(self.reserved_bytes);
                Err(failed)
            }
        }
    }

    fn returned(&mut self, partition: &TopicPartition, ordinal: u64) -> Option<&mut Queue<T>> {
        self.batches_in_flight = self.batches_in_flight.saturating_sub(1);
        let at = usize::try_from(partition.partition).ok()?;
        let queue = self.topics.get_mut(&partition.topic)?.get_mut(at)?;
        queue.returned(ordinal);
        Some(queue)
    }

    /// Takes out everything that waits: it will not be sent.
    pub(super) fn abandon(&mut self) -> Vec<(TopicPartition, Batch<T>)> {
        let names: Vec<TopicName> = self.topics.keys().cloned().collect();
        let mut abandoned = Vec::new();
        for topic in names {
            for partition in 0..self.topics.get(&topic).map_or(0, Vec::len) {
                self.close_open(&topic, partition);
                let Some(queue) = self.topics.get_mut(&topic).and_then(|queues| queues.get_mut(partition))
                else {
                    continue;
                };
                let number = i32::try_from(partition).unwrap_or(i32::MAX);
                for batch in queue.closed.drain(..) {
                    self.reserved_bytes -= batch.reserved_bytes.min(self.reserved_bytes);
                    abandoned.push((TopicPartition::new(topic.clone(), number), batch));
                }
            }
        }
        abandoned
    }
}

#[cfg(test)]
mod tests;
