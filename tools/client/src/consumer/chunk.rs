//! What a consumer gives: a batch as it was fetched, read record by record where the caller stands.

use bytes::Bytes;
use gregor_model::{Offset, TopicPartition};
use gregor_records::{BatchRef, Limits, Magic, RecordRef, TimestampType};

use crate::error::Error;

/// Records of one batch, from an offset on. Holds the answer that brought it.
#[derive(Clone, Debug)]
pub struct Chunk {
    partition: TopicPartition,
    batch: Bytes,
    from: Offset,
    next: Offset,
    count: usize,
}

impl Chunk {
    /// The records of `batch` from `from` on, which may lie before it: one fetch brings many batches.
    pub(super) fn new(partition: TopicPartition, batch: Bytes, view: &BatchRef<'_>, from: Offset) -> Chunk {
        // Older formats tell where a batch ends, and not where it begins.
        let begin = if view.magic == Magic::V2 { view.base_offset() } else { from };
        let from = from.max(begin);
        let count = view.record_count.and_then(|count| usize::try_from(count).ok()).unwrap_or(1);
        Chunk { partition, from, next: view.next_offset(), count, batch }
    }

    /// Where they are from.
    pub fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// The first offset that may be given.
    pub fn from(&self) -> Offset {
        self.from
    }

    /// Where reading goes on.
    pub fn next_offset(&self) -> Offset {
        self.next
    }

    /// The size of the batch.
    pub(super) fn bytes(&self) -> usize {
        self.batch.len()
    }

    /// How many records the batch holds.
    pub fn record_count(&self) -> usize {
        self.count
    }

    /// Gives every record to `visit`, with the kind of its timestamp; `None` where the format has none.
    ///
    /// # Errors
    /// The batch cannot be read, or `visit`'s own.
    pub fn each<E: From<Error>>(
        &self,
        mut visit: impl FnMut(&RecordRef<'_>, Option<TimestampType>) -> Result<(), E>,
    ) -> Result<(), E> {
        let unreadable = |reason: &dyn std::fmt::Display| {
            Error::Records(format!(
                "Received exception when fetching the next record from {}. If needed, please seek past the record to \
                 continue consumption. ({reason})",
                self.partition
            ))
        };
        let batch = BatchRef::first(&self.batch).map_err(|error| unreadable(&error))?;
        let kind = (batch.magic != Magic::V0).then(|| batch.timestamp_type());
        let mut records = batch.records(Limits::for_batch(&batch)).map_err(|error| unreadable(&error))?;
        while let Some(record) = records.next_record().map_err(|error| unreadable(&error))? {
            if record.offset >= self.from {
                visit(&record, kind)?;
            }
        }
        Ok(())
    }
}
