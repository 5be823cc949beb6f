//! Reading one legacy batch: a message as it is, or the messages of a wrapper (`DeepRecordsIterator`).
//!
//! Kafka decompresses a wrapper into a queue; here it is streamed, twice in magic 1, whose absolute offsets hang on the
//! last inner offset.

use gregor_model::{Offset, Timestamp};

use super::message::Message;
use crate::attributes::TimestampType;
use crate::batch::{BatchError, BatchRef, LOG_OVERHEAD, Magic, field};
use crate::compression::Codec;
use crate::record::{Headers, Limits, RecordRef, RecordsError, Window, invalid};

/// The smallest message, without offset and size.
const MESSAGE_BYTES_MIN: i32 = 14;

/// The messages of one legacy batch, with what is lost when they are read as records.
pub struct LegacyRecords<'a> {
    source: Source<'a>,
    wrapper: Wrapper,
}

enum Source<'a> {
    /// Not compressed: the one message, until it is read.
    Single(Option<(Offset, Message<'a>)>),
    Inner {
        window: Window<'a>,
        /// Whether any message has been read.
        any: bool,
    },
}

/// What a wrapper says for its inner messages.
#[derive(Clone, Copy)]
struct Wrapper {
    magic: Magic,
    timestamp_type: TimestampType,
    timestamp: Option<Timestamp>,
    /// Added to inner offsets.
    base_offset: i64,
}

/// A message, its absolute offset, and the time it reads as.
#[derive(Clone, Copy, Debug)]
pub struct LegacyRecord<'a> {
    /// Absolute.
    pub offset: Offset,
    /// None in magic 0.
    pub timestamp: Option<Timestamp>,
    pub(crate) message: Message<'a>,
}

impl LegacyRecord<'_> {
    /// The message as a record.
    pub fn record(&self) -> RecordRef<'_> {
        RecordRef {
            offset: self.offset,
            timestamp: self.timestamp,
            sequence: None,
            key: self.message.key,
            value: self.message.value,
            headers: Headers::NONE,
        }
    }

    /// The stored checksum and the one computed from the bytes.
    pub fn checksums(&self) -> (u32, u32) {
        self.message.checksums()
    }
}

impl<'a> LegacyRecords<'a> {
    /// Begins to read a batch of magic 0 or 1.
    ///
    /// # Errors
    /// A wrapper whose messages cannot even be begun.
    pub fn new(batch: &BatchRef<'a>, limits: Limits) -> Result<LegacyRecords<'a>, RecordsError> {
        let outer = Message::parse(batch.bytes().get(LOG_OVERHEAD..).unwrap_or_default())?;
        let mut wrapper = Wrapper {
            magic: outer.magic,
            timestamp_type: batch.timestamp_type(),
            timestamp: outer.timestamp,
            base_offset: 0,
        };
        let codec = match batch.codec() {
            None => return Err(RecordsError::UnknownCodec(batch.attributes.low_byte() & 0x07)),
            Some(Codec::None) => {
                let source = Source::Single(Some((batch.stored_offset, outer)));
                return Ok(LegacyRecords { source, wrapper });
            }
            Some(Codec::Zstd) => {
                return Err(invalid("Invalid wrapper compression type zstd in a legacy message set"));
            }
            Some(codec) => codec,
        };
        let Some(value) = outer.value else {
            let magic = outer.magic.as_byte();
            return Err(invalid(format!(
                "Found invalid compressed record set with null value (magic = {magic})"
            )));
        };
        if outer.magic == Magic::V1 && batch.stored_offset != Offset::ZERO {
            let last = last_inner_offset(Window::new(codec, value, outer.magic, limits)?)?;
            if batch.stored_offset.0 < last {
                return Err(invalid(format!(
                    "Found invalid wrapper offset in compressed v1 message set, wrapper offset '{}' is less than \
                     the last inner message offset '{last}' and it is not zero.",
                    batch.stored_offset
                )));
            }
            wrapper.base_offset = batch.stored_offset.0.saturating_sub(last);
        }
        let window = Window::new(codec, value, outer.magic, limits)?;
        Ok(LegacyRecords { source: Source::Inner { window, any: false }, wrapper })
    }

    /// The next message, or `None` after the last. Checksums are not looked at.
    ///
    /// # Errors
    /// A damaged batch, or one larger than its limits; after that, do not go on.
    pub fn next_message(&mut self) -> Result<Option<LegacyRecord<'_>>, RecordsError> {
        let wrapper = self.wrapper;
        let (window, any) = match &mut self.source {
            Source::Single(message) => {
                return Ok(message.take().map(|(offset, message)| LegacyRecord {
                    offset,
                    timestamp: message.timestamp,
                    message,
                }));
            }
            Source::Inner { window, any } => (window, any),
        };
        let Some((offset, size)) = next_prefix(window)? else {
            return empty_unless(*any);
        };
        // A message cut off at the end of the set ends it, as in Kafka.
        if window.peek(size)?.len() < size {
            return empty_unless(*any);
        }
        *any = true;
        let message = Message::parse(window.take(size)?)?;
        if message.attributes.is_compressed() {
            return Err(invalid("Inner messages must not be compressed"));
        }
        let overridden = wrapper.timestamp_type == TimestampType::LogAppendTime && wrapper.magic == Magic::V1;
        let timestamp = match message.magic {
            Magic::V0 => None,
            _ if overridden => wrapper.timestamp,
            _ => message.timestamp,
        };
        Ok(Some(LegacyRecord {
            offset: Offset(offset.saturating_add(wrapper.base_offset)),
            timestamp,
            message,
        }))
    }

    pub(crate) fn next_record(&mut self) -> Result<Option<RecordRef<'_>>, RecordsError> {
        Ok(self.next_message()?.map(|record| RecordRef {
            offset: record.offset,
            timestamp: record.timestamp,
            sequence: None,
            key: record.message.key,
            value: record.message.value,
            headers: Headers::NONE,
        }))
    }
}

fn empty_unless<'a>(any: bool) -> Result<Option<LegacyRecord<'a>>, RecordsError> {
    if any { Ok(None) } else { Err(invalid("Found invalid compressed record set with no inner records")) }
}

/// The offset and the size in front of the next inner message; `None` at the end.
fn next_prefix(window: &mut Window<'_>) -> Result<Option<(i64, usize)>, RecordsError> {
    let prefix = window.peek(LOG_OVERHEAD)?;
    let (Some(offset), Some(size)) = (field(prefix, 0), field(prefix, 8)) else {
        return Ok(None);
    };
    let size = i32::from_be_bytes(size);
    if size < MESSAGE_BYTES_MIN {
        return Err(RecordsError::Corrupt(BatchError::Corrupt(format!(
            "Record size {size} is less than the minimum record overhead ({MESSAGE_BYTES_MIN})"
        ))));
    }
    window.consume(LOG_OVERHEAD);
    Ok(Some((i64::from_be_bytes(offset), size as usize)))
}

fn last_inner_offset(mut window: Window<'_>) -> Result<i64, RecordsError> {
    let mut last = None;
    while let Some((offset, size)) = next_prefix(&mut window)? {
        if !window.skip(size)? {
            break;
        }
        last = Some(offset);
    }
    last.ok_or_else(|| invalid("Found invalid compressed record set with no inner records"))
}
