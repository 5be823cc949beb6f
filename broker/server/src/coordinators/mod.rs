//! This broker's group and transaction coordinators, and what they ask of the broker: their topics, producer ids, the
//! way to partition leaders.

mod consumer_protocol;
mod error_code;
mod internal_topic;
mod marker_route;
mod peers;
mod producer_id_source;
mod topic_log;
mod topics;
mod verification;

use std::sync::Arc;
use std::time::Duration;

use gregor_config::Values;
use gregor_coordinator::group::GroupConfig;
use gregor_coordinator::group::consumer::assignor::Assignor;
use gregor_coordinator::group::consumer::{ConsumerGroupConfig, MigrationPolicy};
use gregor_coordinator::runtime::{GroupCoordinator, TransactionCoordinator};
use gregor_coordinator::transaction::TransactionConfig;
use gregor_model::{BrokerId, ListenerName, TopicPartition};
use gregor_records::{Codec, Compression};
use gregor_replication::{ReplicaManager, RequiredAcks, RoleChanges};
use gregor_wire::client::Connect;
use gregor_zookeeper::ZooKeeperError;
use gregor_zookeeper::store::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::metadata_cache::MetadataCache;
use crate::node_to_controller::NodeToController;
use crate::registration::Registration;

pub use consumer_protocol::{CONSUMER_PROTOCOL_FEATURE, ConsumerProtocol};
pub(crate) use error_code::append_failure;
pub use internal_topic::{InternalTopic, InternalTopicSettings};
pub use verification::{TransactionalWriter, Verification};

use marker_route::ReplicaMarkerRoute;
use peers::Peers;
use producer_id_source::ControllerProducerIds;
use topic_log::{ReplicatedTopic, TopicSettings};

/// How many partitions each internal topic has: read once at start, as every broker must agree until it restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionCounts {
    /// Of `__consumer_offsets`.
    pub groups: i32,
    /// Of `__transaction_state`.
    pub transactions: i32,
}

impl PartitionCounts {
    /// As the topics are, or would be created.
    pub async fn read(store: &Store, values: &Values) -> Result<PartitionCounts, ZooKeeperError> {
        let mut counts = [0, 0];
        for (count, topic) in
            counts.iter_mut().zip([InternalTopic::ConsumerOffsets, InternalTopic::TransactionState])
        {
            let stored = topic.stored_partitions(store).await?;
            *count = stored.unwrap_or(topic.settings(values).partitions);
        }
        Ok(PartitionCounts { groups: counts[0], transactions: counts[1] })
    }
}

/// What the coordinators are built on.
pub struct CoordinatorParts {
    /// `broker.id`.
    pub id: BrokerId,
    /// The inter-broker listener.
    pub listener: ListenerName,
    /// The partitions of this broker.
    pub replicas: Arc<ReplicaManager>,
    /// What the controller told.
    pub metadata: Arc<MetadataCache>,
    /// How to reach other brokers.
    pub connect: Arc<dyn Connect>,
    /// How to reach the controller.
    pub controller: Arc<NodeToController>,
    /// The broker epoch.
    pub registration: Arc<Registration>,
    /// Where topics are described.
    pub store: Store,
}

/// The coordinators.
pub struct Coordinators {
    /// Consumer groups.
    pub groups: GroupCoordinator,
    /// Transactions.
    pub transactions: Arc<TransactionCoordinator>,
    /// Asks other coordinators whether partitions are in a transaction.
    pub verification: Verification,
    counts: PartitionCounts,
    topics: [InternalTopicSettings; 2],
    request_timeout_ms: i32,
}

impl Coordinators {
    /// Coordinators of no partition yet.
    pub fn new(values: &Values, parts: CoordinatorParts, counts: PartitionCounts) -> Coordinators {
        let commit_timeout_ms = values.i32("offsets.commit.timeout.ms");
        let request_timeout_ms = values.i32("request.timeout.ms");
        let topic = |topic: InternalTopic, timeout_ms, acks, load_buffer: &str| {
            let load_bytes = usize::try_from(values.i32(load_buffer)).unwrap_or(usize::MAX);
            let settings = TopicSettings { timeout_ms, acks, load_bytes };
            Arc::new(ReplicatedTopic::new(topic, Arc::clone(&parts.replicas), settings, parts.store.clone()))
        };
        // What Kafka would refuse every commit for cannot be meant.
        let commit_acks =
            RequiredAcks::from_wire(values.i16("offsets.commit.required.acks")).unwrap_or(RequiredAcks::All);
        let peers = Arc::new(Peers::new(
            parts.id,
            parts.listener.clone(),
            Arc::clone(&parts.metadata),
            Arc::clone(&parts.connect),
        ));
        let groups = GroupCoordinator::new(
            topic(InternalTopic::ConsumerOffsets, commit_timeout_ms, commit_acks, "offsets.load.buffer.size"),
            group_config(values),
            offsets_compression(values),
            counts.groups,
        );
        let source = ControllerProducerIds::new(parts.id, parts.controller, parts.registration);
        let transactions = TransactionCoordinator::new(
            topic(
                InternalTopic::TransactionState,
                request_timeout_ms,
                RequiredAcks::All,
                "transaction.state.log.load.buffer.size",
            ),
            transaction_config(values),
            counts.transactions,
            Arc::new(source),
            Arc::new(ReplicaMarkerRoute::new(Arc::clone(&parts.metadata), Arc::clone(&peers))),
        );
        let verification = Verification::new(counts.transactions, parts.metadata, peers);
        let topics = [InternalTopic::ConsumerOffsets, InternalTopic::TransactionState]
            .map(|topic| topic.settings(values));
        Coordinators { groups, transactions, verification, counts, topics, request_timeout_ms }
    }

    /// How many partitions an internal topic has.
    pub fn partitions(&self, topic: InternalTopic) -> i32 {
        match topic {
            InternalTopic::ConsumerOffsets => self.counts.groups,
            InternalTopic::TransactionState => self.counts.transactions,
        }
    }

    /// How an internal topic is created.
    pub fn topic_settings(&self, topic: InternalTopic) -> &InternalTopicSettings {
        match topic {
            InternalTopic::ConsumerOffsets => &self.topics[0],
            InternalTopic::TransactionState => &self.topics[1],
        }
    }

    /// `request.timeout.ms`, which bounds the append of markers.
    pub fn request_timeout_ms(&self) -> i32 {
        self.request_timeout_ms
    }

    /// Takes over what a control request changed (`RequestHandlerHelper.onLeadershipChange`); to be called when the
    /// change has been applied to the replicas.
    pub fn apply(&self, changes: &RoleChanges) {
        for (partition, epoch) in &changes.leaders {
            match InternalTopic::of(&partition.topic) {
                Some(InternalTopic::ConsumerOffsets) => self.groups.elect(partition.partition, *epoch),
                Some(InternalTopic::TransactionState) => self.transactions.elect(partition.partition, *epoch),
                None => {}
            }
        }
        let followers = changes.followers.iter().map(|(partition, epoch)| (partition, Some(*epoch)));
        let deleted = changes.deleted.iter().map(|(partition, epoch)| (partition, *epoch));
        for (partition, epoch) in followers.chain(deleted) {
            match InternalTopic::of(&partition.topic) {
                Some(InternalTopic::ConsumerOffsets) => self.groups.resign(partition.partition, epoch),
                Some(InternalTopic::TransactionState) => self.transactions.resign(partition.partition, epoch),
                None => {}
            }
        }
    }

    /// These partitions' topics are deleted.
    pub async fn forget(&self, partitions: Vec<TopicPartition>) {
        if !partitions.is_empty() {
            self.groups.forget_partitions(partitions).await;
        }
    }

    /// Starts what runs at intervals, and the loop that sends markers.
    pub fn start(self: &Arc<Self>, values: &Values, tasks: &TaskTracker, stop: &CancellationToken) {
        let every =
            |key: &str| Duration::from_millis(u64::try_from(interval_ms(values, key)).unwrap_or(0).max(1));
        let retention = every("offsets.retention.check.interval.ms");
        let timeouts = every("transaction.abort.timed.out.transaction.cleanup.interval.ms");
        let idle = every("transaction.remove.expired.transaction.cleanup.interval.ms");
        let run = |this: &Arc<Self>| (Arc::clone(this), stop.clone());
        let (this, token) = run(self);
        tasks.spawn(async move { this.groups.expire_periodically(retention, token).await });
        let (this, token) = run(self);
        tasks.spawn(async move { this.transactions.abort_timed_out_periodically(timeouts, token).await });
        let (this, token) = run(self);
        tasks.spawn(async move { this.transactions.forget_idle_periodically(idle, token).await });
        let (this, token) = run(self);
        tasks.spawn(async move { Arc::clone(&this.transactions).send_markers(token).await });
    }

    /// Stops serving; whoever waits is sent elsewhere.
    pub async fn shutdown(&self) {
        self.groups.shutdown().await;
        self.transactions.shutdown().await;
    }
}

fn group_config(values: &Values) -> GroupConfig {
    GroupConfig {
        session_timeout_ms_min: values.i32("group.min.session.timeout.ms"),
        session_timeout_ms_max: values.i32("group.max.session.timeout.ms"),
        initial_rebalance_delay_ms: values.i32("group.initial.rebalance.delay.ms"),
        group_size_max: usize::try_from(values.i32("group.max.size")).unwrap_or(usize::MAX),
        offset_metadata_bytes_max: usize::try_from(values.i32("offset.metadata.max.bytes")).unwrap_or(0),
        offsets_retention_ms: i64::from(values.i32("offsets.retention.minutes")) * 60_000,
        consumer: ConsumerGroupConfig {
            session_timeout_ms: values.i32("group.consumer.session.timeout.ms"),
            heartbeat_interval_ms: values.i32("group.consumer.heartbeat.interval.ms"),
            group_size_max: usize::try_from(values.i32("group.consumer.max.size")).unwrap_or(usize::MAX),
            // Names of other classes are refused where the configuration is read.
            assignors: values
                .list("group.consumer.assignors")
                .iter()
                .filter_map(|class| Assignor::of_class(class))
                .collect(),
            migration: MigrationPolicy::parse(&values.string("group.consumer.migration.policy")),
        },
    }
}

fn transaction_config(values: &Values) -> TransactionConfig {
    TransactionConfig {
        timeout_ms_max: values.i32("transaction.max.timeout.ms"),
        id_expiration_ms: values.i32("transactional.id.expiration.ms").into(),
        request_timeout_ms: values.i32("request.timeout.ms"),
    }
}

/// `offsets.topic.compression.codec`, a codec's id.
fn offsets_compression(values: &Values) -> Compression {
    Compression::of(match values.i32("offsets.topic.compression.codec") {
        1 => Codec::Gzip,
        2 => Codec::Snappy,
        3 => Codec::Lz4,
        4 => Codec::Zstd,
        _ => Codec::None,
    })
}

fn interval_ms(values: &Values, key: &str) -> i64 {
    match values.get(key) {
        Some(gregor_config::Value::Int(ms)) => ms.into(),
        Some(gregor_config::Value::Long(ms)) => ms,
        _ => i64::MAX,
    }
}
