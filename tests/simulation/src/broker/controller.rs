//! The controller's shell, simulated: runs for office, feeds `gregor_controller_machine::Controller`, does what it says.
//!
//! The machine is the product's. Store operations are split into several requests, as the product splits them into multis,
//! so that a failure can come between any two of them.

use std::collections::{BTreeMap, VecDeque};

use gregor_controller_machine::{
    ControlRequest, Controller, ControllerConfig, Effect, Event, LossReason, Operation, OperationId, Outcome,
    Reply, RequestId, Snapshot, Timer as ControllerTimer,
};
use gregor_model::{BrokerEpoch, BrokerId, ControllerEpoch, TopicName, ZnodeVersion};

use super::session::Tag;
use super::{Context, InFlight, Process};
use crate::core::Timer;
use crate::message::{Answer, ControlAnswer, Correlation, Node, Request};
use crate::zookeeper::{Watched, ZkAnswer, ZkRequest};

/// How many requests [`Operation::LoadContext`] is made of.
const SNAPSHOT_PARTS: u8 = 6;

#[derive(Debug, Default)]
struct Channel {
    epoch: BrokerEpoch,
    queue: VecDeque<ControlRequest>,
    in_flight: Option<Correlation>,
}

#[derive(Debug)]
struct Underway {
    id: OperationId,
    missing: usize,
    outcomes: Vec<Outcome>,
    snapshot: Snapshot,
    parts: u8,
}

/// See the module.
#[derive(Debug)]
pub struct ControllerShell {
    machine: Controller,
    /// The epoch won, and what fences its writes.
    term: Option<(ControllerEpoch, ZnodeVersion)>,
    /// Raised whenever a term ends: what belongs to an earlier one is ignored.
    terms: u64,
    timers: u64,
    /// The epoch of a candidacy whose outcome is not known.
    attempt: Option<ControllerEpoch>,
    underway: Option<Underway>,
    channels: BTreeMap<BrokerId, Channel>,
    requests: BTreeMap<RequestId, (Node, Correlation)>,
}

impl ControllerShell {
    /// Of a broker that has just started.
    pub fn new(broker: BrokerId, rebalance_seconds: i64) -> ControllerShell {
        let mut config = ControllerConfig::new(broker);
        config.leader_imbalance_check_interval_seconds = rebalance_seconds;
        ControllerShell {
            machine: Controller::new(config),
            term: None,
            terms: 0,
            timers: 0,
            attempt: None,
            underway: None,
            channels: BTreeMap::new(),
            requests: BTreeMap::new(),
        }
    }

    /// Whether this broker takes itself for the controller.
    pub fn is_active(&self) -> bool {
        self.machine.is_active()
    }
}

impl Process {
    /// Finds out who the controller is; runs for office if there is none. Not before this broker is registered in its session.
    pub(super) fn look_for_controller(&mut self, cx: &mut Context<'_>) {
        if !self.is_registered {
            return;
        }
        self.session.submit(cx.core, self.id, Tag::ReadController, ZkRequest::ReadController);
    }

    /// An answer about `/controller` and its epoch.
    pub(super) fn on_candidacy(&mut self, cx: &mut Context<'_>, tag: Tag, answer: ZkAnswer) {
        match (tag, answer) {
            (Tag::ReadController, ZkAnswer::Controller(None)) => {
                if self.controller.is_active() {
                    self.give(cx, Event::Lost(LossReason::ControllerMoved));
                }
                self.session.submit(cx.core, self.id, Tag::ReadEpoch, ZkRequest::ReadControllerEpoch);
            }
            (Tag::ReadController, ZkAnswer::Controller(Some((broker, session)))) => {
                let ours = broker == self.id && self.session.session() == Some(session);
                if !ours {
                    self.controller.attempt = None;
                    if self.controller.is_active() {
                        self.give(cx, Event::Lost(LossReason::ControllerMoved));
                    }
                } else if !self.controller.is_active() && self.controller.attempt.is_some() {
                    let request = ZkRequest::ReadControllerEpoch;
                    self.session.submit(cx.core, self.id, Tag::ConfirmEpoch, request);
                }
            }
            (Tag::ReadEpoch, ZkAnswer::ControllerEpoch(epoch, version)) => {
                let wanted = epoch.next();
                self.controller.attempt = Some(wanted);
                let request = ZkRequest::Elect(self.id, wanted, version);
                self.session.submit(cx.core, self.id, Tag::Elect(wanted), request);
            }
            (Tag::ConfirmEpoch, ZkAnswer::ControllerEpoch(epoch, version)) => {
                if self.controller.attempt == Some(epoch) {
                    self.take_office(cx, epoch, version);
                }
            }
            (Tag::Elect(epoch), ZkAnswer::Elected(version)) => self.take_office(cx, epoch, version),
            _ => self.look_for_controller(cx),
        }
    }

    fn take_office(&mut self, cx: &mut Context<'_>, epoch: ControllerEpoch, version: ZnodeVersion) {
        self.controller.attempt = None;
        cx.core.trace(|| format!("{} is elected, controller epoch {}", self.id, epoch.0));
        self.controller.term = Some((epoch, version));
        self.give(cx, Event::Elected { controller_epoch: epoch });
    }

    /// Something that the controller watches changed.
    pub(super) fn on_watched(&mut self, cx: &mut Context<'_>, watched: Watched) {
        let event = match watched {
            Watched::Controller => return self.look_for_controller(cx),
            Watched::Brokers => Event::BrokersChanged,
            Watched::Topics => Event::TopicsChanged,
            Watched::Topic(name) => Event::PartitionsChanged(name),
            Watched::Deletions => Event::DeletionsRequested,
            Watched::LogDirs => Event::LogDirsFailed,
        };
        self.give(cx, event);
    }

    /// The connection was broken for a while: whatever is watched may have changed. The product tells by the znodes' versions
    /// which topics did; here all of them count as changed.
    pub(super) fn on_rewatched(&mut self, cx: &mut Context<'_>, topics: Vec<TopicName>) {
        self.look_for_controller(cx);
        if !self.controller.is_active() {
            return;
        }
        self.give(cx, Event::BrokersChanged);
        self.give(cx, Event::TopicsChanged);
        for name in topics {
            self.give(cx, Event::PartitionsChanged(name));
        }
        self.give(cx, Event::DeletionsRequested);
        self.give(cx, Event::LogDirsFailed);
    }

    /// Gives the machine an event and does what it says.
    pub(super) fn give(&mut self, cx: &mut Context<'_>, event: Event) {
        let effects = self.controller.machine.apply(event, cx.now);
        for effect in effects {
            self.perform(cx, effect);
        }
    }

    fn perform(&mut self, cx: &mut Context<'_>, effect: Effect) {
        match effect {
            Effect::Store { id, operation } => self.store(cx, id, operation),
            Effect::AddBroker(broker) => {
                let channel = Channel { epoch: broker.epoch, ..Channel::default() };
                self.controller.channels.insert(broker.id, channel);
            }
            Effect::RemoveBroker(broker) => self.close_channel(broker),
            Effect::Send { broker, request } => {
                if let Some(channel) = self.controller.channels.get_mut(&broker) {
                    channel.queue.push_back(request);
                    self.pump_channel(cx, broker);
                }
            }
            Effect::Reply { request, reply } => {
                if let Some((node, correlation)) = self.controller.requests.remove(&request) {
                    cx.core.answer(Node::Broker(self.id), node, correlation, answer(reply));
                }
            }
            Effect::StartTimer { timer: ControllerTimer::AutoLeaderRebalance, delay_ms } => {
                self.controller.timers += 1;
                let timer = Timer::Controller(self.controller.timers);
                cx.timer(self.id, self.number, delay_ms, timer);
            }
            Effect::Active => cx.core.trace(|| format!("{} is in charge", self.id)),
            Effect::Resigned => {
                cx.core.trace(|| format!("{} resigns", self.id));
                self.controller.terms += 1;
                self.controller.timers += 1;
                self.controller.underway = None;
                let all: Vec<BrokerId> = self.controller.channels.keys().copied().collect();
                for broker in all {
                    self.close_channel(broker);
                }
            }
            Effect::TriggerMove => {
                if let Some((_, fence)) = self.controller.term {
                    let request = ZkRequest::DeleteController(fence);
                    self.session.submit(cx.core, self.id, Tag::None, request);
                }
            }
            Effect::Log(notice) => cx.core.trace(|| format!("{} notes: {notice}", self.id)),
        }
    }

    fn close_channel(&mut self, broker: BrokerId) {
        if let Some(channel) = self.controller.channels.remove(&broker)
            && let Some(correlation) = channel.in_flight
        {
            self.in_flight.remove(&correlation);
        }
    }

    /// Sends the first request of a channel, if none is on its way.
    pub(super) fn pump_channel(&mut self, cx: &mut Context<'_>, broker: BrokerId) {
        let Some(channel) = self.controller.channels.get_mut(&broker) else { return };
        if channel.in_flight.is_some() {
            return;
        }
        let Some(request) = channel.queue.front().cloned() else { return };
        let request = Request::Control(self.id, request);
        let correlation = cx.core.request(Node::Broker(self.id), Node::Broker(broker), request);
        channel.in_flight = Some(correlation);
        self.expect(cx, correlation, InFlight::Channel(broker));
    }

    /// A channel's request was answered, or not.
    pub(super) fn on_channel(&mut self, cx: &mut Context<'_>, broker: BrokerId, answer: Option<Answer>) {
        let Some(channel) = self.controller.channels.get_mut(&broker) else { return };
        channel.in_flight = None;
        let Some(Answer::Control(answer)) = answer else {
            cx.timer(self.id, self.number, 100, Timer::Channel(broker));
            return;
        };
        let request = channel.queue.pop_front();
        let event = match (request, answer) {
            (Some(ControlRequest::LeaderAndIsr(request)), ControlAnswer::Applied(partitions)) => {
                Some(Event::LeaderAndIsrAnswered { broker, broker_epoch: request.broker_epoch, partitions })
            }
            (Some(ControlRequest::StopReplica(request)), ControlAnswer::Applied(partitions))
                if !partitions.is_empty() =>
            {
                Some(Event::StopReplicaAnswered { broker, broker_epoch: request.broker_epoch, partitions })
            }
            _ => None,
        };
        self.pump_channel(cx, broker);
        if let Some(event) = event {
            self.give(cx, event);
        }
    }

    /// A channel found its broker refusing connections, or taking them.
    pub(super) fn on_refusal(&mut self, cx: &mut Context<'_>, broker: BrokerId, refuses: bool) {
        let Some(epoch) = self.controller.channels.get(&broker).map(|channel| channel.epoch) else { return };
        let event = match refuses {
            true => Event::BrokerRefuses(broker, epoch),
            false => Event::BrokerAnswers(broker, epoch),
        };
        self.give(cx, event);
    }

    /// A request to the controller came in.
    pub(super) fn ask_controller(
        &mut self,
        cx: &mut Context<'_>,
        from: Node,
        correlation: Correlation,
        event: impl FnOnce(RequestId) -> Event,
    ) {
        // A request that came twice is asked twice; its answers go to the same place.
        let id = RequestId(cx.core.correlation());
        self.controller.requests.insert(id, (from, correlation));
        self.give(cx, event(id));
    }

    /// A timer rang.
    pub(super) fn on_controller_timer(&mut self, cx: &mut Context<'_>, timer: u64) {
        if timer == self.controller.timers {
            self.give(cx, Event::TimerFired(ControllerTimer::AutoLeaderRebalance));
        }
    }

    fn store(&mut self, cx: &mut Context<'_>, id: OperationId, operation: Operation) {
        let Some((epoch, fence)) = self.controller.term else { return };
        let requests: Vec<ZkRequest> = match operation {
            Operation::LoadContext => (0..SNAPSHOT_PARTS).map(ZkRequest::SnapshotPart).collect(),
            operation => split(cx, operation)
                .into_iter()
                .map(|operation| ZkRequest::Perform(operation, epoch, fence))
                .collect(),
        };
        self.controller.underway = Some(Underway {
            id,
            missing: requests.len(),
            outcomes: Vec::new(),
            snapshot: Snapshot::default(),
            parts: 0,
        });
        let tag = Tag::Operation(self.controller.terms, id);
        for request in requests {
            self.session.submit(cx.core, self.id, tag, request);
        }
    }

    /// A part of an operation was answered.
    pub(super) fn on_operation(
        &mut self,
        cx: &mut Context<'_>,
        term: u64,
        id: OperationId,
        answer: ZkAnswer,
    ) {
        if term != self.controller.terms {
            return;
        }
        let Some(underway) = self.controller.underway.as_mut().filter(|underway| underway.id == id) else {
            return;
        };
        match answer {
            ZkAnswer::Fenced => {
                cx.core.trace(|| format!("{} was deposed", self.id));
                self.give(cx, Event::Lost(LossReason::ControllerMoved));
                return self.look_for_controller(cx);
            }
            ZkAnswer::Snapshot(part) => {
                fill(&mut underway.snapshot, underway.parts, *part);
                underway.parts += 1;
            }
            ZkAnswer::Outcome(outcome) => underway.outcomes.push(outcome),
            _ => {}
        }
        underway.missing -= 1;
        if underway.missing == 0
            && let Some(done) = self.controller.underway.take()
        {
            let outcome =
                if done.parts > 0 { Outcome::Context(Box::new(done.snapshot)) } else { join(done.outcomes) };
            self.give(cx, Event::Completed { id, outcome });
        }
    }
}

fn answer(reply: Reply) -> Answer {
    match reply {
        Reply::AlterPartition(answer) => Answer::AlterPartition(answer),
        Reply::ControlledShutdown(answer) => Answer::ControlledShutdown(answer.ok().map(|left| left.len())),
        _ => Answer::Administered,
    }
}

fn fill(snapshot: &mut Snapshot, part: u8, found: Snapshot) {
    match part {
        0 => {
            snapshot.features = found.features;
            snapshot.log_dir_events = found.log_dir_events;
        }
        1 => snapshot.brokers = found.brokers,
        2 => snapshot.topics = found.topics,
        3 => snapshot.states = found.states,
        4 => snapshot.deletions = found.deletions,
        _ => snapshot.reassignments = found.reassignments,
    }
}

/// Cuts lists into multis of one to three.
fn split(cx: &mut Context<'_>, operation: Operation) -> Vec<Operation> {
    let size = usize::try_from(cx.core.random.between(1, 3)).unwrap_or(1);
    match operation {
        Operation::CreatePartitionStates(list) => {
            list.chunks(size).map(|part| Operation::CreatePartitionStates(part.to_vec())).collect()
        }
        Operation::WritePartitionStates(list) => {
            list.chunks(size).map(|part| Operation::WritePartitionStates(part.to_vec())).collect()
        }
        Operation::ReadPartitionStates(list) => {
            list.chunks(size).map(|part| Operation::ReadPartitionStates(part.to_vec())).collect()
        }
        Operation::WriteTopics(list) => {
            list.chunks(size).map(|part| Operation::WriteTopics(part.to_vec())).collect()
        }
        other => vec![other],
    }
}

/// Puts the outcomes of the parts together again.
fn join(outcomes: Vec<Outcome>) -> Outcome {
    let mut outcomes = outcomes.into_iter();
    let Some(mut all) = outcomes.next() else { return Outcome::Done };
    for outcome in outcomes {
        match (&mut all, outcome) {
            (Outcome::Created(all), Outcome::Created(more)) => all.extend(more),
            (Outcome::Written(all), Outcome::Written(more)) => all.extend(more),
            (Outcome::PartitionStates(all), Outcome::PartitionStates(more)) => all.extend(more),
            (Outcome::Results(all), Outcome::Results(more)) => all.extend(more),
            _ => {}
        }
    }
    all
}
