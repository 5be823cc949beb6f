//! A simulated broker: a disk that stays, and a process that comes and goes.
//!
//! The process is a shell around the product's machines: `LeaderState`, `FetcherMachine`, fetch sessions,
//! `AlterPartitionMachine`, the rules of LeaderAndIsr, `Controller`. What the product's shells do between them is done here
//! in the same order, one message at a time.

mod control;
mod controller;
mod follower;
mod isr;
mod leader;
mod metadata;
mod partition;
mod produce;
mod session;

use std::collections::BTreeMap;
use std::sync::Arc;

use gregor_controller_machine::{BrokerRegistration, Event as ControllerEvent, LossReason};
use gregor_model::{
    BrokerEndpoints, BrokerEpoch, BrokerId, ControllerEpoch, EndPoint, ListenerName, SecurityProtocol,
    Timestamp, TopicPartition,
};
use gregor_replication::alter_partition::machine::{AlterPartitionMachine, IsrChange};
use gregor_replication::{FetchSessionCache, FollowerClocks};

use crate::core::{Core, Event, Timer};
use crate::log::Disk;
use crate::message::{Answer, Correlation, Message, Node, Request};
use crate::zookeeper::{ZkAnswer, ZkRequest};

use controller::ControllerShell;
use follower::Fetcher;
use leader::WaitingFetch;
use metadata::Metadata;
pub use partition::{Partition, Role};
use session::{Heard, SessionClient, Tag};

/// What a process acts on.
pub struct Context<'a> {
    /// The world.
    pub core: &'a mut Core,
    /// The broker's disk.
    pub disk: &'a mut Disk,
    /// What the broker's clock shows.
    pub now: Timestamp,
}

impl Context<'_> {
    fn timer(&mut self, broker: BrokerId, process: u64, delay_ms: i64, timer: Timer) {
        self.core.after(delay_ms, Event::Timer(broker, process, timer));
    }
}

/// What a request of ours was for.
#[derive(Debug)]
enum InFlight {
    Channel(BrokerId),
    Fetcher(BrokerId),
    AlterPartition(Vec<IsrChange>),
    ControlledShutdown,
}

/// A message that came while the disk stood still, and since when a follower waits for its answer.
type Held = (Node, Message, Option<(BrokerId, Timestamp)>);

/// A running broker.
pub struct Process {
    id: BrokerId,
    number: u64,
    session: SessionClient,
    epoch: Option<BrokerEpoch>,
    /// In the present session.
    is_registered: bool,
    controller: ControllerShell,
    /// The partitions hosted, by name.
    pub partitions: BTreeMap<TopicPartition, Partition>,
    fetchers: BTreeMap<BrokerId, Fetcher>,
    isr_changes: AlterPartitionMachine,
    metadata: Metadata,
    latest_controller: ControllerEpoch,
    announced: bool,
    clocks: FollowerClocks,
    sessions: FetchSessionCache,
    in_flight: BTreeMap<Correlation, InFlight>,
    waiting_fetches: BTreeMap<Correlation, WaitingFetch>,
    /// The disk stands still: what came meanwhile, and since when a follower waits.
    stalled: Option<Vec<Held>>,
    /// Until then every use of the disk takes its time.
    slow_until: i64,
    /// Asked to be let go so many times; done when that is known.
    shutdown: Option<u32>,
    /// May be stopped now.
    pub released: bool,
}

/// See the module.
pub struct Broker {
    /// `broker.id`.
    pub id: BrokerId,
    /// Its logs.
    pub disk: Disk,
    /// Its process, while it runs.
    pub process: Option<Process>,
    /// How far its clock is off, in milliseconds.
    pub clock_ms: i64,
    paused: Option<Vec<Event>>,
    processes: u64,
}

impl Broker {
    /// A broker that was never started.
    pub fn new(id: BrokerId, log_dirs: usize) -> Broker {
        Broker { id, disk: Disk::new(log_dirs), process: None, clock_ms: 0, paused: None, processes: 0 }
    }

    /// Whether it neither runs nor stands still.
    pub fn is_down(&self) -> bool {
        self.process.is_none()
    }

    /// Whether its process stands still.
    pub fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// Whether it takes itself for the controller.
    pub fn is_controller(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.controller.is_active())
    }

    /// Starts the process on what the disk holds.
    pub fn start(&mut self, core: &mut Core) {
        if self.process.is_some() || self.disk.is_gone() {
            return;
        }
        core.trace(|| format!("{} starts", self.id));
        self.processes += 1;
        self.disk.readable().for_each(|(_, log)| log.recover());
        let seed = core.random.bits();
        let mut process = Process {
            id: self.id,
            number: self.processes,
            session: SessionClient::default(),
            epoch: None,
            is_registered: false,
            controller: ControllerShell::new(self.id, core.scenario.rebalance_seconds),
            partitions: BTreeMap::new(),
            fetchers: BTreeMap::new(),
            isr_changes: AlterPartitionMachine::default(),
            metadata: Metadata::default(),
            latest_controller: ControllerEpoch(0),
            announced: false,
            clocks: FollowerClocks::new(),
            sessions: FetchSessionCache::new(64, seed),
            in_flight: BTreeMap::new(),
            waiting_fetches: BTreeMap::new(),
            stalled: None,
            slow_until: 0,
            shutdown: None,
            released: false,
        };
        process.session.connect(core, self.id);
        for timer in [Timer::Session, Timer::Heartbeat, Timer::Shrink, Timer::Checkpoint] {
            core.after(1, Event::Timer(self.id, self.processes, timer));
        }
        self.process = Some(process);
    }

    /// kill -9: what was written stays, what was known is gone.
    pub fn kill(&mut self, core: &Core) {
        core.trace(|| format!("{} is killed", self.id));
        self.process = None;
        self.paused = None;
    }

    /// A clean end: everything is synced, the checkpoints are written.
    pub fn stop(&mut self, core: &Core) {
        for (_, log) in self.disk.readable() {
            log.sync();
            log.checkpoint();
        }
        self.kill(core);
    }

    /// SIGSTOP.
    pub fn pause(&mut self) {
        if self.process.is_some() && self.paused.is_none() {
            self.paused = Some(Vec::new());
        }
    }

    /// SIGCONT: everything that came meanwhile is there at once.
    pub fn resume(&mut self, core: &mut Core) {
        for event in self.paused.take().unwrap_or_default() {
            core.after(0, event);
        }
    }

    /// The disk stands still for a while.
    pub fn stall_disk(&mut self, core: &mut Core, for_ms: i64) {
        if let Some(process) = &mut self.process
            && process.stalled.is_none()
        {
            process.stalled = Some(Vec::new());
            core.after(for_ms, Event::Timer(self.id, process.number, Timer::DiskWorks));
        }
    }

    /// Until then every use of the disk takes its time.
    pub fn slow_disk(&mut self, until: i64) {
        if let Some(process) = &mut self.process {
            process.slow_until = until;
        }
    }

    /// The disk is as quick as it was.
    pub fn quicken_disk(&mut self) {
        self.slow_disk(0);
    }

    /// A log directory fails; with the last one the broker ends.
    pub fn fail_dir(&mut self, core: &mut Core, dir: usize) {
        let partitions = self.disk.fail(dir);
        if self.disk.is_gone() {
            return self.kill(core);
        }
        let Some(process) = &self.process else { return };
        if !partitions.is_empty() {
            core.after(0, Event::Timer(self.id, process.number, Timer::DirFailed(dir)));
        }
    }

    /// Failed directories are repaired, with what they hold; the broker starts anew.
    pub fn repair_dirs(&mut self, core: &mut Core) {
        if self.disk.has_failed() {
            self.kill(core);
            self.disk.repair();
            self.start(core);
        }
    }

    /// Begins a controlled shutdown; [`Process::released`] tells when it is done.
    pub fn begin_shutdown(&mut self, core: &mut Core) {
        if let Some(process) = &mut self.process
            && process.shutdown.is_none()
        {
            process.shutdown = Some(0);
            core.after(0, Event::Timer(self.id, process.number, Timer::ControlledShutdown));
        }
    }

    /// As the controller: learns whether another broker refuses connections.
    pub fn notice_refusal(&self, core: &mut Core, whom: BrokerId, refuses: bool) {
        if let Some(process) = self.process.as_ref().filter(|process| process.controller.is_active()) {
            core.after(0, Event::Timer(self.id, process.number, Timer::Refusal(whom, refuses)));
        }
    }

    /// Takes an event that concerns this broker.
    pub fn take(&mut self, core: &mut Core, event: Event) {
        if self.process.is_some()
            && let Some(kept) = &mut self.paused
        {
            kept.push(event);
            return;
        }
        let now = Timestamp(core.now + self.clock_ms);
        // Nobody is served before the broker is registered: what is meant for the registration before must not be obeyed.
        let is_request = matches!(&event, Event::Deliver { message: Message::Request(..), .. });
        let ready = |process: &&mut Process| !is_request || process.epoch.is_some();
        let Some(process) = self.process.as_mut().filter(ready) else {
            if let Event::Deliver { from, to, message: Message::Request(correlation, _) } = event {
                core.answer(to, from, correlation, Answer::Refused);
            }
            return;
        };
        let cx = &mut Context { core, disk: &mut self.disk, now };
        match event {
            Event::Deliver { from, message, .. } => process.receive(cx, from, message),
            Event::Timer(_, number, timer) if number == process.number => process.ring(cx, timer),
            _ => {}
        }
    }
}

impl Process {
    fn expect(&mut self, cx: &mut Context<'_>, correlation: Correlation, what: InFlight) {
        self.in_flight.insert(correlation, what);
        let timeout_ms = cx.core.scenario.request_timeout_ms;
        cx.timer(self.id, self.number, timeout_ms, Timer::RequestTimeout(correlation));
    }

    fn receive(&mut self, cx: &mut Context<'_>, from: Node, message: Message) {
        if let Some(stalled) = &mut self.stalled
            && needs_disk(&message)
        {
            let since = match &message {
                Message::Request(_, Request::Fetch { follower, .. }) => {
                    Some((*follower, self.clocks.begin_service(*follower, cx.now)))
                }
                _ => None,
            };
            stalled.push((from, message, since));
            return;
        }
        if cx.core.now < self.slow_until && needs_disk(&message) {
            self.stalled = Some(Vec::new());
            let takes_ms = cx.core.random.between(5, 300);
            cx.timer(self.id, self.number, takes_ms, Timer::DiskWorks);
        }
        match message {
            Message::Request(correlation, request) => self.serve(cx, from, correlation, request),
            Message::Answer(correlation, answer) => {
                let answer = if matches!(answer, Answer::Refused) { None } else { Some(answer) };
                self.on_answer(cx, correlation, answer);
            }
            Message::FromZookeeper(message) => {
                let watch_all = self.controller.is_active();
                match self.session.receive(cx.core, self.id, message, watch_all) {
                    Heard::Began => self.register(cx),
                    Heard::Expired => {
                        cx.core.trace(|| format!("{} learns that its session expired", self.id));
                        self.is_registered = false;
                        self.give(cx, ControllerEvent::Lost(LossReason::SessionExpired));
                    }
                    Heard::Answer(tag, answer) => self.on_zookeeper(cx, tag, answer),
                    Heard::Watched(watched) => self.on_watched(cx, watched),
                    Heard::Nothing => {}
                }
            }
            Message::ToZookeeper(_) => {}
        }
    }

    fn on_zookeeper(&mut self, cx: &mut Context<'_>, tag: Tag, answer: ZkAnswer) {
        match tag {
            Tag::None => {}
            Tag::Rewatched => {
                if let ZkAnswer::Watching(topics) = answer {
                    self.on_rewatched(cx, topics);
                }
            }
            Tag::Register => match answer {
                ZkAnswer::Registered(epoch) => {
                    cx.core.trace(|| format!("{} is registered, broker epoch {}", self.id, epoch.0));
                    self.epoch = Some(epoch);
                    self.is_registered = true;
                    self.look_for_controller(cx);
                }
                _ => cx.timer(self.id, self.number, 500, Timer::Register),
            },
            Tag::Operation(term, id) => self.on_operation(cx, term, id, answer),
            candidacy => self.on_candidacy(cx, candidacy, answer),
        }
    }

    fn register(&mut self, cx: &mut Context<'_>) {
        let endpoint = EndPoint {
            listener: ListenerName::new("PLAINTEXT"),
            protocol: SecurityProtocol::Plaintext,
            host: format!("broker-{}", self.id.0),
            port: 9092,
        };
        let broker =
            BrokerEndpoints { id: self.id, epoch: BrokerEpoch(0), endpoints: vec![endpoint], rack: None };
        let registration = BrokerRegistration { broker: Arc::new(broker), features: BTreeMap::new() };
        self.session.submit(cx.core, self.id, Tag::Register, ZkRequest::Register(registration));
    }

    fn serve(&mut self, cx: &mut Context<'_>, from: Node, correlation: Correlation, request: Request) {
        match request {
            Request::Control(controller, request) => {
                let answer = self.on_control(cx, controller, request);
                cx.core.answer(Node::Broker(self.id), from, correlation, Answer::Control(answer));
            }
            Request::AlterPartition(request) => {
                self.ask_controller(cx, from, correlation, |id| ControllerEvent::AlterPartition(id, request))
            }
            Request::ControlledShutdown(broker, broker_epoch) => {
                self.ask_controller(cx, from, correlation, |id| {
                    let request =
                        gregor_controller_machine::ControlledShutdownRequest { broker, broker_epoch };
                    ControllerEvent::ControlledShutdown(id, request)
                });
            }
            Request::ElectLeaders(request) => {
                self.ask_controller(cx, from, correlation, |id| ControllerEvent::ElectLeaders(id, request))
            }
            Request::AlterReassignments(request) => self
                .ask_controller(cx, from, correlation, |id| ControllerEvent::AlterReassignments(id, request)),
            Request::Fetch { follower, epoch, session } => {
                let since = self.clocks.begin_service(follower, cx.now);
                self.on_fetch(cx, from, correlation, (follower, epoch), session);
                self.clocks.end_service(follower, since, cx.now);
            }
            Request::Epochs(queries) => {
                let answer = Answer::Epochs(self.epoch_ends(cx, &queries));
                cx.core.answer(Node::Broker(self.id), from, correlation, answer);
            }
            Request::Offsets { latest, partitions } => {
                let answer = Answer::Offsets(self.offsets(cx, latest, &partitions));
                cx.core.answer(Node::Broker(self.id), from, correlation, answer);
            }
            Request::Produce(partition, payload) => {
                self.on_produce(cx, from, correlation, &partition, payload);
            }
            Request::DeleteRecords(partition, offset) => {
                self.delete_records(cx, &partition, offset);
                cx.core.answer(Node::Broker(self.id), from, correlation, Answer::Administered);
            }
            Request::Consume(partition, offset) => {
                let answer = Answer::Consumed(self.consume(cx, &partition, offset));
                cx.core.answer(Node::Broker(self.id), from, correlation, answer);
            }
            Request::Metadata => {
                let answer = Answer::Metadata(self.metadata.leaders(), self.metadata.controller);
                cx.core.answer(Node::Broker(self.id), from, correlation, answer);
            }
        }
    }

    fn on_answer(&mut self, cx: &mut Context<'_>, correlation: Correlation, answer: Option<Answer>) {
        match self.in_flight.remove(&correlation) {
            None => {}
            Some(InFlight::Channel(broker)) => self.on_channel(cx, broker, answer),
            Some(InFlight::Fetcher(leader)) => self.on_fetcher_answer(cx, leader, correlation, answer),
            Some(InFlight::AlterPartition(sent)) => self.on_alter_partition(cx, &sent, answer),
            Some(InFlight::ControlledShutdown) => {
                if matches!(answer, Some(Answer::ControlledShutdown(Some(0)))) {
                    self.released = true;
                } else {
                    cx.timer(self.id, self.number, 1_000, Timer::ControlledShutdown);
                }
            }
        }
    }

    fn ring(&mut self, cx: &mut Context<'_>, timer: Timer) {
        match timer {
            Timer::Session => {
                self.session.tick(cx.core, self.id);
                let every = cx.core.scenario.session_timeout_ms / 6;
                cx.timer(self.id, self.number, every, timer);
            }
            Timer::Heartbeat => {
                self.clocks.heartbeat(cx.now);
                cx.timer(self.id, self.number, 500, timer);
            }
            Timer::Shrink => {
                self.shrink_isrs(cx);
                let every = cx.core.scenario.lag_max_ms / 2;
                cx.timer(self.id, self.number, every, timer);
            }
            Timer::Checkpoint => {
                if self.announced && self.stalled.is_none() {
                    cx.disk.readable().for_each(|(_, log)| log.checkpoint());
                }
                cx.timer(self.id, self.number, 5_000, timer);
            }
            Timer::RequestTimeout(correlation) => self.on_answer(cx, correlation, None),
            Timer::Fetcher(leader) => self.pump_fetcher(cx, leader),
            Timer::FetchWait(correlation) => self.release_fetch(cx, correlation),
            Timer::ProduceWait(correlation) => self.give_up_produce(cx, correlation),
            Timer::AlterPartition => {
                self.send_isr_changes(cx);
                if let Some(at) = self.isr_changes.retry_at() {
                    cx.timer(self.id, self.number, (at - cx.now).max(1), timer);
                }
            }
            Timer::Channel(broker) => self.pump_channel(cx, broker),
            Timer::Refusal(broker, refuses) => self.on_refusal(cx, broker, refuses),
            Timer::Controller(number) => self.on_controller_timer(cx, number),
            Timer::Register => self.register(cx),
            Timer::DiskWorks => self.disk_works(cx),
            Timer::DirFailed(dir) => self.on_dir_failed(cx, dir),
            Timer::ControlledShutdown => self.ask_to_be_released(cx),
        }
    }

    fn disk_works(&mut self, cx: &mut Context<'_>) {
        for (from, message, since) in self.stalled.take().unwrap_or_default() {
            self.receive(cx, from, message);
            if let Some((follower, since)) = since {
                self.clocks.end_service(follower, since, cx.now);
            }
        }
    }

    /// As `ReplicaManager::handle_log_dir_failure`; then the controller is told.
    fn on_dir_failed(&mut self, cx: &mut Context<'_>, dir: usize) {
        let is_there = |name: &&TopicPartition| cx.disk.peek(name).is_some_and(|log| log.dir == dir);
        let lost: Vec<TopicPartition> = self.partitions.keys().filter(is_there).cloned().collect();
        cx.core.trace(|| format!("{} takes offline: {lost:?}", self.id));
        for partition in lost {
            self.take_offline(cx, &partition);
        }
        self.session.submit(cx.core, self.id, Tag::None, ZkRequest::NotifyLogDirFailure(self.id));
    }

    fn ask_to_be_released(&mut self, cx: &mut Context<'_>) {
        let Some(attempts) = self.shutdown else { return };
        if attempts >= 3 {
            self.released = true;
            return;
        }
        self.shutdown = Some(attempts + 1);
        let Some(controller) = self.metadata.controller else {
            return cx.timer(self.id, self.number, 1_000, Timer::ControlledShutdown);
        };
        let request = Request::ControlledShutdown(self.id, self.epoch);
        let correlation = cx.core.request(Node::Broker(self.id), Node::Broker(controller), request);
        self.expect(cx, correlation, InFlight::ControlledShutdown);
    }
}

/// Whether a message cannot be dealt with while the disk stands still.
fn needs_disk(message: &Message) -> bool {
    match message {
        Message::Request(_, request) => !matches!(
            request,
            Request::AlterPartition(_)
                | Request::ControlledShutdown(..)
                | Request::ElectLeaders(_)
                | Request::AlterReassignments(_)
                | Request::Metadata
        ),
        Message::Answer(_, answer) => matches!(answer, Answer::Fetch { .. }),
        Message::ToZookeeper(_) | Message::FromZookeeper(_) => false,
    }
}
