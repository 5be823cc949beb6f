//! Producers and consumers.
//!
//! A producer sends batches with acks=all to whoever it takes for the leader, and never the same twice. A consumer reads every
//! partition from the start.

use std::collections::BTreeMap;

use gregor_model::{BrokerId, LeaderEpoch, Offset, TopicPartition};

use crate::core::{Core, Event};
use crate::log::Batch;
use crate::message::{Answer, Correlation, Node, Produced, Request};

/// What a client learned that the invariants must know.
#[derive(Debug)]
pub enum Learned {
    /// A batch was acknowledged: where, in which term, how many records, what they say.
    Acknowledged(TopicPartition, (Offset, LeaderEpoch), (i64, u64)),
    /// Batches were read.
    Read(TopicPartition, LeaderEpoch, Vec<Batch>),
    /// The position is beyond the leader's log.
    OutOfRange(TopicPartition, LeaderEpoch, Offset),
}

#[derive(Debug)]
enum Asked {
    Metadata,
    Produce(TopicPartition, i64, u64),
    Consume(TopicPartition),
    Administration,
}

/// A client, which produces and consumes.
#[derive(Debug)]
pub struct Client {
    number: usize,
    leaders: BTreeMap<TopicPartition, Option<BrokerId>>,
    /// The controller, by the last metadata.
    pub controller: Option<BrokerId>,
    positions: BTreeMap<TopicPartition, Offset>,
    asked: BTreeMap<Correlation, Asked>,
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
            self.payloads += 1;
            let payload = self.payloads * 16 + self.number as u64;
            let count = core.random.between(1, 3);
            let request = Request::Produce(name.clone(), count, payload);
            self.ask(core, leader, request, Asked::Produce(name, count, payload));
        }
        if let Some((name, leader)) =
            core.random.pick(&known).cloned().filter(|_| self.steps.is_multiple_of(2))
        {
            let position = self.positions.get(&name).copied().unwrap_or_default();
            let request = Request::Consume(name.clone(), position);
            self.ask(core, leader, request, Asked::Consume(name));
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
            (Asked::Produce(name, count, payload), Answer::Produced(Produced::At(base, epoch))) => {
                self.reached.push(name.clone());
                Some(Learned::Acknowledged(name, (base, epoch), (count, payload)))
            }
            (Asked::Produce(name, ..), _) => {
                self.leaders.remove(&name);
                None
            }
            (Asked::Consume(name), Answer::Consumed(Some(consumed))) => {
                if consumed.out_of_range {
                    let position = self.positions.insert(name.clone(), Offset::ZERO).unwrap_or_default();
                    return Some(Learned::OutOfRange(name, consumed.epoch, position));
                }
                let position = self.positions.entry(name.clone()).or_default();
                *position = consumed.batches.last().map_or(*position, |batch| batch.next().max(*position));
                Some(Learned::Read(name, consumed.epoch, consumed.batches))
            }
            _ => None,
        }
    }
}
