//! Fetchers: one per leader, one request at a time (`fetcher::task` and `fetcher::pool` in the product).
//!
//! What to do is decided by the product's `FetcherMachine`, `FetcherSession` and `truncation::decide`.

use std::collections::BTreeMap;

use gregor_model::{BrokerId, LeaderEpoch, Offset, TopicPartition};
use gregor_replication::fetcher::machine::{
    Asked, FetchAnswer as MachineAnswer, FetchStart, FetcherMachine, LeaderRefusal, Step,
};
use gregor_replication::fetcher::session::{FetcherSession, Wanted};
use gregor_replication::fetcher::truncation;
use gregor_replication::{EpochEnd, FetchSessionError};

use super::{Context, InFlight, Process};
use crate::core::Timer;
use crate::log::{AppendRefusal, SimLog};
use crate::message::{Answer, Correlation, FetchAnswer, Fetched, Node, Request};
use crate::mutants::Mutant;

/// What a fetcher waits for.
#[derive(Debug)]
enum Pending {
    Fetch,
    Epochs(BTreeMap<TopicPartition, Asked>),
    Ends(Vec<(TopicPartition, LeaderEpoch)>),
    Starts(Vec<(TopicPartition, LeaderEpoch)>),
}

/// One fetcher.
#[derive(Debug)]
pub struct Fetcher {
    machine: FetcherMachine,
    session: FetcherSession,
    /// The partitions it has, in which it is not necessarily still interested.
    assigned: Vec<TopicPartition>,
    pending: Option<(Correlation, Pending)>,
}

impl Process {
    /// As `FetcherPool::add`, for one partition.
    pub(super) fn start_fetching(&mut self, cx: &mut Context<'_>, start: FetchStart) {
        let leader = start.leader;
        for (id, fetcher) in &mut self.fetchers {
            fetcher.assigned.retain(|partition| *partition != start.partition);
            if *id != leader {
                fetcher.machine.stop(&start.partition);
            }
        }
        let truncates_on_fetch = cx.core.scenario.truncates_on_fetch;
        let backoff_ms = cx.core.scenario.backoff_ms;
        let fetcher = self.fetchers.entry(leader).or_insert_with(|| Fetcher {
            machine: FetcherMachine::new(truncates_on_fetch, backoff_ms),
            session: FetcherSession::default(),
            assigned: Vec::new(),
            pending: None,
        });
        if cx.core.is_mutant(Mutant::StaleLeaderAndIsr) {
            fetcher.machine.stop(&start.partition);
        }
        fetcher.assigned.push(start.partition.clone());
        fetcher.machine.start(start);
        self.pump_fetcher(cx, leader);
    }

    /// As `FetcherPool::remove`, for one partition.
    pub(super) fn stop_fetching(&mut self, partition: &TopicPartition) {
        for fetcher in self.fetchers.values_mut() {
            fetcher.assigned.retain(|assigned| assigned != partition);
            fetcher.machine.stop(partition);
        }
    }

    /// As `FetcherPool::stop_idle`.
    pub(super) fn stop_idle_fetchers(&mut self) {
        let in_flight = &mut self.in_flight;
        self.fetchers.retain(|_, fetcher| {
            let keep = !fetcher.assigned.is_empty();
            if let Some((correlation, _)) = fetcher.pending.as_ref().filter(|_| !keep) {
                in_flight.remove(correlation);
            }
            keep
        });
    }

    /// One round of a fetcher, if it is not waiting for an answer.
    pub(super) fn pump_fetcher(&mut self, cx: &mut Context<'_>, leader: BrokerId) {
        if self.fetchers.get(&leader).is_none_or(|fetcher| fetcher.pending.is_some()) {
            return;
        }
        if self.stalled.is_some() {
            return cx.timer(self.id, self.number, 200, Timer::Fetcher(leader));
        }
        if self.ask_for_epochs(cx, leader) {
            return;
        }
        let wanted = self.wanted(cx, leader);
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        if wanted.is_empty() {
            if let Some(at) = fetcher.machine.next_ready(cx.now) {
                cx.timer(self.id, self.number, at - cx.now, Timer::Fetcher(leader));
            }
            return;
        }
        let session = fetcher.session.next_request(wanted);
        let request = Request::Fetch { follower: self.id, epoch: self.epoch, session };
        self.ask_leader(cx, leader, request, Pending::Fetch);
    }

    fn ask_leader(&mut self, cx: &mut Context<'_>, leader: BrokerId, request: Request, pending: Pending) {
        if !self.metadata.live.contains(&leader) {
            return self.unreachable(cx, leader);
        }
        let correlation = cx.core.request(Node::Broker(self.id), Node::Broker(leader), request);
        if let Some(fetcher) = self.fetchers.get_mut(&leader) {
            fetcher.pending = Some((correlation, pending));
        }
        self.expect(cx, correlation, InFlight::Fetcher(leader));
    }

    /// As `Fetcher::unreachable`.
    fn unreachable(&mut self, cx: &mut Context<'_>, leader: BrokerId) {
        cx.core.trace(|| format!("{}: {} is out of reach", self.id, leader.0));
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        fetcher.pending = None;
        fetcher.session.reset(false);
        fetcher.machine.delay_all(cx.now);
        let backoff_ms = cx.core.scenario.backoff_ms;
        cx.timer(self.id, self.number, backoff_ms, Timer::Fetcher(leader));
    }

    fn wanted(&self, cx: &Context<'_>, leader: BrokerId) -> Vec<(TopicPartition, Wanted)> {
        let Some(fetcher) = self.fetchers.get(&leader) else { return Vec::new() };
        let follows = |name: &TopicPartition, term| {
            self.partitions.get(name).is_some_and(|hosted| hosted.follows_in(term))
        };
        let wanted =
            fetcher.machine.to_fetch(cx.now).filter(|(name, state)| follows(name, state.leader_epoch));
        wanted
            .map(|(name, state)| {
                let wanted = Wanted {
                    topic_id: state.topic_id,
                    leader_epoch: state.leader_epoch,
                    fetch_offset: state.fetch_offset,
                    last_fetched_epoch: state.last_fetched_epoch,
                    log_start_offset: cx.disk.get(name).map_or(Offset::ZERO, SimLog::start),
                };
                (name.clone(), wanted)
            })
            .collect()
    }

    /// As `Fetcher::truncate`. Returns whether an answer is awaited.
    fn ask_for_epochs(&mut self, cx: &mut Context<'_>, leader: BrokerId) -> bool {
        let Some(fetcher) = self.fetchers.get(&leader) else { return false };
        let (mut queries, mut without) = (Vec::new(), Vec::new());
        let mut asked_from = BTreeMap::new();
        for (name, state) in fetcher.machine.to_truncate(cx.now) {
            let asked = Asked { leader_epoch: state.leader_epoch, fetch_offset: state.fetch_offset };
            let follows =
                self.partitions.get(name).is_some_and(|hosted| hosted.follows_in(asked.leader_epoch));
            let latest = cx.disk.get(name).filter(|_| follows).and_then(|log| log.epochs.latest());
            match latest.filter(|_| !cx.core.is_mutant(Mutant::TruncateToHighWatermark)) {
                Some(epoch) => {
                    queries.push((name.clone(), asked.leader_epoch, epoch));
                    asked_from.insert(name.clone(), asked);
                }
                None => without.push((name.clone(), asked)),
            }
        }
        for (name, asked) in without {
            self.truncate(cx, leader, &name, asked, EpochEnd { epoch: None, end_offset: None });
        }
        if queries.is_empty() {
            return false;
        }
        self.ask_leader(cx, leader, Request::Epochs(queries), Pending::Epochs(asked_from));
        true
    }

    /// An answer to a fetcher, or none.
    pub(super) fn on_fetcher_answer(
        &mut self,
        cx: &mut Context<'_>,
        leader: BrokerId,
        correlation: Correlation,
        answer: Option<Answer>,
    ) {
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        let Some((_, pending)) = fetcher.pending.take_if(|(pending, _)| *pending == correlation) else {
            return;
        };
        match (pending, answer) {
            (Pending::Fetch, Some(Answer::Fetch { answer, corrupt })) => {
                self.on_fetched(cx, leader, answer, corrupt);
            }
            (Pending::Epochs(asked), Some(Answer::Epochs(ends))) => {
                for (name, end) in ends {
                    self.on_epoch_end(cx, leader, &name, asked.get(&name).copied(), end);
                }
            }
            (Pending::Ends(partitions), Some(Answer::Offsets(ends))) => {
                self.on_ends(cx, leader, partitions, ends);
            }
            (Pending::Starts(partitions), Some(Answer::Offsets(starts))) => {
                self.on_starts(cx, leader, partitions, starts);
            }
            _ => return self.unreachable(cx, leader),
        }
        self.pump_fetcher(cx, leader);
    }

    fn on_fetched(&mut self, cx: &mut Context<'_>, leader: BrokerId, answer: FetchAnswer, corrupt: bool) {
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        let (session, fetched) = match answer {
            Ok(fetched) => fetched,
            Err(error) => {
                return fetcher.session.reset(matches!(error, FetchSessionError::IdNotFound(_)));
            }
        };
        fetcher.session.on_answer(session);
        let mut out_of_range = Vec::new();
        for (name, result) in fetched {
            self.apply(cx, leader, &name, result, corrupt, &mut out_of_range);
        }
        if !out_of_range.is_empty() {
            let request = Request::Offsets { latest: true, partitions: out_of_range.clone() };
            self.ask_leader(cx, leader, request, Pending::Ends(out_of_range));
        }
    }

    /// As `Fetcher::apply`.
    fn apply(
        &mut self,
        cx: &mut Context<'_>,
        leader: BrokerId,
        name: &TopicPartition,
        result: Result<Fetched, LeaderRefusal>,
        corrupt: bool,
        out_of_range: &mut Vec<(TopicPartition, LeaderEpoch)>,
    ) {
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        let Some(known) = fetcher.session.known(name) else { return };
        let asked = Asked { leader_epoch: known.leader_epoch, fetch_offset: known.fetch_offset };
        let machine_answer = match &result {
            Err(refusal) => MachineAnswer::Refused(*refusal),
            Ok(fetched) => fetched.diverging.map_or(MachineAnswer::Records, MachineAnswer::Diverging),
        };
        let step = fetcher.machine.on_answer(name, asked, machine_answer, cx.now);
        if let Err(refusal) = &result {
            cx.core.trace(|| format!("{}: {} refuses {name}: {refusal:?}, {step:?}", self.id, leader.0));
        }
        match (step, result) {
            (Step::Append, Ok(fetched)) => self.append(cx, leader, name, asked, &fetched, corrupt),
            (Step::Truncate(end), _) => self.truncate(cx, leader, name, asked, end),
            (Step::ResolveOutOfRange, _) => out_of_range.push((name.clone(), asked.leader_epoch)),
            (Step::Append | Step::Failed | Step::Nothing, _) => {}
        }
    }

    /// As `HostedPartition::append_as_follower` and what the fetcher makes of its outcome.
    fn append(
        &mut self,
        cx: &mut Context<'_>,
        leader: BrokerId,
        name: &TopicPartition,
        asked: Asked,
        fetched: &Fetched,
        corrupt: bool,
    ) {
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        let follows = self.partitions.get(name).is_some_and(|hosted| hosted.follows_in(asked.leader_epoch));
        let Some(log) = cx.disk.get_mut(name).filter(|_| follows) else {
            return fetcher.machine.drop_term(name, asked.leader_epoch);
        };
        if asked.fetch_offset != log.end() {
            return restarted(&mut fetcher.machine, name, asked.leader_epoch, log);
        }
        let term = asked.leader_epoch;
        let before = log.high_watermark;
        let mut last_epoch = match append_fetched(log, fetched, term, corrupt) {
            Ok(last_epoch) => last_epoch,
            Err(AppendRefusal::Corrupt) => return fetcher.machine.delay(name, term, cx.now),
            Err(refusal) => {
                cx.core.trace(|| format!("{}: {name} stops until its next term: {refusal:?}", self.id));
                return fetcher.machine.drop_term(name, term);
            }
        };
        cx.core.checker.on_high_watermark(self.id, name, term, before, log);
        if cx.core.is_mutant(Mutant::TruncateToHighWatermark) {
            last_epoch = None;
        }
        fetcher.machine.appended(name, term, log.end(), last_epoch, Some(fetched.high_watermark));
    }

    fn truncate(
        &mut self,
        cx: &mut Context<'_>,
        leader: BrokerId,
        name: &TopicPartition,
        asked: Asked,
        end: EpochEnd,
    ) {
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        let follows = self.partitions.get(name).is_some_and(|hosted| hosted.follows_in(asked.leader_epoch));
        let Some(log) = cx.disk.get_mut(name).filter(|_| follows) else {
            return fetcher.machine.drop_term(name, asked.leader_epoch);
        };
        let log_end = log.end();
        let decided = truncation::decide(end, asked.fetch_offset, log_end, |epoch| {
            log.epochs.end_offset_for(epoch, log_end)
        });
        log.truncate(decided.offset);
        if log.end() < log_end {
            cx.core.trace(|| format!("{} truncates {name} from {log_end:?} to {:?}", self.id, log.end()));
        }
        let offset = log.end();
        let last_epoch = log.epochs.latest().filter(|_| !cx.core.is_mutant(Mutant::TruncateToHighWatermark));
        let truncation = truncation::Truncation { offset, ..decided };
        fetcher.machine.truncated(name, asked.leader_epoch, truncation, last_epoch);
    }

    fn on_epoch_end(
        &mut self,
        cx: &mut Context<'_>,
        leader: BrokerId,
        name: &TopicPartition,
        asked: Option<Asked>,
        end: Result<EpochEnd, LeaderRefusal>,
    ) {
        let (Some(fetcher), Some(asked)) = (self.fetchers.get_mut(&leader), asked) else { return };
        if let Step::Truncate(end) = fetcher.machine.on_epoch_end(name, asked, end, cx.now) {
            self.truncate(cx, leader, name, asked, end);
        }
    }

    /// As the first half of `Fetcher::resolve_out_of_range`.
    fn on_ends(
        &mut self,
        cx: &mut Context<'_>,
        leader: BrokerId,
        partitions: Vec<(TopicPartition, LeaderEpoch)>,
        ends: Vec<(TopicPartition, Result<Offset, LeaderRefusal>)>,
    ) {
        let mut by_start = Vec::new();
        for ((name, term), (_, end)) in partitions.into_iter().zip(ends) {
            let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
            let follows = self.partitions.get(&name).is_some_and(|hosted| hosted.follows_in(term));
            let log = cx.disk.get_mut(&name).filter(|_| follows);
            match (end, log) {
                (_, None) => fetcher.machine.drop_term(&name, term),
                (Err(refusal), _) => {
                    fetcher.machine.refused(&name, term, refusal, cx.now);
                }
                (Ok(end), Some(log)) if end < log.end() => {
                    log.truncate(end);
                    restarted(&mut fetcher.machine, &name, term, log);
                }
                (Ok(_), Some(_)) => by_start.push((name, term)),
            }
        }
        if !by_start.is_empty() {
            let request = Request::Offsets { latest: false, partitions: by_start.clone() };
            self.ask_leader(cx, leader, request, Pending::Starts(by_start));
        }
    }

    /// As its second half.
    fn on_starts(
        &mut self,
        cx: &mut Context<'_>,
        leader: BrokerId,
        partitions: Vec<(TopicPartition, LeaderEpoch)>,
        starts: Vec<(TopicPartition, Result<Offset, LeaderRefusal>)>,
    ) {
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        for ((name, term), (_, start)) in partitions.into_iter().zip(starts) {
            let follows = self.partitions.get(&name).is_some_and(|hosted| hosted.follows_in(term));
            match (start, cx.disk.get_mut(&name).filter(|_| follows)) {
                (_, None) => fetcher.machine.drop_term(&name, term),
                (Err(refusal), _) => {
                    fetcher.machine.refused(&name, term, refusal, cx.now);
                }
                (Ok(start), Some(log)) => {
                    if start > log.end() {
                        cx.core.trace(|| format!("{} begins {name} anew at {start:?}", self.id));
                        log.restart_at(start);
                    }
                    restarted(&mut fetcher.machine, &name, term, log);
                }
            }
        }
    }
}

/// As `HostedPartition::append_as_follower`.
fn append_fetched(
    log: &mut SimLog,
    fetched: &Fetched,
    term: LeaderEpoch,
    corrupt: bool,
) -> Result<Option<LeaderEpoch>, AppendRefusal> {
    if corrupt && !fetched.batches.is_empty() {
        return Err(AppendRefusal::Corrupt);
    }
    let last_epoch = match (log.append_fetched(&fetched.batches, term), fetched.batches.first()) {
        (Err(AppendRefusal::BelowEnd), Some(first))
            if log.end() == log.start() || fetched.log_start >= log.end() =>
        {
            log.restart_at(first.base);
            log.append_fetched(&fetched.batches, term)?
        }
        (appended, _) => appended?,
    };
    log.set_high_watermark(fetched.high_watermark);
    if fetched.log_start > log.start() {
        log.raise_start(fetched.log_start)?;
    }
    Ok(last_epoch)
}

/// As `Fetcher::restarted`.
fn restarted(machine: &mut FetcherMachine, name: &TopicPartition, term: LeaderEpoch, log: &SimLog) {
    machine.restarted(name, term, log.end(), log.epochs.latest());
}
