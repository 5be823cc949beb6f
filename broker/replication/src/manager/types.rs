//! What the manager is asked and what it answers: plain values, shared with the server's request handlers.

use bytes::Bytes;
use gregor_log::{AbortedTransaction, AppendOrigin, FetchIsolation, FileSlice, VerificationGuard};
use gregor_model::{BrokerEpoch, BrokerId, ControllerEpoch, LeaderEpoch, Offset, TopicId, TopicPartition};

/// `acks` of a produce request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequiredAcks {
    /// 0: the producer does not wait.
    None,
    /// 1: the leader has it.
    Leader,
    /// -1: the in-sync replicas have it.
    All,
}

impl RequiredAcks {
    /// The meaning of the wire's value; others are INVALID_REQUIRED_ACKS.
    pub fn from_wire(acks: i16) -> Option<RequiredAcks> {
        match acks {
            -1 => Some(RequiredAcks::All),
            0 => Some(RequiredAcks::None),
            1 => Some(RequiredAcks::Leader),
            _ => None,
        }
    }
}

/// How to append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProduceParams {
    /// When it is done.
    pub acks: RequiredAcks,
    /// With acks=all: how long to wait, in milliseconds.
    pub timeout_ms: i32,
    /// Who appends.
    pub origin: AppendOrigin,
    /// Whether internal topics may be written to: coordinators, and the admin client id of Kafka's own tools.
    pub internal_topics_allowed: bool,
}

/// The records for one partition.
#[derive(Clone, Debug)]
pub struct PartitionRecords {
    /// Where they go.
    pub partition: TopicPartition,
    /// The batches as they came.
    pub records: Bytes,
    /// Proof that the transaction was verified, where that was needed.
    pub verification: Option<VerificationGuard>,
}

/// Who fetches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchRequester {
    /// A consumer. `rack` is the client's (empty if it has none) in requests of v11 and later, which may
    /// read from followers and be sent to another replica; `None` in older ones, which only the leader answers.
    Consumer {
        /// `client.rack`.
        rack: Option<String>,
    },
    /// A follower.
    Follower {
        /// Its id.
        id: BrokerId,
        /// Its registration (v15+).
        epoch: Option<BrokerEpoch>,
    },
}

/// What holds for all partitions of a fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchParams {
    /// Who fetches.
    pub requester: FetchRequester,
    /// How long to wait for `min_bytes`, in milliseconds.
    pub max_wait_ms: i32,
    /// How much to wait for.
    pub min_bytes: i32,
    /// How much to answer at most; `i32::MAX` before v3.
    pub max_bytes: i32,
    /// How far to read; followers are always given [`FetchIsolation::LogEnd`].
    pub isolation: FetchIsolation,
    /// v2 and older: never more than asked for, even if that cuts the first batch.
    pub hard_max_bytes: bool,
}

/// What is asked of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchPartition {
    /// The topic's id (v13+).
    pub topic_id: Option<TopicId>,
    /// Where to start; a negative one is out of range.
    pub fetch_offset: Offset,
    /// A follower's log start offset (v5+).
    pub log_start_offset: Option<Offset>,
    /// How much at most.
    pub max_bytes: i32,
    /// The term the requester believes in (v9+).
    pub current_leader_epoch: Option<LeaderEpoch>,
    /// A follower's newest epoch (v12+).
    pub last_fetched_epoch: Option<LeaderEpoch>,
}

/// Where a follower's log parts from the leader's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The largest epoch the leader has at or below the one asked for; `None`: not known.
    pub epoch: Option<LeaderEpoch>,
    /// Where that epoch ends; `None`: not known.
    pub end_offset: Option<Offset>,
}

/// What was read of one partition.
#[derive(Clone, Debug)]
pub struct FetchedPartition {
    /// The records, as a region of a file.
    pub records: Option<FileSlice>,
    /// As of the read.
    pub high_watermark: Offset,
    /// As of the read.
    pub last_stable_offset: Offset,
    /// As of the read.
    pub log_start_offset: Offset,
    /// read_committed only.
    pub aborted: Option<Vec<AbortedTransaction>>,
    /// The follower must truncate first.
    pub diverging_epoch: Option<EpochEnd>,
    /// Where the consumer should read instead; then there are no records.
    pub preferred_read_replica: Option<BrokerId>,
}

impl FetchedPartition {
    /// Bytes of records.
    pub fn len(&self) -> usize {
        self.records.as_ref().map_or(0, |records| records.len)
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a control request changed, for the coordinators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleChanges {
    /// Partitions this broker began to lead, with the term.
    pub leaders: Vec<(TopicPartition, LeaderEpoch)>,
    /// Partitions it began to follow, with the term.
    pub followers: Vec<(TopicPartition, LeaderEpoch)>,
    /// Partitions it no longer has, with the last known term.
    pub deleted: Vec<(TopicPartition, Option<LeaderEpoch>)>,
}

/// The controller that sent a request has been replaced (STALE_CONTROLLER_EPOCH).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("controller epoch {sent} is older than the latest known {latest}")]
pub struct StaleControllerEpoch {
    /// Of the request.
    pub sent: ControllerEpoch,
    /// The newest heard of.
    pub latest: ControllerEpoch,
}

/// A partition of this broker as metrics and admin requests see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionStatus {
    /// Which one.
    pub partition: TopicPartition,
    /// Whether it is led here.
    pub is_leader: bool,
    /// The leader, if known.
    pub leader: Option<BrokerId>,
    /// The term.
    pub leader_epoch: Option<LeaderEpoch>,
    /// The ISR, where it is led here.
    pub isr: Vec<BrokerId>,
    /// The replicas, where it is led here.
    pub replicas: Vec<BrokerId>,
    /// Fewer are in sync than assigned (and it is led here).
    pub under_replicated: bool,
    /// Fewer are in sync than `min.insync.replicas` (and it is led here).
    pub under_min_isr: bool,
}

/// Counters since the start, and gauges, of replication as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReplicationCounts {
    /// ISRs that grew (`IsrExpandsPerSec`).
    pub isr_expands: u64,
    /// ISRs that shrank (`IsrShrinksPerSec`).
    pub isr_shrinks: u64,
    /// ISR changes that the controller refused (`FailedIsrUpdatesPerSec`).
    pub failed_isr_updates: u64,
    /// Replicas in failed log directories (`OfflineReplicaCount`).
    pub offline_partitions: usize,
    /// Partitions that fetchers gave up until the next leader epoch (`FailedPartitionsCount`).
    pub failed_partitions: usize,
    /// By how many records the partition that lags most is behind its leader's high watermark (`MaxLag`).
    pub max_lag: i64,
    /// Fetches per second of the fetcher that has fewest (`MinFetchRate`).
    pub min_fetch_rate: f64,
    /// Fetchers that ended without being told to (`DeadThreadCount`).
    pub dead_fetchers: usize,
}
