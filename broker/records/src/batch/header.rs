//! What the header of a batch says, decoded (`DefaultRecordBatch`, `AbstractLegacyRecordBatch`), in every format.
//!
//! A header can be decoded without the records, so scans of a segment read a few dozen bytes per batch.

use gregor_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

use super::BatchError;
use crate::attributes::{Attributes, TimestampType};
use crate::compression::Codec;

/// Offset and size: what stands before the part that the size counts (`Records.LOG_OVERHEAD`).
pub const LOG_OVERHEAD: usize = 12;
/// Up to and with the magic byte, which every format has at the same place.
pub const HEADER_LENGTH_TO_MAGIC: usize = 17;
/// Everything before the records in magic 2 (`DefaultRecordBatch.RECORD_BATCH_OVERHEAD`).
pub const HEADER_LENGTH: usize = 61;
/// The smallest value of the size field: a message of magic 0 without key and value.
pub(crate) const SIZE_FIELD_MIN: i32 = 14;

pub(crate) const SIZE_AT: usize = 8;
pub(crate) const LEADER_EPOCH_AT: usize = 12;
pub(crate) const MAGIC_AT: usize = 16;
pub(crate) const CRC_AT: usize = 17;
pub(crate) const ATTRIBUTES_AT: usize = 21;
pub(crate) const LAST_OFFSET_DELTA_AT: usize = 23;
pub(crate) const BASE_TIMESTAMP_AT: usize = 27;
pub(crate) const MAX_TIMESTAMP_AT: usize = 35;
pub(crate) const PRODUCER_ID_AT: usize = 43;
pub(crate) const PRODUCER_EPOCH_AT: usize = 51;
pub(crate) const BASE_SEQUENCE_AT: usize = 53;
pub(crate) const RECORD_COUNT_AT: usize = 57;

const LEGACY_CRC_AT: usize = 12;
const LEGACY_ATTRIBUTES_AT: usize = 17;
const LEGACY_TIMESTAMP_AT: usize = 18;

/// "No timestamp" where timestamps are stored.
pub(crate) const NO_TIMESTAMP: i64 = -1;

/// The version of a batch's format (`RecordBatch.MAGIC_VALUE_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Magic {
    /// Message sets without timestamps.
    V0 = 0,
    /// Message sets with timestamps.
    V1 = 1,
    /// Record batches (Kafka 0.11).
    V2 = 2,
}

impl Magic {
    /// The format with that number.
    pub fn from_byte(byte: u8) -> Option<Magic> {
        match byte {
            0 => Some(Magic::V0),
            1 => Some(Magic::V1),
            2 => Some(Magic::V2),
            _ => None,
        }
    }

    /// The number stored in the magic byte.
    pub fn as_byte(self) -> u8 {
        self as u8
    }
}

/// The decoded header of one batch of magic 2, or of one legacy message or wrapper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The stored offset: of the first record in magic 2, of the **last** one in a legacy wrapper.
    pub stored_offset: Offset,
    /// Bytes of the whole batch, offset and size fields included.
    pub size_in_bytes: usize,
    /// The format.
    pub magic: Magic,
    /// The stored checksum.
    pub crc: u32,
    /// Codec, timestamp type and flags.
    pub attributes: Attributes,
    /// The epoch of the leader that appended it; none in legacy formats and in a producer's request.
    pub partition_leader_epoch: Option<LeaderEpoch>,
    /// Last offset minus base offset, also the distance of the sequences; 0 in legacy formats.
    pub last_offset_delta: i32,
    /// What timestamp deltas are relative to, in ms: the first record's timestamp or the delete horizon, -1 if none.
    pub base_timestamp: i64,
    /// Largest record timestamp, or the append time; -1 in the record format becomes `None`.
    pub max_timestamp: Option<Timestamp>,
    /// The idempotent or transactional producer.
    pub producer_id: Option<ProducerId>,
    /// The producer's epoch, -1 if none; means nothing without `producer_id`.
    pub producer_epoch: ProducerEpoch,
    /// The sequence of the first record.
    pub base_sequence: Option<Sequence>,
    /// How many records the batch says it holds, negative in a broken one; `None` in legacy formats.
    pub record_count: Option<i32>,
}

impl BatchHeader {
    /// How many bytes [`BatchHeader::decode`] needs at most.
    pub const DECODE_LENGTH_MAX: usize = HEADER_LENGTH;

    /// Decodes the header at the start of `bytes`, which need not hold the records.
    ///
    /// # Errors
    /// [`BatchError::Corrupt`] when the size is below the smallest possible one or the magic is unknown;
    /// [`BatchError::Torn`] when `bytes` ends within the header.
    pub fn decode(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        let torn = |needed: usize| BatchError::Torn { needed, available: bytes.len() };
        let size = i32::from_be_bytes(field(bytes, SIZE_AT).ok_or(torn(LOG_OVERHEAD))?);
        if size < SIZE_FIELD_MIN {
            return Err(BatchError::Corrupt(format!(
                "Record size {size} is less than the minimum record overhead ({SIZE_FIELD_MIN})"
            )));
        }
        let [magic] = field(bytes, MAGIC_AT).ok_or(torn(HEADER_LENGTH_TO_MAGIC))?;
        let size_in_bytes = LOG_OVERHEAD + size as usize;
        let decoded = match Magic::from_byte(magic) {
            None => {
                let text = format!("Invalid magic found in record: {}", magic as i8);
                return Err(BatchError::Corrupt(text));
            }
            Some(Magic::V2) => {
                if size_in_bytes < HEADER_LENGTH {
                    return Err(BatchError::Corrupt(format!(
                        "Record batch is corrupted (the size {size_in_bytes} is smaller than the minimum allowed \
                         overhead {HEADER_LENGTH})"
                    )));
                }
                bytes.get(..HEADER_LENGTH).and_then(|header| decode_current(header, size_in_bytes))
            }
            Some(legacy) => {
                if size_in_bytes < legacy_overhead(legacy) {
                    return Err(BatchError::Corrupt(format!(
                        "Record size {size} is too small for magic {magic}"
                    )));
                }
                decode_legacy(bytes, legacy, size_in_bytes)
            }
        };
        decoded.ok_or(torn(HEADER_LENGTH.min(size_in_bytes)))
    }

    /// The first offset. In a legacy wrapper only the last one is stored, so there this is the last one.
    pub fn base_offset(&self) -> Offset {
        self.stored_offset
    }

    /// The last offset, records removed by compaction included.
    pub fn last_offset(&self) -> Offset {
        self.stored_offset + i64::from(self.last_offset_delta)
    }

    /// The offset after the last one.
    pub fn next_offset(&self) -> Offset {
        self.last_offset() + 1
    }

    /// The codec; `None` when the attributes name none that exists.
    pub fn codec(&self) -> Option<Codec> {
        self.attributes.codec()
    }

    /// Whether the records are compressed.
    pub fn is_compressed(&self) -> bool {
        self.attributes.is_compressed()
    }

    /// What the timestamps mean; magic 0 has none and reads as CreateTime.
    pub fn timestamp_type(&self) -> TimestampType {
        if self.magic == Magic::V0 { TimestampType::CreateTime } else { self.attributes.timestamp_type() }
    }

    /// Whether the records belong to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.magic == Magic::V2 && self.attributes.is_transactional()
    }

    /// Whether the batch holds a control record.
    pub fn is_control(&self) -> bool {
        self.magic == Magic::V2 && self.attributes.is_control()
    }

    /// When tombstones and markers in the batch may go, once a cleaning has said so (KIP-534).
    pub fn delete_horizon(&self) -> Option<Timestamp> {
        let has = self.magic == Magic::V2 && self.attributes.has_delete_horizon();
        has.then_some(Timestamp(self.base_timestamp))
    }

    /// The sequence of the last record.
    pub fn last_sequence(&self) -> Option<Sequence> {
        self.base_sequence.map(|base| base.plus(self.last_offset_delta.max(0)))
    }
}

fn decode_current(header: &[u8], size_in_bytes: usize) -> Option<BatchHeader> {
    let [_, attributes] = field::<2>(header, ATTRIBUTES_AT)?;
    Some(BatchHeader {
        stored_offset: Offset(i64::from_be_bytes(field(header, 0)?)),
        size_in_bytes,
        magic: Magic::V2,
        crc: u32::from_be_bytes(field(header, CRC_AT)?),
        attributes: Attributes::from_low_byte(attributes),
        partition_leader_epoch: LeaderEpoch::from_wire(i32::from_be_bytes(field(header, LEADER_EPOCH_AT)?)),
        last_offset_delta: i32::from_be_bytes(field(header, LAST_OFFSET_DELTA_AT)?),
        base_timestamp: i64::from_be_bytes(field(header, BASE_TIMESTAMP_AT)?),
        max_timestamp: timestamp_from_wire(i64::from_be_bytes(field(header, MAX_TIMESTAMP_AT)?)),
        producer_id: ProducerId::from_wire(i64::from_be_bytes(field(header, PRODUCER_ID_AT)?)),
        producer_epoch: ProducerEpoch(i16::from_be_bytes(field(header, PRODUCER_EPOCH_AT)?)),
        base_sequence: sequence_from_wire(i32::from_be_bytes(field(header, BASE_SEQUENCE_AT)?)),
        record_count: Some(i32::from_be_bytes(field(header, RECORD_COUNT_AT)?)),
    })
}

fn decode_legacy(bytes: &[u8], magic: Magic, size_in_bytes: usize) -> Option<BatchHeader> {
    let [attributes] = field(bytes, LEGACY_ATTRIBUTES_AT)?;
    let timestamp = match magic {
        Magic::V0 => NO_TIMESTAMP,
        _ => i64::from_be_bytes(field(bytes, LEGACY_TIMESTAMP_AT)?),
    };
    Some(BatchHeader {
        stored_offset: Offset(i64::from_be_bytes(field(bytes, 0)?)),
        size_in_bytes,
        magic,
        crc: u32::from_be_bytes(field(bytes, LEGACY_CRC_AT)?),
        attributes: Attributes::from_low_byte(attributes),
        partition_leader_epoch: None,
        last_offset_delta: 0,
        base_timestamp: timestamp,
        max_timestamp: timestamp_from_wire(timestamp),
        producer_id: None,
        producer_epoch: ProducerEpoch(-1),
        base_sequence: None,
        record_count: None,
    })
}

/// Bytes of a message of this format without key and value.
fn legacy_overhead(magic: Magic) -> usize {
    let timestamp = if magic == Magic::V0 { 0 } else { 8 };
    LOG_OVERHEAD + SIZE_FIELD_MIN as usize + timestamp
}

/// A fixed-width field at `at`, if the bytes reach that far.
pub(crate) fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// The stored -1 is "no timestamp"; other negative values are kept, since Kafka keeps them.
pub(crate) fn timestamp_from_wire(timestamp: i64) -> Option<Timestamp> {
    (timestamp != NO_TIMESTAMP).then_some(Timestamp(timestamp))
}

/// The stored form of a timestamp that may be absent.
pub(crate) fn timestamp_to_wire(timestamp: Option<Timestamp>) -> i64 {
    timestamp.map_or(NO_TIMESTAMP, |timestamp| timestamp.0)
}

fn sequence_from_wire(sequence: i32) -> Option<Sequence> {
    (sequence >= 0).then_some(Sequence(sequence))
}
