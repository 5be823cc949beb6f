//! Records inside batches: views that borrow key, value and headers from the batch or from a decompression window.
//!
//! Memory while reading is bounded by [`Limits`]: one window, as large as the largest record so far, never the batch.

mod body;
mod reader;
mod window;

pub(crate) use body::{Body, glance_at_body, parse_body};
pub use reader::Records;
pub(crate) use window::Window;

use gregor_model::{Offset, Sequence, Timestamp};

use crate::batch::{BatchError, BatchHeader};
use crate::compression::CompressionError;

/// How much may be decompressed to read the records of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest record to hold in memory, in bytes.
    pub record_bytes_max: usize,
    /// All records of the batch together, in bytes.
    pub total_bytes_max: u64,
}

impl Limits {
    const TOTAL_BYTES_MAX_AT_LEAST: u64 = 64 * 1024 * 1024;
    /// No codec but zstd packs tighter (deflate's best is 1032).
    const RATIO_MAX: u64 = 1032;

    /// What a batch of this many stored bytes may honestly become: 1032 times its size, at least 64 MiB.
    pub fn for_stored_bytes(stored: usize) -> Limits {
        let total = (stored as u64).saturating_mul(Self::RATIO_MAX).max(Self::TOTAL_BYTES_MAX_AT_LEAST);
        let record = usize::try_from(total.min(i32::MAX as u64)).unwrap_or(usize::MAX);
        Limits { record_bytes_max: record, total_bytes_max: total }
    }

    /// [`Limits::for_stored_bytes`] of this batch.
    pub fn for_batch(batch: &BatchHeader) -> Limits {
        Limits::for_stored_bytes(batch.size_in_bytes)
    }
}

/// Why the records of a batch cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordsError {
    /// The records contradict the format or the header (INVALID_RECORD).
    #[error("{0}")]
    Invalid(String),
    /// An inner message of a legacy wrapper is damaged (CORRUPT_MESSAGE).
    #[error(transparent)]
    Corrupt(#[from] BatchError),
    /// The compressed bytes are damaged, or hold more than is allowed.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// A record is larger than [`Limits::record_bytes_max`].
    #[error("A record of {size} bytes exceeds the limit of {bytes_max}")]
    TooLarge {
        /// What the record claims.
        size: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The attributes name a codec that does not exist.
    #[error("Unknown compression type id: {0}")]
    UnknownCodec(u8),
}

pub(crate) fn invalid(reason: impl Into<String>) -> RecordsError {
    RecordsError::Invalid(reason.into())
}

/// One record, wherever its bytes lie (`Record`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// Its offset.
    pub offset: Offset,
    /// The producer's time, or the append time of its batch; none if stored as -1, and in magic 0.
    pub timestamp: Option<Timestamp>,
    /// Its sequence, if its batch has one.
    pub sequence: Option<Sequence>,
    /// The key; none is null.
    pub key: Option<&'a [u8]>,
    /// The value; none is null, a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers; legacy formats have none.
    pub headers: Headers<'a>,
}

/// The headers of a record, decoded when asked for; order and duplicates are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    count: usize,
    encoded: &'a [u8],
}

impl<'a> Headers<'a> {
    /// No headers.
    pub const NONE: Headers<'static> = Headers { count: 0, encoded: &[] };

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Key and value of each; keys are UTF-8 by contract, unchecked, as in Kafka.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut rest = self.encoded;
        (0..self.count).map_while(move |_| body::read_header(&mut rest).ok())
    }

    /// The headers as stored after their count, ready to be stored again.
    pub(crate) fn encoded(&self) -> &'a [u8] {
        self.encoded
    }
}

#[cfg(test)]
mod tests;
