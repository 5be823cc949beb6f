//! What a leader does for producers, consumers and followers, and with its ISR (`HostedPartition` in the product).

use std::collections::HashMap;

use gregor_controller_machine::{
    AlterPartitionError, AlterPartitionItem, AlterPartitionRequest, AlterPartitionTopError, TopicRef,
};
use gregor_model::{
    BrokerEpoch, BrokerId, LeaderAndIsr, LeaderEpoch, LeaderRecoveryState, Offset, TopicPartition,
};
use gregor_replication::alter_partition::machine::{IsrChange, Outcome};
use gregor_replication::fetcher::machine::LeaderRefusal;
use gregor_replication::fetcher::session::SessionRequest;
use gregor_replication::partition::isr::{IsrAnswer, IsrProposal, IsrReaction, IsrRefusal};
use gregor_replication::partition::leader_epoch_check::{self, LeaderEpochError};
use gregor_replication::partition::progress::FollowerPosition;
use gregor_replication::{EpochEnd, FetchPartition, PartitionSummary, SessionPartition};

use super::partition::{Leading, Others, Wait};
use super::{Context, InFlight, Process, Role};
use crate::core::Timer;
use crate::log::SimLog;
use crate::message::{Answer, Consumed, Correlation, FetchAnswer, Fetched, Node, Produced, Request};
use crate::mutants::Mutant;

/// How long a produce request waits, in milliseconds.
const PRODUCE_TIMEOUT_MS: i64 = 10_000;

/// NOT_LEADER_OR_FOLLOWER, UNKNOWN_LEADER_EPOCH and the like: the follower only backs off.
const NOT_NOW: LeaderRefusal = LeaderRefusal::Other(6);

/// An answer without news that is held back for a while.
#[derive(Debug)]
pub struct WaitingFetch {
    from: Node,
    answer: FetchAnswer,
    partitions: Vec<TopicPartition>,
}

impl Process {
    fn check_epoch(
        &self,
        partition: &TopicPartition,
        requested: Option<LeaderEpoch>,
    ) -> Result<(), LeaderRefusal> {
        let hosted = self.partitions.get(partition).ok_or(NOT_NOW)?;
        let is_leader = hosted.leading().is_some();
        match leader_epoch_check::check(requested, hosted.leader_epoch, is_leader, true) {
            Ok(()) => Ok(()),
            Err(LeaderEpochError::Fenced) => Err(LeaderRefusal::FencedLeaderEpoch),
            Err(LeaderEpochError::Unknown | LeaderEpochError::NotLeader) => Err(NOT_NOW),
        }
    }

    /// Raises the high watermark as far as the leader's rules allow; lets go those who wait for it.
    pub(super) fn advance(&mut self, cx: &mut Context<'_>, partition: &TopicPartition) {
        let Some(hosted) = self.partitions.get_mut(partition) else { return };
        let Some(epoch) = hosted.leader_epoch else { return };
        let (Some(leading), Some(log)) = (hosted.leading_mut(), cx.disk.get_mut(partition)) else { return };
        let others = Others { clocks: &self.clocks, live: &self.metadata.live, now: cx.now };
        let min_isr = cx.core.scenario.min_insync_replicas;
        let lag_ms = cx.core.scenario.lag_max_ms;
        let candidate = match cx.core.mutant {
            Some(Mutant::IsrNotFrozen | Mutant::HighWatermarkPastJoining) => {
                let frozen = !cx.core.is_mutant(Mutant::IsrNotFrozen);
                mutated_high_watermark(leading, log.end(), min_isr, frozen)
            }
            _ => leading.state.high_watermark(log.end(), min_isr, lag_ms, &others),
        };
        let before = log.high_watermark;
        if !candidate.is_some_and(|candidate| log.raise_high_watermark(candidate)) {
            return;
        }
        let high_watermark = log.high_watermark;
        cx.core.checker.on_high_watermark(self.id, partition, epoch, before, log);
        let reached = leading.state.has_min_isr_after_append(min_isr);
        let (done, waits): (Vec<Wait>, Vec<Wait>) =
            leading.waits.drain(..).partition(|wait| wait.until <= high_watermark);
        leading.waits = waits;
        for wait in done {
            let produced = if reached { Produced::At(wait.base, epoch) } else { Produced::Failed };
            cx.core.answer(Node::Broker(self.id), wait.from, wait.correlation, Answer::Produced(produced));
        }
    }

    /// The role is over: whoever waits is told.
    pub(super) fn release_role(&self, cx: &mut Context<'_>, role: Role) {
        if let Role::Leader(leading) = role {
            self.release(cx, leading.waits);
        }
    }

    pub(super) fn release(&self, cx: &mut Context<'_>, waits: Vec<Wait>) {
        for wait in waits {
            let answer = Answer::Produced(Produced::Failed);
            cx.core.answer(Node::Broker(self.id), wait.from, wait.correlation, answer);
        }
    }

    /// Produce with acks=all (`HostedPartition::append_as_leader`).
    pub(super) fn on_produce(
        &mut self,
        cx: &mut Context<'_>,
        from: Node,
        correlation: Correlation,
        partition: &TopicPartition,
        (count, payload): (i64, u64),
    ) {
        let min_isr = cx.core.scenario.min_insync_replicas;
        let leading = self.partitions.get_mut(partition).and_then(|hosted| hosted.leading_mut());
        let log = cx.disk.get_mut(partition);
        let (Some(leading), Some(log)) = (leading.filter(|l| l.state.has_min_isr(min_isr)), log) else {
            let answer = Answer::Produced(Produced::Failed);
            return cx.core.answer(Node::Broker(self.id), from, correlation, answer);
        };
        let base = log.append(leading.state.leader_epoch(), count, payload);
        leading.waits.push(Wait { until: base + count, base, from, correlation });
        self.advance(cx, partition);
        self.wake_fetches(cx, partition);
        cx.timer(self.id, self.number, PRODUCE_TIMEOUT_MS, Timer::ProduceWait(correlation));
    }

    /// A produce request waited for too long.
    pub(super) fn give_up_produce(&mut self, cx: &mut Context<'_>, correlation: Correlation) {
        let mut gone = Vec::new();
        for leading in self.partitions.values_mut().filter_map(|hosted| hosted.leading_mut()) {
            gone.extend(leading.waits.extract_if(.., |wait| wait.correlation == correlation));
        }
        self.release(cx, gone);
    }

    /// Fetch of a consumer, below the high watermark.
    pub(super) fn consume(
        &self,
        cx: &Context<'_>,
        partition: &TopicPartition,
        offset: Offset,
    ) -> Option<Consumed> {
        let hosted = self.partitions.get(partition)?;
        hosted.leading()?;
        let (log, epoch) = (cx.disk.get(partition)?, hosted.leader_epoch?);
        let batches = log.read(offset, log.high_watermark, 50);
        Some(Consumed { batches, out_of_range: offset > log.end(), epoch })
    }

    /// OffsetForLeaderEpoch.
    pub(super) fn epoch_ends(
        &self,
        cx: &Context<'_>,
        queries: &[(TopicPartition, LeaderEpoch, LeaderEpoch)],
    ) -> Vec<(TopicPartition, Result<EpochEnd, LeaderRefusal>)> {
        let end = |(partition, term, epoch): &(TopicPartition, LeaderEpoch, LeaderEpoch)| {
            self.check_epoch(partition, Some(*term))?;
            let log = cx.disk.get(partition).ok_or(NOT_NOW)?;
            let end = log.epochs.end_offset_for(*epoch, log.end());
            Ok(EpochEnd { epoch: end.map(|(epoch, _)| epoch), end_offset: end.map(|(_, offset)| offset) })
        };
        queries.iter().map(|query| (query.0.clone(), end(query))).collect()
    }

    /// ListOffsets of a follower.
    pub(super) fn offsets(
        &self,
        cx: &Context<'_>,
        latest: bool,
        partitions: &[(TopicPartition, LeaderEpoch)],
    ) -> Vec<(TopicPartition, Result<Offset, LeaderRefusal>)> {
        let offset = |partition: &TopicPartition, term: LeaderEpoch| {
            self.check_epoch(partition, Some(term))?;
            let log = cx.disk.get(partition).ok_or(NOT_NOW)?;
            Ok(if latest { log.end() } else { Offset::ZERO })
        };
        partitions.iter().map(|(partition, term)| (partition.clone(), offset(partition, *term))).collect()
    }

    /// Fetch of a follower.
    pub(super) fn on_fetch(
        &mut self,
        cx: &mut Context<'_>,
        from: Node,
        correlation: Correlation,
        follower: (BrokerId, Option<BrokerEpoch>),
        request: SessionRequest,
    ) {
        let answer = self.fetch(cx, follower, request);
        let has_news = match &answer {
            Err(_) => true,
            Ok((_, answered)) => answered.iter().any(|(_, result)| match result {
                Err(_) => true,
                Ok(fetched) => !fetched.batches.is_empty() || fetched.diverging.is_some(),
            }),
        };
        if has_news {
            return self.answer_fetch(cx, from, correlation, answer);
        }
        let partitions = self.partitions.keys().cloned().collect();
        self.waiting_fetches.insert(correlation, WaitingFetch { from, answer, partitions });
        let wait_ms = cx.core.scenario.fetch_wait_ms;
        cx.timer(self.id, self.number, wait_ms, Timer::FetchWait(correlation));
    }

    fn answer_fetch(&self, cx: &mut Context<'_>, to: Node, correlation: Correlation, answer: FetchAnswer) {
        let corrupt = cx.core.network.is_noisy() && cx.core.random.per_mille(2);
        cx.core.answer(Node::Broker(self.id), to, correlation, Answer::Fetch { answer, corrupt });
    }

    /// A fetch has waited long enough.
    pub(super) fn release_fetch(&mut self, cx: &mut Context<'_>, correlation: Correlation) {
        if let Some(WaitingFetch { from, answer, .. }) = self.waiting_fetches.remove(&correlation) {
            self.answer_fetch(cx, from, correlation, answer);
        }
    }

    /// There is something new in a partition.
    pub(super) fn wake_fetches(&mut self, cx: &mut Context<'_>, partition: &TopicPartition) {
        if self.waiting_fetches.is_empty() {
            return;
        }
        let waiting = self.waiting_fetches.iter();
        let woken: Vec<Correlation> =
            waiting.filter(|(_, w)| w.partitions.contains(partition)).map(|(id, _)| *id).collect();
        for correlation in woken {
            self.release_fetch(cx, correlation);
        }
    }

    fn fetch(
        &mut self,
        cx: &mut Context<'_>,
        follower: (BrokerId, Option<BrokerEpoch>),
        request: SessionRequest,
    ) -> FetchAnswer {
        let asked = self.session_request(request);
        let context = self.sessions.begin(asked, |id| self.metadata.name_of(id), cx.now)?;
        let wanted = context.partitions().to_vec();
        let mut results = Vec::with_capacity(wanted.len());
        let (mut proposals, mut moved) = (Vec::new(), Vec::new());
        for (partition, wanted) in wanted {
            let result = match &partition.topic {
                Some(topic) => {
                    let name = TopicPartition { topic: topic.clone(), partition: partition.partition };
                    let live = &self.metadata.live;
                    read(&mut self.partitions, &self.clocks, live, cx, &name, follower, &wanted).map(|read| {
                        proposals.extend(read.proposal.map(|proposal| (name.clone(), proposal)));
                        moved.extend(read.moved.then_some(name));
                        read.fetched
                    })
                }
                None => Err(LeaderRefusal::Other(100)),
            };
            results.push((partition, result));
        }
        let answer = context.finish(results, |result| summary(result.as_ref()), cx.now);
        for (name, proposal) in proposals {
            self.submit_isr_change(cx, &name, proposal);
        }
        for name in moved {
            self.advance(cx, &name);
        }
        let answer = answer?;
        let answered = answer.partitions.into_iter().filter_map(|(partition, result)| {
            Some((TopicPartition { topic: partition.topic?, partition: partition.partition }, result))
        });
        let answered = answered.collect();
        Ok((answer.session_id, answered))
    }

    fn session_request(&self, request: SessionRequest) -> gregor_replication::SessionRequest {
        let by_topic_id = request.by_topic_id;
        let named = |partition: &TopicPartition, id| SessionPartition {
            topic_id: if by_topic_id { id } else { None },
            topic: if by_topic_id { None } else { Some(partition.topic.clone()) },
            partition: partition.partition,
        };
        let look_up = |mut partition: SessionPartition| {
            if partition.topic.is_none() {
                partition.topic = partition.topic_id.and_then(|id| self.metadata.name_of(id));
            }
            partition
        };
        gregor_replication::SessionRequest {
            session_id: request.session_id,
            session_epoch: request.session_epoch,
            by_topic_id,
            from_follower: true,
            listed: request
                .listed
                .iter()
                .map(|(partition, wanted)| {
                    let fetch = FetchPartition {
                        topic_id: if by_topic_id { wanted.topic_id } else { None },
                        fetch_offset: wanted.fetch_offset,
                        log_start_offset: Some(wanted.log_start_offset),
                        max_bytes: 1 << 20,
                        current_leader_epoch: Some(wanted.leader_epoch),
                        last_fetched_epoch: wanted.last_fetched_epoch,
                    };
                    (look_up(named(partition, wanted.topic_id)), fetch)
                })
                .collect(),
            forgotten: request
                .forgotten
                .iter()
                .map(|(partition, id)| look_up(named(partition, *id)))
                .collect(),
        }
    }

    /// As `HostedPartition::submit_isr_change`.
    fn submit_isr_change(&mut self, cx: &mut Context<'_>, partition: &TopicPartition, proposal: IsrProposal) {
        cx.core.trace(|| {
            let (isr, version) = (&proposal.isr, proposal.partition_epoch.0);
            format!("{} proposes ISR {isr:?} of {partition} at version {version}", self.id)
        });
        let Some(leading) = self.partitions.get_mut(partition).and_then(|hosted| hosted.leading_mut()) else {
            return;
        };
        leading.assumed = Some(proposal.isr.clone());
        let topic_id = cx.disk.get(partition).and_then(|log| log.topic_id);
        let change = IsrChange { partition: partition.clone(), topic_id, proposal: proposal.clone() };
        if self.isr_changes.submit(change).is_err() {
            leading.state.on_isr_answer(&proposal, Err(IsrRefusal::NotAttempted));
        }
        if cx.core.is_mutant(Mutant::IsrNotFrozen) {
            self.advance(cx, partition);
        }
        self.send_isr_changes(cx);
    }

    /// Drops lagging replicas from the ISRs: asks the controller to.
    pub(super) fn shrink_isrs(&mut self, cx: &mut Context<'_>) {
        let others = Others { clocks: &self.clocks, live: &self.metadata.live, now: cx.now };
        let mut proposals = Vec::new();
        for (partition, hosted) in &mut self.partitions {
            let (Some(leading), Some(log)) = (hosted.leading_mut(), cx.disk.get(partition)) else { continue };
            let lag_ms = cx.core.scenario.lag_max_ms;
            if let Some(proposal) = leading.state.propose_shrink(log.end(), lag_ms, &others) {
                proposals.push((partition.clone(), proposal));
            }
        }
        for (partition, proposal) in proposals {
            self.submit_isr_change(cx, &partition, proposal);
        }
    }

    /// Sends what waits, if nothing is on its way.
    pub(super) fn send_isr_changes(&mut self, cx: &mut Context<'_>) {
        let sent = self.isr_changes.next_request(cx.now);
        if sent.is_empty() {
            return;
        }
        let (Some(controller), Some(broker_epoch)) = (self.metadata.controller, self.epoch) else {
            return self.alter_partition_failed(cx, &sent);
        };
        let item = |change: &IsrChange| AlterPartitionItem {
            topic: match change.topic_id {
                Some(id) => TopicRef::Id(Some(id)),
                None => TopicRef::Name(change.partition.topic.clone()),
            },
            partition: change.partition.partition,
            leader_epoch: change.proposal.leader_epoch,
            isr: change.proposal.isr.clone(),
            recovery: LeaderRecoveryState::Recovered,
            partition_epoch: change.proposal.partition_epoch,
        };
        let partitions = sent.iter().map(item).collect();
        let request = AlterPartitionRequest { broker: self.id, broker_epoch, partitions };
        let to = Node::Broker(controller);
        let correlation = cx.core.request(Node::Broker(self.id), to, Request::AlterPartition(request));
        self.expect(cx, correlation, InFlight::AlterPartition(sent));
    }

    fn alter_partition_failed(&mut self, cx: &mut Context<'_>, sent: &[IsrChange]) {
        self.isr_changes.on_outcome(sent, Outcome::Failed, cx.now);
        cx.timer(self.id, self.number, 100, Timer::AlterPartition);
    }

    /// The controller answered an AlterPartition, or did not.
    pub(super) fn on_alter_partition(
        &mut self,
        cx: &mut Context<'_>,
        sent: &[IsrChange],
        answer: Option<Answer>,
    ) {
        let Some(Answer::AlterPartition(Ok(results))) = answer else {
            if let Some(Answer::AlterPartition(Err(error))) = &answer {
                cx.core.trace(|| format!("{}: AlterPartition refused: {error}", self.id));
                debug_assert!(matches!(
                    error,
                    AlterPartitionTopError::NotController
                        | AlterPartitionTopError::StaleBrokerEpoch
                        | AlterPartitionTopError::Failed
                ));
            }
            return self.alter_partition_failed(cx, sent);
        };
        if results.iter().any(|result| matches!(result, Err(AlterPartitionError::NotController))) {
            return self.alter_partition_failed(cx, sent);
        }
        let answers: HashMap<TopicPartition, IsrAnswer> = sent
            .iter()
            .zip(results)
            .map(|(change, result)| (change.partition.clone(), isr_answer(result)))
            .collect();
        let delivered = self.isr_changes.on_outcome(sent, Outcome::Answered(answers), cx.now);
        for (change, answer) in delivered {
            self.on_isr_answer(cx, &change, answer);
        }
        self.send_isr_changes(cx);
    }

    fn on_isr_answer(&mut self, cx: &mut Context<'_>, change: &IsrChange, answer: IsrAnswer) {
        let partition = &change.partition;
        let Some(leading) = self.partitions.get_mut(partition).and_then(|hosted| hosted.leading_mut()) else {
            return;
        };
        let reaction = leading.state.on_isr_answer(&change.proposal, answer);
        cx.core.trace(|| format!("{}: ISR of {partition}: {reaction:?}", self.id));
        match reaction {
            IsrReaction::Committed => {
                leading.assumed = None;
                self.advance(cx, partition);
            }
            IsrReaction::Reverted => leading.assumed = None,
            IsrReaction::Resubmit(proposal) => self.submit_isr_change(cx, partition, proposal),
            IsrReaction::AwaitLeaderAndIsr | IsrReaction::Stale => {}
        }
    }
}

/// What reading one partition for a follower came to.
struct Read {
    fetched: Fetched,
    proposal: Option<IsrProposal>,
    moved: bool,
}

/// As `HostedPartition::read` for a follower's fetch that has just arrived.
fn read(
    partitions: &mut std::collections::BTreeMap<TopicPartition, super::Partition>,
    clocks: &gregor_replication::FollowerClocks,
    live: &std::collections::BTreeSet<BrokerId>,
    cx: &mut Context<'_>,
    name: &TopicPartition,
    (follower, broker_epoch): (BrokerId, Option<BrokerEpoch>),
    wanted: &FetchPartition,
) -> Result<Read, LeaderRefusal> {
    let hosted = partitions.get_mut(name).ok_or(NOT_NOW)?;
    let is_leader = hosted.leading().is_some();
    match leader_epoch_check::check(wanted.current_leader_epoch, hosted.leader_epoch, is_leader, true) {
        Ok(()) => {}
        Err(LeaderEpochError::Fenced) => return Err(LeaderRefusal::FencedLeaderEpoch),
        Err(LeaderEpochError::Unknown | LeaderEpochError::NotLeader) => return Err(NOT_NOW),
    }
    let leading = hosted.leading_mut().ok_or(NOT_NOW)?;
    let log = cx.disk.get(name).ok_or(NOT_NOW)?;
    if let (Some(requested), Some(id)) = (wanted.topic_id, log.topic_id)
        && requested != id
    {
        return Err(LeaderRefusal::Other(103));
    }
    if leading.state.follower(follower).is_none() {
        return Err(NOT_NOW);
    }
    if let Some(epoch) = wanted.last_fetched_epoch
        && let Some(diverging) = divergence(log, epoch, wanted.fetch_offset)?
    {
        let fetched =
            Fetched { batches: Vec::new(), high_watermark: log.high_watermark, diverging: Some(diverging) };
        return Ok(Read { fetched, proposal: None, moved: false });
    }
    if wanted.fetch_offset > log.end() {
        return Err(LeaderRefusal::OffsetOutOfRange);
    }
    let batches = log.read(wanted.fetch_offset, log.end(), cx.core.scenario.fetch_batches_max);
    let fetched = Fetched { batches, high_watermark: log.high_watermark, diverging: None };
    let others = Others { clocks, live, now: cx.now };
    let position = FollowerPosition {
        fetch_offset: wanted.fetch_offset,
        log_start_offset: wanted.log_start_offset,
        broker_epoch,
    };
    let noted = leading.state.on_follower_fetch(follower, position, log.end(), &others);
    let Ok(moved) = noted else { return Ok(Read { fetched, proposal: None, moved: false }) };
    let proposal = leading.state.propose_expand(follower, log.high_watermark, &others);
    Ok(Read { fetched, proposal, moved })
}

/// As `HostedPartition::divergence`.
fn divergence(
    log: &SimLog,
    epoch: LeaderEpoch,
    fetch_offset: Offset,
) -> Result<Option<EpochEnd>, LeaderRefusal> {
    let (found, end) = log.epochs.end_offset_for(epoch, log.end()).ok_or(LeaderRefusal::OffsetOutOfRange)?;
    let diverges = found < epoch || end < fetch_offset;
    Ok(diverges.then_some(EpochEnd { epoch: Some(found), end_offset: Some(end) }))
}

fn summary(result: Result<&Fetched, &LeaderRefusal>) -> PartitionSummary {
    match result {
        Ok(fetched) => PartitionSummary {
            has_records: !fetched.batches.is_empty(),
            is_error: false,
            is_news: fetched.diverging.is_some(),
            high_watermark: Some(fetched.high_watermark),
            log_start_offset: Some(Offset::ZERO),
        },
        Err(_) => PartitionSummary { is_error: true, ..PartitionSummary::default() },
    }
}

/// As `alter_partition::message` reads the wire's codes.
fn isr_answer(result: Result<LeaderAndIsr, AlterPartitionError>) -> IsrAnswer {
    result.map_err(|error| match error {
        AlterPartitionError::UnknownTopicId => IsrRefusal::UnknownTopicId,
        AlterPartitionError::UnknownTopicOrPartition => IsrRefusal::UnknownTopicOrPartition,
        AlterPartitionError::FencedLeaderEpoch => IsrRefusal::FencedLeaderEpoch,
        AlterPartitionError::InvalidUpdateVersion => IsrRefusal::InvalidUpdateVersion,
        AlterPartitionError::InvalidRequest => IsrRefusal::InvalidRequest,
        AlterPartitionError::IneligibleReplica => IsrRefusal::IneligibleReplica,
        AlterPartitionError::NotController => IsrRefusal::Other(41),
        AlterPartitionError::Failed => IsrRefusal::Other(-1),
    })
}

/// The high watermark as the two mutants take it: of the ISR that was proposed, or (`frozen`) of the confirmed one alone.
fn mutated_high_watermark(leading: &Leading, end: Offset, min_isr: usize, frozen: bool) -> Option<Offset> {
    let state = &leading.state;
    if !state.has_min_isr(min_isr) {
        return None;
    }
    let members = leading.assumed.as_deref().filter(|_| !frozen).unwrap_or(state.isr().members());
    let followers = state.followers().filter(|(id, _)| members.contains(id));
    followers.map(|(_, progress)| progress.log_end_offset()).try_fold(end, |low, next| Some(low.min(next?)))
}
