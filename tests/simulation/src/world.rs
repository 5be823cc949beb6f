//! A whole cluster, its clients and its misfortunes: one life, from one seed.

use gregor_model::{BrokerId, TopicName};

use crate::broker::Broker;
use crate::client::{Client, Learned};
use crate::core::{Core, Event, Undo};
use crate::invariants::{liveness, unfinished};
use crate::log::Disk;
use crate::message::{Message, Node};
use crate::mutants::Mutant;
use crate::random::Random;
use crate::scenario::Scenario;
use crate::zookeeper::Zookeeper;

/// How long the cluster may take to become whole, in milliseconds.
const RECOVERY_MAX_MS: i64 = 150_000;

/// More events than this are a storm.
const EVENTS_MAX: u64 = 5_000_000;

/// How a life ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The first violation of an invariant.
    pub violation: Option<String>,
    /// A hash of all that happened.
    pub hash: u64,
    /// How many events there were.
    pub events: u64,
    /// How long it lasted in the cluster's time, in milliseconds.
    pub lasted_ms: i64,
    /// How many records were acknowledged.
    pub acknowledged: u64,
    /// How many elections absolved a loss.
    pub absolutions: u64,
    /// How many partitions were forked.
    pub forks: u64,
}

/// What the end waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Faults.
    Faults,
    /// Everything works again: the cluster becomes whole.
    Recovery,
    /// Every partition must take a record.
    Probe,
    /// And be whole again.
    Rest,
    /// Done.
    Over,
}

/// See the module.
pub struct World {
    pub(crate) core: Core,
    pub(crate) zookeeper: Zookeeper,
    pub(crate) brokers: Vec<Broker>,
    pub(crate) clients: Vec<Client>,
    /// How many topics were ever created.
    pub(crate) topics: usize,
    phase: Phase,
    phase_since: i64,
    began: i64,
}

/// Lives the life of a seed.
pub fn live(seed: u64, mutant: Option<Mutant>, verbose: bool) -> Report {
    World::new(seed, mutant, verbose).run()
}

impl World {
    fn new(seed: u64, mutant: Option<Mutant>, verbose: bool) -> World {
        let mut random = Random::new(seed);
        let scenario = Scenario::draw(&mut random);
        let mut core = Core::new(random, scenario.clone(), mutant, verbose);
        core.trace(|| format!("{scenario:#?}"));
        let mut zookeeper = Zookeeper::default();
        zookeeper.store.unclean_elections = scenario.unclean_elections;
        zookeeper.store.fencing = mutant != Some(Mutant::NoControllerFencing);
        for (index, partitions) in scenario.topics.iter().enumerate() {
            zookeeper.store.create_topic(TopicName::new(&format!("t{}", index + 1)), partitions);
        }
        let brokers = (1..=scenario.brokers).map(|id| Broker::new(BrokerId(id), scenario.log_dirs)).collect();
        let clients = (0..scenario.producers).map(Client::new).collect();
        for id in 1..=scenario.brokers {
            let delay_ms = core.random.between(0, 500);
            core.after(delay_ms, Event::Undo(Undo::Start(BrokerId(id))));
        }
        for client in 0..scenario.producers {
            core.after(2_000, Event::Client(client));
        }
        core.after(500, Event::ExpireSessions);
        core.after(1_000, Event::WriteBack);
        core.after(8_000, Event::Fault);
        core.after(6_000, Event::Administer);
        core.after(scenario.faults_ms, Event::Check);
        let began = core.now;
        World {
            core,
            zookeeper,
            brokers,
            clients,
            topics: scenario.topics.len(),
            phase: Phase::Faults,
            phase_since: began,
            began,
        }
    }

    fn run(mut self) -> Report {
        while self.phase != Phase::Over && self.core.checker.violation().is_none() {
            let Some(event) = self.core.take_next() else { break };
            self.happen(event);
            if self.core.events > EVENTS_MAX {
                self.core.checker.violated("no storms", || "too many events".to_owned());
            }
        }
        Report {
            violation: self.core.checker.violation().map(str::to_owned),
            hash: self.core.hash(),
            events: self.core.events,
            lasted_ms: self.core.now - self.began,
            acknowledged: self.core.checker.acknowledged,
            absolutions: self.core.checker.absolutions,
            forks: self.core.checker.forks,
        }
    }

    /// A broker by its id.
    pub(crate) fn broker(&mut self, id: BrokerId) -> &mut Broker {
        self.core_and(id).1
    }

    /// The core and a broker.
    pub(crate) fn core_and(&mut self, id: BrokerId) -> (&mut Core, &mut Broker) {
        let at = usize::try_from(id.0 - 1).unwrap_or(0) % self.brokers.len();
        (&mut self.core, &mut self.brokers[at])
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver { from, to, message } => self.deliver(from, to, message),
            Event::Timer(id, ..) => {
                self.core.mix(&[self.core.now.unsigned_abs(), id.0.unsigned_abs().into()]);
                let (core, broker) = self.core_and(id);
                broker.take(core, event);
                self.let_go(id);
            }
            Event::Client(number) => {
                if let Some(client) = self.clients.get_mut(number) {
                    client.step(&mut self.core);
                }
            }
            Event::ExpireSessions => {
                self.zookeeper.expire(self.core.now, self.core.scenario.session_timeout_ms);
                self.core.after(250, Event::ExpireSessions);
            }
            Event::WriteBack => {
                for (_, log) in self.brokers.iter_mut().flat_map(|broker| broker.disk.readable()) {
                    if self.core.random.per_mille(100) {
                        log.write_back(&mut self.core.random);
                        log.delete_old(&mut self.core.random);
                    }
                }
                self.core.after(1_000, Event::WriteBack);
            }
            Event::Fault if self.phase == Phase::Faults => {
                self.strike();
                let mean_ms = self.core.scenario.fault_interval_ms;
                let delay_ms = self.core.random.between(0, 2 * mean_ms);
                self.core.after(delay_ms, Event::Fault);
            }
            Event::Administer if self.phase == Phase::Faults => {
                self.administer();
                let delay_ms = self.core.random.between(1_000, 20_000);
                self.core.after(delay_ms, Event::Administer);
            }
            Event::Fault | Event::Administer => {}
            Event::Undo(undo) => self.undo(undo),
            Event::Refusal(broker, until) => self.try_connecting(broker, until),
            Event::MissTerm(scene) if self.phase == Phase::Faults => self.play_missed_term(scene),
            Event::MissTerm(_) => {}
            Event::Check => self.check(),
        }
        self.after_zookeeper();
        if self.core.checker.has_noted() {
            let disks = disks(&self.brokers);
            self.core.checker.settle_taints(&disks);
        }
        if self.core.checker.has_raised() {
            let disks = disks(&self.brokers);
            self.core.checker.check_raised(&disks);
        }
    }

    fn deliver(&mut self, from: Node, to: Node, message: Message) {
        let node = |node: Node| match node {
            Node::Zookeeper => 0,
            Node::Broker(id) => u64::from(id.0.unsigned_abs()),
            Node::Client(number) => 100 + number as u64,
        };
        self.core.mix(&[self.core.now.unsigned_abs(), node(from), node(to), message.kind()]);
        match (to, message) {
            (Node::Zookeeper, Message::ToZookeeper(message)) => {
                self.zookeeper.receive(self.core.now, message);
            }
            (Node::Zookeeper, _) => {}
            (Node::Broker(id), message) => {
                let (core, broker) = self.core_and(id);
                broker.take(core, Event::Deliver { from, to, message });
                self.let_go(id);
            }
            (Node::Client(number), Message::Answer(correlation, answer)) => {
                let client = self.clients.get_mut(number);
                if let Some(learned) = client.and_then(|client| client.receive(correlation, answer)) {
                    self.learn(learned);
                }
            }
            (Node::Client(_), _) => {}
        }
    }

    fn learn(&mut self, learned: Learned) {
        let disks = disks(&self.brokers);
        let checker = &mut self.core.checker;
        match learned {
            Learned::Acknowledged(name, at, what) => checker.on_acknowledged(&name, at, what, &disks),
            Learned::SequenceLost(name, epoch, which) => checker.on_sequence_lost(&name, epoch, which),
            Learned::Read(name, epoch, batches) => checker.on_consumed(&name, epoch, &batches),
            Learned::OutOfRange(name, epoch, position) => checker.on_out_of_range(&name, epoch, position),
        }
    }

    /// Sends what ZooKeeper has to say; shows the checker what was written.
    fn after_zookeeper(&mut self) {
        for (broker, message) in self.zookeeper.take_messages() {
            self.core.send(Node::Zookeeper, Node::Broker(broker), Message::FromZookeeper(message));
        }
        let changes = self.zookeeper.store.take_state_changes();
        self.core.checker.on_controller_epoch(self.zookeeper.store.controller_epoch.0);
        for change in changes {
            self.core.trace(|| match &change.after {
                None => format!("ZooKeeper: {} is deleted", change.partition),
                Some(after) => format!(
                    "ZooKeeper: {} leader {:?} isr {:?} epoch {} version {} by controller {}",
                    change.partition,
                    after.leader_and_isr.leader.map(|id| id.0),
                    after.leader_and_isr.isr,
                    after.leader_and_isr.leader_epoch.0,
                    after.leader_and_isr.partition_epoch.0,
                    change.writer.0
                ),
            });
            let disks = disks(&self.brokers);
            self.core.checker.on_state_change(&change, &disks);
        }
    }

    /// A broker that finished its controlled shutdown stops.
    fn let_go(&mut self, id: BrokerId) {
        let (core, broker) = self.core_and(id);
        if broker.process.as_ref().is_some_and(|process| process.released) {
            broker.stop(core);
            let down_ms = core.random.between(500, 15_000);
            core.after(down_ms, Event::Undo(Undo::Start(id)));
        }
    }

    fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::Start(id) => {
                let (core, broker) = self.core_and(id);
                broker.start(core);
            }
            Undo::Resume(id) => {
                let (core, broker) = self.core_and(id);
                broker.resume(core);
            }
            Undo::RepairDirs(id) => {
                let (core, broker) = self.core_and(id);
                broker.repair_dirs(core);
            }
            Undo::Heal => self.core.network.heal(),
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.core.trace(|| format!("phase {phase:?}"));
        self.phase = phase;
        self.phase_since = self.core.now;
    }

    fn check(&mut self) {
        self.core.after(1_000, Event::Check);
        let store = &self.zookeeper.store;
        let ailment = liveness::ailing(store, &self.brokers, &self.core.checker)
            .or_else(|| unfinished(store, &self.core.checker));
        match (self.phase, ailment) {
            (Phase::Faults, _) => self.stop_faults(),
            (Phase::Probe, _) => {
                let reached: Vec<_> = self.clients.iter().flat_map(|client| &client.reached).collect();
                let checker = &self.core.checker;
                let missing = store
                    .states
                    .keys()
                    .find(|partition| !reached.contains(partition) && !checker.is_forked(partition));
                match missing.cloned() {
                    None => {
                        self.clients.iter_mut().for_each(|client| client.produces = false);
                        self.enter(Phase::Rest);
                    }
                    Some(partition) => self.insist(|| format!("{partition} takes no records")),
                }
            }
            (_, Some(ailment)) => self.insist(|| ailment),
            (Phase::Recovery, None) => {
                for client in &mut self.clients {
                    client.produces = true;
                    client.reached.clear();
                }
                self.enter(Phase::Probe);
            }
            (_, None) => {
                let disks = disks(&self.brokers);
                self.core.checker.check_acknowledged_at_rest(&disks);
                self.enter(Phase::Over);
            }
        }
    }

    /// What is not well must become well in time.
    fn insist(&mut self, what: impl FnOnce() -> String) {
        let lasts_ms = self.core.now - self.phase_since;
        if lasts_ms > RECOVERY_MAX_MS {
            self.core.checker.violated("the cluster becomes whole once faults have stopped", what);
        } else {
            self.core.trace(|| format!("not whole yet: {}", what()));
        }
    }

    fn stop_faults(&mut self) {
        self.enter(Phase::Recovery);
        self.core.network.heal();
        self.core.network.calm();
        self.clients.iter_mut().for_each(|client| client.produces = false);
        for broker in &mut self.brokers {
            broker.resume(&mut self.core);
            broker.quicken_disk();
            broker.repair_dirs(&mut self.core);
            broker.start(&mut self.core);
        }
    }
}

fn disks(brokers: &[Broker]) -> Vec<(BrokerId, &Disk)> {
    brokers.iter().map(|broker| (broker.id, &broker.disk)).collect()
}
