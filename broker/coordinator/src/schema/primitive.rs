//! Big-endian integers, strings and arrays as the generated Java classes write them, plain and flexible.

use bytes::{BufMut, Bytes, BytesMut};

use super::SchemaError;

/// Reads fields from the front of a record; every length is held against what is left.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(record: &'a [u8]) -> Self {
        Reader { rest: record }
    }

    fn take(&mut self, field: &'static str, length: usize) -> Result<&'a [u8], SchemaError> {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(SchemaError::Truncated { field, missing: length - self.rest.len() }),
        }
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], SchemaError> {
        let taken = self.take(field, N)?;
        taken.try_into().map_err(|_| SchemaError::Truncated { field, missing: N })
    }

    pub(super) fn i8(&mut self, field: &'static str) -> Result<i8, SchemaError> {
        Ok(i8::from_be_bytes(self.array(field)?))
    }

    pub(super) fn i16(&mut self, field: &'static str) -> Result<i16, SchemaError> {
        Ok(i16::from_be_bytes(self.array(field)?))
    }

    pub(super) fn i32(&mut self, field: &'static str) -> Result<i32, SchemaError> {
        Ok(i32::from_be_bytes(self.array(field)?))
    }

    pub(super) fn i64(&mut self, field: &'static str) -> Result<i64, SchemaError> {
        Ok(i64::from_be_bytes(self.array(field)?))
    }

    fn unsigned_varint(&mut self, field: &'static str) -> Result<u32, SchemaError> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array(field)?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(SchemaError::Length { field, length: i64::from(value) })
    }

    /// A count of elements, `None` for null; each element takes at least one byte, so a larger count is a lie.
    fn length(
        &mut self,
        field: &'static str,
        flexible: bool,
        wide: bool,
    ) -> Result<Option<usize>, SchemaError> {
        let length = match (flexible, wide) {
            (true, _) => i64::from(self.unsigned_varint(field)?) - 1,
            (false, true) => i64::from(self.i32(field)?),
            (false, false) => i64::from(self.i16(field)?),
        };
        match usize::try_from(length) {
            Ok(length) if length <= self.rest.len() => Ok(Some(length)),
            Err(_) if length == -1 => Ok(None),
            _ => Err(SchemaError::Length { field, length }),
        }
    }

    pub(super) fn nullable_string(
        &mut self,
        field: &'static str,
        flexible: bool,
    ) -> Result<Option<&'a str>, SchemaError> {
        let Some(length) = self.length(field, flexible, false)? else { return Ok(None) };
        let text = self.take(field, length)?;
        std::str::from_utf8(text).map(Some).map_err(|_| SchemaError::NotUtf8(field))
    }

    pub(super) fn string(&mut self, field: &'static str, flexible: bool) -> Result<&'a str, SchemaError> {
        self.nullable_string(field, flexible)?.ok_or(SchemaError::Length { field, length: -1 })
    }

    pub(super) fn nullable_bytes(
        &mut self,
        field: &'static str,
        flexible: bool,
    ) -> Result<Option<&'a [u8]>, SchemaError> {
        let Some(length) = self.length(field, flexible, true)? else { return Ok(None) };
        self.take(field, length).map(Some)
    }

    pub(super) fn bytes(&mut self, field: &'static str, flexible: bool) -> Result<Bytes, SchemaError> {
        let bytes = self.nullable_bytes(field, flexible)?.ok_or(SchemaError::Length { field, length: -1 })?;
        Ok(Bytes::copy_from_slice(bytes))
    }

    pub(super) fn nullable_count(
        &mut self,
        field: &'static str,
        flexible: bool,
    ) -> Result<Option<usize>, SchemaError> {
        self.length(field, flexible, true)
    }

    pub(super) fn count(&mut self, field: &'static str, flexible: bool) -> Result<usize, SchemaError> {
        self.nullable_count(field, flexible)?.ok_or(SchemaError::Length { field, length: -1 })
    }

    pub(super) fn uuid(&mut self, field: &'static str) -> Result<uuid::Uuid, SchemaError> {
        Ok(uuid::Uuid::from_bytes(self.array(field)?))
    }

    /// The tagged fields at the end of a flexible struct: none has a meaning for us.
    pub(super) fn skip_tags(&mut self, flexible: bool) -> Result<(), SchemaError> {
        if flexible { self.tagged(|_, _| Ok(())) } else { Ok(()) }
    }

    /// Hands over every tagged field at the end of a flexible struct, by its tag.
    pub(super) fn tagged(
        &mut self,
        mut field: impl FnMut(u32, &'a [u8]) -> Result<(), SchemaError>,
    ) -> Result<(), SchemaError> {
        for _ in 0..self.unsigned_varint("tagged fields")? {
            let tag = self.unsigned_varint("tag")?;
            let size = self.unsigned_varint("tag size")?;
            field(tag, self.take("tagged field", size as usize)?)?;
        }
        Ok(())
    }
}

/// Appends fields: the plain form, the only one that 3.9 writes in ZooKeeper mode, and (`compact_...`) the flexible form
/// of the consumer groups' records.
pub(super) struct Writer {
    buffer: BytesMut,
}

impl Writer {
    pub(super) fn new(version: i16) -> Self {
        let mut writer = Writer::headless();
        writer.i16(version);
        writer
    }

    /// Of a part of a record, which has no version of its own.
    pub(super) fn headless() -> Self {
        Writer::with_capacity(64)
    }

    /// Of several records, which take about so many bytes together.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Writer { buffer: BytesMut::with_capacity(bytes) }
    }

    pub(super) fn i8(&mut self, value: i8) {
        self.buffer.put_i8(value);
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.buffer.put_i16(value);
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.buffer.put_i32(value);
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.buffer.put_i64(value);
    }

    /// A string; what came over the wire fits an i16 length, and a longer one is cut at a character rather than
    /// written with a length that lies.
    pub(super) fn string(&mut self, text: &str) {
        let text = at_most_i16(text);
        self.buffer.put_i16(text.len() as i16);
        self.buffer.put_slice(text.as_bytes());
    }

    pub(super) fn nullable_string(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.string(text),
            None => self.buffer.put_i16(-1),
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.buffer.put_slice(bytes);
    }

    pub(super) fn count(&mut self, count: usize) {
        self.buffer.put_i32(i32::try_from(count).unwrap_or(i32::MAX));
    }

    pub(super) fn null_array(&mut self) {
        self.buffer.put_i32(-1);
    }

    pub(super) fn uuid(&mut self, id: uuid::Uuid) {
        self.buffer.put_slice(id.as_bytes());
    }

    fn unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.buffer.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.put_u8(value as u8);
    }

    /// A count of elements, or of bytes.
    pub(super) fn compact_count(&mut self, count: usize) {
        self.unsigned_varint(u32::try_from(count).map_or(u32::MAX, |count| count.saturating_add(1)));
    }

    pub(super) fn compact_string(&mut self, text: &str) {
        let text = at_most_i16(text);
        self.compact_count(text.len());
        self.buffer.put_slice(text.as_bytes());
    }

    pub(super) fn compact_nullable_string(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.compact_string(text),
            None => self.unsigned_varint(0),
        }
    }

    pub(super) fn compact_bytes(&mut self, bytes: &[u8]) {
        self.compact_count(bytes.len());
        self.buffer.put_slice(bytes);
    }

    /// The end of a flexible struct.
    pub(super) fn no_tags(&mut self) {
        self.unsigned_varint(0);
    }

    /// The end of a flexible struct that has one tagged field.
    pub(super) fn one_tag(&mut self, tag: u32, field: &[u8]) {
        self.unsigned_varint(1);
        self.unsigned_varint(tag);
        self.unsigned_varint(u32::try_from(field.len()).unwrap_or(u32::MAX));
        self.buffer.put_slice(field);
    }

    pub(super) fn finish(self) -> Bytes {
        self.buffer.freeze()
    }

    /// What has been written since the last cut: several records out of one buffer.
    pub(super) fn cut(&mut self) -> Bytes {
        self.buffer.split().freeze()
    }
}

fn at_most_i16(text: &str) -> &str {
    let mut end = text.len().min(i16::MAX as usize);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.split_at(end).0
}
