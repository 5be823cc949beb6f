//! Operations on ZooKeeper that the machine asks for, and their outcomes.
//!
//! "Fenced" means: sent as multis whose first operation checks the version of `/controller_epoch` that was obtained
//! when this controller was elected. When that check itself fails, the shell gives [`crate::Event::Lost`] instead of
//! an outcome. Lists may be split into multis of hundreds and pipelined; outcomes keep the order of the request.
//! CONNECTIONLOSS is retried by the shell for ever; an operation on which an earlier attempt may have succeeded is
//! reported as ZooKeeper answers the last attempt (the machine recognises its own writes in a conflict).

use std::sync::Arc;

use gregor_model::{BrokerId, PartitionEpoch, TopicId, TopicName, TopicPartition, ZnodeVersion};

use crate::znode::{
    BrokerRegistration, FeatureNode, LeaderIsrAndControllerEpoch, ProducerIdBlock, Snapshot, TopicNode,
    Versioned,
};

/// Names one operation; never used twice by one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub u64);

/// A partition state to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionStateCreate {
    /// The partition.
    pub partition: TopicPartition,
    /// Content; `partition_epoch` is 0, as the new znode's version will be.
    pub leadership: Arc<LeaderIsrAndControllerEpoch>,
}

/// A partition state to replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionStateWrite {
    /// The partition.
    pub partition: TopicPartition,
    /// Content. Its `partition_epoch` is the version the znode will have once written; it is not part of the JSON.
    pub leadership: Arc<LeaderIsrAndControllerEpoch>,
    /// The version the znode must have now.
    pub expected: PartitionEpoch,
}

/// One thing to be done in ZooKeeper. The comment of each names the variant of [`Outcome`] that answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Read everything, watches first: existence watches on `/admin/preferred_replica_election`,
    /// `/admin/reassign_partitions`; child watches on `/brokers/ids`, `/brokers/topics`, `/admin/delete_topics`,
    /// `/isr_change_notification`, `/log_dir_event_notification`; data watches on every broker and topic node; then the
    /// reads of [`Snapshot`], the partition states after the notifications were listed. → [`Outcome::Context`].
    LoadContext,
    /// Read all registrations (and watch for changes from here on). → [`Outcome::Brokers`].
    ReadBrokers,
    /// Read one registration. → [`Outcome::Brokers`] with one or none.
    ReadBroker(BrokerId),
    /// List `/brokers/topics`. → [`Outcome::TopicNames`].
    ListTopics,
    /// Read these topic nodes and watch their data from here on; absent ones are left out. → [`Outcome::Topics`].
    ReadTopics(Vec<TopicName>),
    /// List the indexes under `/brokers/topics/<topic>/partitions`; empty when absent. → [`Outcome::PartitionIndexes`].
    ListCreatedPartitions(TopicName),
    /// List `/admin/delete_topics`. → [`Outcome::TopicNames`].
    ListDeletions,
    /// Read these states. → [`Outcome::PartitionStates`], in the same order, `None` where absent or unreadable.
    ReadPartitionStates(Vec<TopicPartition>),
    /// For each of these topics: whether `unclean.leader.election.enable` holds for it, its override in
    /// `/config/topics/<topic>` merged over this broker's current configuration. An unreadable config counts as false.
    /// → [`Outcome::Flags`], in the same order.
    ReadUncleanElection(Vec<TopicName>),
    /// Read `/admin/reassign_partitions` (and watch for its creation from here on). → [`Outcome::Reassignments`].
    ReadReassignments,
    /// Read `/admin/preferred_replica_election` (and watch for its creation). → [`Outcome::PreferredElection`].
    ReadPreferredElection,
    /// List and read `/isr_change_notification`; unreadable children are listed but add no partitions.
    /// → [`Outcome::IsrChanges`].
    ReadIsrChanges,
    /// List and read `/log_dir_event_notification`. → [`Outcome::LogDirEvents`].
    ReadLogDirEvents,
    /// Read `/latest_producer_id_block`. → [`Outcome::ProducerIdBlock`].
    ReadProducerIdBlock,

    /// Fenced. Create `partitions` and `partitions/<p>` (whether these exist already does not matter), then the state
    /// znode. → [`Outcome::Created`], same order.
    CreatePartitionStates(Vec<PartitionStateCreate>),
    /// Fenced conditional sets. For a BADVERSION, read the state again and report it in the conflict.
    /// → [`Outcome::Written`], same order.
    WritePartitionStates(Vec<PartitionStateWrite>),
    /// Fenced sets of topic nodes, any version. `id` of each is written back as it is. → [`Outcome::Results`],
    /// same order.
    WriteTopics(Vec<TopicNode>),
    /// For each of these topics, which lack an id: draw a random one (`TopicId::from_random`), and set the node with
    /// it, fenced, any version. → [`Outcome::TopicIds`], same order; `None` where the node vanished.
    AssignTopicIds(Vec<TopicNode>),
    /// Fenced, for each topic in this order: delete `/brokers/topics/<topic>` recursively (children first),
    /// `/config/topics/<topic>`, `/admin/delete_topics/<topic>`; missing nodes do not matter. → [`Outcome::Results`].
    DeleteTopics(Vec<TopicName>),
    /// Fenced deletes of `/admin/delete_topics/<topic>`. → [`Outcome::Done`].
    DeleteDeletionMarkers(Vec<TopicName>),
    /// Fenced set (or create) of `/admin/reassign_partitions`. → [`Outcome::Done`].
    WriteReassignments(Vec<(TopicPartition, Vec<BrokerId>)>),
    /// Fenced delete of `/admin/reassign_partitions`; missing does not matter. → [`Outcome::Done`].
    DeleteReassignments,
    /// Fenced delete of `/admin/preferred_replica_election`; missing does not matter. → [`Outcome::Done`].
    DeletePreferredElection,
    /// Fenced deletes of these children of `/isr_change_notification`. → [`Outcome::Done`].
    DeleteIsrChanges(Vec<String>),
    /// Fenced deletes of these children of `/log_dir_event_notification`. → [`Outcome::Done`].
    DeleteLogDirEvents(Vec<String>),
    /// Not fenced: set `/latest_producer_id_block` if it still has this version (create it when `expected` is `None`).
    /// → [`Outcome::Conditional`].
    WriteProducerIdBlock {
        /// The new block.
        block: ProducerIdBlock,
        /// Version read before; `None` when the node was absent.
        expected: Option<ZnodeVersion>,
    },
    /// Not fenced: set `/feature` unconditionally, or create it when absent; then wait until this broker's own
    /// listener has seen that version (at most `zookeeper.connection.timeout.ms`, else a failure).
    /// → [`Outcome::Done`].
    WriteFeatures(FeatureNode),
}

/// How one creation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateOutcome {
    /// Created.
    Created,
    /// NODEEXISTS, with what is there when it can be read.
    Exists(Option<LeaderIsrAndControllerEpoch>),
    /// Any other error.
    Failed(String),
}

/// How one conditional set ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// Written; the znode's version is `expected + 1`.
    Written,
    /// BADVERSION, with the state as it is now; `None` when it cannot be read or does not exist any more.
    Conflict(Option<LeaderIsrAndControllerEpoch>),
    /// Any other error (NONODE included).
    Failed(String),
}

/// An operation that could not be done at all, or whose list was done in part; the text is for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreFailure(pub String);

/// How an operation ended. A list has one entry per item asked for, in the same order, unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The operation failed; for per-item outcomes only when no item has one.
    Failed(StoreFailure),
    /// Done, nothing to tell.
    Done,
    /// Everything.
    Context(Box<Snapshot>),
    /// Registrations.
    Brokers(Vec<BrokerRegistration>),
    /// Names of children.
    TopicNames(Vec<TopicName>),
    /// Topic nodes that exist, of those asked for.
    Topics(Vec<TopicNode>),
    /// Partition indexes.
    PartitionIndexes(Vec<i32>),
    /// States.
    PartitionStates(Vec<Option<LeaderIsrAndControllerEpoch>>),
    /// Booleans.
    Flags(Vec<bool>),
    /// Content of the legacy reassignment node; `None` when absent, empty when unreadable.
    Reassignments(Option<Vec<(TopicPartition, Vec<BrokerId>)>>),
    /// Content of `/admin/preferred_replica_election`; `None` when absent, empty when unreadable.
    PreferredElection(Option<Vec<TopicPartition>>),
    /// Names of the notifications and the partitions they list.
    IsrChanges {
        /// Children found.
        names: Vec<String>,
        /// Union of what they list.
        partitions: Vec<TopicPartition>,
    },
    /// Names of the notifications and the brokers they list.
    LogDirEvents {
        /// Children found.
        names: Vec<String>,
        /// Brokers with a failed directory.
        brokers: Vec<BrokerId>,
    },
    /// The block (`None` for null data) and the version; `None` when the node is absent.
    ProducerIdBlock(Option<Versioned<Option<ProducerIdBlock>>>),
    /// Creations.
    Created(Vec<CreateOutcome>),
    /// Sets.
    Written(Vec<WriteOutcome>),
    /// Per item: done or not.
    Results(Vec<Result<(), StoreFailure>>),
    /// Topic ids.
    TopicIds(Vec<Option<TopicId>>),
    /// Whether a conditional write took place (`false`: version conflict).
    Conditional(bool),
}
