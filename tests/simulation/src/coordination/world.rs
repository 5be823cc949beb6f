//! Brokers, clients and their misfortunes: one life, from one seed.

use std::collections::BTreeMap;

use gregor_model::BrokerId;

use super::broker::Broker;
use super::client::auditor::Auditor;
use super::client::member::Member;
use super::client::reader::Reader;
use super::client::transactor::Transactor;
use super::client::{Client, Role};
use super::log::{Part, Truth};
use super::message::Node;
use super::mutants::CoordinationMutant;
use super::scenario::Scenario;
use super::stage::{BEGINNING, Event, Stage, Undo};
use crate::random::Random;

/// How long it may take until all is well after the last fault, in milliseconds: new members that never come are waited for
/// five minutes.
const RECOVERY_MAX_MS: i64 = 400_000;

/// For how long clients go on working when the faults are over.
const CALM_WORK_MS: i64 = 6_000;

/// More events than this are a storm.
const EVENTS_MAX: u64 = 2_000_000;

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
    /// The most members that a group had.
    pub members: usize,
    /// How many assignments members took over.
    pub assignments: u64,
    /// How many offsets were committed without a transaction.
    pub commits: u64,
    /// How many transactions were committed.
    pub transactions: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Faults.
    Faults,
    /// Everything works, and so do the clients.
    Calm,
    /// Clients begin nothing new.
    Rest,
    /// Done.
    Over,
}

/// See the module.
pub struct World {
    pub(super) stage: Stage,
    pub(super) brokers: Vec<Broker>,
    pub(super) clients: Vec<Client>,
    phase: Phase,
    calm_since: i64,
    members_max: usize,
}

/// Lives the life of a seed; with `is_told` it is printed.
pub fn live(seed: u64, mutant: Option<CoordinationMutant>, is_told: bool) -> Report {
    World::new(seed, mutant, is_told).run()
}

impl World {
    fn new(seed: u64, mutant: Option<CoordinationMutant>, is_told: bool) -> World {
        let mut random = Random::new(seed);
        let scenario = Scenario::draw(&mut random);
        let mut stage = Stage::new(random, scenario.clone(), mutant, is_told);
        stage.tell(|| format!("{scenario:#?}"));
        let parts = (0..scenario.offsets_partitions)
            .map(Part::Offsets)
            .chain((0..scenario.transactions_partitions).map(Part::Transactions))
            .chain((0..scenario.data_partitions).map(Part::Data));
        for part in parts {
            let leader =
                BrokerId(i32::try_from(stage.random.between(1, scenario.brokers.into())).unwrap_or(1));
            stage.cluster.insert(part, Truth { leader: Some(leader), epoch: 1, ..Truth::default() });
        }
        let mut brokers: Vec<Broker> = (1..=scenario.brokers).map(|id| Broker::new(BrokerId(id))).collect();
        for broker in &mut brokers {
            broker.start(&mut stage);
        }
        let mut world = World {
            stage,
            brokers,
            clients: Vec::new(),
            phase: Phase::Faults,
            calm_since: 0,
            members_max: 0,
        };
        world.add_clients();
        world.stage.after(3_000, Event::Fault);
        world.stage.after(scenario.faults_ms, Event::Check);
        world
    }

    fn add_clients(&mut self) {
        self.add_client(|_, number| Some(Role::Reader(Reader::new(number))));
        self.add_client(|_, number| Some(Role::Auditor(Auditor::new(number))));
        for group in 0..self.stage.scenario.groups.len() {
            let members = self.stage.scenario.groups.get(group).map_or(0, |plan| plan.members);
            for _ in 0..members {
                self.add_member(group);
            }
        }
        for id in 0..self.stage.scenario.transactional_ids {
            // Some ids have more than one user.
            for _ in 0..self.stage.random.between(1, 2) {
                self.add_client(|stage, number| {
                    Some(Role::Transactor(Box::new(Transactor::new(stage, number, id))))
                });
            }
        }
    }

    /// A new member joins a group.
    pub(super) fn add_member(&mut self, group: usize) {
        self.add_client(|stage, number| Some(Role::Member(Box::new(Member::new(stage, number, group)?))));
        self.members_max = self.members_max.max(self.member_count(group));
    }

    /// How many members a group has, or will have when they have joined.
    pub(super) fn member_count(&self, group: usize) -> usize {
        let is_member = |client: &&Client| matches!(&client.role, Role::Member(member) if member.group == group && !member.is_gone());
        self.clients.iter().filter(is_member).count()
    }

    fn add_client(&mut self, role: impl FnOnce(&mut Stage, usize) -> Option<Role>) {
        let number = self.clients.len();
        if let Some(role) = role(&mut self.stage, number) {
            let client = Client::new(&mut self.stage, number, role);
            self.clients.push(client);
        }
    }

    fn run(mut self) -> Report {
        while self.phase != Phase::Over && self.stage.checker.violation().is_none() {
            let Some(event) = self.stage.take_next() else { break };
            self.happen(event);
            if self.stage.events > EVENTS_MAX {
                self.stage.checker.violated("no storms", || "too many events".to_owned());
            }
        }
        Report {
            violation: self.stage.checker.violation().map(str::to_owned),
            hash: self.stage.hash(),
            events: self.stage.events,
            lasted_ms: self.stage.now - BEGINNING,
            members: self.members_max,
            assignments: self.stage.checker.assignments,
            commits: self.stage.checker.commits,
            transactions: self.stage.checker.transactions_committed,
        }
    }

    /// The stage and a broker.
    pub(super) fn stage_and(&mut self, id: BrokerId) -> (&mut Stage, &mut Broker) {
        let at = usize::try_from(id.0 - 1).unwrap_or(0) % self.brokers.len();
        (&mut self.stage, &mut self.brokers[at])
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver(from, to, message) => {
                let (a, b) = (number_of(from), number_of(to));
                self.stage.mix(&[self.stage.now.unsigned_abs(), a, b, message.kind()]);
                match to {
                    Node::Broker(id) => {
                        let (stage, broker) = self.stage_and(id);
                        broker.take(stage, Event::Deliver(from, to, message));
                    }
                    Node::Client(client) => self.take(client, Event::Deliver(from, to, message)),
                }
            }
            Event::Client(client, _) => self.take(client, event),
            Event::Broker(id, ..) => {
                let (stage, broker) = self.stage_and(id);
                broker.take(stage, event);
            }
            Event::Told(id, part, epoch, leader) => self.tell(id, part, epoch, leader),
            Event::Replicated(part, epoch, end) => self.replicate(part, epoch, end),
            Event::Moved(part, kept) => self.moved(part, kept),
            Event::Detected(part, epoch) => self.replace_leader(part, epoch),
            Event::Fault => self.fault(),
            Event::Undo(undo) => self.undo(undo),
            Event::Check => self.check(),
        }
    }

    fn take(&mut self, client: usize, event: Event) {
        if let Some(client) = self.clients.get_mut(client) {
            client.take(&mut self.stage, event);
        }
    }

    /// The controller tells a broker who leads; as long as it does not reach it, it tries again.
    fn tell(&mut self, id: BrokerId, part: Part, epoch: i32, leader: Option<BrokerId>) {
        let event = Event::Told(id, part, epoch, leader);
        if self.stage.isolated.contains(&id) {
            self.stage.after(150, event);
            return;
        }
        let (stage, broker) = self.stage_and(id);
        broker.take(stage, event);
    }

    /// The in-sync replicas fetch from the leader of the term, if they can.
    fn replicate(&mut self, part: Part, epoch: i32, end: i64) {
        let now = self.stage.now;
        let Some(truth) = self.stage.cluster.get(&part).filter(|truth| truth.epoch == epoch) else { return };
        let (Some(leader), is_stalled) = (truth.leader, truth.stalled_until > now) else { return };
        let reachable = !self.stage.isolated.contains(&leader) && !is_stalled;
        let (stage, broker) = self.stage_and(leader);
        if !reachable || !broker.is_fetched_from(part, epoch) {
            stage.after(100, Event::Replicated(part, epoch, end));
            return;
        }
        if let Some(truth) = stage.cluster.get_mut(&part) {
            truth.high_watermark = truth.high_watermark.max(end);
        }
        stage.mix(&[part.number(), end.unsigned_abs()]);
        broker.replicated(stage, part, end);
    }

    /// Looks whether the life is over, and well.
    fn check(&mut self) {
        match self.phase {
            Phase::Faults => {
                self.phase = Phase::Calm;
                self.calm_since = self.stage.now;
                self.calm_down();
            }
            Phase::Calm if self.stage.now - self.calm_since > CALM_WORK_MS => {
                self.phase = Phase::Rest;
                for client in &mut self.clients {
                    match &mut client.role {
                        Role::Member(member) => member.is_active = false,
                        Role::Transactor(transactor) => transactor.is_active = false,
                        Role::Reader(_) | Role::Auditor(_) => {}
                    }
                }
            }
            Phase::Calm | Phase::Over => {}
            Phase::Rest => match self.unfinished() {
                None => {
                    self.stage.checker.at_the_end();
                    self.phase = Phase::Over;
                }
                Some(what) if self.stage.now - self.calm_since > RECOVERY_MAX_MS => {
                    self.stage.checker.violated("every rebalance and every transaction ends", || what);
                }
                Some(_) => {}
            },
        }
        self.stage.after(500, Event::Check);
    }

    /// What is not as it must become.
    fn unfinished(&mut self) -> Option<String> {
        let cluster: Vec<(Part, Option<BrokerId>)> =
            self.stage.cluster.iter().map(|(part, truth)| (*part, truth.leader)).collect();
        for (part, leader) in cluster {
            let Some(leader) = leader else { return Some(format!("{part:?} has no leader")) };
            let (stage, broker) = self.stage_and(leader);
            if !broker.is_stable(part) {
                return Some(format!("{part:?} has a transaction that does not end"));
            }
            if !broker.serves_what_it_leads() {
                return Some(format!("broker {} does not serve what it leads", leader.0));
            }
            if broker.has_open_transactions(stage) {
                return Some(format!("broker {} coordinates a transaction that does not end", leader.0));
            }
        }
        self.unfinished_clients()
    }

    fn unfinished_clients(&self) -> Option<String> {
        let mut groups: BTreeMap<usize, (Vec<i32>, Vec<u8>)> = BTreeMap::new();
        for client in &self.clients {
            match &client.role {
                Role::Auditor(_) => {}
                Role::Member(member) if member.is_gone() => {}
                Role::Member(member) => {
                    let Some((generation, inputs)) = member.settled().filter(|_| member.is_idle()) else {
                        return Some(format!("a member does not settle: {member:?}"));
                    };
                    let (generations, owned) = groups.entry(member.group).or_default();
                    generations.push(generation);
                    owned.extend(inputs);
                }
                Role::Transactor(transactor) if transactor.is_idle() => {}
                Role::Transactor(transactor) => return Some(format!("{transactor:?} does not end")),
                Role::Reader(reader) => {
                    let behind = self.stage.cluster.iter().find(|(part, truth)| {
                        matches!(part, Part::Data(_)) && reader.position(**part) < truth.end()
                    });
                    if let Some((part, truth)) = behind {
                        return Some(format!(
                            "{part:?} is read up to {} of {}",
                            reader.position(*part),
                            truth.end()
                        ));
                    }
                }
            }
        }
        groups.into_iter().find_map(|(group, (mut generations, mut owned))| {
            generations.dedup();
            owned.sort_unstable();
            let inputs = self.stage.scenario.groups.get(group)?.inputs;
            let is_settled = generations.len() == 1 && owned == (0..inputs).collect::<Vec<u8>>();
            (!is_settled)
                .then(|| format!("group {group} is in generations {generations:?} and owns {owned:?}"))
        })
    }

    fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::Start(id) => {
                let (stage, broker) = self.stage_and(id);
                if !broker.is_up {
                    stage.tell(|| format!("broker {} starts", id.0));
                    broker.start(stage);
                }
            }
            Undo::Resume(id) => {
                let (stage, broker) = self.stage_and(id);
                if broker.is_paused {
                    stage.tell(|| format!("broker {} goes on", id.0));
                    broker.resume(stage);
                }
            }
            Undo::Join(id) => {
                self.stage.isolated.remove(&id);
            }
            Undo::ResumeClient(client) => {
                if let Some(client) = self.clients.get_mut(client) {
                    client.resume(&mut self.stage);
                }
            }
        }
    }
}

fn number_of(node: Node) -> u64 {
    match node {
        Node::Broker(id) => u64::from(id.0.unsigned_abs()),
        Node::Client(client) => 1_000 + client as u64,
    }
}
