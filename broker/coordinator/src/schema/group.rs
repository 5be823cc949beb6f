//! A group with its members (`GroupMetadataKey`, `GroupMetadataValue`), and the dispatch over every key of
//! `__consumer_offsets`.

use bytes::Bytes;
use gregor_model::Timestamp;

use super::SchemaError;
use super::consumer_group::{self, ConsumerKey};
use super::offset::{self, OffsetKeyRef};
use super::primitive::{Reader, Writer};
use crate::{GroupId, InstanceId, MemberId};

/// A key of `__consumer_offsets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupTopicKey<'a> {
    /// Versions 0 and 1: a committed offset.
    Offset(OffsetKeyRef<'a>),
    /// Version 2: a group.
    Group(GroupId),
    /// Versions 3 to 8: a part of a consumer group (KIP-848), which Apache Kafka skips with a warning in ZooKeeper mode.
    Consumer(GroupId, ConsumerKey),
    /// A version that nobody writes in ZooKeeper mode (share groups).
    Unknown(i16),
}

/// One member as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberValue {
    /// The member's id.
    pub member: MemberId,
    /// `group.instance.id` of a static member.
    pub instance: Option<InstanceId>,
    /// The client's `client.id`.
    pub client_id: Box<str>,
    /// `/` and the client's address.
    pub client_host: Box<str>,
    /// How long this member may take to join again, in ms.
    pub rebalance_timeout_ms: i32,
    /// After how much silence the member is dead, in ms.
    pub session_timeout_ms: i32,
    /// The member's metadata for the selected protocol.
    pub subscription: Bytes,
    /// What the leader assigned to it.
    pub assignment: Bytes,
}

/// A group as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupValue {
    /// `consumer`, `connect`, ...; empty for a group that never had members.
    pub protocol_type: Box<str>,
    /// Raised at every completed rebalance.
    pub generation: i32,
    /// The assignor selected.
    pub protocol: Option<Box<str>>,
    /// The member that assigns.
    pub leader: Option<MemberId>,
    /// When the state at writing was entered; `None` in records older than 2.1.
    pub state_since: Option<Timestamp>,
    /// The members, with what each was assigned.
    pub members: Vec<MemberValue>,
}

impl<'a> GroupTopicKey<'a> {
    /// Reads any key of `__consumer_offsets`.
    pub fn decode(key: &'a [u8]) -> Result<GroupTopicKey<'a>, SchemaError> {
        let mut reader = Reader::new(key);
        match reader.i16("version")? {
            version if offset::KEY_VERSIONS.contains(&version) => {
                OffsetKeyRef::decode_body(&mut reader).map(GroupTopicKey::Offset)
            }
            2 => Ok(GroupTopicKey::Group(GroupId::from(reader.string("group", false)?))),
            version if consumer_group::KEY_VERSIONS.contains(&version) => {
                let (group, key) = ConsumerKey::decode_body(version, &mut reader)?;
                Ok(GroupTopicKey::Consumer(group, key))
            }
            version => Ok(GroupTopicKey::Unknown(version)),
        }
    }
}

/// The key of a group's record, version 2.
pub fn encode_group_key(group: &GroupId) -> Bytes {
    let mut writer = Writer::new(2);
    writer.string(group.as_str());
    writer.finish()
}

impl GroupValue {
    /// The value's bytes, version 3.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new(3);
        writer.string(&self.protocol_type);
        writer.i32(self.generation);
        writer.nullable_string(self.protocol.as_deref());
        writer.nullable_string(self.leader.as_ref().map(MemberId::as_str));
        writer.i64(self.state_since.map_or(-1, |since| since.0));
        writer.count(self.members.len());
        for member in &self.members {
            writer.string(member.member.as_str());
            writer.nullable_string(member.instance.as_ref().map(InstanceId::as_str));
            writer.string(&member.client_id);
            writer.string(&member.client_host);
            writer.i32(member.rebalance_timeout_ms);
            writer.i32(member.session_timeout_ms);
            writer.bytes(&member.subscription);
            writer.bytes(&member.assignment);
        }
        writer.finish()
    }

    /// Reads a value of versions 0 to 4.
    pub fn decode(value: &[u8]) -> Result<GroupValue, SchemaError> {
        let mut reader = Reader::new(value);
        let version = reader.i16("version")?;
        if !(0..=4).contains(&version) {
            return Err(SchemaError::Version { what: "group metadata value", version });
        }
        let flexible = version >= 4;
        let protocol_type = reader.string("protocolType", flexible)?.into();
        let generation = reader.i32("generation")?;
        let protocol = reader.nullable_string("protocol", flexible)?.map(Into::into);
        let leader = reader.nullable_string("leader", flexible)?.map(MemberId::from);
        let state_since = if version >= 2 { reader.i64("currentStateTimestamp")? } else { -1 };
        let count = reader.count("members", flexible)?;
        // Not reserved up front: a member takes far more memory than the one byte that each count must have behind it.
        let mut members = Vec::new();
        for _ in 0..count {
            members.push(MemberValue::decode(&mut reader, version)?);
        }
        reader.skip_tags(flexible)?;
        let state_since = (state_since != -1).then_some(Timestamp(state_since));
        Ok(GroupValue { protocol_type, generation, protocol, leader, state_since, members })
    }
}

impl MemberValue {
    fn decode(reader: &mut Reader<'_>, version: i16) -> Result<MemberValue, SchemaError> {
        let flexible = version >= 4;
        let member = MemberId::from(reader.string("memberId", flexible)?);
        let instance = if version >= 3 { reader.nullable_string("groupInstanceId", flexible)? } else { None };
        let client_id = reader.string("clientId", flexible)?.into();
        let client_host = reader.string("clientHost", flexible)?.into();
        let rebalance_timeout_ms = if version >= 1 { Some(reader.i32("rebalanceTimeout")?) } else { None };
        let session_timeout_ms = reader.i32("sessionTimeout")?;
        let subscription = reader.bytes("subscription", flexible)?;
        let assignment = reader.bytes("assignment", flexible)?;
        reader.skip_tags(flexible)?;
        Ok(MemberValue {
            member,
            instance: instance.map(InstanceId::from),
            client_id,
            client_host,
            rebalance_timeout_ms: rebalance_timeout_ms.unwrap_or(session_timeout_ms),
            session_timeout_ms,
            subscription,
            assignment,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Bytes from hexadecimal digits; spaces are for the reader.
    pub(crate) fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
        digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
    }

    const MEMBER: &str = "c1-00000000-0000-0000-0000-000000000001";

    fn group() -> GroupValue {
        GroupValue {
            protocol_type: "consumer".into(),
            generation: 1,
            protocol: Some("range".into()),
            leader: Some(MEMBER.into()),
            state_since: Some(Timestamp(1_700_000_000_000)),
            members: vec![MemberValue {
                member: MEMBER.into(),
                instance: None,
                client_id: "c1".into(),
                client_host: "/10.0.0.7".into(),
                rebalance_timeout_ms: 300_000,
                session_timeout_ms: 45_000,
                subscription: hex("0001 00000001 00066f7264657273 ffffffff 00000000").into(),
                assignment: hex("0001 00000001 00066f7264657273 00000002 00000000 00000001 ffffffff").into(),
            }],
        }
    }

    #[test]
    fn bytes_as_kafka_writes_them() {
        assert_eq!(encode_group_key(&"g1".into()), hex("0002 00026731"));
        assert_eq!(GroupTopicKey::decode(&hex("0002 00026731")), Ok(GroupTopicKey::Group("g1".into())));
        assert_eq!(GroupTopicKey::decode(&hex("0009 00")), Ok(GroupTopicKey::Unknown(9)));
        let written = hex("0003 0008636f6e73756d6572 00000001 000572616e6765 \
             0027 63312d30303030303030302d303030302d303030302d303030302d303030303030303030303031 0000018bcfe56800 00000001 \
             0027 63312d30303030303030302d303030302d303030302d303030302d303030303030303030303031 ffff 00026331 \
             00092f31302e302e302e37 000493e0 0000afc8 \
             00000016 0001 00000001 00066f7264657273 ffffffff 00000000 \
             0000001e 0001 00000001 00066f7264657273 00000002 00000000 00000001 ffffffff");
        assert_eq!(group().encode(), written);
        assert_eq!(GroupValue::decode(&written), Ok(group()));
    }

    #[test]
    fn emptied_group() {
        let emptied = GroupValue { generation: 2, protocol: None, leader: None, members: vec![], ..group() };
        let written = hex("0003 0008636f6e73756d6572 00000002 ffff ffff 0000018bcfe56800 00000000");
        assert_eq!(emptied.encode(), written);
        assert_eq!(GroupValue::decode(&written), Ok(emptied));
    }

    #[test]
    fn lying_counts_are_errors() {
        let mut lying = group().encode().to_vec();
        for at in 0..lying.len() {
            let kept = lying[at];
            for value in [0xff, 0x7f, 0x80] {
                lying[at] = value;
                // Any answer will do, as long as there is one.
                GroupValue::decode(&lying).ok();
            }
            lying[at] = kept;
            assert!(GroupValue::decode(&lying[..at]).is_err());
        }
    }
}
