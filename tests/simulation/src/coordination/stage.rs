//! The heart of this simulation: the time, what will happen, chance, network and story. Everything that acts gets it handed.

use std::collections::{BTreeMap, BTreeSet};

use gregor_model::{BrokerId, Timestamp};

use super::invariants::Checker;
use super::log::{Cluster, Part};
use super::message::{Answer, Correlation, Message, Node, Request};
use super::mutants::CoordinationMutant;
use super::scenario::Scenario;
use crate::agenda::Agenda;
use crate::random::Random;
use crate::trace::Trace;

/// When every life begins, in milliseconds.
pub const BEGINNING: i64 = 1_000_000;

/// What a broker's process set itself a clock for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Read a partition that is to be coordinated, in the term of that epoch.
    Read(Part, i32),
    /// Serve it.
    Serve(Part, i32),
    /// A timer of the groups of a partition.
    Groups(i32),
    /// Look for late transactions and idle ids.
    Transactions,
    /// Send markers, and store completions that could not be.
    Markers,
    /// An append was replicated, and those who wait for it are told.
    Appended(u64),
    /// An append took too long.
    AppendTimeout(u64),
    /// A request to another broker was not answered.
    RequestTimeout(Correlation),
    /// A block of producer ids arrives, or does not.
    ProducerIds,
}

/// What a client set itself a clock for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientTimer {
    /// The next step.
    Step,
    /// A request was not answered.
    RequestTimeout(Correlation),
}

/// How a fault ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// A broker starts.
    Start(BrokerId),
    /// A paused broker goes on.
    Resume(BrokerId),
    /// A broker is reached by its peers again.
    Join(BrokerId),
    /// A paused client goes on.
    ResumeClient(usize),
}

/// How much of the tail that is not replicated a new leader has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All of it.
    All,
    /// Nothing.
    Replicated,
    /// Any part.
    Some,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum Event {
    /// A message arrives.
    Deliver(Node, Node, Message),
    /// The in-sync replicas have the log of that term up to there.
    Replicated(Part, i32, i64),
    /// A broker is told who leads a partition.
    Told(BrokerId, Part, i32, Option<BrokerId>),
    /// Another broker becomes the leader.
    Moved(Part, Kept),
    /// The leader of that term is found to be gone.
    Detected(Part, i32),
    /// A clock of a broker's process rings; the process is named by its number.
    Broker(BrokerId, u64, Timer),
    /// A clock of a client rings.
    Client(usize, ClientTimer),
    /// The next fault.
    Fault,
    /// A fault's second half.
    Undo(Undo),
    /// Look whether all is well.
    Check,
}

/// See the module.
#[derive(Debug)]
pub struct Stage {
    /// The true time, in milliseconds.
    pub now: i64,
    /// Chance.
    pub random: Random,
    /// What the seed decided.
    pub scenario: Scenario,
    /// What is true of the partitions.
    pub cluster: Cluster,
    /// What must hold.
    pub checker: Checker,
    /// The mistake that is made on purpose.
    pub mutant: Option<CoordinationMutant>,
    /// How many events there were.
    pub events: u64,
    /// Brokers that peers and the controller do not reach.
    pub isolated: BTreeSet<BrokerId>,
    /// No message is lost, late or doubled any more, and no broker fails.
    pub is_calm: bool,
    agenda: Agenda<Event>,
    story: Trace,
    correlations: Correlation,
    /// When the last message of a connection arrives.
    connections: BTreeMap<(Node, Node), i64>,
    /// Connections on which everything takes so much longer, and until when.
    slow: BTreeMap<(Node, Node), (i64, i64)>,
    next_producer_ids: i64,
}

impl Stage {
    /// A stage on which nothing is going to happen yet.
    pub fn new(
        random: Random,
        scenario: Scenario,
        mutant: Option<CoordinationMutant>,
        is_told: bool,
    ) -> Stage {
        Stage {
            now: BEGINNING,
            random,
            scenario,
            cluster: Cluster::new(),
            checker: Checker::default(),
            mutant,
            events: 0,
            isolated: BTreeSet::new(),
            is_calm: false,
            agenda: Agenda::default(),
            story: Trace::new(is_told),
            correlations: 0,
            connections: BTreeMap::new(),
            slow: BTreeMap::new(),
            next_producer_ids: 1_000,
        }
    }

    /// The true time as the machines take it.
    pub fn timestamp(&self) -> Timestamp {
        Timestamp(self.now)
    }

    /// Whether this mistake is made.
    pub fn is_mutant(&self, mutant: CoordinationMutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Lets something happen after so many milliseconds.
    pub fn after(&mut self, delay_ms: i64, event: Event) {
        self.agenda.note(self.now + delay_ms.max(0), event);
    }

    /// What happens next; the time moves there.
    pub fn take_next(&mut self) -> Option<Event> {
        let (at, event) = self.agenda.take_next()?;
        self.now = at;
        self.events += 1;
        Some(event)
    }

    /// Adds numbers to the story's hash.
    pub fn mix(&mut self, numbers: &[u64]) {
        self.story.mix(numbers);
    }

    /// What the whole life came to.
    pub fn hash(&self) -> u64 {
        self.story.hash()
    }

    /// Tells a line of the story, when it is wanted.
    pub fn tell(&self, line: impl FnOnce() -> String) {
        self.story.tell(self.now - BEGINNING, line);
    }

    /// Sends a request.
    pub fn request(&mut self, from: Node, to: BrokerId, request: Request) -> Correlation {
        self.correlations += 1;
        self.send(from, Node::Broker(to), Message::Request(self.correlations, request));
        self.correlations
    }

    /// Sends an answer.
    pub fn answer(&mut self, from: BrokerId, to: Node, correlation: Correlation, answer: Answer) {
        self.send(Node::Broker(from), to, Message::Answer(correlation, answer));
    }

    /// Everything from one node to another takes so much longer for a while.
    pub fn slow_down(&mut self, from: Node, to: Node, by_ms: i64, for_ms: i64) {
        self.slow.insert((from, to), (by_ms, self.now + for_ms));
    }

    fn is_cut(&self, from: Node, to: Node) -> bool {
        match (from, to) {
            (Node::Broker(from), Node::Broker(to)) if from != to => {
                self.isolated.contains(&from) || self.isolated.contains(&to)
            }
            _ => false,
        }
    }

    fn send(&mut self, from: Node, to: Node, message: Message) {
        if from == to {
            self.after(0, Event::Deliver(from, to, message));
            return;
        }
        if self.is_cut(from, to) {
            return;
        }
        let latency = self.random.between(1, 8);
        if self.is_calm {
            self.after(latency, Event::Deliver(from, to, message));
            return;
        }
        if self.random.per_mille(self.scenario.loss_per_mille) {
            return;
        }
        // Everything between two nodes is on one connection, so it comes in order; what is not there when its sender gives it up
        // dies with the connection. A copy comes before anything later does.
        let late = self.random.per_mille(self.scenario.late_per_mille);
        let timeout_ms = self.scenario.request_timeout_ms;
        let latency = if late { self.random.between(50, timeout_ms - 1) } else { latency };
        let slow = self.slow.get(&(from, to)).filter(|(_, until)| *until > self.now);
        let latency = latency + slow.map_or(0, |(by_ms, _)| *by_ms);
        let twice = self.random.per_mille(self.scenario.duplicate_per_mille);
        let last = self.connections.entry((from, to)).or_insert(0);
        let at = (self.now + latency).max(*last).min(self.now + timeout_ms - 1);
        *last = at;
        let delay_ms = at - self.now;
        if twice {
            self.after(delay_ms, Event::Deliver(from, to, message.clone()));
        }
        self.after(delay_ms, Event::Deliver(from, to, message));
    }

    /// The next block of producer ids, as the controller gives it.
    pub fn producer_ids(&mut self) -> (i64, i32) {
        let length = 5;
        let start = self.next_producer_ids;
        if !self.is_mutant(CoordinationMutant::ProducerIdsTwice) || self.random.per_mille(500) {
            self.next_producer_ids += i64::from(length);
        }
        (start, length)
    }
}
