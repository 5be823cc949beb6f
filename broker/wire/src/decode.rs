//! Decoding with bounded memory.
//!
//! The protocol crate reserves what a length on the wire claims, so four bytes can ask for 144 GiB and abort the
//! process. Every message is therefore decoded from a [`Guarded`] buffer that does not let such claims through:
//! a varint must not exceed the bytes that are left (each element takes at least one), and a 32-bit integer is cut
//! to one more than the bytes left in a first pass; an array cut like that runs into the end. Only if that pass
//! succeeds, and some other field was cut, the message is decoded a second time as it is.

use bytes::{Buf, Bytes, TryGetError};
use kafka_protocol::protocol::Decodable;
use kafka_protocol::protocol::buf::ByteBuf;

/// Why a message cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are not a message of this type and version.
    #[error("malformed message: {0}")]
    Malformed(String),
    /// There are bytes after the message.
    #[error("{0} bytes after the end of the message")]
    TrailingBytes(usize),
}

/// A varint may be this large whatever is left: tags and enumerations are not lengths.
const VARINT_FLOOR: u64 = 16 * 1024;

/// From this many claimed elements on, see whether the memory is there before the decoder takes it. No element of
/// any message is larger than `ELEMENT_BYTES_MAX`.
const LARGE_CLAIM: u64 = 1 << 20;
const ELEMENT_BYTES_MAX: usize = 256;

/// Decodes a whole message. Byte strings of the message share the memory of `bytes`.
pub fn decode<T: Decodable>(bytes: Bytes, version: i16) -> Result<T, DecodeError> {
    let mut bytes = bytes;
    let message = decode_prefix(&mut bytes, version)?;
    match bytes.len() {
        0 => Ok(message),
        left => Err(DecodeError::TrailingBytes(left)),
    }
}

/// Decodes the body of a request. What follows it is passed over, as Kafka's parser does: librdkafka 2.12 sends three
/// bytes more than Metadata 12 has.
pub(crate) fn decode_request_body<T: Decodable>(mut bytes: Bytes, version: i16) -> Result<T, DecodeError> {
    decode_prefix(&mut bytes, version)
}

/// Decodes a message at the start of `bytes` and leaves what follows it.
pub fn decode_prefix<T: Decodable>(bytes: &mut Bytes, version: i16) -> Result<T, DecodeError> {
    let mut guarded = Guarded { bytes: bytes.clone(), integers: Integers::Cut, cut_some: false };
    let mut message = decode_guarded(&mut guarded, version)?;
    if guarded.cut_some {
        guarded = Guarded { bytes: bytes.clone(), integers: Integers::AsTheyAre, cut_some: false };
        message = decode_guarded(&mut guarded, version)?;
    }
    *bytes = guarded.bytes;
    Ok(message)
}

fn decode_guarded<T: Decodable>(guarded: &mut Guarded, version: i16) -> Result<T, DecodeError> {
    T::decode(guarded, version).map_err(|error| DecodeError::Malformed(error.to_string()))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Integers {
    /// Answer at most one more than the bytes left.
    Cut,
    /// Answer what is there.
    AsTheyAre,
}

/// The buffer that refuses claims no honest message makes.
#[derive(Debug)]
struct Guarded {
    bytes: Bytes,
    integers: Integers,
    cut_some: bool,
}

impl Guarded {
    /// The varint that would start here; the decoder reads it byte by byte, so every byte is looked at as one. Cut to
    /// 32 bits like the decoder's.
    fn varint_ahead(&self) -> u64 {
        let mut value = 0u32;
        for (index, byte) in self.bytes.iter().take(5).enumerate() {
            value |= u32::from(byte & 0x7f) << (index * 7);
            if byte & 0x80 == 0 {
                break;
            }
        }
        u64::from(value)
    }

    fn is_plausible(&self, claim: u64) -> bool {
        let left = self.bytes.len() as u64;
        claim <= left.max(VARINT_FLOOR) && (claim < LARGE_CLAIM || memory_is_there(claim))
    }

    fn not_enough(&self, requested: usize) -> TryGetError {
        TryGetError { requested, available: self.bytes.len() }
    }
}

/// Whether so many elements could be reserved; nothing stays reserved, and untouched memory costs nothing.
fn memory_is_there(elements: u64) -> bool {
    let bytes = usize::try_from(elements).ok().and_then(|elements| elements.checked_mul(ELEMENT_BYTES_MAX));
    bytes.is_some_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok())
}

impl Buf for Guarded {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        self.bytes.split_to(length)
    }

    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        let claim = self.varint_ahead();
        if !self.is_plausible(claim) {
            return Err(self.not_enough(usize::try_from(claim).unwrap_or(usize::MAX)));
        }
        self.bytes.try_get_u8()
    }

    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        let value = self.bytes.try_get_i32()?;
        if self.integers == Integers::AsTheyAre || value < 0 {
            return Ok(value);
        }
        let limit = i32::try_from(self.bytes.len()).unwrap_or(i32::MAX).saturating_add(1);
        if value > limit {
            self.cut_some = true;
        }
        let value = value.min(limit);
        let claim = u64::try_from(value).unwrap_or(0);
        if claim >= LARGE_CLAIM && !memory_is_there(claim) {
            return Err(self.not_enough(usize::try_from(claim).unwrap_or(usize::MAX)));
        }
        Ok(value)
    }
}

impl ByteBuf for Guarded {
    fn peek_bytes(&mut self, range: std::ops::Range<usize>) -> Bytes {
        self.bytes.slice(range)
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        self.bytes.split_to(size)
    }
}

#[cfg(test)]
mod tests;
