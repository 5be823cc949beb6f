//! One message of magic 0 or 1, without the offset and size in front of it.

use gregor_model::{Offset, Timestamp};

use crate::attributes::{Attributes, TimestampType};
use crate::batch::{Magic, field, timestamp_from_wire, timestamp_to_wire};
use crate::builder::{BuildError, length_field};
use crate::crc::crc32;
use crate::record::{RecordsError, invalid};

const CRC_LENGTH: usize = 4;
const MAGIC_AT: usize = 4;
const ATTRIBUTES_AT: usize = 5;
const TIMESTAMP_AT: usize = 6;

/// A message as stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) magic: Magic,
    pub(crate) attributes: Attributes,
    /// None in magic 0.
    pub(crate) timestamp: Option<Timestamp>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    bytes: &'a [u8],
}

impl<'a> Message<'a> {
    /// Parses what follows the size field. The checksum is not looked at.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Message<'a>, RecordsError> {
        let [magic] = field(bytes, MAGIC_AT).ok_or_else(too_short)?;
        let magic = match Magic::from_byte(magic) {
            Some(magic @ (Magic::V0 | Magic::V1)) => magic,
            _ => return Err(invalid(format!("Invalid magic {} of a legacy message", magic as i8))),
        };
        let [attributes] = field(bytes, ATTRIBUTES_AT).ok_or_else(too_short)?;
        let (timestamp, key_at) = match magic {
            Magic::V0 => (None, TIMESTAMP_AT),
            _ => {
                let timestamp = i64::from_be_bytes(field(bytes, TIMESTAMP_AT).ok_or_else(too_short)?);
                (timestamp_from_wire(timestamp), TIMESTAMP_AT + 8)
            }
        };
        let mut rest = bytes.get(key_at..).ok_or_else(too_short)?;
        let key = read_nullable(&mut rest)?;
        let value = read_nullable(&mut rest)?;
        Ok(Message { magic, attributes: Attributes::from_low_byte(attributes), timestamp, key, value, bytes })
    }

    /// The stored checksum and the one computed from the bytes.
    pub(crate) fn checksums(&self) -> (u32, u32) {
        let stored = field(self.bytes, 0).map_or(0, u32::from_be_bytes);
        (stored, crc32(self.bytes.get(CRC_LENGTH..).unwrap_or_default()))
    }
}

fn read_nullable<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, RecordsError> {
    let (length, after) = rest.split_first_chunk::<4>().ok_or_else(too_short)?;
    *rest = after;
    let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
        return Ok(None);
    };
    let (bytes, after) = rest.split_at_checked(length).ok_or_else(too_short)?;
    *rest = after;
    Ok(Some(bytes))
}

fn too_short() -> RecordsError {
    invalid("Found invalid legacy message: a field passes the end of the message")
}

/// What to write as one message.
pub(super) struct MessageFields<'a> {
    pub(super) offset: Offset,
    pub(super) magic: Magic,
    pub(super) timestamp_type: TimestampType,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
}

/// Appends one uncompressed message, offset, size and checksum included.
pub(super) fn write_message(out: &mut Vec<u8>, fields: &MessageFields<'_>) -> Result<(), BuildError> {
    let start = out.len();
    let attributes = message_attributes(fields.magic, fields.timestamp_type);
    write_head(out, fields.offset, fields.magic, attributes, fields.timestamp);
    for part in [fields.key, fields.value] {
        match part {
            None => out.extend_from_slice(&(-1i32).to_be_bytes()),
            Some(bytes) => {
                out.extend_from_slice(&length_field(bytes.len())?.to_be_bytes());
                out.extend_from_slice(bytes);
            }
        }
    }
    seal(out, start)
}

/// Appends offset, places for size and checksum, and everything before the key.
pub(super) fn write_head(
    out: &mut Vec<u8>,
    offset: Offset,
    magic: Magic,
    attributes: Attributes,
    timestamp: Option<Timestamp>,
) {
    out.extend_from_slice(&offset.0.to_be_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&[magic.as_byte(), attributes.low_byte()]);
    if magic != Magic::V0 {
        out.extend_from_slice(&timestamp_to_wire(timestamp).to_be_bytes());
    }
}

/// Fills in size and checksum of the message that began at `start` and goes to the end.
pub(super) fn seal(out: &mut [u8], start: usize) -> Result<(), BuildError> {
    const SIZE_AND_CRC: std::ops::Range<usize> = 8..16;
    let message = out.get_mut(start..).unwrap_or_default();
    let size = length_field(message.len().saturating_sub(crate::batch::LOG_OVERHEAD))?;
    let crc = crc32(message.get(SIZE_AND_CRC.end..).unwrap_or_default());
    if let Some(place) = message.get_mut(SIZE_AND_CRC) {
        let (first, second) = place.split_at_mut(4);
        first.copy_from_slice(&size.to_be_bytes());
        second.copy_from_slice(&crc.to_be_bytes());
    }
    Ok(())
}

/// Magic 0 has no timestamp type.
pub(super) fn message_attributes(magic: Magic, timestamp_type: TimestampType) -> Attributes {
    match magic {
        Magic::V0 => Attributes::default(),
        _ => Attributes::default().with_timestamp_type(timestamp_type),
    }
}
