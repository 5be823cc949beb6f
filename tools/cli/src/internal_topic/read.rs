//! Reads a message by its layout into JSON (`…JsonConverter` over `ByteBufferAccessor`). Pure; every length is held
//! against the bytes that are left.

use super::json::Json;
use super::layout::{Field, Kind, Message};

/// Why a message cannot be read, in the words of Kafka's readers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The bytes end within a number. Java's exception has no message there.
    #[error("null")]
    Underflow,
    /// The bytes end within a string.
    #[error("Error reading byte array of {wanted} byte(s): only {available} byte(s) available")]
    ShortArray {
        /// What its length says.
        wanted: usize,
        /// What is there.
        available: usize,
    },
    /// More elements than bytes.
    #[error(
        "Tried to allocate a collection of size {wanted}, but there are only {available} bytes remaining."
    )]
    ShortCollection {
        /// What its length says.
        wanted: usize,
        /// What is there.
        available: usize,
    },
    /// Null where it may not be.
    #[error("non-nullable field {0} was serialized as null")]
    Null(&'static str),
    /// A length that its field cannot have.
    #[error("string field {field} had invalid length {length}")]
    Length {
        /// The field.
        field: &'static str,
        /// The length.
        length: i64,
    },
    /// A number that does not end.
    #[error("Varint is too long, the most significant bit in the 5th byte is set, converted value: {0:x}")]
    Varint(u32),
}

/// Reads a message whose version has been taken off. What follows it is left alone, as in Kafka.
///
/// # Errors
/// Bytes that do not fit the layout.
pub fn read(message: &Message, version: i16, bytes: &[u8]) -> Result<Json, ReadError> {
    let mut reader = Reader { rest: bytes, version, flexible: version >= message.flexible_from };
    reader.fields(message.fields)
}

/// Takes the version off the front of a key or value.
pub fn split_version(bytes: &[u8]) -> Option<(i16, &[u8])> {
    let (version, rest) = bytes.split_first_chunk::<2>()?;
    Some((i16::from_be_bytes(*version), rest))
}

struct Reader<'a> {
    rest: &'a [u8],
    version: i16,
    flexible: bool,
}

impl<'a> Reader<'a> {
    fn fields(&mut self, fields: &'static [Field]) -> Result<Json, ReadError> {
        let mut object = Vec::new();
        let present = |field: &&Field| field.versions.contains(&self.version);
        let (tagged, plain): (Vec<_>, Vec<_>) =
            fields.iter().filter(present).partition(|field| field.tag.is_some());
        for field in plain {
            object.push((field.name, self.value(field.name, &field.kind)?));
        }
        if self.flexible {
            self.tagged(&tagged, &mut object)?;
        }
        Ok(Json::Object(object))
    }

    /// A tagged field that is null is left out.
    fn tagged(
        &mut self,
        known: &[&'static Field],
        object: &mut Vec<(&'static str, Json)>,
    ) -> Result<(), ReadError> {
        for _ in 0..self.varint()? {
            let tag = self.varint()?;
            let size = self.varint()? as usize;
            let bytes = self.take(size)?;
            if let Some(field) = known.iter().find(|field| field.tag == Some(tag)) {
                let mut nested = Reader { rest: bytes, version: self.version, flexible: true };
                // A nullable struct begins with a byte that says whether it is there.
                if nested.number::<1>()? as i8 >= 0 {
                    object.push((field.name, nested.value(field.name, &field.kind)?));
                }
            }
        }
        Ok(())
    }

    fn value(&mut self, name: &'static str, kind: &'static Kind) -> Result<Json, ReadError> {
        Ok(match kind {
            Kind::Int8 => Json::Number(i64::from(self.number::<1>()? as i8)),
            Kind::Int16 => Json::Number(i64::from(self.number::<2>()? as i16)),
            Kind::Int32 => Json::Number(i64::from(self.number::<4>()? as i32)),
            Kind::Int64 => Json::Number(self.number::<8>()? as i64),
            Kind::Text => self.text(name)?.ok_or(ReadError::Null(name))?,
            Kind::NullableText => self.text(name)?.unwrap_or(Json::Null),
            Kind::Bytes => self.bytes()?.ok_or(ReadError::Null(name))?,
            Kind::NullableBytes => self.bytes()?.unwrap_or(Json::Null),
            Kind::Uuid => Json::Uuid(*self.take(16)?.first_chunk().ok_or(ReadError::Underflow)?),
            Kind::Array(element) => self.array(name, element)?.ok_or(ReadError::Null(name))?,
            Kind::NullableArray(element) => self.array(name, element)?.unwrap_or(Json::Null),
            Kind::Struct(fields) => self.fields(fields)?,
        })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ReadError> {
        let available = self.rest.len();
        let (taken, rest) =
            self.rest.split_at_checked(length).ok_or(ReadError::ShortArray { wanted: length, available })?;
        self.rest = rest;
        Ok(taken)
    }

    /// A big-endian number of `N` bytes, not extended by its sign.
    fn number<const N: usize>(&mut self) -> Result<u64, ReadError> {
        let bytes = self.take(N).map_err(|_| ReadError::Underflow)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn varint(&mut self) -> Result<u32, ReadError> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.number::<1>()? as u32;
            value |= (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ReadError::Varint(value))
    }

    /// The length of what follows, `None` for null.
    fn length(&mut self, wide: bool) -> Result<Option<usize>, ReadError> {
        let length = match (self.flexible, wide) {
            (true, _) => i64::from(self.varint()?) - 1,
            (false, true) => i64::from(self.number::<4>()? as i32),
            (false, false) => i64::from(self.number::<2>()? as i16),
        };
        Ok(usize::try_from(length).ok())
    }

    fn text(&mut self, name: &'static str) -> Result<Option<Json>, ReadError> {
        let Some(length) = self.length(false)? else { return Ok(None) };
        if length > i16::MAX as usize {
            return Err(ReadError::Length { field: name, length: length as i64 });
        }
        let bytes = self.take(length)?;
        Ok(Some(Json::Text(String::from_utf8_lossy(bytes).into_owned())))
    }

    fn bytes(&mut self) -> Result<Option<Json>, ReadError> {
        let Some(length) = self.length(true)? else { return Ok(None) };
        Ok(Some(Json::Bytes(self.take(length)?.to_vec())))
    }

    fn array(&mut self, name: &'static str, element: &'static Kind) -> Result<Option<Json>, ReadError> {
        let Some(length) = self.length(true)? else { return Ok(None) };
        if length > self.rest.len() {
            return Err(ReadError::ShortCollection { wanted: length, available: self.rest.len() });
        }
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(self.value(name, element)?);
        }
        Ok(Some(Json::Array(items)))
    }
}
