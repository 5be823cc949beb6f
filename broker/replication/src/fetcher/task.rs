//! One fetcher: a task with one connection to one leader, one request in flight (`ReplicaFetcherThread`).
//!
//! Owner: the pool. The machine decides; this task asks the leader, does what the machine says to the logs, and tells it how that went.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use gregor_model::{BrokerId, LeaderEpoch, Timestamp, TopicPartition};
use kafka_protocol::ResponseError;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::local::{Consequence, LocalReplicas, consequence};
use super::machine::{Asked, FetchStart, FetcherMachine, LeaderRefusal, Step};
use super::message::{self, FetchedFromLeader, TopicNames};
use super::session::{FetcherSession, Wanted};
use crate::environment::{LeaderEndpoint, LeaderEndpoints, LeaderUnreachable};
use crate::hosted_partition::{FollowerAppend, FollowerError};
use crate::manager::EpochEnd;
use crate::shared::Shared;

/// What a fetcher is told about one partition; only the last word counts.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Start(FetchStart),
    Stop,
    SetTopicId(Option<gregor_model::TopicId>),
}

/// The pool's side of a fetcher.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    commands: Mutex<HashMap<TopicPartition, Command>>,
    filled: Notify,
}

impl Mailbox {
    /// Leaves commands; at most one per partition is kept.
    pub(super) fn post(&self, commands: impl IntoIterator<Item = (TopicPartition, Command)>) {
        let mut waiting = self.commands.lock();
        for (partition, command) in commands {
            match (waiting.get_mut(&partition), command) {
                (Some(Command::Start(start)), Command::SetTopicId(id)) => start.topic_id = id,
                (Some(Command::Stop), Command::SetTopicId(_)) => {}
                (_, command) => {
                    waiting.insert(partition, command);
                }
            }
        }
        drop(waiting);
        self.filled.notify_one();
    }

    fn take(&self) -> HashMap<TopicPartition, Command> {
        std::mem::take(&mut self.commands.lock())
    }
}

/// Partitions that are silent until their next term.
pub(super) type FailedPartitions = Arc<Mutex<HashSet<TopicPartition>>>;

/// One fetcher.
pub(super) struct Fetcher {
    pub(super) leader: BrokerId,
    pub(super) client_id: String,
    pub(super) shared: Arc<Shared>,
    pub(super) replicas: LocalReplicas,
    pub(super) leaders: Arc<dyn LeaderEndpoints>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) failed: FailedPartitions,
    pub(super) machine: FetcherMachine,
    pub(super) session: FetcherSession,
    pub(super) names: TopicNames,
    pub(super) connection: Option<Box<dyn LeaderEndpoint>>,
}

impl Fetcher {
    /// Fetches until cancelled.
    pub(super) async fn run(mut self, cancel: CancellationToken) {
        tracing::info!(leader = %self.leader, client_id = self.client_id, "fetcher starts");
        while !cancel.is_cancelled() {
            if cancel.run_until_cancelled(self.round()).await.is_none() {
                break;
            }
        }
        tracing::info!(leader = %self.leader, client_id = self.client_id, "fetcher stopped");
    }

    /// Truncates what must be, fetches once; or waits until there is something to do.
    async fn round(&mut self) {
        self.take_commands();
        let asked = match self.truncate().await {
            Ok(asked) => asked,
            Err(error) => return self.unreachable(&error),
        };
        let wanted = self.wanted(self.shared.now());
        if !wanted.is_empty() {
            if let Err(error) = self.fetch(wanted).await {
                self.unreachable(&error);
            }
        } else if !asked {
            self.rest().await;
        }
    }

    fn take_commands(&mut self) {
        for (partition, command) in self.mailbox.take() {
            match command {
                Command::Start(start) => self.machine.start(start),
                Command::Stop => self.machine.stop(&partition),
                Command::SetTopicId(id) => self.machine.set_topic_id(&partition, id),
            }
        }
    }

    /// Nothing to do: waits for a command, or for a delay (or a quota's window) to end.
    async fn rest(&self) {
        let now = self.shared.now();
        let backoff_ms = self.shared.config.replica_fetch_backoff_ms;
        let throttled = self.machine.to_fetch(now).next().is_some();
        let until = if throttled { Some(now + backoff_ms) } else { self.machine.next_ready(now) };
        match until {
            None => self.mailbox.filled.notified().await,
            Some(until) => {
                let wait = Duration::from_millis(u64::try_from(until - now).unwrap_or(0).max(1));
                // Either way the next round looks again.
                let _ = tokio::time::timeout(wait, self.mailbox.filled.notified()).await;
            }
        }
    }

    fn unreachable(&mut self, error: &LeaderUnreachable) {
        tracing::warn!(leader = %self.leader, client_id = self.client_id, %error, "cannot fetch, backing off");
        self.connection = None;
        self.session.reset(false);
        self.machine.delay_all(self.shared.now());
    }

    async fn connect(&mut self) -> Result<&dyn LeaderEndpoint, LeaderUnreachable> {
        if self.connection.is_none() {
            let endpoint = self.shared.environment.endpoint(self.leader);
            let endpoint =
                endpoint.ok_or_else(|| LeaderUnreachable("its address is not known".to_owned()))?;
            self.connection = Some(self.leaders.connect(self.leader, &endpoint, &self.client_id).await?);
        }
        self.connection.as_deref().ok_or_else(|| LeaderUnreachable("not connected".to_owned()))
    }

    /// What to ask for now. While the follower's quota is exceeded, throttled partitions that lag are left out.
    fn wanted(&self, now: Timestamp) -> Vec<(TopicPartition, Wanted)> {
        let exceeded = self.shared.follower_throttle.is_exceeded(now);
        let mut wanted = Vec::new();
        for (partition, state) in self.machine.to_fetch(now) {
            if exceeded && !state.is_in_sync() && self.shared.is_follower_throttled(partition) {
                continue;
            }
            let Some(log) = self.replicas.log(partition, state.leader_epoch) else { continue };
            let want = Wanted {
                topic_id: state.topic_id,
                leader_epoch: state.leader_epoch,
                fetch_offset: state.fetch_offset,
                last_fetched_epoch: state.last_fetched_epoch,
                log_start_offset: log.log_start_offset(),
            };
            wanted.push((partition.clone(), want));
        }
        wanted
    }

    async fn fetch(&mut self, wanted: Vec<(TopicPartition, Wanted)>) -> Result<(), LeaderUnreachable> {
        let request = self.session.next_request(wanted);
        if request.session_epoch == 0 {
            self.names.clear();
        }
        self.names.learn(&request);
        let shared = Arc::clone(&self.shared);
        let (request, version) =
            message::fetch_request(&shared.config, shared.environment.broker_epoch(), &request);
        let response = self.connect().await?.fetch(request, version).await?;
        self.take_commands();
        if let Some(error) = ResponseError::try_from_code(response.error_code) {
            tracing::info!(leader = %self.leader, client_id = self.client_id, ?error, "fetch session ends");
            self.session.reset(error == ResponseError::FetchSessionIdNotFound);
            if !is_session_error(error) {
                self.machine.delay_all(self.shared.now());
            }
            return Ok(());
        }
        self.session.on_answer(response.session_id);
        let fetched = message::fetched(response, version, &self.session, &self.names);
        let mut out_of_range = Vec::new();
        for partition in fetched {
            self.apply(partition, &mut out_of_range);
        }
        if out_of_range.is_empty() { Ok(()) } else { self.resolve_out_of_range(out_of_range).await }
    }

    /// Does what one partition's answer calls for.
    fn apply(&mut self, fetched: FetchedFromLeader, out_of_range: &mut Vec<(TopicPartition, LeaderEpoch)>) {
        let now = self.shared.now();
        let FetchedFromLeader { partition, answer, high_watermark, log_start_offset, records } = fetched;
        let Some(known) = self.session.known(&partition) else { return };
        let asked = Asked { leader_epoch: known.leader_epoch, fetch_offset: known.fetch_offset };
        match self.machine.on_answer(&partition, asked, answer, now) {
            Step::Append => {
                let append = FollowerAppend {
                    fetch_offset: asked.fetch_offset,
                    records,
                    high_watermark,
                    log_start_offset,
                };
                match self.replicas.append(&partition, asked.leader_epoch, append, now) {
                    Ok(position) => {
                        if position.appended_bytes > 0 && self.shared.is_follower_throttled(&partition) {
                            self.shared.follower_throttle.record(position.appended_bytes as u64, now);
                        }
                        self.machine.appended(
                            &partition,
                            position.log_end,
                            position.last_epoch,
                            high_watermark,
                        );
                    }
                    Err(error) => self.step_failed(&partition, &error, now),
                }
            }
            Step::Truncate(leader) => self.truncate_one(&partition, asked, leader, now),
            Step::ResolveOutOfRange => out_of_range.push((partition, asked.leader_epoch)),
            Step::Failed => self.fail(&partition, &"the leader is in a later term"),
            Step::Nothing => {
                tracing::debug!(%partition, ?answer, "nothing to do for this answer");
            }
        }
    }

    fn truncate_one(&mut self, partition: &TopicPartition, asked: Asked, leader: EpochEnd, now: Timestamp) {
        match self.replicas.truncate(partition, asked.leader_epoch, leader, asked.fetch_offset, now) {
            Ok((truncation, last_epoch)) => self.machine.truncated(partition, truncation, last_epoch),
            Err(error) => self.step_failed(partition, &error, now),
        }
    }

    /// Asks where the epochs of partitions in phase Truncating end. Returns whether there were any.
    async fn truncate(&mut self) -> Result<bool, LeaderUnreachable> {
        let now = self.shared.now();
        let mut queries = Vec::new();
        let mut without_epochs = Vec::new();
        for (partition, state) in self.machine.to_truncate(now) {
            let asked = Asked { leader_epoch: state.leader_epoch, fetch_offset: state.fetch_offset };
            match self.replicas.log(partition, state.leader_epoch).and_then(|log| log.latest_epoch()) {
                Some(epoch) => queries.push((partition.clone(), asked.leader_epoch, epoch)),
                None => without_epochs.push((partition.clone(), asked)),
            }
        }
        let any = !queries.is_empty() || !without_epochs.is_empty();
        // A log that knows no epoch keeps what is committed: where it starts to fetch.
        for (partition, asked) in without_epochs {
            self.truncate_one(&partition, asked, EpochEnd { epoch: None, end_offset: None }, now);
        }
        if queries.is_empty() {
            return Ok(any);
        }
        let asked: HashMap<TopicPartition, Asked> = queries
            .iter()
            .filter_map(|(partition, term, _)| {
                let fetch_offset = self.machine.get(partition)?.fetch_offset;
                Some((partition.clone(), Asked { leader_epoch: *term, fetch_offset }))
            })
            .collect();
        let request = message::epochs_request(self.shared.config.broker_id, &queries);
        let version = self.shared.config.protocol.offset_for_leader_epoch;
        let response = self.connect().await?.offset_for_leader_epoch(request, version).await?;
        self.take_commands();
        let now = self.shared.now();
        for (partition, end) in message::epoch_ends(&response) {
            let Some(asked) = asked.get(&partition).copied() else { continue };
            match self.machine.on_epoch_end(&partition, asked, end, now) {
                Step::Truncate(leader) => self.truncate_one(&partition, asked, leader, now),
                Step::Failed => self.fail(&partition, &"the leader is in a later term"),
                Step::Append | Step::ResolveOutOfRange | Step::Nothing => {}
            }
        }
        Ok(any)
    }

    /// Brings logs into their leader's range (`fetchOffsetAndTruncate`): first by the leader's end, then by its start.
    async fn resolve_out_of_range(
        &mut self,
        partitions: Vec<(TopicPartition, LeaderEpoch)>,
    ) -> Result<(), LeaderUnreachable> {
        let ends = self.leader_offsets(LATEST, &partitions).await?;
        let mut by_start = Vec::new();
        for (partition, term) in partitions {
            let now = self.shared.now();
            match ends.get(&partition) {
                Some(Ok(end)) => match self.replicas.cut_to_leader_end(&partition, term, *end, now) {
                    Ok(Some(offset)) => self.restarted(&partition, term, offset),
                    Ok(None) => by_start.push((partition, term)),
                    Err(error) => self.step_failed(&partition, &error, now),
                },
                Some(Err(refusal)) => self.refused(&partition, *refusal, now),
                None => self.machine.delay(&partition, now),
            }
        }
        if by_start.is_empty() {
            return Ok(());
        }
        let starts = self.leader_offsets(EARLIEST, &by_start).await?;
        for (partition, term) in by_start {
            let now = self.shared.now();
            match starts.get(&partition) {
                Some(Ok(start)) => match self.replicas.restart_at_leader_start(&partition, term, *start, now)
                {
                    Ok(offset) => self.restarted(&partition, term, offset),
                    Err(error) => self.step_failed(&partition, &error, now),
                },
                Some(Err(refusal)) => self.refused(&partition, *refusal, now),
                None => self.machine.delay(&partition, now),
            }
        }
        Ok(())
    }

    async fn leader_offsets(
        &mut self,
        timestamp: i64,
        partitions: &[(TopicPartition, LeaderEpoch)],
    ) -> Result<HashMap<TopicPartition, Result<gregor_model::Offset, LeaderRefusal>>, LeaderUnreachable> {
        let request = message::offsets_request(self.shared.config.broker_id, timestamp, partitions);
        let version = self.shared.config.protocol.list_offsets;
        let response = self.connect().await?.list_offsets(request, version).await?;
        self.take_commands();
        Ok(message::offsets(&response).collect())
    }

    fn restarted(&mut self, partition: &TopicPartition, term: LeaderEpoch, offset: gregor_model::Offset) {
        let last_epoch = self.replicas.log(partition, term).and_then(|log| log.latest_epoch());
        if self.machine.get(partition).is_some_and(|state| state.leader_epoch == term) {
            self.machine.restarted(partition, offset, last_epoch);
        }
    }

    fn refused(&mut self, partition: &TopicPartition, refusal: LeaderRefusal, now: Timestamp) {
        if self.machine.refused(partition, refusal, now) == Step::Failed {
            self.fail(partition, &"the leader is in a later term");
        }
    }

    fn step_failed(&mut self, partition: &TopicPartition, error: &FollowerError, now: Timestamp) {
        match consequence(error) {
            Consequence::Drop => self.machine.stop(partition),
            Consequence::Resume => {
                tracing::warn!(%partition, %error, "fetching goes on from the log end");
                let Some(term) = self.machine.get(partition).map(|state| state.leader_epoch) else { return };
                if let Some(log) = self.replicas.log(partition, term) {
                    self.restarted(partition, term, log.log_end_offset());
                }
            }
            Consequence::Delay => {
                tracing::error!(%partition, %error, leader = %self.leader, "cannot append what the leader sent, will ask again");
                self.machine.delay(partition, now);
            }
            Consequence::Fail => self.fail(partition, error),
        }
    }

    /// Gives a partition up until its next term.
    fn fail(&mut self, partition: &TopicPartition, reason: &dyn std::fmt::Display) {
        tracing::error!(%partition, leader = %self.leader, %reason, "replication of the partition stops until its next leader epoch");
        self.machine.stop(partition);
        self.failed.lock().insert(partition.clone());
    }
}

/// ListOffsets: the log end.
const LATEST: i64 = -1;
/// ListOffsets: the log start.
const EARLIEST: i64 = -2;

/// After these the next request starts the session over, at once.
fn is_session_error(error: ResponseError) -> bool {
    matches!(
        error,
        ResponseError::FetchSessionIdNotFound
            | ResponseError::InvalidFetchSessionEpoch
            | ResponseError::FetchSessionTopicIdError
    )
}
