//! A batch that may be appended.

use bytes::Bytes;
use gregor_model::{LeaderEpoch, Offset, Timestamp};

use crate::attributes::TimestampType;
use crate::batch::{
    BatchError, BatchHeader, HEADER_LENGTH, set_base_offset, set_max_timestamp_in_parts,
    set_partition_leader_epoch,
};

/// The one batch of magic 2 that a leader appends: a header of its own, and the records where they were received.
///
/// Write `header_bytes` and then `payload`, one vectored write. Offsets are relative until [`Validated::assign`].
#[derive(Clone, Debug)]
pub struct Validated {
    header: BatchHeader,
    header_bytes: [u8; HEADER_LENGTH],
    payload: Bytes,
    /// Largest timestamp of the records, or the append time; for the time index.
    pub max_timestamp: Option<Timestamp>,
    /// How many offsets the batch takes.
    pub offset_count: i64,
    /// The time stored for all records, on LogAppendTime topics.
    pub append_time: Option<Timestamp>,
    /// How many records had to be converted or compressed again; 0 when the payload is as it was sent.
    pub converted_records: i32,
}

impl Validated {
    /// From the bytes of a whole batch; timestamps and offsets as they stand.
    pub(super) fn new(
        batch: &Bytes,
        append_time: Option<Timestamp>,
        offset_count: i64,
        converted_records: i32,
    ) -> Result<Validated, BatchError> {
        let header = BatchHeader::decode(batch)?;
        let torn = BatchError::Torn { needed: header.size_in_bytes, available: batch.len() };
        let header_bytes = *batch.first_chunk::<HEADER_LENGTH>().ok_or(torn.clone())?;
        if batch.len() < header.size_in_bytes {
            return Err(torn);
        }
        Ok(Validated {
            header,
            header_bytes,
            payload: batch.slice(HEADER_LENGTH..header.size_in_bytes),
            max_timestamp: header.max_timestamp,
            offset_count,
            append_time,
            converted_records,
        })
    }

    /// Sets timestamp type and maximum timestamp; the checksum follows if either changed.
    pub(super) fn set_max_timestamp(&mut self, timestamp_type: TimestampType, timestamp: Option<Timestamp>) {
        set_max_timestamp_in_parts(&mut self.header_bytes, &self.payload, timestamp_type, timestamp);
        self.max_timestamp = timestamp;
        self.decode_again();
    }

    /// Gives the batch its offsets, from `first_offset` on, and the epoch of the appending leader.
    pub fn assign(&mut self, first_offset: Offset, leader_epoch: LeaderEpoch) {
        // The last offset counts (`setLastOffset`): of a coordinator's batch the header's delta is not checked.
        let last_offset = first_offset + (self.offset_count - 1);
        let base_offset = last_offset + -i64::from(self.header.last_offset_delta);
        set_base_offset(&mut self.header_bytes, base_offset);
        set_partition_leader_epoch(&mut self.header_bytes, leader_epoch);
        self.decode_again();
    }

    fn decode_again(&mut self) {
        if let Ok(header) = BatchHeader::decode(&self.header_bytes) {
            self.header = header;
        }
    }

    /// The header, decoded.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The header, as it is to be written.
    pub fn header_bytes(&self) -> &[u8; HEADER_LENGTH] {
        &self.header_bytes
    }

    /// What follows the header.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Bytes of the whole batch.
    pub fn size_in_bytes(&self) -> usize {
        self.header.size_in_bytes
    }

    /// The whole batch in one piece, copied.
    pub fn to_bytes(&self) -> Bytes {
        let mut batch = Vec::with_capacity(HEADER_LENGTH + self.payload.len());
        batch.extend_from_slice(&self.header_bytes);
        batch.extend_from_slice(&self.payload);
        batch.into()
    }
}
