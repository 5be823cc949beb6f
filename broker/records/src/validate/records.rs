//! The checks of single records (`LogValidator.validateRecord`), and the list of those that failed.

use gregor_model::{Offset, Timestamp, TopicPartition};

use super::{RECORD_ERRORS_MAX, RecordError, ValidationConfig, ValidationError};
use crate::attributes::TimestampType;
use crate::batch::BatchHeader;

/// What every record is checked against.
pub(super) struct Context<'a> {
    pub(super) partition: &'a TopicPartition,
    pub(super) config: &'a ValidationConfig,
    pub(super) now: Timestamp,
}

impl Context<'_> {
    /// The time to store for all records, if the topic wants the append time.
    pub(super) fn append_time(&self) -> Option<Timestamp> {
        (self.config.timestamp_type == TimestampType::LogAppendTime).then_some(self.now)
    }

    /// Checks key and timestamp.
    #[inline]
    pub(super) fn check(
        &self,
        batch: &BatchHeader,
        offset: Offset,
        has_key: bool,
        timestamp: Option<Timestamp>,
    ) -> Result<(), Fault> {
        if self.config.compacted && !has_key {
            return Err(Fault::NoKey);
        }
        match (self.config.timestamp_type, timestamp) {
            (TimestampType::CreateTime, Some(timestamp)) => {
                let late = self.now - timestamp > self.config.timestamp_before_max_ms;
                let early = timestamp - self.now > self.config.timestamp_after_max_ms;
                if late || early { Err(Fault::TimestampOutOfRange { offset, timestamp }) } else { Ok(()) }
            }
            _ if batch.timestamp_type() == TimestampType::LogAppendTime => {
                Err(Fault::AppendTimeClaimed { offset })
            }
            _ => Ok(()),
        }
    }
}

/// What can be wrong with a record.
pub(super) enum Fault {
    NoKey,
    WrongMagic { outer: u8, inner: u8 },
    TimestampOutOfRange { offset: Offset, timestamp: Timestamp },
    AppendTimeClaimed { offset: Offset },
}

impl Fault {
    fn is_about_timestamp(&self) -> bool {
        matches!(self, Fault::TimestampOutOfRange { .. } | Fault::AppendTimeClaimed { .. })
    }

    fn message(&self, context: &Context<'_>) -> String {
        match self {
            Fault::NoKey => format!(
                "Compacted topic cannot accept message without key in topic partition {}",
                context.partition
            ),
            Fault::WrongMagic { outer, inner } => format!(
                "Record's magic {inner} does not match outer magic {outer} in topic partition {}",
                context.partition
            ),
            Fault::TimestampOutOfRange { offset, timestamp } => format!(
                "Timestamp {timestamp} of message with offset {offset} is out of range. The timestamp should be \
                 within [{}, {}]",
                context.now + context.config.timestamp_before_max_ms.saturating_neg(),
                context.now + context.config.timestamp_after_max_ms
            ),
            Fault::AppendTimeClaimed { offset } => format!(
                "Invalid timestamp type in message with offset {offset}. Producer should not set timestamp type to \
                 LogAppendTime."
            ),
        }
    }
}

/// Collects what is wrong with the records of one batch.
#[derive(Default)]
pub(super) struct Faults {
    total: usize,
    listed: Vec<RecordError>,
    any_timestamp: bool,
}

impl Faults {
    pub(super) fn add(&mut self, index: i32, fault: &Fault, context: &Context<'_>) {
        self.total += 1;
        self.any_timestamp |= fault.is_about_timestamp();
        if self.listed.len() < RECORD_ERRORS_MAX {
            self.listed.push(RecordError { batch_index: index, message: fault.message(context) });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// An error if there was any fault.
    pub(super) fn into_result(self) -> Result<(), ValidationError> {
        match (self.total, self.any_timestamp) {
            (0, _) => Ok(()),
            (_, true) => Err(ValidationError::InvalidTimestamps { records: self.listed }),
            (total, false) => Err(ValidationError::InvalidRecords { total, records: self.listed }),
        }
    }
}
