//! A committed offset (`OffsetCommitKey`, `OffsetCommitValue`).

use bytes::Bytes;
use gregor_model::{LeaderEpoch, Offset, Timestamp, TopicPartition};

use super::SchemaError;
use super::primitive::{Reader, Writer};
use crate::GroupId;

/// The versions of an offset key; 1 is written.
pub const KEY_VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;

/// Whose offset, and of which partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OffsetKey {
    /// The group.
    pub group: GroupId,
    /// The partition consumed.
    pub partition: TopicPartition,
}

/// An offset key as it lies in its record: reading it copies nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetKeyRef<'a> {
    /// The group.
    pub group: &'a str,
    /// The topic consumed.
    pub topic: &'a str,
    /// Which of its partitions.
    pub partition: i32,
}

/// What was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetValue {
    /// The next offset to consume.
    pub offset: Offset,
    /// The leader epoch of the last record consumed.
    pub leader_epoch: Option<LeaderEpoch>,
    /// The client's own text.
    pub metadata: Box<str>,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// When it is to be forgotten; only commits of versions 2 to 4 say so.
    pub expires_at: Option<Timestamp>,
}

impl OffsetKey {
    /// The key's bytes, version 1.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::headless();
        write_key(&mut writer, &self.group, &self.partition);
        writer.finish()
    }

    /// The same, borrowed.
    pub fn as_ref(&self) -> OffsetKeyRef<'_> {
        let TopicPartition { topic, partition } = &self.partition;
        OffsetKeyRef { group: self.group.as_str(), topic: topic.as_str(), partition: *partition }
    }
}

impl<'a> OffsetKeyRef<'a> {
    /// Reads the key after its version.
    pub(super) fn decode_body(reader: &mut Reader<'a>) -> Result<OffsetKeyRef<'a>, SchemaError> {
        let group = reader.string("group", false)?;
        let topic = reader.string("topic", false)?;
        let partition = reader.i32("partition")?;
        Ok(OffsetKeyRef { group, topic, partition })
    }
}

impl From<OffsetKeyRef<'_>> for OffsetKey {
    fn from(key: OffsetKeyRef<'_>) -> OffsetKey {
        OffsetKey { group: key.group.into(), partition: TopicPartition::new(key.topic, key.partition) }
    }
}

impl OffsetValue {
    /// The value's bytes: version 3, or version 1 (which drops the leader epoch) when it has an expiry time.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::headless();
        self.write(&mut writer);
        writer.finish()
    }

    fn write(&self, writer: &mut Writer) {
        writer.i16(if self.expires_at.is_some() { 1 } else { 3 });
        writer.i64(self.offset.0);
        if self.expires_at.is_none() {
            writer.i32(LeaderEpoch::to_wire(self.leader_epoch));
        }
        writer.string(&self.metadata);
        writer.i64(self.committed_at.0);
        if let Some(expires_at) = self.expires_at {
            writer.i64(expires_at.0);
        }
    }

    /// Reads a value of versions 0 to 4.
    pub fn decode(value: &[u8]) -> Result<OffsetValue, SchemaError> {
        let mut reader = Reader::new(value);
        let version = reader.i16("version")?;
        if !(0..=4).contains(&version) {
            return Err(SchemaError::Version { what: "offset commit value", version });
        }
        let flexible = version >= 4;
        let offset = Offset(reader.i64("offset")?);
        let leader_epoch =
            if version >= 3 { LeaderEpoch::from_wire(reader.i32("leaderEpoch")?) } else { None };
        let metadata = reader.string("metadata", flexible)?.into();
        let committed_at = Timestamp(reader.i64("commitTimestamp")?);
        let expires_at = if version == 1 { reader.i64("expireTimestamp")? } else { -1 };
        reader.skip_tags(flexible)?;
        let expires_at = (expires_at != -1).then_some(Timestamp(expires_at));
        Ok(OffsetValue { offset, leader_epoch, metadata, committed_at, expires_at })
    }
}

fn write_key(writer: &mut Writer, group: &GroupId, partition: &TopicPartition) {
    writer.i16(1);
    writer.string(group.as_str());
    writer.string(partition.topic.as_str());
    writer.i32(partition.partition);
}

/// The records of one commit: keys and values, all out of one buffer.
pub fn encode_commit<'a>(
    group: &GroupId,
    offsets: impl Iterator<Item = (&'a TopicPartition, &'a OffsetValue)> + Clone,
) -> Vec<(Bytes, Option<Bytes>)> {
    /// What a record takes besides its texts, at most.
    const NUMBERS: usize = 40;
    let size = |(partition, value): (&TopicPartition, &OffsetValue)| {
        NUMBERS + group.as_str().len() + partition.topic.as_str().len() + value.metadata.len()
    };
    let mut writer = Writer::with_capacity(offsets.clone().map(size).sum());
    offsets
        .map(|(partition, value)| {
            write_key(&mut writer, group, partition);
            let key = writer.cut();
            value.write(&mut writer);
            (key, Some(writer.cut()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::group::GroupTopicKey;
    use super::*;
    use crate::schema::group::tests::hex;

    const T: Timestamp = Timestamp(1_700_000_000_000);

    fn value() -> OffsetValue {
        OffsetValue {
            offset: Offset(42),
            leader_epoch: Some(LeaderEpoch(7)),
            metadata: "meta".into(),
            committed_at: T,
            expires_at: None,
        }
    }

    #[test]
    fn bytes_as_kafka_writes_them() {
        let key = OffsetKey { group: "g1".into(), partition: TopicPartition::new("orders", 3) };
        assert_eq!(key.encode(), hex("0001 00026731 00066f7264657273 00000003"));
        let encoded = key.encode();
        let Ok(GroupTopicKey::Offset(decoded)) = GroupTopicKey::decode(&encoded) else {
            panic!("an offset's key");
        };
        assert_eq!(OffsetKey::from(decoded), key);
        let written = hex("0003 000000000000002a 00000007 00046d657461 0000018bcfe56800");
        assert_eq!(value().encode(), written);
        assert_eq!(OffsetValue::decode(&written), Ok(value()));
        let key = OffsetKey { group: "g1".into(), partition: TopicPartition::new("orders", 3) };
        let other = (TopicPartition::new("payments", 0), OffsetValue { expires_at: Some(T), ..value() });
        let offsets = [(&key.partition, &value()), (&other.0, &other.1)];
        let records = encode_commit(&key.group, offsets.into_iter());
        assert_eq!(records[0], (key.encode(), Some(written.into())));
        assert_eq!(records[1].1, Some(other.1.encode()));
    }

    #[test]
    fn other_versions() {
        let expiring = OffsetValue { expires_at: Some(T + 3_600_000), leader_epoch: None, ..value() };
        let v1 = hex("0001 000000000000002a 00046d657461 0000018bcfe56800 0000018bd01c5680");
        assert_eq!(expiring.encode(), v1);
        assert_eq!(OffsetValue::decode(&v1), Ok(expiring));
        let v4 = hex("0004 000000000000002a 00000007 056d657461 0000018bcfe56800 00");
        assert_eq!(OffsetValue::decode(&v4), Ok(value()));
        let v0 = hex("0000 000000000000002a 00046d657461 0000018bcfe56800");
        assert_eq!(OffsetValue::decode(&v0), Ok(OffsetValue { leader_epoch: None, ..value() }));
        assert_eq!(
            OffsetValue::decode(&hex("0005")),
            Err(SchemaError::Version { what: "offset commit value", version: 5 })
        );
    }

    #[test]
    fn every_prefix_is_an_error_and_no_panic() {
        let bytes = value().encode();
        for end in 0..bytes.len() {
            assert!(OffsetValue::decode(&bytes[..end]).is_err());
        }
    }
}
