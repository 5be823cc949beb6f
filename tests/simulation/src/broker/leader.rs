//! What a leader does for followers (`HostedPartition::read` in the product).

use gregor_model::{BrokerEpoch, BrokerId, LeaderEpoch, Offset, TopicPartition};
use gregor_replication::fetcher::machine::LeaderRefusal;
use gregor_replication::fetcher::session::SessionRequest;
use gregor_replication::partition::isr::IsrProposal;
use gregor_replication::partition::leader_epoch_check::{self, LeaderEpochError};
use gregor_replication::partition::progress::FollowerPosition;
use gregor_replication::{EpochEnd, FetchPartition, PartitionSummary, SessionPartition};

use super::partition::Others;
use super::{Context, Process};
use crate::core::Timer;
use crate::log::SimLog;
use crate::message::{Answer, Correlation, FetchAnswer, Fetched, Node};

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
            Ok(if latest { log.end() } else { log.start() })
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
        let fetched = Fetched {
            batches: Vec::new(),
            high_watermark: log.high_watermark,
            log_start: log.start(),
            diverging: Some(diverging),
        };
        return Ok(Read { fetched, proposal: None, moved: false });
    }
    if wanted.fetch_offset < log.start() || wanted.fetch_offset > log.end() {
        return Err(LeaderRefusal::OffsetOutOfRange);
    }
    let batches = log.read(wanted.fetch_offset, log.end(), cx.core.scenario.fetch_batches_max);
    let (high_watermark, log_start) = (log.high_watermark, log.start());
    let fetched = Fetched { batches, high_watermark, log_start, diverging: None };
    let others = Others { clocks, live, now: cx.now };
    let position = FollowerPosition {
        fetch_offset: wanted.fetch_offset,
        log_start_offset: wanted.log_start_offset,
        broker_epoch,
    };
    let noted = leading.state.on_follower_fetch(follower, position, log.end(), &others);
    let Ok(moved) = noted else { return Ok(Read { fetched, proposal: None, moved: false }) };
    cx.core.checker.on_follower_noted(name, follower, wanted.fetch_offset);
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
    if fetch_offset < log.start() {
        return Err(LeaderRefusal::OffsetOutOfRange);
    }
    let diverges = found < epoch || end < fetch_offset;
    Ok(diverges.then_some(EpochEnd { epoch: Some(found), end_offset: Some(end) }))
}

fn summary(result: Result<&Fetched, &LeaderRefusal>) -> PartitionSummary {
    match result {
        Ok(fetched) => PartitionSummary {
            has_records: !fetched.batches.is_empty(),
            is_full: false,
            is_error: false,
            is_news: fetched.diverging.is_some(),
            high_watermark: Some(fetched.high_watermark),
            log_start_offset: Some(fetched.log_start),
        },
        Err(_) => PartitionSummary { is_error: true, ..PartitionSummary::default() },
    }
}
