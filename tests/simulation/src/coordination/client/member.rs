//! A member of a group: it joins, takes its share, commits what it consumed, and comes back when it is told to.

use std::collections::BTreeMap;

use bytes::Bytes;
use gregor_coordinator::group::GroupError;
use gregor_coordinator::group::request::{
    Claim, Commit, CommitResults, FetchedOffset, Join, Joined, Leaver, OffsetToCommit, Protocol, Sync, Synced,
};
use gregor_coordinator::{GroupId, InstanceId, MemberId, TransactionalId, partition_of};
use gregor_model::{BrokerId, Offset, TopicPartition};

use super::super::log::Part;
use super::super::message::{Answer, Correlation, Request};
use super::super::scenario::Work;
use super::super::stage::Stage;
use super::assignment::share;
use super::producer::{Ended, OffsetsPlan, Producer};
use super::{any_broker, ask};

const INPUT: &str = "input";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Its process does not run until then.
    Down(i64),
    Joining,
    Syncing,
    Stable,
    Leaving,
    /// It has left, and does not come back.
    Gone,
}

#[derive(Clone, Debug)]
enum Asked {
    Coordinator,
    Join,
    Sync,
    Heartbeat,
    Leave,
    Commit(Vec<(u8, i64)>),
}

/// See the module.
#[derive(Debug)]
pub struct Member {
    client: usize,
    /// Which group, by its place among the scenario's.
    pub group: usize,
    name: GroupId,
    work: Work,
    inputs: u8,
    instance: Option<InstanceId>,
    id: MemberId,
    generation: i32,
    state: State,
    coordinator: Option<BrokerId>,
    /// The coordinator that gave out the assignment, or took the last commit. Another one may be no coordinator any more, and not
    /// know of it; so it is not asked for offsets.
    trusted: Option<BrokerId>,
    /// What it hands in as leader.
    assignments: Vec<(MemberId, Bytes)>,
    /// The partitions it owns, and the next offset of each; `None` while that is not known.
    positions: BTreeMap<u8, Option<i64>>,
    control: Option<(Correlation, Asked)>,
    fetch: Option<Correlation>,
    commit: Option<(Correlation, Asked)>,
    next_heartbeat: i64,
    producer: Option<Producer>,
    /// The input partition that is being copied.
    copying: Option<u8>,
    /// Whether it works, or only stays a member.
    pub is_active: bool,
}

impl Member {
    /// A member that is going to join.
    pub fn new(stage: &mut Stage, client: usize, group: usize) -> Option<Member> {
        let plan = stage.scenario.groups.get(group)?.clone();
        let is_static = stage.random.per_mille(plan.static_per_mille);
        Some(Member {
            client,
            group,
            name: GroupId::from(format!("group-{group}")),
            work: plan.work,
            inputs: plan.inputs,
            instance: is_static.then(|| InstanceId::from(format!("instance-{client}"))),
            id: MemberId::from(""),
            generation: -1,
            state: State::Joining,
            coordinator: None,
            trusted: None,
            assignments: Vec::new(),
            positions: BTreeMap::new(),
            control: None,
            fetch: None,
            commit: None,
            next_heartbeat: 0,
            producer: None,
            copying: None,
            is_active: true,
        })
    }

    /// Its process ends, and starts again after so many milliseconds.
    pub fn crash(&mut self, stage: &Stage, after_ms: i64) {
        if self.state == State::Gone {
            return;
        }
        self.forget();
        self.producer = None;
        (self.fetch, self.commit, self.control) = (None, None, None);
        self.coordinator = None;
        self.state = State::Down(stage.now + after_ms);
    }

    /// It is going to leave for good.
    pub fn leave(&mut self) {
        if self.state == State::Stable {
            self.state = State::Leaving;
        }
    }

    /// Whether it has left.
    pub fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    /// Its generation and what it owns, when it is settled.
    pub fn settled(&self) -> Option<(i32, Vec<u8>)> {
        let is_settled = self.state == State::Stable && self.positions.values().all(Option::is_some);
        is_settled.then(|| (self.generation, self.positions.keys().copied().collect()))
    }

    /// Whether it has no transaction open.
    pub fn is_idle(&self) -> bool {
        self.producer.as_ref().is_none_or(Producer::is_idle)
    }

    /// It is a member no longer.
    fn forget(&mut self) {
        self.id = MemberId::from("");
        self.generation = -1;
        self.positions.clear();
        if let Some(producer) = &mut self.producer {
            producer.abort();
        }
    }

    fn claim(&self) -> Claim {
        Claim {
            group: self.name.clone(),
            member: self.id.clone(),
            instance: self.instance.clone(),
            generation: self.generation,
        }
    }

    /// The next thing to do.
    pub fn step(&mut self, stage: &mut Stage) {
        if let State::Down(until) = self.state {
            if stage.now < until {
                return;
            }
            self.state = State::Joining;
        }
        self.copy(stage);
        if self.control.is_some() || self.state == State::Gone {
            return;
        }
        let timeout_ms = stage.scenario.request_timeout_ms;
        let Some(coordinator) = self.coordinator else {
            let part = Part::Offsets(partition_of(self.name.as_str(), stage.scenario.offsets_partitions));
            let broker = any_broker(stage);
            self.control(stage, broker, Request::Leader(part), Asked::Coordinator, timeout_ms);
            return;
        };
        match self.state {
            State::Joining => {
                let join = self.join_request(stage);
                let patience =
                    i64::from(stage.scenario.rebalance_timeout_ms + stage.scenario.initial_delay_ms);
                self.control(stage, coordinator, join, Asked::Join, patience + 5_000);
            }
            State::Syncing => {
                let sync = Sync {
                    claim: self.claim(),
                    protocol_type: None,
                    protocol: None,
                    assignments: self.assignments.clone(),
                };
                let patience = i64::from(stage.scenario.rebalance_timeout_ms);
                self.control(stage, coordinator, Request::Sync(sync), Asked::Sync, patience + 5_000);
            }
            State::Leaving => {
                let leaver = Leaver { member: self.id.clone(), instance: None };
                self.control(
                    stage,
                    coordinator,
                    Request::Leave(self.name.clone(), leaver),
                    Asked::Leave,
                    timeout_ms,
                );
            }
            State::Stable => {
                if stage.now >= self.next_heartbeat {
                    self.next_heartbeat = stage.now + i64::from(stage.scenario.session_timeout_ms) / 4;
                    self.control(
                        stage,
                        coordinator,
                        Request::Heartbeat(self.claim()),
                        Asked::Heartbeat,
                        timeout_ms,
                    );
                }
                self.work(stage, coordinator);
            }
            State::Down(_) | State::Gone => {}
        }
    }

    fn control(&mut self, stage: &mut Stage, to: BrokerId, request: Request, asked: Asked, timeout_ms: i64) {
        let correlation = ask(stage, self.client, to, request, timeout_ms);
        self.control = Some((correlation, asked));
    }

    fn join_request(&self, stage: &mut Stage) -> Request {
        let mut random = [0; 16];
        for bytes in random.chunks_exact_mut(8) {
            bytes.copy_from_slice(&stage.random.bits().to_be_bytes());
        }
        let protocol = |name: &str| Protocol { name: name.into(), metadata: Bytes::from_static(b"") };
        Request::Join(Box::new(Join {
            group: self.name.clone(),
            member: self.id.clone(),
            instance: self.instance.clone(),
            client_id: format!("client-{}", self.client).into(),
            client_host: "/127.0.0.1".into(),
            session_timeout_ms: stage.scenario.session_timeout_ms,
            rebalance_timeout_ms: stage.scenario.rebalance_timeout_ms,
            protocol_type: "consumer".into(),
            protocols: vec![protocol("range"), protocol("roundrobin")],
            // Some clients are old.
            member_id_required: !self.client.is_multiple_of(5),
            skip_assignment_known: !self.client.is_multiple_of(7),
            random,
        }))
    }

    /// Fetches the offsets it has to begin with, or consumes and commits.
    fn work(&mut self, stage: &mut Stage, coordinator: BrokerId) {
        let timeout_ms = stage.scenario.request_timeout_ms;
        let unknown: Vec<_> =
            self.positions.iter().filter(|(_, at)| at.is_none()).map(|(input, _)| *input).collect();
        if !unknown.is_empty() {
            if self.trusted != Some(coordinator) {
                self.rejoin();
            } else if self.fetch.is_none() {
                let partitions = unknown.into_iter().map(input).collect();
                let request = Request::FetchOffsets(self.name.clone(), partitions);
                self.fetch = Some(ask(stage, self.client, coordinator, request, timeout_ms));
            }
            return;
        }
        if self.work == Work::Read && self.commit.is_none() && self.is_active && !self.positions.is_empty() {
            let mut offsets = Vec::new();
            for (input, position) in &mut self.positions {
                let next = position.unwrap_or(0) + stage.random.between(1, 5);
                *position = Some(next);
                offsets.push((*input, next));
            }
            stage.tell(|| {
                let (client, generation) = (self.client, self.generation);
                format!("client {client} commits {offsets:?} in generation {generation} to {coordinator:?}")
            });
            for (input, offset) in &offsets {
                stage.checker.offset_offered((self.group, self.generation), *input, *offset);
            }
            let commit = self.commit_request(&offsets);
            let correlation = ask(stage, self.client, coordinator, Request::Commit(commit), timeout_ms);
            self.commit = Some((correlation, Asked::Commit(offsets)));
        }
    }

    fn commit_request(&self, offsets: &[(u8, i64)]) -> Commit {
        let to_commit = |input: u8, offset: i64| OffsetToCommit {
            partition: self::input(input),
            offset: Offset(offset),
            leader_epoch: None,
            metadata: "".into(),
            committed_at: None,
        };
        Commit {
            claim: self.claim(),
            producer: None,
            verification: None,
            member_epoch_known: false,
            retention_ms: None,
            offsets: offsets.iter().map(|(input, offset)| to_commit(*input, *offset)).collect(),
        }
    }

    /// Copies a few records of one partition in a transaction.
    fn copy(&mut self, stage: &mut Stage) {
        if self.work != Work::Copy {
            return;
        }
        if self.producer.as_ref().is_none_or(Producer::is_dead) {
            self.stop_copying();
            let id = TransactionalId::from(format!("copier-{}", self.client));
            self.producer = self.is_active.then(|| Producer::new(self.client, id));
        }
        let Some(producer) = &mut self.producer else { return };
        match producer.ended.take() {
            Some(Ended::Committed) => {
                self.copying = None;
                self.trusted = producer.group_coordinator;
            }
            // What it read must be read again.
            Some(Ended::Aborted) => {
                let input = self.copying.take();
                input.and_then(|input| self.positions.get_mut(&input)).into_iter().for_each(|at| *at = None);
            }
            None => {}
        }
        let can_begin = self.state == State::Stable && self.is_active && self.copying.is_none();
        if producer.is_ready() && can_begin && self.positions.values().all(Option::is_some) {
            let inputs: Vec<(u8, i64)> =
                self.positions.iter().filter_map(|(input, at)| Some((*input, (*at)?))).collect();
            if let Some((input, at)) = stage.random.pick(&inputs).copied()
                && let Some(mut attempt) = producer.attempt(stage)
            {
                let next = at + stage.random.between(1, 3);
                let output = Part::Data(i32::from(input) % stage.scenario.data_partitions);
                attempt.write(output, (at..next).map(|offset| says(self.group, input, offset)));
                let claim = Claim {
                    group: self.name.clone(),
                    member: self.id.clone(),
                    instance: self.instance.clone(),
                    generation: self.generation,
                };
                attempt.offsets = Some(OffsetsPlan { claim, input: self::input(input), offset: next });
                stage.checker.copies(attempt.number, (self.group, input), next);
                producer.begin(stage, attempt);
                self.copying = Some(input);
                self.positions.insert(input, Some(next));
            }
        }
        if let Some(producer) = &mut self.producer {
            producer.step(stage);
        }
    }

    /// The transaction at hand has an end that it will never hear of. Where it took the offsets, or will, is where they are known:
    /// that need not be the coordinator which gave out the assignment (seed 12682).
    fn stop_copying(&mut self) {
        let Some(input) = self.copying.take() else { return };
        self.trusted = None;
        if let Some(at) = self.positions.get_mut(&input) {
            *at = None;
        }
    }

    /// An answer came, or none did.
    pub fn receive(&mut self, stage: &mut Stage, correlation: Correlation, answer: Option<Answer>) {
        if let Some(producer) = &mut self.producer
            && producer.receive(stage, correlation, answer.clone())
        {
            return;
        }
        if self.fetch == Some(correlation) {
            self.fetch = None;
            self.fetched(answer);
        } else if self.commit.as_ref().is_some_and(|(asked, _)| *asked == correlation) {
            if let (Some((_, Asked::Commit(offsets))), Some(Answer::Committed(result))) =
                (self.commit.take(), answer)
            {
                self.committed(stage, &offsets, result);
            }
        } else if self.control.as_ref().is_some_and(|(asked, _)| *asked == correlation)
            && let Some((_, asked)) = self.control.take()
        {
            self.controlled(stage, &asked, answer);
        }
    }

    fn controlled(&mut self, stage: &mut Stage, asked: &Asked, answer: Option<Answer>) {
        match (asked, answer) {
            (Asked::Coordinator, Some(Answer::Leader(leader))) => self.coordinator = leader,
            (Asked::Join, Some(Answer::Joined(joined))) => self.joined(stage, joined),
            (Asked::Sync, Some(Answer::Synced(synced))) => self.synced(stage, synced),
            (Asked::Heartbeat, Some(Answer::Member(Err(error)))) => self.failed(stage, error),
            (Asked::Heartbeat, Some(Answer::Member(Ok(())))) => {}
            (Asked::Leave, Some(Answer::Member(Ok(()) | Err(GroupError::UnknownMemberId)))) => {
                self.forget();
                self.state = State::Gone;
            }
            (Asked::Coordinator, _) => {}
            (asked, _) => {
                // No answer, or nobody there.
                self.coordinator = None;
                if matches!(asked, Asked::Sync) {
                    self.state = State::Joining;
                }
            }
        }
    }

    fn joined(&mut self, stage: &mut Stage, joined: Joined) {
        if self.state != State::Joining {
            return;
        }
        match joined.error {
            None => {
                self.id = joined.member;
                self.generation = joined.generation;
                let leads = joined.leader == self.id && !joined.skip_assignment;
                self.assignments = if leads { share(&joined.members, self.inputs) } else { Vec::new() };
                self.state = State::Syncing;
            }
            Some(GroupError::MemberIdRequired) => self.id = joined.member,
            Some(error) => self.failed(stage, error),
        }
    }

    fn synced(&mut self, stage: &mut Stage, synced: Synced) {
        if self.state != State::Syncing {
            return;
        }
        if let Some(error) = synced.error {
            self.state = State::Joining;
            self.failed(stage, error);
            return;
        }
        let owner = self.instance.as_ref().map_or_else(|| self.id.to_string(), InstanceId::to_string);
        stage.tell(|| {
            format!(
                "client {}: {owner} owns {:?} in generation {}",
                self.client, synced.assignment, self.generation
            )
        });
        stage.checker.assigned(self.group, self.generation, &owner, &synced.assignment);
        self.positions = synced.assignment.iter().map(|input| (*input, None)).collect();
        // What is asked for was asked for another generation.
        (self.fetch, self.copying) = (None, None);
        self.state = State::Stable;
        self.trusted = self.coordinator;
        self.next_heartbeat = stage.now;
    }

    /// What an error of the coordinator means to a member.
    fn failed(&mut self, stage: &mut Stage, error: GroupError) {
        match error {
            GroupError::RebalanceInProgress => self.rejoin(),
            GroupError::UnknownMemberId | GroupError::IllegalGeneration => {
                self.forget();
                self.rejoin();
            }
            // Another process has taken its place; this one ends.
            GroupError::FencedInstanceId => self.crash(stage, 1_000),
            GroupError::NotCoordinator | GroupError::CoordinatorNotAvailable => self.coordinator = None,
            GroupError::CoordinatorLoadInProgress => {}
            _ => self.rejoin(),
        }
    }

    /// It gives its partitions up and joins again.
    fn rejoin(&mut self) {
        if matches!(self.state, State::Stable | State::Syncing | State::Joining) {
            self.positions.clear();
            if let Some(producer) = &mut self.producer {
                producer.abort();
            }
            self.state = State::Joining;
        }
    }

    fn fetched(&mut self, answer: Option<Answer>) {
        match answer {
            Some(Answer::Offsets(Ok(offsets))) => {
                for FetchedOffset { partition, offset, error, .. } in offsets {
                    let input = u8::try_from(partition.partition).unwrap_or(u8::MAX);
                    // An offset that is not stable yet is asked for again.
                    if let (None, Some(at @ None)) = (error, self.positions.get_mut(&input)) {
                        *at = Some(offset.map_or(0, |offset| offset.0));
                    }
                }
            }
            Some(Answer::Offsets(Err(GroupError::CoordinatorLoadInProgress))) => {}
            // Whoever answers next may know less than the coordinator that gave out the assignment: it is asked for anew.
            _ => {
                self.coordinator = None;
                self.rejoin();
            }
        }
    }

    fn committed(
        &mut self,
        stage: &mut Stage,
        offsets: &[(u8, i64)],
        result: Result<CommitResults, GroupError>,
    ) {
        stage.tell(|| format!("client {}: commit of {offsets:?}: {result:?}", self.client));
        match result {
            Ok(results) => {
                let mut error = None;
                for ((_, result), (input, offset)) in results.into_iter().zip(offsets) {
                    match result {
                        Ok(()) => stage.checker.offset_acknowledged(self.name.as_str(), *input, *offset),
                        Err(why) => error = Some(why),
                    }
                }
                if let Some(error) = error.filter(|_| self.state == State::Stable) {
                    self.failed(stage, error);
                }
            }
            Err(error) if self.state == State::Stable => self.failed(stage, error),
            Err(_) => {}
        }
    }
}

/// An input partition.
pub fn input(input: u8) -> TopicPartition {
    TopicPartition::new(INPUT, i32::from(input))
}

/// What a copy of a record says.
pub fn says(group: usize, input: u8, offset: i64) -> u64 {
    ((group as u64) << 48) | (u64::from(input) << 40) | offset.unsigned_abs()
}
