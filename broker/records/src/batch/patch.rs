//! Changes that a leader makes to a batch of magic 2 where it lies (`DefaultRecordBatch.set*`).
//!
//! Base offset and leader epoch are outside the checksum; a timestamp is inside, so that it is computed again, but only
//! when something changes. Callers hand over a batch that was viewed before: on shorter bytes these do nothing.

use gregor_model::{LeaderEpoch, Offset, Timestamp};

use super::header::{
    ATTRIBUTES_AT, BASE_SEQUENCE_AT, CRC_AT, HEADER_LENGTH, LAST_OFFSET_DELTA_AT, LEADER_EPOCH_AT,
    MAX_TIMESTAMP_AT, PRODUCER_EPOCH_AT, PRODUCER_ID_AT, field, timestamp_to_wire,
};
use crate::attributes::{Attributes, TimestampType};
use crate::builder::Producer;
use crate::crc::{crc32c, crc32c_of_two};

/// Sets the offset of the first record.
pub fn set_base_offset(batch: &mut [u8], offset: Offset) {
    put(batch, 0, &offset.0.to_be_bytes());
}

/// Moves the batch so that its last offset is this one.
pub fn set_last_offset(batch: &mut [u8], offset: Offset) {
    if let Some(delta) = field(batch, LAST_OFFSET_DELTA_AT) {
        set_base_offset(batch, offset + -i64::from(i32::from_be_bytes(delta)));
    }
}

/// Stamps the epoch of the appending leader.
pub fn set_partition_leader_epoch(batch: &mut [u8], epoch: LeaderEpoch) {
    put(batch, LEADER_EPOCH_AT, &epoch.0.to_be_bytes());
}

/// Sets timestamp type and maximum timestamp, and the checksum if either changed.
pub fn set_max_timestamp(batch: &mut [u8], timestamp_type: TimestampType, timestamp: Option<Timestamp>) {
    if let Some((header, payload)) = batch.split_first_chunk_mut::<HEADER_LENGTH>() {
        set_max_timestamp_in_parts(header, payload, timestamp_type, timestamp);
    }
}

/// [`set_max_timestamp`] for a header that lies apart from its records.
pub(crate) fn set_max_timestamp_in_parts(
    header: &mut [u8; HEADER_LENGTH],
    payload: &[u8],
    timestamp_type: TimestampType,
    timestamp: Option<Timestamp>,
) {
    let attributes = Attributes::from_low_byte(header[ATTRIBUTES_AT + 1]);
    let timestamp = timestamp_to_wire(timestamp).to_be_bytes();
    let unchanged = header[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8] == timestamp;
    if unchanged && attributes.timestamp_type() == timestamp_type {
        return;
    }
    header[ATTRIBUTES_AT] = 0;
    header[ATTRIBUTES_AT + 1] = attributes.with_timestamp_type(timestamp_type).low_byte();
    put(header, MAX_TIMESTAMP_AT, &timestamp);
    let crc = crc32c_of_two(&header[ATTRIBUTES_AT..], payload);
    put(header, CRC_AT, &crc.to_be_bytes());
}

/// Stamps another producer, and the checksum over it. A producer without a sequence keeps the one that is there.
pub fn set_producer(batch: &mut [u8], producer: Producer) {
    put(batch, PRODUCER_ID_AT, &producer.id.0.to_be_bytes());
    put(batch, PRODUCER_EPOCH_AT, &producer.epoch.0.to_be_bytes());
    if let Some(sequence) = producer.base_sequence {
        put(batch, BASE_SEQUENCE_AT, &sequence.0.to_be_bytes());
    }
    let crc = crc32c(batch.get(ATTRIBUTES_AT..).unwrap_or_default());
    put(batch, CRC_AT, &crc.to_be_bytes());
}

fn put(batch: &mut [u8], at: usize, value: &[u8]) {
    if let Some(field) = batch.get_mut(at..at + value.len()) {
        field.copy_from_slice(value);
    }
}
