//! A transactional id's state (`TransactionLogKey`, `TransactionLogValue`).

use bytes::Bytes;
use gregor_model::{ProducerEpoch, ProducerId, Timestamp, TopicName};

use super::SchemaError;
use super::primitive::{Reader, Writer};
use crate::TransactionalId;

/// The states that are written; the discriminant is the byte in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionStatus {
    /// No transaction yet with this producer epoch.
    Empty = 0,
    /// Partitions have been added.
    Ongoing = 1,
    /// To be committed; markers are being sent.
    PrepareCommit = 2,
    /// To be aborted; markers are being sent.
    PrepareAbort = 3,
    /// All commit markers are written.
    CompleteCommit = 4,
    /// All abort markers are written.
    CompleteAbort = 5,
}

/// The value of a transactional id's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionValue {
    /// The producer id in use.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: ProducerEpoch,
    /// After how long an open transaction is aborted, in ms.
    pub timeout_ms: i32,
    /// The state.
    pub status: TransactionStatus,
    /// The partitions of the transaction, by topic; null in the record while `Empty`.
    pub partitions: Vec<(TopicName, Vec<i32>)>,
    /// When the record was written.
    pub updated_at: Timestamp,
    /// When the transaction began; `None` is -1.
    pub started_at: Option<Timestamp>,
}

impl TransactionStatus {
    fn from_wire(value: i8) -> Option<TransactionStatus> {
        Some(match value {
            0 => TransactionStatus::Empty,
            1 => TransactionStatus::Ongoing,
            2 => TransactionStatus::PrepareCommit,
            3 => TransactionStatus::PrepareAbort,
            4 => TransactionStatus::CompleteCommit,
            5 => TransactionStatus::CompleteAbort,
            _ => return None,
        })
    }
}

/// The key of a transactional id's record, version 0.
pub fn encode_key(id: &TransactionalId) -> Bytes {
    let mut writer = Writer::new(0);
    writer.string(id.as_str());
    writer.finish()
}

/// Reads a key of `__transaction_state`; `None` for a version that 3.9 skips.
///
/// # Errors
/// The bytes are cut short.
pub fn decode_key(key: &[u8]) -> Result<Option<TransactionalId>, SchemaError> {
    let mut reader = Reader::new(key);
    match reader.i16("version")? {
        0 => Ok(Some(TransactionalId::from(reader.string("transactionalId", false)?))),
        _ => Ok(None),
    }
}

impl TransactionValue {
    /// The value's bytes, version 0.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new(0);
        writer.i64(self.producer_id.0);
        writer.i16(self.producer_epoch.0);
        writer.i32(self.timeout_ms);
        writer.i8(self.status as i8);
        if self.status == TransactionStatus::Empty {
            writer.null_array();
        } else {
            writer.count(self.partitions.len());
            for (topic, partitions) in &self.partitions {
                writer.string(topic.as_str());
                writer.count(partitions.len());
                partitions.iter().for_each(|partition| writer.i32(*partition));
            }
        }
        writer.i64(self.updated_at.0);
        writer.i64(self.started_at.map_or(-1, |started| started.0));
        writer.finish()
    }

    /// Reads a value of versions 0 and 1.
    ///
    /// # Errors
    /// Another version, or bytes that are not such a value.
    pub fn decode(value: &[u8]) -> Result<TransactionValue, SchemaError> {
        let mut reader = Reader::new(value);
        let version = reader.i16("version")?;
        if !(0..=1).contains(&version) {
            return Err(SchemaError::Version { what: "transaction value", version });
        }
        let flexible = version >= 1;
        let producer_id = ProducerId(reader.i64("producerId")?);
        let producer_epoch = ProducerEpoch(reader.i16("producerEpoch")?);
        let timeout_ms = reader.i32("transactionTimeoutMs")?;
        let status = reader.i8("transactionStatus")?;
        let status = TransactionStatus::from_wire(status)
            .ok_or(SchemaError::Value { field: "transactionStatus", value: i64::from(status) })?;
        let count = reader.nullable_count("transactionPartitions", flexible)?.unwrap_or(0);
        let mut partitions = Vec::new();
        for _ in 0..count {
            let topic = TopicName::new(reader.string("topic", flexible)?);
            let count = reader.count("partitionIds", flexible)?;
            let ids = (0..count).map(|_| reader.i32("partitionId")).collect::<Result<_, _>>()?;
            reader.skip_tags(flexible)?;
            partitions.push((topic, ids));
        }
        let updated_at = Timestamp(reader.i64("lastUpdateTimestampMs")?);
        let started_at = reader.i64("startTimestampMs")?;
        reader.skip_tags(flexible)?;
        let started_at = (started_at != -1).then_some(Timestamp(started_at));
        Ok(TransactionValue {
            producer_id,
            producer_epoch,
            timeout_ms,
            status,
            partitions,
            updated_at,
            started_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::group::tests::hex;

    const T: Timestamp = Timestamp(1_700_000_000_000);

    fn ongoing() -> TransactionValue {
        TransactionValue {
            producer_id: ProducerId(4000),
            producer_epoch: ProducerEpoch(5),
            timeout_ms: 60_000,
            status: TransactionStatus::Ongoing,
            partitions: vec![("orders".into(), vec![0, 2])],
            updated_at: T + 5,
            started_at: Some(T),
        }
    }

    #[test]
    fn bytes_as_kafka_writes_them() {
        assert_eq!(encode_key(&"my-txn".into()), hex("0000 00066d792d74786e"));
        assert_eq!(decode_key(&hex("0000 00066d792d74786e")), Ok(Some("my-txn".into())));
        assert_eq!(decode_key(&hex("0001 00")), Ok(None));
        let written = hex(
            "0000 0000000000000fa0 0005 0000ea60 01 00000001 00066f7264657273 00000002 00000000 00000002 \
             0000018bcfe56805 0000018bcfe56800",
        );
        assert_eq!(ongoing().encode(), written);
        assert_eq!(TransactionValue::decode(&written), Ok(ongoing()));
        let flexible =
            hex("0001 0000000000000fa0 0005 0000ea60 01 02 076f7264657273 03 00000000 00000002 00 \
             0000018bcfe56805 0000018bcfe56800 00");
        assert_eq!(TransactionValue::decode(&flexible), Ok(ongoing()));
    }

    #[test]
    fn empty_and_complete() {
        let complete = TransactionValue {
            status: TransactionStatus::CompleteCommit,
            partitions: vec![],
            updated_at: T + 9,
            ..ongoing()
        };
        let written =
            hex("0000 0000000000000fa0 0005 0000ea60 04 00000000 0000018bcfe56809 0000018bcfe56800");
        assert_eq!(complete.encode(), written);
        let empty = TransactionValue {
            producer_id: ProducerId(7),
            producer_epoch: ProducerEpoch(0),
            status: TransactionStatus::Empty,
            updated_at: T,
            started_at: None,
            ..complete
        };
        let written =
            hex("0000 0000000000000007 0000 0000ea60 00 ffffffff 0000018bcfe56800 ffffffffffffffff");
        assert_eq!(empty.encode(), written);
        assert_eq!(TransactionValue::decode(&written), Ok(empty));
    }
}
