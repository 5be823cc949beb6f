//! Batches of a producer: open while records come, closed and then unchanged but for their producer's stamp. Pure.

use std::time::Instant;

use bytes::Bytes;
use gregor_model::{Offset, Timestamp};
use gregor_records::batch::set_producer;
use gregor_records::{BatchBuilder, BatchOptions, BatchRef, Compression, HEADER_LENGTH, Limits, Producer};

use crate::error::Error;

/// What a record takes beside its key, value and headers, at most (`DefaultRecord.MAX_RECORD_OVERHEAD`).
const RECORD_OVERHEAD_MAX: usize = 21;
/// Two lengths of a header.
const HEADER_OVERHEAD_MAX: usize = 10;
/// Kafka allows so much for a compression that is worse than estimated.
const ESTIMATE_MARGIN: f32 = 1.05;

/// What is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// The producer's time.
    pub timestamp: Timestamp,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; none is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, in order.
    pub headers: &'a [(&'a [u8], Option<&'a [u8]>)],
}

impl Content<'_> {
    /// Bytes it takes uncompressed in a batch, at most.
    pub fn size_max(&self) -> usize {
        let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let headers: usize =
            self.headers.iter().map(|(key, value)| HEADER_OVERHEAD_MAX + key.len() + length(*value)).sum();
        RECORD_OVERHEAD_MAX + length(self.key) + length(self.value) + headers
    }
}

/// A batch that takes records.
pub(super) struct OpenBatch<T> {
    builder: BatchBuilder,
    tokens: Vec<T>,
    compression: Compression,
    uncompressed_bytes: usize,
    created: Instant,
    /// Of `buffer.memory`.
    pub(super) reserved_bytes: usize,
    producer: Option<Producer>,
}

impl<T> OpenBatch<T> {
    pub(super) fn new(
        compression: Compression,
        producer: Option<Producer>,
        transactional: bool,
        reserved_bytes: usize,
        now: Instant,
    ) -> Result<OpenBatch<T>, Error> {
        let options = BatchOptions { compression, producer, transactional, ..BatchOptions::default() };
        let builder =
            BatchBuilder::append_to(Vec::with_capacity(reserved_bytes), options).map_err(unbuildable)?;
        Ok(OpenBatch {
            builder,
            tokens: Vec::new(),
            compression,
            uncompressed_bytes: 0,
            created: now,
            reserved_bytes,
            producer,
        })
    }

    pub(super) fn created(&self) -> Instant {
        self.created
    }

    pub(super) fn producer(&self) -> Option<Producer> {
        self.producer
    }

    pub(super) fn record_count(&self) -> i32 {
        self.builder.record_count()
    }

    /// Bytes the batch takes by now; compressed ones are estimated.
    fn size(&self, ratio: f32) -> usize {
        if self.compression == Compression::NONE {
            return self.builder.written_bytes();
        }
        HEADER_LENGTH + (self.uncompressed_bytes as f32 * ratio * ESTIMATE_MARGIN) as usize
    }

    /// Whether a record fits into `batch_size`. The first always does.
    pub(super) fn has_room(&self, content: &Content<'_>, batch_size: usize, ratio: f32) -> bool {
        self.record_count() == 0 || self.size(ratio) + content.size_max() <= batch_size
    }

    /// Whether no other record is to be waited for.
    pub(super) fn is_full(&self, batch_size: usize, ratio: f32) -> bool {
        self.record_count() > 0 && self.size(ratio) >= batch_size
    }

    pub(super) fn append(&mut self, content: &Content<'_>, token: T) -> Result<(), Error> {
        let offset = Offset(i64::from(self.record_count()));
        self.builder
            .append(offset, Some(content.timestamp), content.key, content.value, content.headers)
            .map_err(unbuildable)?;
        self.uncompressed_bytes += content.size_max();
        self.tokens.push(token);
        Ok(())
    }

    /// Ends it. The second value is how well it was compressed.
    pub(super) fn close(self, ordinal: u64) -> Result<(Batch<T>, f32), (Error, Vec<T>)> {
        let bytes = match self.builder.finish() {
            Ok(bytes) => Bytes::from(bytes),
            Err(error) => return Err((unbuildable(error), self.tokens)),
        };
        let ratio = bytes.len() as f32 / (HEADER_LENGTH + self.uncompressed_bytes) as f32;
        let batch = Batch {
            bytes,
            tokens: self.tokens,
            created: self.created,
            ordinal,
            attempts: 0,
            not_before: None,
            reserved_bytes: self.reserved_bytes,
            producer: self.producer,
        };
        Ok((batch, ratio))
    }
}

/// A batch that waits to be sent, or is on its way.
pub(super) struct Batch<T> {
    pub(super) bytes: Bytes,
    pub(super) tokens: Vec<T>,
    pub(super) created: Instant,
    /// Its place among those of its partition.
    pub(super) ordinal: u64,
    /// How often it was sent.
    pub(super) attempts: u32,
    /// It is not sent again before.
    pub(super) not_before: Option<Instant>,
    pub(super) reserved_bytes: usize,
    pub(super) producer: Option<Producer>,
}

impl<T> Batch<T> {
    pub(super) fn record_count(&self) -> i32 {
        i32::try_from(self.tokens.len()).unwrap_or(i32::MAX)
    }

    /// Gives it another producer id, epoch and sequence.
    pub(super) fn stamp(&mut self, producer: Producer) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut bytes = bytes.try_into_mut().unwrap_or_else(|shared| bytes::BytesMut::from(&shared[..]));
        set_producer(&mut bytes, producer);
        self.bytes = bytes.freeze();
        self.producer = Some(producer);
    }

    /// Two batches of half the records each, because the broker takes none as large. They keep the sequences.
    pub(super) fn split(mut self, compression: Compression) -> Result<[Batch<T>; 2], (Error, Vec<T>)> {
        let middle = self.tokens.len() / 2;
        let [first, second] = match self.rebuild_halves(middle, compression) {
            Ok(halves) => halves,
            Err(error) => return Err((error, self.tokens)),
        };
        let second_tokens = self.tokens.split_off(middle);
        let count = self.record_count();
        let second = Batch {
            bytes: second,
            tokens: second_tokens,
            created: self.created,
            ordinal: self.ordinal,
            attempts: self.attempts,
            not_before: None,
            reserved_bytes: 0,
            producer: self.producer.map(|producer| advanced(producer, count)),
        };
        self.bytes = first;
        Ok([self, second])
    }

    fn rebuild_halves(&self, middle: usize, compression: Compression) -> Result<[Bytes; 2], Error> {
        let unreadable = |error: &dyn std::fmt::Display| Error::Records(error.to_string());
        let batch = BatchRef::first(&self.bytes).map_err(|error| unreadable(&error))?;
        let mut records = batch.records(Limits::for_batch(&batch)).map_err(|error| unreadable(&error))?;
        let options = BatchOptions {
            compression,
            producer: self.producer,
            transactional: batch.is_transactional(),
            ..BatchOptions::default()
        };
        let mut halves = Vec::new();
        let mut taken = 0;
        for count in [middle, self.tokens.len() - middle] {
            let producer =
                options.producer.map(|producer| advanced(producer, i32::try_from(taken).unwrap_or(i32::MAX)));
            let mut builder = BatchBuilder::new(BatchOptions { producer, ..options }).map_err(unbuildable)?;
            for at in 0..count {
                if let Some(record) = records.next_record().map_err(|error| unreadable(&error))? {
                    let offset = Offset(i64::try_from(at).unwrap_or(i64::MAX));
                    builder.append_record_at(offset, &record).map_err(unbuildable)?;
                }
            }
            taken += count;
            halves.push(Bytes::from(builder.finish().map_err(unbuildable)?));
        }
        halves.try_into().map_err(|_| Error::Records("a batch has two halves".to_owned()))
    }
}

/// The sequence `records` later.
pub(super) fn advanced(producer: Producer, records: i32) -> Producer {
    Producer { base_sequence: producer.base_sequence.map(|sequence| sequence.plus(records)), ..producer }
}

fn unbuildable(error: gregor_records::BuildError) -> Error {
    Error::Records(error.to_string())
}
