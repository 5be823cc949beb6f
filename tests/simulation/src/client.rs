//! Producers and consumers.
//!
//! A producer sends batches with acks=all to whoever it takes for the leader. Without idempotence it never sends the same twice;
//! with it each batch has a sequence, and is sent again until it is acknowledged, as librdkafka does: up to five of a partition are
//! under way at once, but only the first of them after it was refused. A consumer reads every partition from the start.

use std::collections::{BTreeMap, VecDeque};

use gregor_model::{BrokerId, LeaderEpoch, Offset, TopicPartition};

use crate::core::{Core, Event};
use crate::log::{Batch, Payload, Sequence};
use crate::message::{Answer, Correlation, Node, Produced, Request};

/// `max.in.flight.requests.per.connection` of an idempotent producer.
const IN_FLIGHT_MAX: usize = 5;

/// A request that was not answered for so long, in milliseconds, is sent again.
const RETRY_MS: i64 = 12_000;

/// What a client learned that the invariants must know.
#[derive(Debug)]
pub enum Learned {
    /// A batch was acknowledged: where, in which term, what it is.
    Acknowledged(TopicPartition, (Offset, LeaderEpoch), Payload),
    /// The batch after the last acknowledged one, with that sequence, was refused as out of order, in that term.
    SequenceLost(TopicPartition, LeaderEpoch, Sequence),
    /// Batches were read.
    Read(TopicPartition, LeaderEpoch, Vec<Batch>),
    /// The position is beyond the leader's log.
    OutOfRange(TopicPartition, LeaderEpoch, Offset),
}

#[derive(Debug)]
enum Asked {
    Metadata,
    Produce {
        partition: TopicPartition,
        payload: Payload,
        /// Everything before it had been acknowledged when it was sent.
        next_in_line: bool,
    },
    Consume(TopicPartition),
    Administration,
}

/// A batch of an idempotent producer, kept until it and all before it are acknowledged.
#[derive(Debug)]
struct Outgoing {
    payload: Payload,
    /// When it was last sent; `None`: it is to be sent again.
    sent: Option<i64>,
    is_acknowledged: bool,
}

/// What an idempotent producer sends to one partition.
#[derive(Debug)]
struct Stream {
    producer: i64,
    next_sequence: i32,
    waiting: VecDeque<Outgoing>,
    /// The term of the last acknowledgement.
    acknowledged_in: LeaderEpoch,
    /// Nothing was acknowledged since something was refused: one batch at a time.
    is_cautious: bool,
}

/// A client, which produces and consumes.
#[derive(Debug)]
pub struct Client {
    number: usize,
    leaders: BTreeMap<TopicPartition, Option<BrokerId>>,
    /// The controller, by the last metadata.
    pub controller: Option<BrokerId>,
    /// Up to where each partition was read.
    pub positions: BTreeMap<TopicPartition, Offset>,
    asked: BTreeMap<Correlation, Asked>,
    streams: BTreeMap<TopicPartition, Stream>,
    producers: i64,
    steps: u64,
    payloads: u64,
    /// Produces.
    pub produces: bool,
    /// Partitions that were written to since it was last cleared.
    pub reached: Vec<TopicPartition>,
}

impl Client {
    /// The client of that number.
    pub fn new(number: usize) -> Client {
        Client {
            number,
            leaders: BTreeMap::new(),
            controller: None,
            positions: BTreeMap::new(),
            asked: BTreeMap::new(),
            streams: BTreeMap::new(),
            producers: 0,
            steps: 0,
            payloads: 0,
            produces: true,
            reached: Vec::new(),
        }
    }

    fn ask(&mut self, core: &mut Core, to: BrokerId, request: Request, asked: Asked) {
        let correlation = core.request(Node::Client(self.number), Node::Broker(to), request);
        self.asked.insert(correlation, asked);
        // Those that are never answered are forgotten in time.
        if self.asked.len() > 64 {
            self.asked.pop_first();
        }
    }

    fn any_broker(core: &mut Core) -> BrokerId {
        BrokerId(i32::try_from(core.random.between(1, i64::from(core.scenario.brokers))).unwrap_or(1))
    }

    /// Asks the controller for something, without looking at the answer.
    pub fn administer(&mut self, core: &mut Core, request: Request) {
        if let Some(controller) = self.controller {
            self.ask(core, controller, request, Asked::Administration);
        }
    }

    /// Asks the leader of a partition to delete some of what was read, without looking at the answer.
    pub fn delete_records(&mut self, core: &mut Core, partition: &TopicPartition) {
        let (Some(Some(leader)), Some(position)) =
            (self.leaders.get(partition).copied(), self.positions.get(partition).copied())
        else {
            return;
        };
        let below = Offset(core.random.between(0, position.0));
        core.trace(|| format!("{partition} is to lose what is below {below:?}"));
        let request = Request::DeleteRecords(partition.clone(), below);
        self.ask(core, leader, request, Asked::Administration);
    }

    /// The next thing to do; comes again and again.
    pub fn step(&mut self, core: &mut Core) {
        self.steps += 1;
        let mean_ms = core.scenario.produce_interval_ms;
        let delay_ms = core.random.between(mean_ms / 2, mean_ms * 3 / 2);
        core.after(delay_ms, Event::Client(self.number));
        if self.steps % 8 == 1 || self.leaders.is_empty() {
            let to = Client::any_broker(core);
            self.ask(core, to, Request::Metadata, Asked::Metadata);
        }
        let known: Vec<(TopicPartition, BrokerId)> =
            self.leaders.iter().filter_map(|(name, leader)| Some((name.clone(), (*leader)?))).collect();
        if self.produces
            && let Some((name, leader)) = core.random.pick(&known).cloned()
        {
            self.produce(core, &name, leader);
        }
        self.send_again(core);
        if let Some((name, leader)) =
            core.random.pick(&known).cloned().filter(|_| self.steps.is_multiple_of(2))
        {
            let position = self.positions.get(&name).copied().unwrap_or_default();
            let request = Request::Consume(name.clone(), position);
            self.ask(core, leader, request, Asked::Consume(name));
        }
    }

    fn produce(&mut self, core: &mut Core, name: &TopicPartition, leader: BrokerId) {
        self.payloads += 1;
        let says = self.payloads * 16 + self.number as u64;
        let count = core.random.between(1, 3);
        let mut payload = Payload { count, says, sequence: None };
        if core.scenario.idempotent {
            let new = || {
                self.producers += 1;
                Stream {
                    producer: self.producers * 16 + self.number as i64,
                    next_sequence: 0,
                    waiting: VecDeque::new(),
                    acknowledged_in: LeaderEpoch(0),
                    is_cautious: true,
                }
            };
            let stream = self.streams.entry(name.clone()).or_insert_with(new);
            if stream.waiting.len() >= IN_FLIGHT_MAX {
                return;
            }
            payload.sequence = Some(Sequence { producer: stream.producer, base: stream.next_sequence });
            stream.next_sequence += i32::try_from(count).unwrap_or(1);
            let must_wait = stream.is_cautious && !stream.waiting.is_empty();
            let sent = (!must_wait).then_some(core.now);
            stream.waiting.push_back(Outgoing { payload, sent, is_acknowledged: false });
            if must_wait {
                return;
            }
        }
        self.send(core, name, leader, payload);
    }

    fn send(&mut self, core: &mut Core, name: &TopicPartition, leader: BrokerId, payload: Payload) {
        let stream = self.streams.get(name).and_then(|stream| stream.waiting.front());
        let next_in_line = stream.is_some_and(|first| first.payload == payload);
        let request = Request::Produce(name.clone(), payload);
        self.ask(core, leader, request, Asked::Produce { partition: name.clone(), payload, next_in_line });
    }

    /// What was refused, or not answered in time, is sent again; in order.
    fn send_again(&mut self, core: &mut Core) {
        let mut due = Vec::new();
        for (name, stream) in &mut self.streams {
            let Some(leader) = self.leaders.get(name).copied().flatten() else { continue };
            let window = if stream.is_cautious { 1 } else { IN_FLIGHT_MAX };
            for outgoing in stream.waiting.iter_mut().take(window).filter(|batch| !batch.is_acknowledged) {
                if outgoing.sent.is_none_or(|sent| core.now - sent > RETRY_MS) {
                    outgoing.sent = Some(core.now);
                    due.push((name.clone(), leader, outgoing.payload));
                }
            }
        }
        for (name, leader, payload) in due {
            self.send(core, &name, leader, payload);
        }
    }

    /// An answer came in.
    pub fn receive(&mut self, correlation: Correlation, answer: Answer) -> Option<Learned> {
        match (self.asked.remove(&correlation)?, answer) {
            (Asked::Metadata, Answer::Metadata(leaders, controller)) => {
                self.leaders = leaders.into_iter().collect();
                self.controller = controller;
                None
            }
            (Asked::Produce { partition, payload, next_in_line }, answer) => {
                self.on_produced(partition, payload, next_in_line, &answer)
            }
            (Asked::Consume(name), Answer::Consumed(Some(consumed))) => {
                if consumed.out_of_range {
                    let position = self.positions.insert(name.clone(), Offset::ZERO).unwrap_or_default();
                    return Some(Learned::OutOfRange(name, consumed.epoch, position));
                }
                let position = self.positions.entry(name.clone()).or_default();
                let read = consumed.batches.last().map_or(*position, Batch::next);
                *position = read.max(*position).max(consumed.log_start);
                Some(Learned::Read(name, consumed.epoch, consumed.batches))
            }
            _ => None,
        }
    }

    fn on_produced(
        &mut self,
        name: TopicPartition,
        payload: Payload,
        next_in_line: bool,
        answer: &Answer,
    ) -> Option<Learned> {
        let stream = self.streams.get_mut(&name);
        let at = |stream: &Stream| {
            stream.waiting.iter().position(|batch| batch.payload == payload && !batch.is_acknowledged)
        };
        if let Answer::Produced(Produced::At(base, epoch)) = *answer {
            if let Some(stream) = stream {
                // It may have been acknowledged before.
                let at = at(stream)?;
                stream.waiting.get_mut(at)?.is_acknowledged = true;
                while stream.waiting.pop_front_if(|first| first.is_acknowledged).is_some() {}
                stream.acknowledged_in = stream.acknowledged_in.max(epoch);
                stream.is_cautious = false;
            }
            self.reached.push(name.clone());
            return Some(Learned::Acknowledged(name, (base, epoch), payload));
        }
        let Some(stream) = stream else {
            self.leaders.remove(&name);
            return None;
        };
        let at = at(stream)?;
        if let (Answer::Produced(Produced::OutOfOrder(epoch)), true) = (answer, next_in_line)
            && at == 0
            && *epoch >= stream.acknowledged_in
            && let Some(sequence) = payload.sequence
        {
            self.streams.remove(&name);
            return Some(Learned::SequenceLost(name, *epoch, sequence));
        }
        stream.waiting.get_mut(at)?.sent = None;
        stream.is_cautious = true;
        if !matches!(answer, Answer::Produced(Produced::OutOfOrder(_))) {
            self.leaders.remove(&name);
        }
        None
    }
}
