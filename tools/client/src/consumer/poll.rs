//! Polling: what is to be done is started, what was reported is taken in, until there is something to give.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use gregor_model::{BrokerId, TopicName, TopicPartition};
use kafka_protocol::messages::FetchResponse;
use kafka_protocol::messages::fetch_response::PartitionData;

use super::fetch::{divide, fetch, rows};
use super::group::{self, Generation, Lost};
use super::positions::Wanted;
use super::visible::visible;
use super::{Consumer, Member, Polled, Report, Subscription, offsets};
use crate::cluster::{Lane, View};
use crate::config::{Isolation, OffsetReset};
use crate::error::Error;
use crate::error_code::ErrorCode;

impl Consumer {
    /// Waits up to `timeout` for something to happen: a change of partitions, or records.
    ///
    /// # Errors
    /// What stops the consumer from reading; polling again tries again.
    pub async fn poll(&mut self, timeout: Duration) -> Result<Polled, Error> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            if let Some(polled) = self.step()? {
                return Ok(polled);
            }
            let now = Instant::now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Ok(Polled::Nothing);
            }
            let until = [deadline, self.next_duty(now)].into_iter().flatten().min();
            let until = tokio::time::Instant::from_std(until.unwrap_or(now + Duration::from_secs(1)));
            match tokio::time::timeout_at(until, self.reports.recv()).await {
                Ok(Some(report)) => {
                    if let Some(polled) = self.take_in(report)? {
                        return Ok(polled);
                    }
                }
                Ok(None) => return Err(Error::Closed),
                Err(_) => {}
            }
        }
    }

    /// Does what can be done at once.
    fn step(&mut self) -> Result<Option<Polled>, Error> {
        let now = Instant::now();
        // Tasks that have ended are let go.
        while self.tasks.try_join_next().is_some() {}
        let max_age = self.config.common.metadata_max_age;
        let stale = self.last_refresh.is_none_or(|last| now >= last + max_age);
        if (self.refresh_wanted || stale) && !self.refreshing {
            self.refresh();
        }
        if let Some(polled) = self.maintain_membership() {
            return Ok(Some(polled));
        }
        self.locate();
        if self.config.auto_commit.is_some() && now >= self.next_commit {
            self.commit_in_background(now);
        }
        let chunks = self.positions.take(self.config.max_poll_records);
        self.send_fetches(now);
        Ok((!chunks.is_empty()).then_some(Polled::Records(chunks)))
    }

    /// When something is due although nothing is reported.
    fn next_duty(&self, now: Instant) -> Option<Instant> {
        let refresh = self.last_refresh.map(|last| last + self.config.common.metadata_max_age);
        let commit = self.config.auto_commit.map(|_| self.next_commit);
        let fetch = self.positions.next_attempt().filter(|at| *at > now);
        [refresh, commit, fetch].into_iter().flatten().filter(|at| *at > now).min()
    }

    fn maintain_membership(&mut self) -> Option<Polled> {
        if matches!(self.subscription, Subscription::Nothing | Subscription::Assigned) {
            return None;
        }
        match self.member {
            Member::Joining | Member::Inside { .. } => None,
            Member::Leaving => {
                self.member = Member::Outside;
                let given_up = self.positions.partitions();
                self.positions.assign([]);
                (!given_up.is_empty()).then_some(Polled::Revoked(given_up))
            }
            Member::Outside => {
                // A pattern needs to know the topics first.
                if self.last_refresh.is_some() {
                    self.join();
                }
                None
            }
        }
    }

    fn join(&mut self) {
        let Some(membership) = self.membership.clone() else { return };
        self.member = Member::Joining;
        let report = self.report.clone();
        let topics = self.topics.clone();
        self.tasks.spawn(async move {
            let joined = group::join(&membership, &topics).await;
            let _ = report.send(Report::Joined(joined)).await;
        });
    }

    /// Looks for the positions that are not known, in a task.
    fn locate(&mut self) {
        if self.locating || self.last_refresh.is_none() {
            return;
        }
        let lost = self.positions.lost();
        if lost.is_empty() {
            return;
        }
        self.locating = true;
        let (cluster, config) = (self.cluster.clone(), self.config.clone());
        let membership = self.membership.clone();
        let report = self.report.clone();
        self.tasks.spawn(async move {
            let located = offsets::locate(&cluster, &config, membership.as_deref(), lost).await;
            let _ = report.send(Report::Located(located)).await;
        });
    }

    fn commit_in_background(&mut self, now: Instant) {
        let Some(interval) = self.config.auto_commit else { return };
        self.next_commit = now + interval;
        let known = self.positions.known();
        let Some(membership) = self.membership.clone().filter(|_| !known.is_empty() && !self.committing)
        else {
            return;
        };
        self.committing = true;
        let generation = self.generation();
        let report = self.report.clone();
        self.tasks.spawn(async move {
            // What was not committed now is committed the next time.
            let _ = offsets::commit(&membership, &generation, &known).await;
            let _ = report.send(Report::Committed).await;
        });
    }

    fn send_fetches(&mut self, now: Instant) {
        // While the caller works on one half of an answer, the next one is fetched.
        let ahead_bytes = usize::try_from(self.config.partition_max_bytes / 2).unwrap_or(0);
        let view = self.cluster.view();
        let division = divide(self.positions.wanted(now, ahead_bytes), &view);
        if division.leaderless {
            self.refresh_wanted = true;
        }
        for (broker, wanted) in division.by_broker {
            if !self.fetching.insert(broker) {
                continue;
            }
            for one in &wanted {
                self.positions.set_fetching(&one.partition, one.term, true);
            }
            let (cluster, config, view) = (self.cluster.clone(), self.config.clone(), view.clone());
            let report = self.report.clone();
            self.tasks.spawn(async move {
                let answer = match cluster.peer_on(Lane::Fetch, broker).await {
                    Ok(peer) => fetch(&peer, &config, &view, &wanted).await,
                    Err(error) => Err(error),
                };
                let _ = report.send(Report::Fetched { broker, view, wanted, answer }).await;
            });
        }
    }

    fn take_in(&mut self, report: Report) -> Result<Option<Polled>, Error> {
        match report {
            Report::Fetched { broker, view, wanted, answer } => {
                self.fetching.remove(&broker);
                self.on_fetched(broker, &view, &wanted, answer)?;
            }
            Report::Located(located) => {
                self.locating = false;
                for (partition, term, offset) in located? {
                    if let Some(place) = self.positions.current(&partition, term) {
                        place.locate(offset);
                    }
                }
            }
            Report::Joined(joined) => return self.on_joined(joined),
            Report::Lost { generation, why } => self.on_lost(&generation, why)?,
            Report::Refreshed(view) => {
                self.refreshing = false;
                self.last_refresh = Some(Instant::now());
                match view {
                    Ok(view) => self.on_metadata(&view)?,
                    Err(_) => self.refresh_wanted = true,
                }
            }
            Report::Committed => self.committing = false,
        }
        Ok(None)
    }

    fn on_joined(&mut self, joined: Result<group::Joined, Error>) -> Result<Option<Polled>, Error> {
        let joined = match joined {
            Ok(joined) => joined,
            Err(error) => {
                self.member = Member::Outside;
                return Err(error);
            }
        };
        if let (Some(membership), generation) = (self.membership.clone(), joined.generation.clone()) {
            let report = self.report.clone();
            let heartbeats = self.tasks.spawn(async move {
                let why = membership.keep_alive(generation.clone()).await;
                let _ = report.send(Report::Lost { generation, why }).await;
            });
            self.member = Member::Inside { generation: joined.generation, heartbeats };
        }
        self.positions.assign(joined.partitions.iter().cloned());
        self.topics.extend(joined.partitions.iter().map(|partition| partition.topic.clone()));
        self.refresh_wanted = true;
        if let Some(interval) = self.config.auto_commit {
            self.next_commit = Instant::now() + interval;
        }
        Ok(Some(Polled::Assigned(joined.partitions)))
    }

    fn on_lost(&mut self, generation: &Generation, why: Lost) -> Result<(), Error> {
        if self.generation() != *generation {
            return Ok(());
        }
        let rebalance = matches!(why, Lost::Rebalance);
        if rebalance && self.config.auto_commit.is_some() {
            self.commit_in_background(Instant::now());
        }
        self.member = Member::Leaving;
        match why {
            Lost::Rebalance | Lost::Forgotten => Ok(()),
            Lost::Fatal(error) => Err(error),
        }
    }

    /// Joins anew when the topics read are others now, or have more partitions.
    fn on_metadata(&mut self, view: &View) -> Result<(), Error> {
        let before = self.topics.clone();
        match &self.subscription {
            Subscription::Nothing | Subscription::Assigned => {}
            Subscription::Named(names) => {
                for name in names {
                    let error = view.topics.get(name).and_then(|topic| topic.error);
                    match error {
                        Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED) => {
                            return Err(Error::not_authorized(name));
                        }
                        Some(code) if !code.is_retriable() => return Err(code.into()),
                        Some(_) => self.refresh_wanted = true,
                        None => {}
                    }
                }
            }
            Subscription::Matching(pattern) => {
                let matches = |name: &TopicName, internal: bool| {
                    pattern.is_match(name.as_str()) && !(internal && self.config.exclude_internal_topics)
                };
                let named: BTreeSet<TopicName> = view
                    .topics
                    .iter()
                    .filter(|(name, topic)| matches(name, topic.is_internal))
                    .map(|(name, _)| name.clone())
                    .collect();
                self.topics = named;
                if self.topics != before {
                    self.rejoin();
                }
            }
        }
        self.rejoin_if_grown(view);
        Ok(())
    }

    /// The member that divided knows how many partitions there were; one that had them all knows, too.
    fn rejoin_if_grown(&mut self, view: &View) {
        let count: usize = self
            .topics
            .iter()
            .filter_map(|name| view.topics.get(name))
            .map(|topic| topic.partitions.len())
            .sum();
        let known = std::mem::replace(&mut self.partitions_known, count);
        if known != 0 && count > known {
            self.rejoin();
        }
    }

    fn rejoin(&mut self) {
        if let Member::Inside { heartbeats, .. } = &self.member {
            heartbeats.abort();
            self.member = Member::Leaving;
        }
    }

    fn on_fetched(
        &mut self,
        broker: BrokerId,
        view: &View,
        wanted: &[Wanted],
        answer: Result<FetchResponse, Error>,
    ) -> Result<(), Error> {
        let retry_at = Instant::now() + self.config.common.retry_backoff;
        for one in wanted {
            self.positions.set_fetching(&one.partition, one.term, false);
        }
        let answer = match answer {
            Ok(answer) if answer.error_code == 0 => answer,
            Ok(_) | Err(_) => {
                // Whatever it is, other metadata or another broker may help.
                for one in wanted {
                    if let Some(place) = self.positions.current(&one.partition, one.term) {
                        place.not_before = Some(retry_at);
                        place.preferred = place.preferred.filter(|preferred| *preferred != broker);
                    }
                }
                self.refresh_wanted = true;
                return Ok(());
            }
        };
        let mut outcome = Ok(());
        for (partition, row) in rows(answer, view) {
            let Some(one) = wanted.iter().find(|one| one.partition == partition) else { continue };
            if let Err(error) = self.on_partition(one, &row, retry_at) {
                outcome = Err(error);
            }
        }
        outcome
    }

    fn on_partition(&mut self, one: &Wanted, row: &PartitionData, retry_at: Instant) -> Result<(), Error> {
        let config = self.config.clone();
        let Some(place) = self.positions.current(&one.partition, one.term) else { return Ok(()) };
        place.not_before = None;
        let Some(code) = ErrorCode::from_wire(row.error_code) else {
            if row.preferred_read_replica.0 >= 0 {
                place.preferred = Some(BrokerId(row.preferred_read_replica.0));
            }
            let aborted = (config.isolation == Isolation::ReadCommitted)
                .then(|| row.aborted_transactions.as_deref().unwrap_or_default());
            let records = row.records.clone().unwrap_or_default();
            let seen = visible(&one.partition, one.from, &records, aborted, config.check_crcs);
            let seen = seen.inspect_err(|_| place.not_before = Some(retry_at))?;
            place.buffer(seen.chunks, seen.next);
            return Ok(());
        };
        place.not_before = Some(retry_at);
        place.preferred = None;
        match code {
            ErrorCode::OFFSET_OUT_OF_RANGE if config.offset_reset == OffsetReset::None => {
                let partition: TopicPartition = one.partition.clone();
                Err(Error::OffsetOutOfRange { partition, offset: one.from.0 })
            }
            ErrorCode::OFFSET_OUT_OF_RANGE => {
                place.lose(config.offset_reset);
                Ok(())
            }
            ErrorCode::TOPIC_AUTHORIZATION_FAILED => Err(Error::not_authorized(&one.partition.topic)),
            ErrorCode::CORRUPT_MESSAGE => Err(Error::Records(format!(
                "Encountered corrupt message when fetching offset {} for topic-partition {}",
                one.from, one.partition
            ))),
            code if code.is_stale_metadata() || code.is_retriable() => {
                self.refresh_wanted = true;
                Ok(())
            }
            // -1: the broker does not know what is wrong either.
            ErrorCode(-1) => Ok(()),
            code => Err(Error::Fatal(format!(
                "Unexpected error code {} while fetching at offset {} from topic-partition {}",
                code.0, one.from, one.partition
            ))),
        }
    }
}
