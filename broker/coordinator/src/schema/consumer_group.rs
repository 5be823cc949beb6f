//! The records of a consumer group (KIP-848), which `__consumer_offsets` keeps under keys of versions 3 to 8: the group's
//! epoch, its topics, its members, and per member what it is to own and what it owns.
//!
//! One [`ConsumerRecord`] is one key with its value or tombstone. Keys are plain, values flexible and of version 0.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use gregor_model::{TopicId, TopicName};

use super::SchemaError;
pub use super::consumer_member::{ClassicMember, MemberValue};
use super::primitive::{Reader, Writer};
use crate::{Assignment, GroupId, MemberId};

/// The versions of a consumer group's keys.
pub const KEY_VERSIONS: RangeInclusive<i16> = 3..=8;

/// Which part of a group a record holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConsumerKey {
    /// 3, `ConsumerGroupMetadata`.
    Epoch,
    /// 4, `ConsumerGroupPartitionMetadata`.
    Topics,
    /// 5, `ConsumerGroupMemberMetadata`.
    Member(MemberId),
    /// 6, `ConsumerGroupTargetAssignmentMetadata`.
    TargetEpoch,
    /// 7, `ConsumerGroupTargetAssignmentMember`.
    Target(MemberId),
    /// 8, `ConsumerGroupCurrentMemberAssignment`.
    Current(MemberId),
}

/// A part of a group with its value; no value is a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsumerRecord {
    /// The group epoch: raised when subscriptions or their topics change.
    Epoch(Option<i32>),
    /// The topics subscribed to, as they were when the group epoch was raised.
    Topics(Option<Arc<SubscribedTopics>>),
    /// What a member said of itself.
    Member(MemberId, Option<Arc<MemberValue>>),
    /// The group epoch that the target assignment was made for.
    TargetEpoch(Option<i32>),
    /// What a member is to own in the end.
    Target(MemberId, Option<Arc<Assignment>>),
    /// What a member owns, and how far it has come.
    Current(MemberId, Option<Arc<CurrentAssignment>>),
}

/// The topics of a group that exist.
pub type SubscribedTopics = BTreeMap<TopicName, SubscribedTopic>;

/// A topic that the group subscribes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribedTopic {
    /// Its id.
    pub id: TopicId,
    /// How many partitions it has.
    pub partitions: i32,
    /// The racks of each partition's replicas, where they are known.
    pub racks: BTreeMap<i32, BTreeSet<Arc<str>>>,
}

/// How far a member has come towards its target (`MemberState`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemberState {
    /// It owns what its epoch's target gives it.
    #[default]
    Stable,
    /// It has to give partitions up first.
    UnrevokedPartitions,
    /// It waits for partitions that others have not given up yet.
    UnreleasedPartitions,
    /// A state of a later release.
    Unknown,
}

/// What a member owns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CurrentAssignment {
    /// The epoch it is to name in its heartbeats.
    pub epoch: i32,
    /// The one before, in case the answer that raised it was lost.
    pub previous_epoch: i32,
    /// How far it has come.
    pub state: MemberState,
    /// What it owns.
    pub assigned: Assignment,
    /// What it must give up.
    pub revoking: Assignment,
}

impl MemberState {
    fn to_wire(self) -> i8 {
        match self {
            MemberState::Stable => 0,
            MemberState::UnrevokedPartitions => 1,
            MemberState::UnreleasedPartitions => 2,
            MemberState::Unknown => 127,
        }
    }

    fn from_wire(value: i8) -> MemberState {
        match value {
            0 => MemberState::Stable,
            1 => MemberState::UnrevokedPartitions,
            2 => MemberState::UnreleasedPartitions,
            _ => MemberState::Unknown,
        }
    }
}

impl ConsumerKey {
    /// Reads the key after its version.
    pub(super) fn decode_body(
        version: i16,
        reader: &mut Reader<'_>,
    ) -> Result<(GroupId, ConsumerKey), SchemaError> {
        let group = GroupId::from(reader.string("group", false)?);
        let mut member = || reader.string("member", false).map(MemberId::from);
        let key = match version {
            3 => ConsumerKey::Epoch,
            4 => ConsumerKey::Topics,
            5 => ConsumerKey::Member(member()?),
            6 => ConsumerKey::TargetEpoch,
            7 => ConsumerKey::Target(member()?),
            8 => ConsumerKey::Current(member()?),
            version => return Err(SchemaError::Version { what: "consumer group key", version }),
        };
        Ok((group, key))
    }
}

impl ConsumerRecord {
    /// The key's bytes.
    pub fn encode_key(&self, group: &GroupId) -> Bytes {
        let (version, member) = match self {
            ConsumerRecord::Epoch(_) => (3, None),
            ConsumerRecord::Topics(_) => (4, None),
            ConsumerRecord::Member(member, _) => (5, Some(member)),
            ConsumerRecord::TargetEpoch(_) => (6, None),
            ConsumerRecord::Target(member, _) => (7, Some(member)),
            ConsumerRecord::Current(member, _) => (8, Some(member)),
        };
        let mut writer = Writer::new(version);
        writer.string(group.as_str());
        if let Some(member) = member {
            writer.string(member.as_str());
        }
        writer.finish()
    }

    /// The value's bytes; `None` for a tombstone.
    pub fn encode_value(&self) -> Option<Bytes> {
        let mut writer = Writer::new(0);
        match self {
            ConsumerRecord::Epoch(epoch) | ConsumerRecord::TargetEpoch(epoch) => writer.i32((*epoch)?),
            ConsumerRecord::Topics(topics) => write_topics(&mut writer, topics.as_ref()?),
            ConsumerRecord::Member(_, member) => return member.as_ref().map(|member| member.encode(writer)),
            ConsumerRecord::Target(_, target) => write_assignment(&mut writer, target.as_ref()?),
            ConsumerRecord::Current(_, current) => {
                let current = current.as_ref()?;
                writer.i32(current.epoch);
                writer.i32(current.previous_epoch);
                writer.i8(current.state.to_wire());
                write_assignment(&mut writer, &current.assigned);
                write_assignment(&mut writer, &current.revoking);
            }
        }
        writer.no_tags();
        Some(writer.finish())
    }

    /// Reads the value of a key.
    ///
    /// # Errors
    /// The value is damaged, or of a version other than 0.
    pub fn decode(key: ConsumerKey, value: Option<&[u8]>) -> Result<ConsumerRecord, SchemaError> {
        let mut reader = value.map(open_value).transpose()?;
        let reader = reader.as_mut();
        Ok(match key {
            ConsumerKey::Epoch => ConsumerRecord::Epoch(read(reader, |reader| reader.i32("epoch"))?),
            ConsumerKey::Topics => ConsumerRecord::Topics(read(reader, read_topics)?.map(Arc::new)),
            ConsumerKey::Member(member) => {
                let value = reader.map(MemberValue::decode).transpose()?;
                ConsumerRecord::Member(member, value.map(Arc::new))
            }
            ConsumerKey::TargetEpoch => {
                ConsumerRecord::TargetEpoch(read(reader, |reader| reader.i32("assignmentEpoch"))?)
            }
            ConsumerKey::Target(member) => {
                ConsumerRecord::Target(member, read(reader, read_assignment)?.map(Arc::new))
            }
            ConsumerKey::Current(member) => {
                ConsumerRecord::Current(member, read(reader, CurrentAssignment::decode)?.map(Arc::new))
            }
        })
    }
}

fn open_value(value: &[u8]) -> Result<Reader<'_>, SchemaError> {
    let mut reader = Reader::new(value);
    match reader.i16("version")? {
        0 => Ok(reader),
        version => Err(SchemaError::Version { what: "consumer group value", version }),
    }
}

/// The fields of a value that is there, up to its end.
fn read<'a, T>(
    reader: Option<&mut Reader<'a>>,
    fields: impl FnOnce(&mut Reader<'a>) -> Result<T, SchemaError>,
) -> Result<Option<T>, SchemaError> {
    let Some(reader) = reader else { return Ok(None) };
    let value = fields(reader)?;
    reader.skip_tags(true)?;
    Ok(Some(value))
}

fn read_topic_id(reader: &mut Reader<'_>) -> Result<TopicId, SchemaError> {
    TopicId::from_wire(reader.uuid("topicId")?).ok_or(SchemaError::Value { field: "topicId", value: 0 })
}

fn write_assignment(writer: &mut Writer, assignment: &Assignment) {
    writer.compact_count(assignment.topics().len());
    for (topic, partitions) in assignment.topics() {
        writer.uuid(topic.uuid());
        writer.compact_count(partitions.len());
        partitions.iter().for_each(|partition| writer.i32(*partition));
        writer.no_tags();
    }
}

fn read_assignment(reader: &mut Reader<'_>) -> Result<Assignment, SchemaError> {
    let mut assignment = Assignment::new();
    for _ in 0..reader.count("topicPartitions", true)? {
        let topic = read_topic_id(reader)?;
        for _ in 0..reader.count("partitions", true)? {
            assignment.insert(topic, reader.i32("partition")?);
        }
        reader.skip_tags(true)?;
    }
    Ok(assignment)
}

fn write_topics(writer: &mut Writer, topics: &SubscribedTopics) {
    writer.compact_count(topics.len());
    for (name, topic) in topics {
        writer.uuid(topic.id.uuid());
        writer.compact_string(name.as_str());
        writer.i32(topic.partitions);
        writer.compact_count(topic.racks.len());
        for (partition, racks) in &topic.racks {
            writer.i32(*partition);
            writer.compact_count(racks.len());
            racks.iter().for_each(|rack| writer.compact_string(rack));
            writer.no_tags();
        }
        writer.no_tags();
    }
}

fn read_topics(reader: &mut Reader<'_>) -> Result<SubscribedTopics, SchemaError> {
    let mut topics = SubscribedTopics::new();
    for _ in 0..reader.count("topics", true)? {
        let id = read_topic_id(reader)?;
        let name = TopicName::new(reader.string("topicName", true)?);
        let partitions = reader.i32("numPartitions")?;
        let mut racks = BTreeMap::new();
        for _ in 0..reader.count("partitionMetadata", true)? {
            let partition = reader.i32("partition")?;
            let mut of_partition = BTreeSet::new();
            for _ in 0..reader.count("racks", true)? {
                of_partition.insert(reader.string("rack", true)?.into());
            }
            reader.skip_tags(true)?;
            racks.insert(partition, of_partition);
        }
        reader.skip_tags(true)?;
        topics.insert(name, SubscribedTopic { id, partitions, racks });
    }
    Ok(topics)
}

impl CurrentAssignment {
    fn decode(reader: &mut Reader<'_>) -> Result<CurrentAssignment, SchemaError> {
        Ok(CurrentAssignment {
            epoch: reader.i32("memberEpoch")?,
            previous_epoch: reader.i32("previousMemberEpoch")?,
            state: MemberState::from_wire(reader.i8("state")?),
            assigned: read_assignment(reader)?,
            revoking: read_assignment(reader)?,
        })
    }
}

#[cfg(test)]
#[path = "consumer_group_tests.rs"]
mod tests;
