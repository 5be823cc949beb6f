//! Which batches are to be sent now, and to whom (`RecordAccumulator.ready` and `drain`). Pure.

use std::time::Instant;

use gregor_model::{BrokerId, TopicName, TopicPartition};

use super::accumulator::{Accumulator, Identity};
use super::batch::{Batch, OpenBatch};
use super::queue::{Queue, Readiness, Rules};
use crate::cluster::View;

/// Batches with where they go.
pub(super) type Batches<T> = Vec<(TopicPartition, Batch<T>)>;

/// What to send now.
pub(super) struct Drained<T> {
    /// Batches by leader.
    pub(super) requests: Vec<(BrokerId, Batches<T>)>,
    /// Batches that waited for too long.
    pub(super) expired: Batches<T>,
    /// Topics with batches that have no leader to go to.
    pub(super) leaderless: Vec<TopicName>,
    /// When to ask again, if nothing happens.
    pub(super) look_again: Option<Instant>,
}

impl<T> Accumulator<T> {
    /// What may be sent now. `has_room` tells whether a broker takes another request.
    pub(super) fn drain(
        &mut self,
        view: &View,
        now: Instant,
        has_room: impl Fn(BrokerId) -> bool,
    ) -> Drained<T> {
        let mut drained =
            Drained { requests: Vec::new(), expired: Vec::new(), leaderless: Vec::new(), look_again: None };
        self.expire(now, &mut drained);
        if matches!(self.identity, Identity::Wanted | Identity::Lost) {
            return drained;
        }
        let rules = Rules {
            linger: self.settings.linger,
            hurried: self.flushing || self.starved,
            one_at_a_time: self.settings.one_at_a_time,
            idempotent: self.identity != Identity::NotNeeded,
        };
        let mut ready = Vec::new();
        for (topic, queues) in &self.topics {
            for (partition, queue) in queues.iter().enumerate() {
                match self.readiness(queue, rules, now) {
                    Readiness::Idle => {}
                    Readiness::At(at) => earliest(&mut drained.look_again, at),
                    Readiness::Now => ready.push((topic.clone(), partition)),
                }
            }
        }
        // Each partition comes first in turn, so that none starves when requests are full.
        let turn = self.turn.checked_rem(ready.len()).unwrap_or(0);
        ready.rotate_left(turn);
        self.turn = self.turn.wrapping_add(1);
        for (topic, partition) in ready {
            self.drain_partition(topic, partition, view, &has_room, &mut drained);
        }
        drained
    }

    fn readiness(&self, queue: &Queue<T>, rules: Rules, now: Instant) -> Readiness {
        let full = queue.open.as_ref().is_some_and(|open| open.is_full(self.settings.batch_size, self.ratio));
        queue.readiness(Rules { hurried: rules.hurried || full, ..rules }, now)
    }

    fn drain_partition(
        &mut self,
        topic: TopicName,
        partition: usize,
        view: &View,
        has_room: &impl Fn(BrokerId) -> bool,
        drained: &mut Drained<T>,
    ) {
        let number = i32::try_from(partition).unwrap_or(i32::MAX);
        let Some(leader) = view.leader(&topic, number) else {
            if !drained.leaderless.contains(&topic) {
                drained.leaderless.push(topic);
            }
            return;
        };
        if !has_room(leader) {
            return;
        }
        if self.first_closed_bytes(&topic, partition).is_none() {
            self.close_open(&topic, partition);
        }
        let Some(size) = self.first_closed_bytes(&topic, partition) else { return };
        let request = drained.requests.iter_mut().find(|(broker, _)| *broker == leader);
        let held: usize =
            request.as_ref().map_or(0, |(_, batches)| batches.iter().map(|(_, b)| b.bytes.len()).sum());
        if held > 0 && held + size > self.settings.request_bytes_max {
            return;
        }
        let Some(batch) = self
            .topics
            .get_mut(&topic)
            .and_then(|queues| queues.get_mut(partition))
            .and_then(Queue::take_first)
        else {
            return;
        };
        self.batches_in_flight += 1;
        let entry = (TopicPartition::new(topic, number), batch);
        match request {
            Some((_, batches)) => batches.push(entry),
            None => drained.requests.push((leader, vec![entry])),
        }
    }

    /// Takes out what waits for longer than `delivery.timeout.ms`.
    fn expire(&mut self, now: Instant, drained: &mut Drained<T>) {
        let timeout = self.settings.delivery_timeout;
        let mut overdue = Vec::new();
        for (topic, queues) in &self.topics {
            for (partition, queue) in queues.iter().enumerate() {
                let oldest = queue
                    .closed
                    .front()
                    .map(|batch| batch.created)
                    .or(queue.open.as_ref().map(OpenBatch::created));
                match oldest.map(|created| created + timeout) {
                    Some(at) if at <= now => overdue.push((topic.clone(), partition)),
                    Some(at) => earliest(&mut drained.look_again, at),
                    None => {}
                }
            }
        }
        for (topic, partition) in overdue {
            self.close_open(&topic, partition);
            let Some(queue) = self.topics.get_mut(&topic).and_then(|queues| queues.get_mut(partition)) else {
                continue;
            };
            let number = i32::try_from(partition).unwrap_or(i32::MAX);
            while queue.closed.front().is_some_and(|batch| batch.created + timeout <= now) {
                if let Some(batch) = queue.closed.pop_front() {
                    self.reserved_bytes -= batch.reserved_bytes;
                    drained.expired.push((TopicPartition::new(topic.clone(), number), batch));
                }
            }
        }
        if !drained.expired.is_empty() {
            self.lose_identity();
        }
    }

    fn first_closed_bytes(&self, topic: &TopicName, partition: usize) -> Option<usize> {
        self.topics.get(topic)?.get(partition)?.closed.front().map(|batch| batch.bytes.len())
    }
}

fn earliest(known: &mut Option<Instant>, at: Instant) {
    *known = Some(known.map_or(at, |known| known.min(at)));
}
