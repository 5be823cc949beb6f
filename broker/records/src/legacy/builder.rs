//! Writes message sets of magic 0 and 1: loose messages, or one compressed wrapper (`MemoryRecordsBuilder` below magic 2).

use gregor_model::{Offset, Timestamp};

use super::message::{MessageFields, message_attributes, seal, write_head, write_message};
use crate::attributes::TimestampType;
use crate::batch::{LOG_OVERHEAD, Magic};
use crate::builder::{BuildError, length_field};
use crate::compression::{Codec, Compression, Compressor};

/// Builds one message set and appends it to a buffer.
pub struct LegacyBuilder {
    magic: Magic,
    compression: Compression,
    timestamp_type: TimestampType,
    append_time: Option<Timestamp>,
    sink: Sink,
    scratch: Vec<u8>,
    first_offset: Option<Offset>,
    last_offset: Offset,
    max_timestamp: Option<Timestamp>,
    /// Where in the buffer this set begins.
    start: usize,
}

enum Sink {
    Loose(Vec<u8>),
    Wrapper(Box<Compressor>),
}

impl LegacyBuilder {
    /// A builder that appends to `buffer`. `append_time` is the time of all records when the type is LogAppendTime.
    ///
    /// # Errors
    /// [`BuildError::UnsupportedMagic`] for magic 2; [`BuildError::UnsupportedCodec`] for zstd, which these formats do
    /// not have.
    pub fn new(
        magic: Magic,
        compression: Compression,
        timestamp_type: TimestampType,
        append_time: Option<Timestamp>,
        mut buffer: Vec<u8>,
    ) -> Result<LegacyBuilder, BuildError> {
        if magic == Magic::V2 {
            return Err(BuildError::UnsupportedMagic(magic));
        }
        let start = buffer.len();
        let sink = match compression.codec() {
            Codec::None => Sink::Loose(buffer),
            Codec::Zstd => return Err(BuildError::UnsupportedCodec(Codec::Zstd)),
            _ => {
                buffer.resize(start + wrapper_overhead(magic), 0);
                Sink::Wrapper(Box::new(Compressor::new(compression, buffer, magic)?))
            }
        };
        Ok(LegacyBuilder {
            magic,
            compression,
            timestamp_type,
            append_time,
            sink,
            scratch: Vec::new(),
            first_offset: None,
            last_offset: Offset::ZERO,
            max_timestamp: None,
            start,
        })
    }

    /// Appends one message; offsets must rise.
    ///
    /// # Errors
    /// [`BuildError::OffsetNotIncreasing`], or what the codec says.
    pub fn append(
        &mut self,
        offset: Offset,
        timestamp: Option<Timestamp>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), BuildError> {
        let first = *self.first_offset.get_or_insert(offset);
        if offset < first || (offset <= self.last_offset && offset != first) {
            return Err(BuildError::OffsetNotIncreasing { offset, last: self.last_offset });
        }
        let timestamp = match self.timestamp_type {
            TimestampType::LogAppendTime => self.append_time,
            TimestampType::CreateTime => timestamp,
        };
        let relative = matches!(self.sink, Sink::Wrapper(_)) && self.magic == Magic::V1;
        let fields = MessageFields {
            offset: if relative { Offset(offset - first) } else { offset },
            magic: self.magic,
            timestamp_type: self.timestamp_type,
            timestamp,
            key,
            value,
        };
        match &mut self.sink {
            Sink::Loose(buffer) => write_message(buffer, &fields)?,
            Sink::Wrapper(compressor) => {
                self.scratch.clear();
                write_message(&mut self.scratch, &fields)?;
                compressor.write(&self.scratch)?;
            }
        }
        self.last_offset = offset;
        self.max_timestamp = self.max_timestamp.max(timestamp);
        Ok(())
    }

    /// Ends the set and returns the buffer; without any message the buffer is as it was.
    ///
    /// # Errors
    /// What the codec says, or a set too long for its length field.
    pub fn finish(self) -> Result<Vec<u8>, BuildError> {
        let compressor = match self.sink {
            Sink::Loose(buffer) => return Ok(buffer),
            Sink::Wrapper(compressor) => compressor,
        };
        let mut buffer = compressor.finish()?;
        if self.first_offset.is_none() {
            buffer.truncate(self.start);
            return Ok(buffer);
        }
        let overhead = wrapper_overhead(self.magic);
        let value_length = length_field(buffer.len() - self.start - overhead)?;
        let timestamp = match self.timestamp_type {
            TimestampType::LogAppendTime => self.append_time,
            TimestampType::CreateTime => self.max_timestamp,
        };
        let attributes =
            message_attributes(self.magic, self.timestamp_type).with_codec(self.compression.codec());
        let mut head = Vec::with_capacity(overhead);
        write_head(&mut head, self.last_offset, self.magic, attributes, timestamp);
        head.extend_from_slice(&(-1i32).to_be_bytes());
        head.extend_from_slice(&value_length.to_be_bytes());
        if let Some(place) = buffer.get_mut(self.start..self.start + overhead) {
            place.copy_from_slice(&head);
        }
        seal(&mut buffer, self.start)?;
        Ok(buffer)
    }
}

/// Bytes of a wrapper before its value: the head, a null key and the value's length.
fn wrapper_overhead(magic: Magic) -> usize {
    let timestamp = if magic == Magic::V0 { 0 } else { 8 };
    LOG_OVERHEAD + 4 + 1 + 1 + timestamp + 4 + 4
}
