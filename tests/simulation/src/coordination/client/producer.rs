//! A transactional producer: one transaction at a time, from AddPartitionsToTxn to EndTxn, through all that may go wrong.

use std::collections::{BTreeMap, VecDeque};

use gregor_coordinator::group::GroupError;
use gregor_coordinator::group::request::{Claim, Commit, CommitResults, OffsetToCommit};
use gregor_coordinator::transaction::{AddPartitions, EndTransaction, InitProducer, TransactionError};
use gregor_coordinator::{TransactionalId, partition_of};
use gregor_model::{BrokerId, Offset, TopicPartition};

use super::super::log::{Author, Part, Value};
use super::super::message::{Answer, Correlation, ProduceError, Producer as Identity, Request};
use super::super::stage::Stage;
use super::{any_broker, ask};

/// Offsets that are committed with a transaction.
#[derive(Clone, Debug)]
pub struct OffsetsPlan {
    /// Under which membership.
    pub claim: Claim,
    /// Of which input partition.
    pub input: TopicPartition,
    /// The next offset to consume.
    pub offset: i64,
}

/// Batches for one partition, sent one after the other.
#[derive(Debug, Default)]
struct Writes {
    batches: VecDeque<(Vec<Value>, Option<i32>)>,
    is_sent: bool,
}

/// One transaction.
#[derive(Debug)]
pub struct Attempt {
    /// Its number.
    pub number: usize,
    writes: BTreeMap<Part, Writes>,
    /// Offsets to commit with it.
    pub offsets: Option<OffsetsPlan>,
    /// How it is to end.
    pub is_to_commit: bool,
    began: i64,
    needs_new_epoch: bool,
}

impl Attempt {
    /// Adds a batch.
    pub fn write(&mut self, part: Part, says: impl Iterator<Item = u64>) {
        let values = says.map(|says| Value { attempt: self.number, says }).collect();
        self.writes.entry(part).or_default().batches.push_back((values, None));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Init,
    Ready,
    Adding,
    Writing,
    AddingOffsets,
    CommittingOffsets,
    Ending(bool),
    Dead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Coordinator,
    GroupCoordinator,
    Leader(Part),
    Step,
    Produce(Part),
}

/// How the last transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It is committed.
    Committed,
    /// It is aborted.
    Aborted,
}

/// See the module.
#[derive(Debug)]
pub struct Producer {
    client: usize,
    id: TransactionalId,
    identity: Option<Identity>,
    coordinator: Option<BrokerId>,
    /// Who took the offsets of the last transaction.
    pub group_coordinator: Option<BrokerId>,
    leaders: BTreeMap<Part, BrokerId>,
    sequences: BTreeMap<Part, i32>,
    state: State,
    attempt: Option<Attempt>,
    asked: BTreeMap<Correlation, Asked>,
    /// How the last transaction ended, until it is taken.
    pub ended: Option<Ended>,
}

impl Producer {
    /// A new process with that transactional id.
    pub fn new(client: usize, id: TransactionalId) -> Producer {
        Producer {
            client,
            id,
            identity: None,
            coordinator: None,
            group_coordinator: None,
            leaders: BTreeMap::new(),
            sequences: BTreeMap::new(),
            state: State::Init,
            attempt: None,
            asked: BTreeMap::new(),
            ended: None,
        }
    }

    /// Whether it may begin a transaction.
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// Whether it has no transaction open.
    pub fn is_idle(&self) -> bool {
        self.attempt.is_none()
    }

    /// Whether it cannot go on.
    pub fn is_dead(&self) -> bool {
        self.state == State::Dead
    }

    /// An empty transaction; `None` before there is an epoch to begin it with.
    pub fn attempt(&self, stage: &mut Stage) -> Option<Attempt> {
        Some(Attempt {
            number: stage.checker.new_attempt(self.id.as_str(), self.identity?),
            writes: BTreeMap::new(),
            offsets: None,
            is_to_commit: true,
            began: stage.now,
            needs_new_epoch: false,
        })
    }

    /// Begins a transaction.
    pub fn begin(&mut self, stage: &mut Stage, attempt: Attempt) {
        stage.tell(|| format!("client {} ({}) begins {attempt:?}", self.client, self.id));
        self.attempt = Some(attempt);
        self.state = State::Adding;
    }

    /// Gives the transaction up, in whatever state it is.
    pub fn abort(&mut self) {
        let Some(attempt) = &mut self.attempt else { return };
        attempt.is_to_commit = false;
        if matches!(self.state, State::Writing | State::AddingOffsets | State::CommittingOffsets) {
            // What is under way may still be written: only another epoch keeps it out of the next transaction.
            attempt.needs_new_epoch |= !self.asked.is_empty();
            self.asked.clear();
            self.state = State::Ending(false);
        }
    }

    fn is_asking(&self, what: Asked) -> bool {
        self.asked.values().any(|asked| *asked == what)
    }

    fn ask(&mut self, stage: &mut Stage, to: BrokerId, request: Request, what: Asked) {
        let timeout_ms = stage.scenario.request_timeout_ms;
        let correlation = ask(stage, self.client, to, request, timeout_ms);
        self.asked.insert(correlation, what);
    }

    /// Asks the coordinator for the next step, once it is known.
    fn ask_coordinator(&mut self, stage: &mut Stage, request: Request) {
        if self.is_asking(Asked::Step) || self.is_asking(Asked::Coordinator) {
            return;
        }
        match self.coordinator {
            Some(coordinator) => self.ask(stage, coordinator, request, Asked::Step),
            None => {
                let partition = partition_of(self.id.as_str(), stage.scenario.transactions_partitions);
                let broker = any_broker(stage);
                self.ask(stage, broker, Request::Leader(Part::Transactions(partition)), Asked::Coordinator);
            }
        }
    }

    /// Does what is to be done next, unless an answer is awaited.
    pub fn step(&mut self, stage: &mut Stage) {
        let Some(identity) = self.identity else {
            if self.state == State::Init {
                self.init(stage);
            }
            return;
        };
        match self.state {
            State::Init => self.init(stage),
            State::Ready | State::Dead => {}
            State::Adding => {
                let Some(attempt) = &self.attempt else { return };
                let partitions = attempt.writes.keys().map(|part| part.name()).collect();
                let add = AddPartitions { id: self.id.clone(), producer: identity, partitions };
                self.ask_coordinator(stage, Request::Add(add));
            }
            State::Writing => self.write(stage, identity),
            State::AddingOffsets => {
                let Some(part) = self.offsets_part(stage) else { return };
                let add =
                    AddPartitions { id: self.id.clone(), producer: identity, partitions: vec![part.name()] };
                self.ask_coordinator(stage, Request::Add(add));
            }
            State::CommittingOffsets => self.commit_offsets(stage, identity),
            State::Ending(commit) => {
                if commit && let Some(attempt) = &self.attempt {
                    stage.checker.commit_asked(attempt.number);
                }
                let end = EndTransaction { id: self.id.clone(), producer: identity, commit };
                self.ask_coordinator(stage, Request::End(end));
            }
        }
    }

    fn init(&mut self, stage: &mut Stage) {
        let timeout_ms = stage.scenario.transaction_timeout_ms;
        let init = InitProducer { id: self.id.clone(), timeout_ms, current: self.identity };
        self.ask_coordinator(stage, Request::Init(init));
    }

    fn write(&mut self, stage: &mut Stage, identity: Identity) {
        let Some(attempt) = &mut self.attempt else { return };
        attempt.writes.retain(|_, writes| !writes.batches.is_empty());
        if !attempt.is_to_commit && attempt.writes.is_empty() {
            self.state = State::Ending(false);
            return;
        }
        if attempt.writes.is_empty() {
            self.state = if attempt.offsets.is_some() { State::AddingOffsets } else { State::Ending(true) };
            return;
        }
        if stage.now - attempt.began > stage.scenario.request_timeout_ms * 4 {
            self.abort();
            return;
        }
        let mut requests = Vec::new();
        for (part, writes) in &mut attempt.writes {
            if writes.is_sent {
                continue;
            }
            let Some(leader) = self.leaders.get(part) else {
                requests.push((None, Request::Leader(*part), Asked::Leader(*part)));
                continue;
            };
            let Some((values, sequence)) = writes.batches.front_mut() else { continue };
            let next = self.sequences.entry(*part).or_insert(0);
            let base_sequence = *sequence.get_or_insert_with(|| {
                let base = *next;
                *next += values.len() as i32;
                base
            });
            writes.is_sent = true;
            let author = Author { producer: identity, base_sequence };
            let request = Request::Produce(*part, self.id.clone(), author, values.clone());
            requests.push((Some(*leader), request, Asked::Produce(*part)));
        }
        for (to, request, what) in requests {
            if !self.is_asking(what) {
                let to = to.unwrap_or_else(|| any_broker(stage));
                self.ask(stage, to, request, what);
            }
        }
    }

    fn offsets_part(&self, stage: &Stage) -> Option<Part> {
        let offsets = self.attempt.as_ref()?.offsets.as_ref()?;
        Some(Part::Offsets(partition_of(offsets.claim.group.as_str(), stage.scenario.offsets_partitions)))
    }

    fn commit_offsets(&mut self, stage: &mut Stage, identity: Identity) {
        let Some(part) = self.offsets_part(stage) else { return };
        let Some(plan) = self.attempt.as_ref().and_then(|attempt| attempt.offsets.clone()) else { return };
        if self.is_asking(Asked::Step) || self.is_asking(Asked::GroupCoordinator) {
            return;
        }
        let Some(coordinator) = self.group_coordinator else {
            let broker = any_broker(stage);
            self.ask(stage, broker, Request::Leader(part), Asked::GroupCoordinator);
            return;
        };
        let commit = Commit {
            claim: plan.claim,
            producer: Some(identity),
            verification: None,
            member_epoch_known: false,
            retention_ms: None,
            offsets: vec![OffsetToCommit {
                partition: plan.input,
                offset: Offset(plan.offset),
                leader_epoch: None,
                metadata: "".into(),
                committed_at: None,
            }],
        };
        self.ask(stage, coordinator, Request::TxnCommit(self.id.clone(), commit), Asked::Step);
    }

    /// An answer came, or none did. Says whether it was this producer's.
    pub fn receive(&mut self, stage: &mut Stage, correlation: Correlation, answer: Option<Answer>) -> bool {
        let Some(asked) = self.asked.remove(&correlation) else { return false };
        match (asked, answer) {
            (Asked::Coordinator, Some(Answer::Leader(leader))) => self.coordinator = leader,
            (Asked::GroupCoordinator, Some(Answer::Leader(leader))) => self.group_coordinator = leader,
            (Asked::Leader(part), Some(Answer::Leader(Some(leader)))) => {
                self.leaders.insert(part, leader);
            }
            (Asked::Coordinator | Asked::GroupCoordinator | Asked::Leader(_), _) => {}
            (Asked::Produce(part), answer) => self.produced(stage, part, answer),
            (Asked::Step, Some(Answer::Init(result))) => self.initialised(stage, result),
            (Asked::Step, Some(Answer::Done(result))) => self.done(stage, result),
            (Asked::Step, Some(Answer::Committed(result))) => self.offsets_committed(result),
            (Asked::Step, _) => {
                // No answer, or nobody there: another broker may coordinate by now.
                self.coordinator = None;
                self.group_coordinator = None;
            }
        }
        true
    }

    fn produced(&mut self, stage: &mut Stage, part: Part, answer: Option<Answer>) {
        let Some(writes) = self.attempt.as_mut().and_then(|attempt| attempt.writes.get_mut(&part)) else {
            return;
        };
        writes.is_sent = false;
        match answer {
            Some(Answer::Produced(Ok(()))) => {
                if let Some((values, _)) = writes.batches.pop_front() {
                    stage.checker.written(part, &values);
                }
            }
            Some(Answer::Produced(Err(ProduceError::Abortable))) => {
                if let Some(attempt) = &mut self.attempt {
                    attempt.needs_new_epoch = true;
                }
                self.abort();
            }
            _ => {
                self.leaders.remove(&part);
            }
        }
    }

    fn initialised(&mut self, stage: &mut Stage, result: Result<Identity, TransactionError>) {
        match result {
            Ok(identity) => {
                stage.tell(|| format!("client {} is {identity:?}, {}", self.client, self.id));
                stage.checker.initialised(self.id.as_str(), identity);
                self.identity = Some(identity);
                self.sequences.clear();
                self.state = State::Ready;
            }
            Err(error) => self.failed(error),
        }
    }

    fn failed(&mut self, error: TransactionError) {
        use TransactionError::{
            ConcurrentTransactions, CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator,
        };
        match error {
            ConcurrentTransactions | CoordinatorLoadInProgress => {}
            NotCoordinator | CoordinatorNotAvailable => self.coordinator = None,
            _ => self.state = State::Dead,
        }
    }

    fn done(&mut self, stage: &mut Stage, result: Result<(), TransactionError>) {
        if let Err(error) = result {
            self.failed(error);
            return;
        }
        let Some(attempt) = &self.attempt else { return };
        match self.state {
            State::Adding if attempt.is_to_commit || stage.random.per_mille(700) => {
                self.state = State::Writing
            }
            State::Adding => self.state = State::Ending(false),
            State::AddingOffsets => self.state = State::CommittingOffsets,
            State::Ending(commit) => {
                stage.tell(|| {
                    format!("client {}: attempt {} ended, commit {commit}", self.client, attempt.number)
                });
                stage.checker.ended(attempt.number, commit);
                self.ended = Some(if commit { Ended::Committed } else { Ended::Aborted });
                self.state = if attempt.needs_new_epoch { State::Init } else { State::Ready };
                self.attempt = None;
                self.asked.clear();
            }
            State::Init | State::Ready | State::Writing | State::CommittingOffsets | State::Dead => {}
        }
    }

    fn offsets_committed(&mut self, result: Result<CommitResults, GroupError>) {
        let result = result.and_then(|results| results.into_iter().try_for_each(|(_, result)| result));
        match result {
            Ok(()) => self.state = State::Ending(true),
            Err(GroupError::CoordinatorLoadInProgress | GroupError::RequestTimedOut) => {}
            Err(GroupError::NotCoordinator | GroupError::CoordinatorNotAvailable) => {
                self.group_coordinator = None
            }
            Err(_) => self.abort(),
        }
    }
}
