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
use super::machine::{Asked, FetchStart, FetcherMachine, Step};
use super::message::{self, FetchedFromLeader, TopicNames};
use super::session::{FetcherSession, Wanted};
use super::stats::FetcherStats;
use crate::environment::{LeaderEndpoint, LeaderEndpoints, LeaderUnreachable};
use crate::hosted_partition::{FollowerAppend, FollowerError};
use crate::shared::Shared;
use crate::spare_worker::Place;

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
    pub(super) stats: Arc<FetcherStats>,
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

    pub(super) fn take_commands(&mut self) {
        for (partition, command) in self.mailbox.take() {
            match command {
                Command::Start(start) => self.machine.start(start),
                Command::Stop => {
                    self.machine.stop(&partition);
                    self.stats.forget(&partition);
                }
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

    pub(super) async fn connect(&mut self) -> Result<&dyn LeaderEndpoint, LeaderUnreachable> {
        if self.connection.is_none() {
            let endpoint = self.shared.environment.endpoint(self.leader);
            let endpoint =
                endpoint.ok_or_else(|| LeaderUnreachable("its address is not known".to_owned()))?;
            self.stats.set_address(&endpoint.host, endpoint.port);
            self.connection = Some(self.leaders.connect(self.leader, &endpoint, &self.client_id).await?);
        }
        self.connection.as_deref().ok_or_else(|| LeaderUnreachable("not connected".to_owned()))
    }

    /// What to ask for now. While the follower's quota is exceeded, throttled partitions that lag are left out.
    fn wanted(&self, now: Timestamp) -> Vec<(TopicPartition, Wanted)> {
        let exceeded = self.shared.follower_throttle.is_exceeded(now);
        let mut wanted = Vec::new();
        self.stats.set_lags(self.machine.to_fetch(now).map(|(partition, state)| (partition, state.lag)));
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
        self.stats.answered(self.shared.now());
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
        if !fetched.is_empty() {
            let shared = Arc::clone(&self.shared);
            let place = shared.spare_worker.place().await;
            for partition in fetched {
                self.apply(partition, &place, &mut out_of_range);
            }
        }
        if out_of_range.is_empty() { Ok(()) } else { self.resolve_out_of_range(out_of_range).await }
    }

    /// Does what one partition's answer calls for.
    fn apply(
        &mut self,
        fetched: FetchedFromLeader,
        place: &Place<'_>,
        out_of_range: &mut Vec<(TopicPartition, LeaderEpoch)>,
    ) {
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
                let appended =
                    place.run(|| self.replicas.append(&partition, asked.leader_epoch, append, now));
                match appended {
                    Ok(position) => {
                        self.stats.bytes.add(position.appended_bytes as u64);
                        if position.appended_bytes > 0 && self.shared.is_follower_throttled(&partition) {
                            self.shared.follower_throttle.record(position.appended_bytes as u64, now);
                        }
                        self.machine.appended(
                            &partition,
                            asked.leader_epoch,
                            position.log_end,
                            position.last_epoch,
                            high_watermark,
                        );
                    }
                    Err(error) => self.step_failed(&partition, asked.leader_epoch, &error, now),
                }
            }
            Step::Truncate(leader) => self.truncate_one(&partition, asked, leader, now),
            Step::ResolveOutOfRange => out_of_range.push((partition, asked.leader_epoch)),
            Step::Failed => self.fail(&partition, asked.leader_epoch, &LATER_TERM),
            Step::Nothing => {
                tracing::debug!(%partition, ?answer, "nothing to do for this answer");
            }
        }
    }

    pub(super) fn step_failed(
        &mut self,
        partition: &TopicPartition,
        term: LeaderEpoch,
        error: &FollowerError,
        now: Timestamp,
    ) {
        match consequence(error) {
            Consequence::Drop => self.machine.drop_term(partition, term),
            Consequence::Resume => {
                tracing::warn!(%partition, %error, "fetching goes on from the log end");
                if let Some(log) = self.replicas.log(partition, term) {
                    self.restarted(partition, term, log.log_end_offset());
                }
            }
            Consequence::Delay => {
                tracing::error!(%partition, %error, leader = %self.leader, "cannot append what the leader sent, will ask again");
                self.machine.delay(partition, term, now);
            }
            Consequence::Fail => self.fail(partition, term, error),
        }
    }

    /// Gives a partition up until its next term. If that has come already, there is nothing to give up: the pool forgets a failure
    /// after the role changed, so looking at the role and noting the failure must not be interrupted by it.
    pub(super) fn fail(
        &mut self,
        partition: &TopicPartition,
        term: LeaderEpoch,
        reason: &dyn std::fmt::Display,
    ) {
        self.machine.drop_term(partition, term);
        self.stats.forget(partition);
        let mut failed = self.failed.lock();
        if self.replicas.log(partition, term).is_some() {
            tracing::error!(%partition, leader_epoch = %term, leader = %self.leader, %reason, "replication of the partition stops until its next leader epoch");
            failed.insert(partition.clone());
        }
    }
}

/// Why a partition is given up when the leader calls its term fenced.
pub(super) const LATER_TERM: &str = "the leader is in a later term";

/// After these the next request starts the session over, at once.
fn is_session_error(error: ResponseError) -> bool {
    matches!(
        error,
        ResponseError::FetchSessionIdNotFound
            | ResponseError::InvalidFetchSessionEpoch
            | ResponseError::FetchSessionTopicIdError
    )
}
