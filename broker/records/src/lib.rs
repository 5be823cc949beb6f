//! Record batches and message sets as bytes: views, walks, codecs, builders, conversion and the leader's validation.
//!
//! Owned by the log and by whoever reads or makes records (coordinators, tools). No file, no clock, no lock: bytes in,
//! bytes out. Invariant: no input panics, and memory is bounded by [`Limits`] and the size of the input.

mod attributes;
pub mod batch;
mod builder;
pub mod compression;
mod control;
mod crc;
pub mod legacy;
mod record;
pub mod validate;
mod varint;
#[cfg(test)]
mod vectors;

pub use attributes::{Attributes, TimestampType};
pub use batch::{BatchError, BatchHeader, BatchRef, HEADER_LENGTH, LOG_OVERHEAD, Magic, batches};
pub use builder::{BatchBuilder, BatchOptions, BuildError, Producer, empty_batch};
pub use compression::{Codec, Compression, CompressionError};
pub use control::{ControlRecordType, EndTransactionMarker};
pub use crc::{crc32, crc32c};
pub use record::{Headers, Limits, RecordRef, Records, RecordsError};
