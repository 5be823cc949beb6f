//! The network: how long a message takes, whether it arrives at all, once or twice. Owned by the core; decides nothing else.
//!
//! Between brokers and clients messages overtake each other: every request stands for a connection of its own. To and from
//! ZooKeeper they keep their order, as one connection does; what is lost there breaks the connection (see `zookeeper`).
//! A controller's requests to a broker, AlterPartition and Produce may be lost and come twice, but keep their order: they are taken
//! from one queue, and a copy that arrives after the answer to a later one would deceive Kafka's protocol as well. AlterPartition
//! comes twice only when its sender asks again, never of itself: a refusal voids the proposal, so a copy that is accepted after
//! the refusal was heard (seed 31357) puts a replica into the ISR that its leader does not wait for, here as in Kafka.

use std::collections::{BTreeMap, BTreeSet};

use gregor_model::BrokerId;

use crate::message::Node;
use crate::random::Random;
use crate::scenario::Scenario;

/// How messages of a kind travel on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// They overtake each other.
    Any,
    /// In the order sent.
    Kept,
    /// In the order sent, and each once.
    KeptOnce,
}

/// Which ways are cut, and how busy the ordered ones are.
#[derive(Debug, Default)]
pub struct Network {
    cut: BTreeSet<(Node, Node)>,
    /// Brokers that requests of controllers do not reach, though everything else does.
    deaf: BTreeSet<BrokerId>,
    /// When the last message of an ordered way arrives.
    last: BTreeMap<(Node, Node), i64>,
    /// No noise any more.
    calm: bool,
}

impl Network {
    /// Cuts one way.
    pub fn cut(&mut self, from: Node, to: Node) {
        self.cut.insert((from, to));
    }

    /// Everything works from here on.
    pub fn heal(&mut self) {
        self.cut.clear();
        self.deaf.clear();
    }

    /// Requests of controllers to a broker are lost: their connection is stuck.
    pub fn deafen(&mut self, broker: BrokerId) {
        self.deaf.insert(broker);
    }

    /// Whether a request of a controller gets there.
    pub fn hears(&self, to: Node) -> bool {
        !matches!(to, Node::Broker(id) if self.deaf.contains(&id))
    }

    /// No message is lost, late, or doubled from here on.
    pub fn calm(&mut self) {
        self.calm = true;
    }

    /// Whether noise is still to be made.
    pub fn is_noisy(&self) -> bool {
        !self.calm
    }

    /// Whether a way is open.
    pub fn is_open(&self, from: Node, to: Node) -> bool {
        !self.cut.contains(&(from, to))
    }

    /// Cuts a broker from these nodes, both ways.
    pub fn isolate(&mut self, broker: BrokerId, from: impl Iterator<Item = Node>) {
        for other in from {
            self.cut(Node::Broker(broker), other);
            self.cut(other, Node::Broker(broker));
        }
    }

    /// When the copies of a message arrive.
    pub fn arrivals(
        &mut self,
        now: i64,
        from: Node,
        to: Node,
        order: Order,
        random: &mut Random,
        scenario: &Scenario,
    ) -> [Option<i64>; 2] {
        if from == to {
            return [Some(now), None];
        }
        if !self.is_open(from, to) {
            return [None, None];
        }
        let latency = random.between(1, 8);
        if from == Node::Zookeeper || to == Node::Zookeeper {
            // The reliable way: lost packets are sent again, which takes time.
            let again = !self.calm && random.per_mille(scenario.loss_per_mille);
            let latency = if again { random.between(200, 1_000) } else { latency };
            let last = self.last.entry((from, to)).or_insert(0);
            *last = (now + latency).max(*last);
            return [Some(*last), None];
        }
        if self.calm {
            let last = if order != Order::Any { self.last.get(&(from, to)).copied().unwrap_or(0) } else { 0 };
            return [Some((now + latency).max(last)), None];
        }
        if random.per_mille(scenario.loss_per_mille) {
            return [None, None];
        }
        let late = random.per_mille(scenario.late_per_mille);
        let latency = if late { random.between(100, scenario.request_timeout_ms * 3) } else { latency };
        let twice = random.per_mille(scenario.duplicate_per_mille);
        let second = twice.then(|| now + random.between(1, scenario.request_timeout_ms * 2));
        let second = second.filter(|_| order != Order::KeptOnce);
        if order == Order::Any {
            return [Some(now + latency), second];
        }
        let last = self.last.entry((from, to)).or_insert(0);
        let first = (now + latency).max(*last);
        *last = second.map_or(first, |second| second.max(first));
        [Some(first), second.map(|_| *last)]
    }
}
