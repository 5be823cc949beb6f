//! Batches as they are stored and sent: a view over bytes that nobody copies (`RecordBatch`, `MemoryRecords`).
//!
//! [`batches`] walks a buffer batch by batch without looking inside; [`BatchRef::records`] looks inside. Nothing here
//! trusts a length: what does not fit is an error, and a batch cut off at the end is told apart from a damaged one.

mod header;
mod patch;

use std::ops::Deref;

pub(crate) use header::{
    ATTRIBUTES_AT, BASE_SEQUENCE_AT, BASE_TIMESTAMP_AT, CRC_AT, LAST_OFFSET_DELTA_AT, LEADER_EPOCH_AT,
    MAGIC_AT, MAX_TIMESTAMP_AT, NO_TIMESTAMP, PRODUCER_EPOCH_AT, PRODUCER_ID_AT, RECORD_COUNT_AT, SIZE_AT,
    field, timestamp_from_wire, timestamp_to_wire,
};
pub use header::{BatchHeader, HEADER_LENGTH, HEADER_LENGTH_TO_MAGIC, LOG_OVERHEAD, Magic};
pub(crate) use patch::set_max_timestamp_in_parts;
pub use patch::{
    set_base_offset, set_last_offset, set_max_timestamp, set_partition_leader_epoch, set_producer,
};

use crate::crc::{crc32, crc32c};
use crate::record::{Limits, Records, RecordsError};

/// Why bytes are not a batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The bytes end before the batch does: a torn tail, or the cut-off end of a fetch answer.
    #[error("the batch needs {needed} bytes and {available} are there")]
    Torn {
        /// Bytes that the batch, or at least its header, takes.
        needed: usize,
        /// Bytes that are there.
        available: usize,
    },
    /// The header cannot be right, or the checksum does not fit (CORRUPT_MESSAGE).
    #[error("{0}")]
    Corrupt(String),
}

/// One whole batch of any format; header fields are reached by dereference.
#[derive(Clone, Copy, Debug)]
pub struct BatchRef<'a> {
    header: BatchHeader,
    bytes: &'a [u8],
}

impl Deref for BatchRef<'_> {
    type Target = BatchHeader;
    fn deref(&self) -> &BatchHeader {
        &self.header
    }
}

impl<'a> BatchRef<'a> {
    /// The batch at the start of `bytes`; what follows it is left alone.
    ///
    /// # Errors
    /// As [`BatchHeader::decode`], and [`BatchError::Torn`] when the batch is longer than `bytes`.
    pub fn first(bytes: &'a [u8]) -> Result<BatchRef<'a>, BatchError> {
        let header = BatchHeader::decode(bytes)?;
        match bytes.get(..header.size_in_bytes) {
            Some(bytes) => Ok(BatchRef { header, bytes }),
            None => Err(BatchError::Torn { needed: header.size_in_bytes, available: bytes.len() }),
        }
    }

    /// The decoded header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// All bytes of the batch.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What follows the header in magic 2: the records, compressed or not. Empty in legacy formats.
    pub fn payload(&self) -> &'a [u8] {
        match self.magic {
            Magic::V2 => self.bytes.get(HEADER_LENGTH..).unwrap_or_default(),
            Magic::V0 | Magic::V1 => &[],
        }
    }

    /// The checksum computed from the bytes: CRC-32C in magic 2, CRC-32 before.
    pub fn computed_crc(&self) -> u32 {
        match self.magic {
            Magic::V2 => crc32c(self.bytes.get(ATTRIBUTES_AT..).unwrap_or_default()),
            Magic::V0 | Magic::V1 => crc32(self.bytes.get(MAGIC_AT..).unwrap_or_default()),
        }
    }

    /// Compares the stored checksum with the bytes (`RecordBatch.ensureValid`).
    ///
    /// # Errors
    /// [`BatchError::Corrupt`] when they differ.
    pub fn check_crc(&self) -> Result<(), BatchError> {
        let computed = self.computed_crc();
        if computed == self.crc {
            return Ok(());
        }
        Err(BatchError::Corrupt(format!(
            "Record is corrupt (stored crc = {}, computed crc = {computed})",
            self.crc
        )))
    }

    /// Reads the records one after the other, decompressing as it goes, never more than `limits` allow.
    ///
    /// # Errors
    /// A batch whose records cannot even be begun: unknown codec, negative count, broken compression header.
    pub fn records(&self, limits: Limits) -> Result<Records<'a>, RecordsError> {
        Records::of(self, limits)
    }
}

/// The batches of a buffer, one after the other, without looking inside. After an error it ends.
///
/// An incomplete batch at the end comes out as [`BatchError::Torn`]; where Kafka ignores it, ignore it.
pub fn batches(bytes: &[u8]) -> Batches<'_> {
    Batches { rest: bytes, position: 0 }
}

/// Iterator of [`batches`].
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
    position: usize,
}

impl Batches<'_> {
    /// How far into the buffer whole batches have been returned.
    pub fn position(&self) -> usize {
        self.position
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<BatchRef<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let first = BatchRef::first(self.rest);
        match &first {
            Ok(batch) => {
                self.rest = self.rest.get(batch.size_in_bytes..).unwrap_or_default();
                self.position += batch.size_in_bytes;
            }
            Err(_) => self.rest = &[],
        }
        Some(first)
    }
}

#[cfg(test)]
mod tests;
