//! Why a leader refuses records.

use crate::batch::BatchError;
use crate::builder::BuildError;
use crate::record::RecordsError;

/// What is wrong with one record (`ProduceResponse.RecordError`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Its place in the batch, from 0.
    pub batch_index: i32,
    /// For the producer's eyes.
    pub message: String,
}

/// How many record errors are listed; the count in the message stays true.
pub const RECORD_ERRORS_MAX: usize = 10_000;

/// Why records were refused. One bad record refuses all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValidationError {
    /// INVALID_RECORD for the batch as a whole.
    #[error("{0}")]
    InvalidRecord(String),
    /// INVALID_RECORD: some records are not acceptable.
    #[error(
        "One or more records have been rejected due to {total} record errors in total, and only showing the first three \
         errors at most: {}",
        first_three(records)
    )]
    InvalidRecords {
        /// How many.
        total: usize,
        /// Which, and why; at most [`RECORD_ERRORS_MAX`].
        records: Vec<RecordError>,
    },
    /// INVALID_TIMESTAMP: some records, at least one of them by its timestamp, are not acceptable.
    #[error("One or more records have been rejected due to invalid timestamp")]
    InvalidTimestamps {
        /// Which, and why; at most [`RECORD_ERRORS_MAX`].
        records: Vec<RecordError>,
    },
    /// CORRUPT_MESSAGE.
    #[error("{0}")]
    Corrupt(String),
    /// MESSAGE_TOO_LARGE.
    #[error(
        "The record batch size is {size} bytes which exceeds the maximum configured value of {max_message_bytes}."
    )]
    TooLarge {
        /// Bytes of the batch, as sent or as it would be stored (then at least so many).
        size: usize,
        /// `max.message.bytes`.
        max_message_bytes: usize,
    },
    /// UNKNOWN_SERVER_ERROR: the batch names a codec that does not exist.
    #[error("Unknown compression type id: {0}")]
    UnknownCodec(u8),
    /// UNKNOWN_SERVER_ERROR: the batch could not be rebuilt.
    #[error(transparent)]
    Build(BuildError),
}

impl ValidationError {
    /// The records that are to blame, if single ones are.
    pub fn record_errors(&self) -> &[RecordError] {
        match self {
            ValidationError::InvalidRecords { records, .. }
            | ValidationError::InvalidTimestamps { records } => records,
            _ => &[],
        }
    }
}

impl From<BatchError> for ValidationError {
    fn from(error: BatchError) -> ValidationError {
        ValidationError::Corrupt(error.to_string())
    }
}

impl From<RecordsError> for ValidationError {
    fn from(error: RecordsError) -> ValidationError {
        match error {
            RecordsError::Invalid(reason) => ValidationError::InvalidRecord(reason),
            RecordsError::Corrupt(error) => error.into(),
            RecordsError::UnknownCodec(id) => ValidationError::UnknownCodec(id),
            RecordsError::Compression(_) | RecordsError::TooLarge { .. } => {
                ValidationError::Corrupt(error.to_string())
            }
        }
    }
}

impl From<BuildError> for ValidationError {
    fn from(error: BuildError) -> ValidationError {
        ValidationError::Build(error)
    }
}

fn first_three(records: &[RecordError]) -> String {
    let shown: Vec<String> = records
        .iter()
        .take(3)
        .map(|error| format!("RecordError(batchIndex={}, message='{}')", error.batch_index, error.message))
        .collect();
    format!("[{}]", shown.join(", "))
}
