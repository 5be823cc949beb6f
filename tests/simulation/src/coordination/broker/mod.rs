//! A broker as far as coordinators need one: the shell around the product's machines.
//!
//! Everything it holds is lost when its process ends. While it is paused nothing happens to it, and all comes at once after.

mod groups;
mod hosting;
mod partition;
mod produce;
mod transactions;

use std::collections::{BTreeMap, BTreeSet};

use gregor_coordinator::group::GroupShard;
use gregor_coordinator::group::request::{AppendId, RequestId};
use gregor_coordinator::runtime::Ownership;
use gregor_coordinator::transaction::{
    MarkerAnswer, MarkerQueue, ProducerIds, TransactionShard, WriteMarkers,
};
use gregor_model::{BrokerId, ProducerId};

use self::groups::Generations;
use self::hosting::Hosted;
use self::produce::Unverified;
use super::log::{Part, Replica};
use super::message::{Answer, Correlation, Message, Node, Request};
use super::stage::{Event, Stage, Timer};

/// Who waits for an append to be replicated.
#[derive(Debug)]
enum Waiter {
    /// A coordinator, in the term of that epoch.
    Coordinator(Part, i32, AppendId),
    /// A producer.
    Producer(Node, Correlation),
    /// A marker: which request of a coordinator, which of its markers, which partition of that, and what it decides.
    Marker(Correlation, (usize, usize), (ProducerId, bool)),
    /// A partition that is loading, in the term of that epoch.
    Load(Part, i32),
}

/// An append, or the end of a log, that is to be replicated.
#[derive(Debug)]
struct Wait {
    part: Part,
    base: i64,
    end: i64,
    is_reached: bool,
    waiter: Waiter,
}

/// WriteTxnMarkers that is not answered yet.
#[derive(Debug)]
struct MarkerRequest {
    from: Node,
    answers: Vec<Vec<Option<MarkerAnswer>>>,
}

/// What another broker was asked.
#[derive(Debug)]
enum Asked {
    Markers(BrokerId, WriteMarkers),
    Verification(Unverified),
}

/// See the module.
#[derive(Debug)]
pub struct Broker {
    id: BrokerId,
    /// Which process this is; timers of former ones are void.
    pub process: u64,
    /// Whether it runs.
    pub is_up: bool,
    /// Whether it is paused.
    pub is_paused: bool,
    inbox: Vec<Event>,
    /// Who leads, as it was told: term and leader.
    known: BTreeMap<Part, (i32, Option<BrokerId>)>,
    replicas: BTreeMap<Part, Replica>,
    /// Those of them that it takes itself for the leader of.
    leading: BTreeSet<Part>,
    groups: Ownership<Hosted<GroupShard>>,
    transactions: Ownership<Hosted<TransactionShard>>,
    requests: BTreeMap<RequestId, (Node, Correlation)>,
    last_request: u64,
    waits: BTreeMap<u64, Wait>,
    last_wait: u64,
    queue: MarkerQueue,
    busy: BTreeSet<BrokerId>,
    marker_requests: BTreeMap<Correlation, MarkerRequest>,
    asked: BTreeMap<Correlation, Asked>,
    producer_ids: ProducerIds,
    marker_timer: bool,
    /// JoinGroup under way, by group; with the generations below, for the mutant that does not look at them.
    joins: BTreeMap<RequestId, String>,
    generations: Generations,
}

impl Broker {
    /// A broker that does not run yet.
    pub fn new(id: BrokerId) -> Broker {
        Broker {
            id,
            process: 0,
            is_up: false,
            is_paused: false,
            inbox: Vec::new(),
            known: BTreeMap::new(),
            replicas: BTreeMap::new(),
            leading: BTreeSet::new(),
            groups: Ownership::default(),
            transactions: Ownership::default(),
            requests: BTreeMap::new(),
            last_request: 0,
            waits: BTreeMap::new(),
            last_wait: 0,
            queue: MarkerQueue::new(),
            busy: BTreeSet::new(),
            marker_requests: BTreeMap::new(),
            asked: BTreeMap::new(),
            producer_ids: ProducerIds::new(),
            marker_timer: false,
            joins: BTreeMap::new(),
            generations: Generations::new(),
        }
    }

    /// Its process starts.
    pub fn start(&mut self, stage: &mut Stage) {
        *self = Broker { process: self.process + 1, is_up: true, ..Broker::new(self.id) };
        let told: Vec<_> =
            stage.cluster.iter().map(|(part, truth)| (*part, truth.epoch, truth.leader)).collect();
        for (part, epoch, leader) in told {
            let delay_ms = stage.random.between(20, 300);
            stage.after(delay_ms, Event::Told(self.id, part, epoch, leader));
        }
        self.set_timer(stage, 1_000, Timer::Transactions);
    }

    /// Its process ends, and takes with it all that it held.
    pub fn crash(&mut self) {
        *self = Broker { process: self.process + 1, ..Broker::new(self.id) };
    }

    /// It goes on after a pause.
    pub fn resume(&mut self, stage: &mut Stage) {
        self.is_paused = false;
        for event in std::mem::take(&mut self.inbox) {
            self.take(stage, event);
        }
    }

    fn set_timer(&self, stage: &mut Stage, delay_ms: i64, timer: Timer) {
        stage.after(delay_ms, Event::Broker(self.id, self.process, timer));
    }

    /// Something happens to it.
    pub fn take(&mut self, stage: &mut Stage, event: Event) {
        if !self.is_up {
            if let Event::Deliver(from, _, Message::Request(correlation, _)) = event {
                stage.answer(self.id, from, correlation, Answer::Refused);
            }
            return;
        }
        if self.is_paused {
            self.inbox.push(event);
            return;
        }
        match event {
            Event::Deliver(from, _, Message::Request(correlation, request)) => {
                self.handle(stage, from, correlation, request);
            }
            Event::Deliver(_, _, Message::Answer(correlation, answer)) => {
                self.answered(stage, correlation, Some(answer));
            }
            Event::Told(_, part, epoch, leader) => self.told(stage, part, epoch, leader),
            Event::Broker(_, process, timer) if process == self.process => self.ring(stage, timer),
            _ => {}
        }
    }

    fn ring(&mut self, stage: &mut Stage, timer: Timer) {
        match timer {
            Timer::Read(part, epoch) => self.read(stage, part, epoch),
            Timer::Serve(part, epoch) => self.serve(stage, part, epoch),
            Timer::Groups(partition) => self.fire_group_timers(stage, partition),
            Timer::Transactions => self.look_after_transactions(stage),
            Timer::Markers => self.send_markers(stage),
            Timer::Appended(wait) => self.wait_is_over(stage, wait, Ok(())),
            Timer::AppendTimeout(wait) => {
                if self.waits.get(&wait).is_some_and(|wait| !wait.is_reached) {
                    let timed_out = gregor_coordinator::group::AppendFailure::RequestTimedOut;
                    self.wait_is_over(stage, wait, Err(timed_out));
                }
            }
            Timer::RequestTimeout(correlation) => self.answered(stage, correlation, None),
            Timer::ProducerIds => self.producer_ids_arrive(stage),
        }
    }

    fn handle(&mut self, stage: &mut Stage, from: Node, correlation: Correlation, request: Request) {
        match request {
            Request::Leader(part) => {
                let leader = self.known.get(&part).and_then(|(_, leader)| *leader);
                stage.answer(self.id, from, correlation, Answer::Leader(leader));
            }
            Request::Join(_)
            | Request::Sync(_)
            | Request::Heartbeat(_)
            | Request::Leave(..)
            | Request::Commit(_)
            | Request::FetchOffsets(..) => self.handle_group(stage, from, correlation, request),
            Request::TxnCommit(id, commit) => {
                self.commit_in_transaction(stage, (from, correlation), id, commit);
            }
            Request::Init(_) | Request::Add(_) | Request::End(_) | Request::Verify(_) => {
                self.handle_transaction(stage, from, correlation, request);
            }
            Request::Produce(part, id, author, values) => {
                self.produce(stage, (from, correlation), part, id, (author, values));
            }
            Request::WriteMarkers(markers) => self.write_markers(stage, from, correlation, &markers),
            Request::Read(part, at) => {
                let fetched = self.fetch(stage, part, at);
                stage.answer(self.id, from, correlation, Answer::Read(fetched));
            }
        }
    }

    /// Asks another broker.
    fn ask(&mut self, stage: &mut Stage, to: BrokerId, request: Request, asked: Asked) {
        let correlation = stage.request(Node::Broker(self.id), to, request);
        self.asked.insert(correlation, asked);
        let timeout_ms = stage.scenario.request_timeout_ms;
        self.set_timer(stage, timeout_ms, Timer::RequestTimeout(correlation));
    }

    /// Another broker answered, or did not in time.
    fn answered(&mut self, stage: &mut Stage, correlation: Correlation, answer: Option<Answer>) {
        match self.asked.remove(&correlation) {
            None => {}
            Some(Asked::Markers(broker, request)) => {
                let answers = match answer {
                    Some(Answer::Markers(answers)) => Some(answers),
                    _ => None,
                };
                self.markers_answered(stage, broker, request, answers);
            }
            Some(Asked::Verification(unverified)) => self.verified(stage, unverified, answer),
        }
    }

    /// Remembers who asked, for an answer that may come later.
    fn note_request(&mut self, from: Node, correlation: Correlation) -> RequestId {
        self.last_request += 1;
        let request = RequestId(self.last_request);
        self.requests.insert(request, (from, correlation));
        request
    }

    fn reply(&mut self, stage: &mut Stage, request: RequestId, answer: Answer) {
        if let Some((from, correlation)) = self.requests.remove(&request) {
            stage.answer(self.id, from, correlation, answer);
        }
    }

    /// A producer id for a transactional id that needs one.
    fn claim_producer_id(&mut self, stage: &mut Stage) -> Option<ProducerId> {
        let claim = self.producer_ids.claim(stage.timestamp());
        if claim.request_block {
            let delay_ms = stage.random.between(2, 60);
            self.set_timer(stage, delay_ms, Timer::ProducerIds);
        }
        claim.id
    }

    fn producer_ids_arrive(&mut self, stage: &mut Stage) {
        if stage.isolated.contains(&self.id) {
            self.producer_ids.block_failed(stage.timestamp());
        } else {
            let (start, length) = stage.producer_ids();
            self.producer_ids.block_granted(start, length);
        }
    }
}
