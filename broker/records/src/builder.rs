//! Builds batches of magic 2 (`MemoryRecordsBuilder`): for coordinators, rewrites by leader and cleaner, tools, tests.

use gregor_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

use crate::attributes::{Attributes, TimestampType};
use crate::batch::{
    ATTRIBUTES_AT, BASE_SEQUENCE_AT, BASE_TIMESTAMP_AT, CRC_AT, HEADER_LENGTH, LAST_OFFSET_DELTA_AT,
    LEADER_EPOCH_AT, LOG_OVERHEAD, MAGIC_AT, MAX_TIMESTAMP_AT, Magic, NO_TIMESTAMP, PRODUCER_EPOCH_AT,
    PRODUCER_ID_AT, RECORD_COUNT_AT, SIZE_AT, timestamp_from_wire, timestamp_to_wire,
};
use crate::compression::{Codec, Compression, CompressionError, Compressor};
use crate::crc::crc32c;
use crate::record::RecordRef;
use crate::varint;

/// Why a batch or message set cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Offsets must rise within a batch.
    #[error(
        "Illegal offset {offset} following previous offset {last} (Offsets must increase monotonically)."
    )]
    OffsetNotIncreasing {
        /// The offset given.
        offset: Offset,
        /// The one before.
        last: Offset,
    },
    /// Offsets of one batch lie within 2^31 of each other.
    #[error("Offset {offset} is too far from the batch's base offset {base}")]
    OffsetOutOfRange {
        /// The offset given.
        offset: Offset,
        /// The batch's first.
        base: Offset,
    },
    /// A length that its field cannot hold.
    #[error("{0} bytes are too many for a length field")]
    TooLong(usize),
    /// The format has no such codec.
    #[error("{} is not supported by this message format", .0.as_str())]
    UnsupportedCodec(Codec),
    /// This builder does not write that format.
    #[error("this builder does not write magic {}", .0.as_byte())]
    UnsupportedMagic(Magic),
    /// The codec failed.
    #[error(transparent)]
    Compression(#[from] CompressionError),
}

/// Who produced a batch, when the producer is idempotent or transactional.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    /// The producer.
    pub id: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// Sequence of the first record; none in control batches.
    pub base_sequence: Option<Sequence>,
}

/// Everything in a batch header that does not follow from the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchOptions {
    /// Offset of the batch; records may start above it.
    pub base_offset: Offset,
    /// Epoch of the appending leader.
    pub partition_leader_epoch: Option<LeaderEpoch>,
    /// Codec and level.
    pub compression: Compression,
    /// Whose clock the timestamps are of.
    pub timestamp_type: TimestampType,
    /// The maximum timestamp to store when the type is LogAppendTime.
    pub append_time: Option<Timestamp>,
    /// The producer.
    pub producer: Option<Producer>,
    /// Whether the records belong to a transaction.
    pub transactional: bool,
    /// Whether this is a control batch.
    pub control: bool,
    /// When the cleaner may drop the tombstones or the marker in it.
    pub delete_horizon: Option<Timestamp>,
}

/// Builds one batch of magic 2.
pub struct BatchBuilder {
    options: BatchOptions,
    sink: Compressor,
    /// Where in the buffer the batch begins.
    start: usize,
    scratch: Vec<u8>,
    /// What timestamp deltas are relative to, once known.
    base_timestamp: Option<i64>,
    max_timestamp: i64,
    last_offset: Option<Offset>,
    /// `last_offset_delta` to store instead of that of the last record.
    last_offset_kept: Option<Offset>,
    count: i32,
}

impl BatchBuilder {
    /// A builder with a buffer of its own.
    ///
    /// # Errors
    /// [`BuildError::Compression`] when the codec cannot be set up.
    pub fn new(options: BatchOptions) -> Result<BatchBuilder, BuildError> {
        BatchBuilder::append_to(Vec::new(), options)
    }

    /// A builder that appends its batch to what `buffer` holds.
    ///
    /// # Errors
    /// [`BuildError::Compression`] when the codec cannot be set up.
    pub fn append_to(mut buffer: Vec<u8>, options: BatchOptions) -> Result<BatchBuilder, BuildError> {
        let start = buffer.len();
        buffer.resize(start + HEADER_LENGTH, 0);
        Ok(BatchBuilder {
            options,
            sink: Compressor::new(options.compression, buffer, Magic::V2)?,
            start,
            scratch: Vec::new(),
            base_timestamp: options.delete_horizon.map(|horizon| horizon.0),
            max_timestamp: NO_TIMESTAMP,
            last_offset: None,
            last_offset_kept: None,
            count: 0,
        })
    }

    /// Appends a record; offsets must rise.
    ///
    /// # Errors
    /// [`BuildError::OffsetNotIncreasing`], [`BuildError::OffsetOutOfRange`], [`BuildError::TooLong`], or the codec's.
    pub fn append(
        &mut self,
        offset: Offset,
        timestamp: Option<Timestamp>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) -> Result<(), BuildError> {
        let mut encoded = Vec::new();
        for (key, value) in headers {
            write_nullable(&mut encoded, Some(key))?;
            write_nullable(&mut encoded, *value)?;
        }
        self.append_encoded(offset, timestamp, key, value, headers.len(), &encoded)
    }

    /// Appends a copy of a record at its own offset.
    ///
    /// # Errors
    /// As [`BatchBuilder::append`].
    pub fn append_record(&mut self, record: &RecordRef<'_>) -> Result<(), BuildError> {
        self.append_record_at(record.offset, record)
    }

    /// Appends a copy of a record at another offset.
    ///
    /// # Errors
    /// As [`BatchBuilder::append`].
    pub fn append_record_at(&mut self, offset: Offset, record: &RecordRef<'_>) -> Result<(), BuildError> {
        self.append_encoded(
            offset,
            record.timestamp,
            record.key,
            record.value,
            record.headers.len(),
            record.headers.encoded(),
        )
    }

    fn append_encoded(
        &mut self,
        offset: Offset,
        timestamp: Option<Timestamp>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        header_count: usize,
        headers: &[u8],
    ) -> Result<(), BuildError> {
        let offset_delta = self.check_offset(offset)?;
        let timestamp = timestamp_to_wire(timestamp);
        let timestamp_delta = timestamp.wrapping_sub(*self.base_timestamp.get_or_insert(timestamp));
        let key_length = nullable_length(key)?;
        let value_length = nullable_length(value)?;
        let header_count = length_field(header_count)?;
        let body = 1
            + varint::size(timestamp_delta)
            + varint::size(i64::from(offset_delta))
            + varint::size(i64::from(key_length))
            + key.map_or(0, <[u8]>::len)
            + varint::size(i64::from(value_length))
            + value.map_or(0, <[u8]>::len)
            + varint::size(i64::from(header_count))
            + headers.len();
        let scratch = &mut self.scratch;
        scratch.clear();
        varint::write_int(scratch, length_field(body)?);
        scratch.push(0);
        varint::write_long(scratch, timestamp_delta);
        varint::write_int(scratch, offset_delta);
        varint::write_int(scratch, key_length);
        scratch.extend_from_slice(key.unwrap_or_default());
        varint::write_int(scratch, value_length);
        self.sink.write(scratch)?;
        self.sink.write(value.unwrap_or_default())?;
        scratch.clear();
        varint::write_int(scratch, header_count);
        scratch.extend_from_slice(headers);
        self.sink.write(scratch)?;
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.last_offset = Some(offset);
        self.count += 1;
        Ok(())
    }

    fn check_offset(&self, offset: Offset) -> Result<i32, BuildError> {
        if let Some(last) = self.last_offset.filter(|last| offset <= *last) {
            return Err(BuildError::OffsetNotIncreasing { offset, last });
        }
        let out_of_range = BuildError::OffsetOutOfRange { offset, base: self.options.base_offset };
        match i32::try_from(offset - self.options.base_offset) {
            Ok(delta) if delta >= 0 => Ok(delta),
            _ => Err(out_of_range),
        }
    }

    /// Stores this last offset although the last record has a lower one, as compaction must.
    pub fn keep_last_offset(&mut self, last_offset: Offset) {
        self.last_offset_kept = Some(last_offset);
    }

    /// Records appended so far.
    pub fn record_count(&self) -> i32 {
        self.count
    }

    /// Bytes the batch takes by now; what the codec holds back is not counted.
    pub fn written_bytes(&self) -> usize {
        self.sink.buffer_len() - self.start
    }

    /// Largest timestamp of the records so far, or the append time.
    pub fn max_timestamp(&self) -> Option<Timestamp> {
        match self.options.timestamp_type {
            TimestampType::LogAppendTime => self.options.append_time,
            TimestampType::CreateTime => timestamp_from_wire(self.max_timestamp),
        }
    }

    /// Ends the batch and returns the buffer with it; a batch without a record is left out.
    ///
    /// # Errors
    /// The codec's, or a batch too long for its length field.
    pub fn finish(self) -> Result<Vec<u8>, BuildError> {
        let max_timestamp = self.max_timestamp();
        let mut buffer = self.sink.finish()?;
        let Some(last_record) = self.last_offset else {
            buffer.truncate(self.start);
            return Ok(buffer);
        };
        let last_offset = self.last_offset_kept.map_or(last_record, |kept| kept.max(last_record));
        let header = HeaderFields {
            options: &self.options,
            last_offset,
            base_timestamp: self.base_timestamp.unwrap_or(NO_TIMESTAMP),
            max_timestamp,
            count: self.count,
        };
        write_header(buffer.get_mut(self.start..).unwrap_or_default(), &header)?;
        Ok(buffer)
    }
}

/// A batch without records that keeps a producer's last sequence and epoch when compaction has removed all records
/// (`DefaultRecordBatch.writeEmptyHeader`): `options` of the emptied batch, its last offset and its maximum timestamp.
///
/// # Errors
/// [`BuildError::OffsetOutOfRange`] when the last offset is not one of this batch.
pub fn empty_batch(
    options: &BatchOptions,
    last_offset: Offset,
    max_timestamp: Option<Timestamp>,
) -> Result<Vec<u8>, BuildError> {
    let options = BatchOptions { compression: Compression::NONE, delete_horizon: None, ..*options };
    let mut batch = vec![0; HEADER_LENGTH];
    let header = HeaderFields {
        options: &options,
        last_offset,
        base_timestamp: NO_TIMESTAMP,
        max_timestamp,
        count: 0,
    };
    write_header(&mut batch, &header)?;
    Ok(batch)
}

struct HeaderFields<'a> {
    options: &'a BatchOptions,
    last_offset: Offset,
    base_timestamp: i64,
    max_timestamp: Option<Timestamp>,
    count: i32,
}

/// Writes the header in front of the records that `batch` holds already.
fn write_header(batch: &mut [u8], fields: &HeaderFields<'_>) -> Result<(), BuildError> {
    let options = fields.options;
    let size = length_field(batch.len().saturating_sub(LOG_OVERHEAD))?;
    let base = options.base_offset;
    let last_offset_delta = i32::try_from(fields.last_offset - base)
        .map_err(|_| BuildError::OffsetOutOfRange { offset: fields.last_offset, base })?;
    let attributes = Attributes::default()
        .with_codec(options.compression.codec())
        .with_timestamp_type(options.timestamp_type)
        .with_transactional(options.transactional)
        .with_control(options.control)
        .with_delete_horizon(options.delete_horizon.is_some());
    let (id, epoch, sequence) = options.producer.map_or((-1, -1, -1), |producer| {
        (producer.id.0, producer.epoch.0, producer.base_sequence.map_or(-1, |sequence| sequence.0))
    });
    put(batch, 0, &base.0.to_be_bytes());
    put(batch, SIZE_AT, &size.to_be_bytes());
    put(batch, LEADER_EPOCH_AT, &LeaderEpoch::to_wire(options.partition_leader_epoch).to_be_bytes());
    put(batch, MAGIC_AT, &[Magic::V2.as_byte()]);
    put(batch, ATTRIBUTES_AT, &[0, attributes.low_byte()]);
    put(batch, LAST_OFFSET_DELTA_AT, &last_offset_delta.to_be_bytes());
    put(batch, BASE_TIMESTAMP_AT, &fields.base_timestamp.to_be_bytes());
    put(batch, MAX_TIMESTAMP_AT, &timestamp_to_wire(fields.max_timestamp).to_be_bytes());
    put(batch, PRODUCER_ID_AT, &id.to_be_bytes());
    put(batch, PRODUCER_EPOCH_AT, &epoch.to_be_bytes());
    put(batch, BASE_SEQUENCE_AT, &sequence.to_be_bytes());
    put(batch, RECORD_COUNT_AT, &fields.count.to_be_bytes());
    let crc = crc32c(batch.get(ATTRIBUTES_AT..).unwrap_or_default());
    put(batch, CRC_AT, &crc.to_be_bytes());
    Ok(())
}

fn put(batch: &mut [u8], at: usize, value: &[u8]) {
    if let Some(field) = batch.get_mut(at..at + value.len()) {
        field.copy_from_slice(value);
    }
}

fn write_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) -> Result<(), BuildError> {
    varint::write_int(out, nullable_length(bytes)?);
    out.extend_from_slice(bytes.unwrap_or_default());
    Ok(())
}

fn nullable_length(bytes: Option<&[u8]>) -> Result<i32, BuildError> {
    bytes.map_or(Ok(-1), |bytes| length_field(bytes.len()))
}

/// A length as its signed field holds it.
pub(crate) fn length_field(length: usize) -> Result<i32, BuildError> {
    i32::try_from(length).map_err(|_| BuildError::TooLong(length))
}

#[cfg(test)]
mod tests;
