//! The body of one record of magic 2 (`DefaultRecord.readFrom`): everything after its length.

use super::{Headers, RecordsError, invalid};
use crate::varint;

/// A record's fields as stored, offset and time still relative to the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Body<'a> {
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: Headers<'a>,
}

/// Parses a body, which must be consumed exactly; headers are walked too, so that iterating them later cannot fail.
pub(crate) fn parse_body(body: &[u8]) -> Result<Body<'_>, RecordsError> {
    let mut rest = body.get(1..).ok_or_else(cut_off)?;
    let timestamp_delta = varint::read_long(&mut rest).ok_or_else(cut_off)?;
    let offset_delta = varint::read_int(&mut rest).ok_or_else(cut_off)?;
    let key = read_nullable(&mut rest)?;
    let value = read_nullable(&mut rest)?;
    let headers = read_headers(&mut rest)?;
    if !rest.is_empty() {
        return Err(invalid(format!(
            "Invalid record size: expected to read {} bytes in record payload, but instead read {}",
            body.len(),
            body.len() - rest.len()
        )));
    }
    Ok(Body { timestamp_delta, offset_delta, key, value, headers })
}

/// Timestamp delta, offset delta, and whether there is a key: all that validation asks of a body; `None` if
/// [`parse_body`] would fail.
#[inline]
pub(crate) fn glance_at_body(body: &[u8]) -> Option<(i64, i32, bool)> {
    let mut rest = body.get(1..)?;
    let timestamp_delta = varint::read_long(&mut rest)?;
    let offset_delta = varint::read_int(&mut rest)?;
    let has_key = skip_nullable(&mut rest)?;
    skip_nullable(&mut rest)?;
    let headers = usize::try_from(varint::read_int(&mut rest)?).ok()?;
    if headers > rest.len() {
        return None;
    }
    for _ in 0..headers {
        // A header's key is never null.
        if !skip_nullable(&mut rest)? {
            return None;
        }
        skip_nullable(&mut rest)?;
    }
    rest.is_empty().then_some((timestamp_delta, offset_delta, has_key))
}

/// Passes over a length and that many bytes; returns whether they are not null.
#[inline]
fn skip_nullable(rest: &mut &[u8]) -> Option<bool> {
    let length = varint::read_int(rest)?;
    if length < 0 {
        return Some(false);
    }
    *rest = rest.get(length as usize..)?;
    Some(true)
}

fn read_headers<'a>(rest: &mut &'a [u8]) -> Result<Headers<'a>, RecordsError> {
    let count = varint::read_int(rest).ok_or_else(cut_off)?;
    let count = usize::try_from(count)
        .map_err(|_| invalid(format!("Found invalid number of record headers {count}")))?;
    if count > rest.len() {
        return Err(invalid(format!(
            "Found invalid number of record headers. {count} is larger than the remaining size of the buffer"
        )));
    }
    let encoded = *rest;
    for _ in 0..count {
        read_header(rest)?;
    }
    let encoded = encoded.get(..encoded.len() - rest.len()).unwrap_or_default();
    Ok(Headers { count, encoded })
}

pub(super) fn read_header<'a>(rest: &mut &'a [u8]) -> Result<(&'a [u8], Option<&'a [u8]>), RecordsError> {
    let key = read_nullable(rest)?.ok_or_else(|| invalid("Invalid negative header key size"))?;
    Ok((key, read_nullable(rest)?))
}

/// A length and that many bytes; any negative length is null.
fn read_nullable<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, RecordsError> {
    let length = varint::read_int(rest).ok_or_else(cut_off)?;
    let Ok(length) = usize::try_from(length) else {
        return Ok(None);
    };
    let (bytes, after) = rest.split_at_checked(length).ok_or_else(cut_off)?;
    *rest = after;
    Ok(Some(bytes))
}

fn cut_off() -> RecordsError {
    invalid("Found invalid record structure: a field passes the end of its record")
}
