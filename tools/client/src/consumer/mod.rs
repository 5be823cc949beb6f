//! The consumer (`KafkaConsumer`): partitions chosen by hand or by a group, batches fetched ahead, positions kept and
//! committed.
//!
//! One task polls; requests run in tasks of their own, which report through one bounded queue and die with the consumer.
//! Memory is bounded: a partition is asked for more only when it has less than half an answer left to give.

mod chunk;
mod fetch;
mod group;
mod offsets;
mod poll;
mod positions;
mod visible;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gregor_model::{BrokerId, Offset, TopicName, TopicPartition};
use kafka_protocol::messages::FetchResponse;
use regex::Regex;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

pub use chunk::Chunk;
pub use group::{Subscriber, assign};
pub use positions::Start;

use crate::cluster::{Cluster, Topics, View};
use crate::config::ConsumerConfig;
use crate::error::Error;
use group::{Generation, Joined, Lost, Membership};
use positions::{Positions, Wanted};

/// Beside the records, what an answer may hold.
const ANSWER_BYTES_MORE: usize = 16 << 20;
/// Each broker and each kind of request has at most one report under way.
const REPORTS_MAX: usize = 64;

/// What a poll brings.
#[derive(Debug)]
pub enum Polled {
    /// The group takes these partitions away; what was given of them may still be committed.
    Revoked(Vec<TopicPartition>),
    /// The group gives these, and no others.
    Assigned(Vec<TopicPartition>),
    /// Records.
    Records(Vec<Chunk>),
    /// Nothing in the time given.
    Nothing,
}

/// What tasks report.
enum Report {
    Fetched { broker: BrokerId, view: Arc<View>, wanted: Vec<Wanted>, answer: Result<FetchResponse, Error> },
    Located(Result<Vec<(TopicPartition, u64, Offset)>, Error>),
    Joined(Result<Joined, Error>),
    Lost { generation: Generation, why: Lost },
    Refreshed(Result<Arc<View>, Error>),
    Committed,
}

/// Which topics are read.
enum Subscription {
    /// None yet.
    Nothing,
    /// Partitions chosen by hand.
    Assigned,
    /// Topics by name.
    Named(BTreeSet<TopicName>),
    /// Topics whose whole name matches.
    Matching(Regex),
}

/// Where the consumer stands with its group.
enum Member {
    /// Its partitions, if it had any, are to be given up first.
    Leaving,
    /// It has given up what it had.
    Outside,
    /// It waits for the others.
    Joining,
    /// It belongs to a generation.
    Inside { generation: Generation, heartbeats: AbortHandle },
}

/// A consumer.
pub struct Consumer {
    config: Arc<ConsumerConfig>,
    cluster: Cluster,
    membership: Option<Arc<Membership>>,
    subscription: Subscription,
    /// The topics that a pattern matched, or those named.
    topics: BTreeSet<TopicName>,
    member: Member,
    positions: Positions,
    tasks: JoinSet<()>,
    reports: mpsc::Receiver<Report>,
    report: mpsc::Sender<Report>,
    fetching: HashSet<BrokerId>,
    locating: bool,
    refreshing: bool,
    committing: bool,
    refresh_wanted: bool,
    last_refresh: Option<Instant>,
    /// How many partitions the topics had together, by the last metadata.
    partitions_known: usize,
    next_commit: Instant,
}

impl Consumer {
    /// A consumer of the cluster in `config`. Connects to nobody yet; must be polled inside a tokio runtime.
    pub fn new(config: ConsumerConfig) -> Consumer {
        let answer_bytes =
            usize::try_from(config.fetch_max_bytes.max(config.partition_max_bytes)).unwrap_or(0);
        let cluster = Cluster::plaintext(config.common.clone(), answer_bytes * 2 + ANSWER_BYTES_MORE);
        let membership = config.group.clone();
        let membership = membership.map(|id| Arc::new(Membership::new(cluster.clone(), config.clone(), id)));
        let (report, reports) = mpsc::channel(REPORTS_MAX);
        Consumer {
            config: Arc::new(config),
            cluster,
            membership,
            subscription: Subscription::Nothing,
            topics: BTreeSet::new(),
            member: Member::Leaving,
            positions: Positions::default(),
            tasks: JoinSet::new(),
            reports,
            report,
            fetching: HashSet::new(),
            locating: false,
            refreshing: false,
            committing: false,
            refresh_wanted: true,
            last_refresh: None,
            partitions_known: 0,
            next_commit: Instant::now(),
        }
    }

    /// Reads these topics as a member of the group.
    ///
    /// # Errors
    /// There is no group.
    pub fn subscribe(&mut self, topics: impl IntoIterator<Item = TopicName>) -> Result<(), Error> {
        self.require_group()?;
        self.topics = topics.into_iter().collect();
        self.subscription = Subscription::Named(self.topics.clone());
        self.refresh_wanted = true;
        Ok(())
    }

    /// Reads all topics whose whole name matches, also those still to come, as a member of the group.
    ///
    /// # Errors
    /// There is no group.
    pub fn subscribe_matching(&mut self, pattern: Regex) -> Result<(), Error> {
        self.require_group()?;
        self.topics.clear();
        self.subscription = Subscription::Matching(pattern);
        self.refresh_wanted = true;
        Ok(())
    }

    fn require_group(&self) -> Result<(), Error> {
        if self.membership.is_some() {
            return Ok(());
        }
        let message = "To use the group management or offset commit APIs, you must provide a valid group.id in the \
                       consumer configuration.";
        Err(Error::Config(message.to_owned()))
    }

    /// Reads these partitions, whatever a group may think of it.
    pub fn assign(&mut self, partitions: impl IntoIterator<Item = (TopicPartition, Start)>) {
        let partitions: Vec<_> = partitions.into_iter().collect();
        self.subscription = Subscription::Assigned;
        self.topics = partitions.iter().map(|(partition, _)| partition.topic.clone()).collect();
        self.positions.assign(partitions.iter().map(|(partition, _)| partition.clone()));
        for (partition, start) in partitions {
            self.positions.seek(&partition, start);
        }
        self.refresh_wanted = true;
    }

    /// Goes on elsewhere in a partition that is being read.
    pub fn seek(&mut self, partition: &TopicPartition, start: Start) {
        self.positions.seek(partition, start);
    }

    /// The partitions being read.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.positions.partitions()
    }

    /// The next offset to be given of a partition, once it is known.
    pub fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        self.positions.get(partition)?.position
    }

    /// Commits offsets, and waits for the answer.
    ///
    /// # Errors
    /// The coordinator refuses, or there is no group.
    pub async fn commit(&self, offsets: &[(TopicPartition, Offset)]) -> Result<(), Error> {
        self.require_group()?;
        let Some(membership) = &self.membership else { return Ok(()) };
        offsets::commit(membership, &self.generation(), offsets).await
    }

    fn generation(&self) -> Generation {
        match &self.member {
            Member::Inside { generation, .. } => generation.clone(),
            Member::Leaving | Member::Outside | Member::Joining => Generation::none(),
        }
    }

    /// Commits if the consumer does so on its own, and leaves the group. Gives the partitions it had from the group.
    pub async fn close(mut self) -> Vec<TopicPartition> {
        let had = if matches!(self.member, Member::Inside { .. }) { self.assignment() } else { Vec::new() };
        // A commit in the background that is under way must not come after the last one.
        self.tasks.shutdown().await;
        if self.config.auto_commit.is_some() {
            let known = self.positions.known();
            // Without an answer the records are read again.
            let _ = tokio::time::timeout(offsets::CLOSE_TIMEOUT, self.commit(&known)).await;
        }
        if let (Some(membership), Member::Inside { .. } | Member::Joining) = (&self.membership, &self.member)
        {
            membership.leave().await;
        }
        had
    }

    /// Asks for metadata about what is read, in a task.
    fn refresh(&mut self) {
        self.refreshing = true;
        self.refresh_wanted = false;
        let cluster = self.cluster.clone();
        let report = self.report.clone();
        let names: Vec<TopicName> = self.topics.iter().cloned().collect();
        let all = matches!(self.subscription, Subscription::Matching(_));
        let create = self.config.auto_create_topics;
        let pause = match self.last_refresh {
            Some(last) => self.config.common.retry_backoff.saturating_sub(last.elapsed()),
            None => Duration::ZERO,
        };
        self.tasks.spawn(async move {
            tokio::time::sleep(pause).await;
            let topics = if all { Topics::All } else { Topics::Named { names: &names, create } };
            // The consumer may have gone.
            let _ = report.send(Report::Refreshed(cluster.refresh(topics).await)).await;
        });
    }
}
