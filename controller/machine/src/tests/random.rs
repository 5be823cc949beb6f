//! Random lives of a cluster: brokers, directories, controllers and requests come and go in any order, at any point of
//! any event. Nothing panics, the invariants hold, and once all brokers are back everything ends: deletions,
//! reassignments, partitions without a leader.

use gregor_model::{BrokerEpoch, BrokerId, ControllerEpoch, TopicPartition};
use proptest::prelude::*;
use proptest::sample::subsequence;

use super::invariants::Invariants;
use super::world::{World, asked, proposal};
use super::zoo::ids;
use crate::{
    AlterPartitionRequest, AlterReassignmentsRequest, ControlRequest, ControlledShutdownRequest, Effect,
    ElectLeadersRequest, ElectionType, Event, LossReason, Operation, OperationId, ReplicaAnswer, RequestId,
    Timer,
};

const BROKERS: i32 = 4;
const TOPICS: usize = 3;

#[derive(Clone, Debug)]
enum Action {
    Kill(i32),
    Start(i32),
    /// Its process is gone, its session is not; or so it seems.
    Refuse(i32),
    /// It is there again.
    Return(i32),
    Create(usize, Vec<Vec<i32>>),
    Grow(usize, Vec<i32>),
    Delete(usize),
    ShutDown(i32),
    Propose(usize, Vec<i32>),
    Reassign(usize, Option<Vec<i32>>),
    LegacyReassign(usize, Vec<i32>),
    LegacyPrefer(usize),
    Elect(usize, bool),
    Rebalance,
    AllowUnclean(usize),
    LoseDirectory(usize, i32),
    /// A leader of an older protocol writes its state itself, and notifies.
    WriteIsr(usize, Vec<i32>),
    /// ZooKeeper does what it was asked, the answer is lost, it is asked again.
    LoseAnswer,
    /// Brokers answer the oldest StopReplica.
    Answer(bool),
    /// ZooKeeper answers what it was asked, before anything else happens or not.
    Settle,
    /// Another controller; the operation in flight still arrives, or not.
    FailOver(bool),
}

fn replicas() -> impl Strategy<Value = Vec<i32>> {
    subsequence((1..=BROKERS).collect::<Vec<_>>(), 1..=3).prop_shuffle()
}

fn action() -> impl Strategy<Value = Action> {
    let broker = || 1..=BROKERS;
    let place = || 0..12usize;
    prop_oneof![
        3 => broker().prop_map(Action::Kill),
        4 => broker().prop_map(Action::Start),
        2 => broker().prop_map(Action::Refuse),
        2 => broker().prop_map(Action::Return),
        3 => (0..TOPICS, prop::collection::vec(replicas(), 1..3)).prop_map(|(topic, lists)| Action::Create(topic, lists)),
        1 => (0..TOPICS, replicas()).prop_map(|(topic, list)| Action::Grow(topic, list)),
        1 => (0..TOPICS).prop_map(Action::Delete),
        1 => broker().prop_map(Action::ShutDown),
        6 => (place(), replicas()).prop_map(|(place, isr)| Action::Propose(place, isr)),
        3 => (place(), prop::option::weighted(0.8, replicas())).prop_map(|(place, target)| Action::Reassign(place, target)),
        1 => (place(), replicas()).prop_map(|(place, target)| Action::LegacyReassign(place, target)),
        1 => place().prop_map(Action::LegacyPrefer),
        2 => (place(), any::<bool>()).prop_map(|(place, unclean)| Action::Elect(place, unclean)),
        1 => Just(Action::Rebalance),
        1 => (0..TOPICS).prop_map(Action::AllowUnclean),
        1 => (place(), broker()).prop_map(|(place, broker)| Action::LoseDirectory(place, broker)),
        1 => (place(), replicas()).prop_map(|(place, isr)| Action::WriteIsr(place, isr)),
        2 => Just(Action::LoseAnswer),
        4 => any::<bool>().prop_map(Action::Answer),
        8 => Just(Action::Settle),
        1 => any::<bool>().prop_map(Action::FailOver),
    ]
}

struct Life {
    world: World,
    invariants: Invariants,
    outstanding: Option<(OperationId, Operation)>,
    /// StopReplicas with deletions that are not answered yet.
    stops: Vec<(BrokerId, BrokerEpoch, Vec<TopicPartition>)>,
    epoch: i32,
    requests: u64,
}

impl Life {
    fn new() -> Life {
        let world = World::new(&(1..=BROKERS).collect::<Vec<_>>());
        let invariants = Invariants::default();
        let mut life =
            Life { world, invariants, outstanding: None, stops: Vec::new(), epoch: 0, requests: 0 };
        life.elect();
        life
    }

    fn elect(&mut self) {
        self.epoch += 1;
        self.give(Event::Elected { controller_epoch: ControllerEpoch(self.epoch) });
    }

    fn give(&mut self, event: Event) {
        let effects = self.world.apply(event);
        self.invariants.effects(&effects);
        if let Some(asked) = asked(&effects) {
            assert!(self.outstanding.replace(asked).is_none(), "one operation at a time");
        }
        for effect in &effects {
            self.observe(effect);
        }
    }

    fn observe(&mut self, effect: &Effect) {
        match effect {
            Effect::Send { broker, request: ControlRequest::StopReplica(request) } => {
                let deleted: Vec<TopicPartition> = request
                    .topics
                    .iter()
                    .flat_map(|topic| topic.partitions.iter().map(move |partition| (topic, partition)))
                    .filter(|(_, partition)| partition.delete)
                    .map(|(topic, partition)| TopicPartition::new(topic.name.clone(), partition.partition))
                    .collect();
                if !deleted.is_empty() {
                    self.stops.push((*broker, request.broker_epoch, deleted));
                }
            }
            Effect::RemoveBroker(broker) => self.stops.retain(|(id, ..)| id != broker),
            Effect::Resigned => {
                self.stops.clear();
                self.outstanding = None;
            }
            _ => {}
        }
    }

    fn perform(&mut self) -> bool {
        let Some((id, operation)) = self.outstanding.take() else { return false };
        let outcome = self.world.zoo.perform(operation.clone());
        self.invariants.operation(&operation, &self.world.zoo);
        self.give(Event::Completed { id, outcome });
        true
    }

    fn settle(&mut self) {
        let mut rounds = 0;
        while self.perform() {
            rounds += 1;
            assert!(rounds < 10_000, "the machine comes to rest");
        }
    }

    fn request(&mut self, event: impl FnOnce(RequestId) -> Event) {
        self.requests += 1;
        let id = RequestId(self.requests);
        self.invariants.asked(id);
        self.give(event(id));
    }

    /// Some partition, existing or not.
    fn pick(&self, place: usize) -> TopicPartition {
        let names: Vec<&TopicPartition> = self.world.zoo.states.keys().collect();
        match names.get(place % names.len().max(1)) {
            Some(name) if place < 11 => (*name).clone(),
            _ => TopicPartition::new("nowhere", 0),
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Kill(broker) => {
                if self.world.zoo.brokers.remove(&BrokerId(broker)).is_some() {
                    self.give(Event::BrokersChanged);
                }
            }
            Action::Start(broker) => {
                self.world.zoo.register(broker);
                self.give(Event::BrokersChanged);
            }
            Action::Refuse(broker) => {
                if let Some(registration) = self.world.zoo.brokers.get(&BrokerId(broker)) {
                    self.give(Event::BrokerRefuses(BrokerId(broker), registration.broker.epoch));
                }
            }
            Action::Return(broker) => {
                if let Some(registration) = self.world.zoo.brokers.get(&BrokerId(broker)) {
                    self.give(Event::BrokerAnswers(BrokerId(broker), registration.broker.epoch));
                }
            }
            Action::Create(topic, lists) => self.create(topic, &lists),
            Action::Grow(topic, list) => self.grow(topic, &list),
            Action::Delete(topic) => {
                self.world.zoo.markers.insert(name(topic).as_str().into());
                self.give(Event::DeletionsRequested);
            }
            Action::ShutDown(broker) => {
                let request = ControlledShutdownRequest { broker: BrokerId(broker), broker_epoch: None };
                self.request(|id| Event::ControlledShutdown(id, request));
            }
            Action::Propose(place, isr) => self.propose(&self.pick(place), &isr),
            Action::Reassign(place, target) => {
                let partitions = vec![(self.pick(place), target.as_deref().map(ids))];
                self.request(|id| Event::AlterReassignments(id, AlterReassignmentsRequest { partitions }));
            }
            Action::LegacyReassign(place, target) => {
                let entry = (self.pick(place), ids(&target));
                self.world.zoo.reassignments.get_or_insert_default().push(entry);
                self.give(Event::ReassignmentsRequested);
            }
            Action::LegacyPrefer(place) => {
                self.world.zoo.preferred = Some(vec![self.pick(place)]);
                self.give(Event::PreferredElectionRequested);
            }
            Action::Elect(place, unclean) => {
                let election = if unclean { ElectionType::Unclean } else { ElectionType::Preferred };
                let partitions = (place != 0).then(|| vec![self.pick(place)]);
                self.request(|id| Event::ElectLeaders(id, ElectLeadersRequest { election, partitions }));
            }
            Action::Rebalance => self.give(Event::TimerFired(Timer::AutoLeaderRebalance)),
            Action::AllowUnclean(topic) => {
                self.world.zoo.unclean.insert(name(topic).as_str().into());
                self.give(Event::UncleanElectionEnabled(Some(name(topic).as_str().into())));
            }
            Action::LoseDirectory(place, broker) => self.lose_directory(place, BrokerId(broker)),
            Action::WriteIsr(place, isr) => self.write_isr(&self.pick(place), &isr),
            Action::LoseAnswer => {
                if let Some((_, operation)) = &self.outstanding {
                    let operation = operation.clone();
                    self.world.zoo.perform(operation.clone());
                    self.invariants.operation(&operation, &self.world.zoo);
                }
            }
            Action::Answer(done) => {
                self.answer(done);
            }
            Action::Settle => self.settle(),
            Action::FailOver(arrives) => {
                if arrives && let Some((_, operation)) = self.outstanding.take() {
                    self.world.zoo.perform(operation.clone());
                    self.invariants.operation(&operation, &self.world.zoo);
                }
                self.give(Event::Lost(LossReason::ControllerMoved));
                self.invariants.all_answered();
                self.elect();
            }
        }
    }

    fn create(&mut self, topic: usize, lists: &[Vec<i32>]) {
        let name = name(topic);
        if !self.world.zoo.topics.contains_key(name.as_str())
            && !self.world.zoo.markers.contains(name.as_str())
        {
            let lists: Vec<&[i32]> = lists.iter().map(Vec::as_slice).collect();
            self.world.zoo.create_topic(&name, &lists);
            self.give(Event::TopicsChanged);
        }
    }

    fn grow(&mut self, topic: usize, list: &[i32]) {
        // As CreatePartitions: not while the topic is deleted or reassigned, and by the controller that knows it.
        let topic = gregor_model::TopicName::new(&name(topic));
        let busy = self.outstanding.is_some()
            || self.world.controller.is_queued_for_deletion(&topic)
            || self.world.controller.is_being_reassigned(&topic);
        if let Some(node) = self.world.zoo.topics.get_mut(&topic).filter(|_| !busy) {
            let next = i32::try_from(node.partitions.len()).unwrap();
            node.partitions.insert(next, gregor_model::ReplicaAssignment::new(ids(list)).into());
            self.give(Event::PartitionsChanged(topic));
        }
    }

    /// The leader proposes itself and these.
    fn propose(&mut self, name: &TopicPartition, isr: &[i32]) {
        let Some(state) = self.world.zoo.states.get(name).map(|state| state.leader_and_isr.clone()) else {
            return;
        };
        let Some(leader) = state.leader.filter(|leader| self.world.zoo.brokers.contains_key(leader)) else {
            return;
        };
        let assigned = &self.world.zoo.topics[&name.topic].partitions[&name.partition].replicas;
        let mut members = vec![leader.0];
        members.extend(isr.iter().filter(|id| **id != leader.0 && assigned.contains(&BrokerId(**id))));
        let item = proposal(&name.to_string(), (state.leader_epoch.0, state.partition_epoch.0), &members);
        let broker_epoch = self.world.epoch(leader.0);
        let request = AlterPartitionRequest { broker: leader, broker_epoch, partitions: vec![item] };
        self.request(|id| Event::AlterPartition(id, request));
    }

    fn write_isr(&mut self, name: &TopicPartition, isr: &[i32]) {
        // Not amid a reassignment: a replica that joins the ISR unseen while it is removed stays there until its leader
        // takes it out, and these leaders do not.
        if self.world.controller.is_being_reassigned(&name.topic) {
            return;
        }
        let Some(state) = self.world.zoo.states.get_mut(name).map(|state| &mut state.leader_and_isr) else {
            return;
        };
        let Some(leader) = state.leader else { return };
        let assigned = &self.world.zoo.topics[&name.topic].partitions[&name.partition].replicas;
        let followers = ids(isr).into_iter().filter(|id| *id != leader && assigned.contains(id));
        state.isr = std::iter::once(leader).chain(followers).collect();
        state.partition_epoch = state.partition_epoch.next();
        let number = self.requests;
        self.requests += 1;
        self.world.zoo.isr_changes.insert(format!("isr_change_{number:010}"), vec![name.clone()]);
        self.give(Event::IsrChangesNotified);
    }

    fn lose_directory(&mut self, place: usize, broker: BrokerId) {
        let Some(registration) = self.world.zoo.brokers.get(&broker) else { return };
        let broker_epoch = registration.broker.epoch;
        let partitions = vec![(self.pick(place), ReplicaAnswer::StorageError)];
        self.give(Event::LeaderAndIsrAnswered { broker, broker_epoch, partitions });
    }

    fn answer(&mut self, done: bool) -> bool {
        if self.stops.is_empty() {
            return false;
        }
        let (broker, broker_epoch, names) = self.stops.remove(0);
        let answer = if done { ReplicaAnswer::Done } else { ReplicaAnswer::Failed };
        let partitions = names.into_iter().map(|name| (name, answer)).collect();
        self.give(Event::StopReplicaAnswered { broker, broker_epoch, partitions });
        true
    }

    /// All brokers restart with good directories, all followers catch up, all answers arrive.
    fn recover(&mut self) {
        self.settle();
        for broker in 1..=BROKERS {
            self.act(Action::Start(broker));
            self.settle();
        }
        for _ in 0..4 {
            while self.answer(true) {
                self.settle();
            }
            let names: Vec<TopicPartition> = self.world.zoo.states.keys().cloned().collect();
            for name in names {
                self.propose(&name, &(1..=BROKERS).collect::<Vec<_>>());
                self.settle();
            }
        }
    }
}

fn name(topic: usize) -> String {
    format!("topic{topic}")
}

fn live(actions: Vec<Action>) {
    let mut life = Life::new();
    for action in actions {
        life.act(action);
    }
    life.recover();
    life.invariants.all_answered();
    let zoo = &life.world.zoo;
    assert!(zoo.markers.is_empty(), "every deletion ends: {:?}", zoo.markers);
    for (name, topic) in &zoo.topics {
        for (index, assignment) in &topic.partitions {
            assert!(
                !assignment.is_being_reassigned(),
                "every reassignment ends: {name}-{index} {assignment:?}"
            );
            let state = zoo.states.get(&TopicPartition::new(name.clone(), *index));
            let leader = state.and_then(|state| state.leader_and_isr.leader);
            assert!(leader.is_some(), "every partition has a leader: {name}-{index} {state:?}");
            let isr = &state.unwrap().leader_and_isr.isr;
            assert!(
                assignment.replicas.iter().all(|id| isr.contains(id)),
                "all in sync: {isr:?} {assignment:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens(actions in prop::collection::vec(action(), 1..80)) {
        live(actions);
    }
}
