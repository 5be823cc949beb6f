//! What clients ask of a group and what they are told, free of wire versions: handlers translate.

use std::sync::Arc;

use bytes::Bytes;
use gregor_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition};

use super::GroupError;
use super::consumer::request::{ConsumerBeat, Refused};
use crate::{GroupId, InstanceId, MemberId};

/// A request that may wait for its answer; the shell gives the number and keeps who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// An append that the shell was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppendId(pub u64);

/// A protocol a member supports, with its metadata for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// The assignor's name.
    pub name: Arc<str>,
    /// What the leader needs to know of this member.
    pub metadata: Bytes,
}

/// JoinGroup.
#[derive(Clone, Debug)]
pub struct Join {
    /// The group.
    pub group: GroupId,
    /// Empty for a member that has no id yet.
    pub member: MemberId,
    /// `group.instance.id`.
    pub instance: Option<InstanceId>,
    /// The client's `client.id`.
    pub client_id: Arc<str>,
    /// `/` and the client's address.
    pub client_host: Arc<str>,
    /// After how much silence the member is dead, in ms.
    pub session_timeout_ms: i32,
    /// How long the member may take to join again, in ms.
    pub rebalance_timeout_ms: i32,
    /// `consumer`, `connect`, ...
    pub protocol_type: Arc<str>,
    /// In the member's order of preference.
    pub protocols: Vec<Protocol>,
    /// Version 4 and later: a dynamic member without an id is told one first (KIP-394).
    pub member_id_required: bool,
    /// Version 9 and later: a returning static leader may be told not to assign.
    pub skip_assignment_known: bool,
    /// Random bytes for the id of a new member.
    pub random: [u8; 16],
}

/// A member as the leader of the group sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    /// Its id.
    pub member: MemberId,
    /// `group.instance.id`.
    pub instance: Option<InstanceId>,
    /// Its metadata for the selected protocol.
    pub metadata: Bytes,
}

/// The answer to JoinGroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// `None` when the member is in.
    pub error: Option<GroupError>,
    /// The member's id; empty where Kafka leaves it so.
    pub member: MemberId,
    /// -1 on errors.
    pub generation: i32,
    /// The group's protocol type.
    pub protocol_type: Option<Arc<str>>,
    /// The protocol selected.
    pub protocol: Option<Arc<str>>,
    /// Who assigns; empty on errors.
    pub leader: MemberId,
    /// Version 9 and later: the leader is not to assign.
    pub skip_assignment: bool,
    /// All members, for the leader only.
    pub members: Vec<JoinedMember>,
}

impl Joined {
    /// A refusal; `member` is what the answer names.
    pub fn refused(member: impl Into<MemberId>, error: GroupError) -> Joined {
        Joined {
            error: Some(error),
            member: member.into(),
            generation: -1,
            protocol_type: None,
            protocol: None,
            leader: MemberId::from(""),
            skip_assignment: false,
            members: Vec::new(),
        }
    }
}

/// Who a member says it is.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The group.
    pub group: GroupId,
    /// Its member id; empty for those that only commit.
    pub member: MemberId,
    /// `group.instance.id`.
    pub instance: Option<InstanceId>,
    /// The generation it was given; -1 for none.
    pub generation: i32,
}

/// SyncGroup.
#[derive(Clone, Debug)]
pub struct Sync {
    /// Who asks.
    pub claim: Claim,
    /// Version 5: must be the group's.
    pub protocol_type: Option<Arc<str>>,
    /// Version 5: must be the group's.
    pub protocol: Option<Arc<str>>,
    /// From the leader: what each member gets.
    pub assignments: Vec<(MemberId, Bytes)>,
}

/// The answer to SyncGroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    /// `None` when the assignment holds.
    pub error: Option<GroupError>,
    /// The group's protocol type.
    pub protocol_type: Option<Arc<str>>,
    /// The protocol selected.
    pub protocol: Option<Arc<str>>,
    /// The member's assignment.
    pub assignment: Bytes,
}

impl Synced {
    /// A refusal.
    pub fn refused(error: GroupError) -> Synced {
        Synced { error: Some(error), protocol_type: None, protocol: None, assignment: Bytes::new() }
    }
}

/// One who leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaver {
    /// Its member id; empty to name a static member by its instance alone.
    pub member: MemberId,
    /// `group.instance.id`.
    pub instance: Option<InstanceId>,
}

/// An offset to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetToCommit {
    /// The partition consumed.
    pub partition: TopicPartition,
    /// The next offset to consume.
    pub offset: Offset,
    /// The leader epoch of the last record consumed.
    pub leader_epoch: Option<LeaderEpoch>,
    /// The client's own text.
    pub metadata: Box<str>,
    /// Version 1 alone: the time to store instead of now.
    pub committed_at: Option<Timestamp>,
}

/// The log's proof that a transaction was verified with its coordinator before the commit (KIP-890): opaque here, and
/// handed back with the append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedTransaction(pub u64);

/// OffsetCommit and TxnOffsetCommit.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Who asks.
    pub claim: Claim,
    /// For TxnOffsetCommit: the producer whose transaction decides.
    pub producer: Option<(ProducerId, ProducerEpoch)>,
    /// For TxnOffsetCommit: what the verification gave, where one was needed.
    pub verification: Option<VerifiedTransaction>,
    /// Version 9 and later: the member knows that its generation may be an epoch.
    pub member_epoch_known: bool,
    /// Versions 2 to 4: how long to keep the offsets, in ms.
    pub retention_ms: Option<i64>,
    /// What to commit.
    pub offsets: Vec<OffsetToCommit>,
}

/// The outcome of a commit, partition by partition in the order of the request.
pub type CommitResults = Vec<(TopicPartition, Result<(), GroupError>)>;

/// A committed offset as OffsetFetch tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedOffset {
    /// The partition.
    pub partition: TopicPartition,
    /// `None` when nothing is committed.
    pub offset: Option<Offset>,
    /// The leader epoch committed with it.
    pub leader_epoch: Option<LeaderEpoch>,
    /// The client's own text.
    pub metadata: Box<str>,
    /// `UnstableOffsetCommit` when stable offsets are asked for and one is undecided.
    pub error: Option<GroupError>,
}

/// A group as ListGroups tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its id.
    pub group: GroupId,
    /// Empty for a group that never had members.
    pub protocol_type: Arc<str>,
    /// The state's name.
    pub state: &'static str,
    /// The protocol its members follow.
    pub kind: GroupType,
}

/// The protocol that a group's members follow (`GroupType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupType {
    /// Members assign among themselves, or there never were any.
    Classic,
    /// The coordinator assigns (KIP-848).
    Consumer,
}

impl GroupType {
    /// The name that ListGroups gives.
    pub fn name(self) -> &'static str {
        match self {
            GroupType::Classic => "classic",
            GroupType::Consumer => "consumer",
        }
    }
}

/// A member as DescribeGroups tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedMember {
    /// Its id.
    pub member: MemberId,
    /// `group.instance.id`.
    pub instance: Option<InstanceId>,
    /// The client's `client.id`.
    pub client_id: Arc<str>,
    /// `/` and the client's address.
    pub client_host: Arc<str>,
    /// Metadata for the selected protocol, while the group is stable.
    pub metadata: Bytes,
    /// Its assignment, while the group is stable.
    pub assignment: Bytes,
}

/// A group as DescribeGroups tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedGroup {
    /// The state's name; `Dead` for a group that does not exist.
    pub state: &'static str,
    /// `consumer`, `connect`, ...
    pub protocol_type: Arc<str>,
    /// The selected protocol, while the group is stable.
    pub protocol: Arc<str>,
    /// The members.
    pub members: Vec<DescribedMember>,
}

/// An answer that had to wait, or could have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To JoinGroup.
    Join(Joined),
    /// To SyncGroup.
    Sync(Synced),
    /// To OffsetCommit and TxnOffsetCommit.
    Commit(CommitResults),
    /// To ConsumerGroupHeartbeat.
    Consumer(Result<ConsumerBeat, Refused>),
}

impl Reply {
    /// The same answer as a refusal.
    pub(super) fn refused(self, error: GroupError) -> Reply {
        match self {
            Reply::Join(_) => Reply::Join(Joined::refused("", error)),
            Reply::Sync(_) => Reply::Sync(Synced::refused(error)),
            Reply::Commit(results) => {
                Reply::Commit(results.into_iter().map(|(partition, _)| (partition, Err(error))).collect())
            }
            Reply::Consumer(_) => Reply::Consumer(Err(error.into())),
        }
    }
}

/// One batch for the group's partition of `__consumer_offsets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Keys and values; no value is a tombstone.
    pub records: Vec<(Bytes, Option<Bytes>)>,
    /// Makes the batch part of this producer's transaction.
    pub producer: Option<(ProducerId, ProducerEpoch)>,
    /// Goes with a transactional batch.
    pub verification: Option<VerifiedTransaction>,
    /// Tombstones are written with acks=0, everything else with `offsets.commit.required.acks`.
    pub acknowledged: bool,
    /// Whether the records may share a batch with others that come at the same time: each then lies where its record
    /// does. Only for plain commits, as nothing else is asked of the shard on the strength of them.
    pub gathers: bool,
}

/// What the shell is to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Answer the request.
    Reply(RequestId, Reply),
    /// Append the batch, and say how it went with `appended`.
    Append(AppendId, Batch),
}
