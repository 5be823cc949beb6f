//! Reading the records of any batch, one at a time.

use gregor_model::{Offset, Sequence, Timestamp};

use super::{Body, Limits, RecordRef, RecordsError, Window, glance_at_body, invalid, parse_body};
use crate::attributes::TimestampType;
use crate::batch::{BatchHeader, BatchRef, Magic, timestamp_from_wire};
use crate::compression::Codec;
use crate::legacy::LegacyRecords;
use crate::varint;

/// The records of one batch; call [`Records::next_record`] until it returns `None`.
pub struct Records<'a> {
    source: Source<'a>,
}

enum Source<'a> {
    Current(CurrentRecords<'a>),
    Legacy(Box<LegacyRecords<'a>>),
}

impl<'a> Records<'a> {
    pub(crate) fn of(batch: &BatchRef<'a>, limits: Limits) -> Result<Records<'a>, RecordsError> {
        let source = match batch.magic {
            Magic::V2 => Source::Current(CurrentRecords::new(batch.header(), batch.payload(), limits)?),
            Magic::V0 | Magic::V1 => Source::Legacy(Box::new(LegacyRecords::new(batch, limits)?)),
        };
        Ok(Records { source })
    }

    /// The records of a batch of magic 2 whose header lies apart from them, or says how they are compressed now.
    ///
    /// # Errors
    /// As [`BatchRef::records`].
    pub fn of_parts(
        header: &BatchHeader,
        payload: &'a [u8],
        limits: Limits,
    ) -> Result<Records<'a>, RecordsError> {
        Ok(Records { source: Source::Current(CurrentRecords::new(header, payload, limits)?) })
    }

    /// The next record, or `None` after the last, once it is certain that nothing follows it.
    ///
    /// # Errors
    /// A damaged batch, or one larger than its limits; after that, do not go on.
    pub fn next_record(&mut self) -> Result<Option<RecordRef<'_>>, RecordsError> {
        match &mut self.source {
            Source::Current(records) => records.next_record(),
            Source::Legacy(records) => records.next_record(),
        }
    }

    /// [`Records::next_record`] for who needs no more of it than this; about five times as fast.
    #[inline]
    pub(crate) fn next_glance(&mut self) -> Result<Option<Glance>, RecordsError> {
        match &mut self.source {
            Source::Current(records) => records.next_glance(),
            Source::Legacy(records) => Ok(records.next_record()?.map(|record| Glance {
                offset: record.offset,
                timestamp: record.timestamp,
                has_key: record.key.is_some(),
            })),
        }
    }
}

/// What validation needs to know of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Glance {
    pub(crate) offset: Offset,
    pub(crate) timestamp: Option<Timestamp>,
    pub(crate) has_key: bool,
}

/// The records of a batch of magic 2.
struct CurrentRecords<'a> {
    base: Base,
    remaining: i32,
    bytes: Bytes<'a>,
}

enum Bytes<'a> {
    Plain(&'a [u8]),
    Compressed(Box<Window<'a>>),
}

/// What record fields are relative to.
#[derive(Clone, Copy)]
struct Base {
    offset: Offset,
    timestamp: i64,
    append_time: Option<Option<Timestamp>>,
    sequence: Option<Sequence>,
}

impl Base {
    #[inline]
    fn timestamp(&self, delta: i64) -> Option<Timestamp> {
        self.append_time.unwrap_or_else(|| timestamp_from_wire(self.timestamp.wrapping_add(delta)))
    }

    fn record<'b>(&self, body: Body<'b>) -> RecordRef<'b> {
        RecordRef {
            offset: self.offset + i64::from(body.offset_delta),
            timestamp: self.timestamp(body.timestamp_delta),
            sequence: self.sequence.map(|base| base.plus(body.offset_delta.max(0))),
            key: body.key,
            value: body.value,
            headers: body.headers,
        }
    }
}

impl<'a> CurrentRecords<'a> {
    fn new(
        header: &BatchHeader,
        payload: &'a [u8],
        limits: Limits,
    ) -> Result<CurrentRecords<'a>, RecordsError> {
        let count = header.record_count.unwrap_or_default();
        if count < 0 {
            return Err(invalid(format!("Found invalid record count {count} in magic v2 batch")));
        }
        let bytes = match header.codec() {
            None => return Err(RecordsError::UnknownCodec(header.attributes.low_byte() & 0x07)),
            Some(Codec::None) => Bytes::Plain(payload),
            // A batch emptied by compaction keeps its codec in no case, but one without bytes is no stream either.
            Some(_) if payload.is_empty() && count == 0 => Bytes::Plain(payload),
            Some(codec) => Bytes::Compressed(Box::new(Window::new(codec, payload, Magic::V2, limits)?)),
        };
        let append_time = header.timestamp_type() == TimestampType::LogAppendTime;
        let base = Base {
            offset: header.base_offset(),
            timestamp: header.base_timestamp,
            append_time: append_time.then_some(header.max_timestamp),
            sequence: header.base_sequence,
        };
        Ok(CurrentRecords { base, remaining: count, bytes })
    }

    fn next_record(&mut self) -> Result<Option<RecordRef<'_>>, RecordsError> {
        let base = self.base;
        match self.next_body()? {
            Some(body) => Ok(Some(base.record(parse_body(body)?))),
            None => Ok(None),
        }
    }

    #[inline]
    fn next_glance(&mut self) -> Result<Option<Glance>, RecordsError> {
        let base = self.base;
        let Some(body) = self.next_body()? else { return Ok(None) };
        match glance_at_body(body) {
            Some((timestamp_delta, offset_delta, has_key)) => Ok(Some(Glance {
                offset: base.offset + i64::from(offset_delta),
                timestamp: base.timestamp(timestamp_delta),
                has_key,
            })),
            // Says what is wrong.
            None => parse_body(body).map(|_| None),
        }
    }

    #[inline]
    fn next_body(&mut self) -> Result<Option<&[u8]>, RecordsError> {
        if self.remaining <= 0 {
            return self.expect_end().map(|()| None);
        }
        self.remaining -= 1;
        match &mut self.bytes {
            Bytes::Plain(rest) => next_plain(rest).map(Some),
            Bytes::Compressed(window) => next_compressed(window).map(Some),
        }
    }

    fn expect_end(&mut self) -> Result<(), RecordsError> {
        let at_end = match &mut self.bytes {
            Bytes::Plain(rest) => rest.is_empty(),
            Bytes::Compressed(window) => window.is_at_end()?,
        };
        if at_end {
            return Ok(());
        }
        Err(invalid("Incorrect declared batch size, records still remaining in file"))
    }
}

/// Splits off the next body.
#[inline]
fn next_plain<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], RecordsError> {
    let length = varint::read_int(rest).ok_or_else(premature_end)?;
    let length = usize::try_from(length).map_err(|_| invalid(format!("Invalid record size {length}")))?;
    let (body, after) = rest.split_at_checked(length).ok_or_else(premature_end)?;
    *rest = after;
    Ok(body)
}

fn next_compressed<'w>(window: &'w mut Window<'_>) -> Result<&'w [u8], RecordsError> {
    let ready = window.peek(varint::INT_BYTES_MAX)?;
    let mut rest = ready;
    let length = varint::read_int(&mut rest).ok_or_else(premature_end)?;
    let prefix = ready.len() - rest.len();
    let length = usize::try_from(length).map_err(|_| invalid(format!("Invalid record size {length}")))?;
    window.consume(prefix);
    let body = window.take(length)?;
    if body.len() < length {
        return Err(premature_end());
    }
    Ok(body)
}

fn premature_end() -> RecordsError {
    invalid("Incorrect declared batch size, premature EOF reached")
}
