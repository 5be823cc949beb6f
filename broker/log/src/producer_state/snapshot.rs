//! `.snapshot` files: version 1, CRC-32C, entries of 46 bytes; the newest batch of each producer.

use gregor_model::{Offset, ProducerEpoch, ProducerId, Timestamp};
use gregor_records::crc32c;

use super::{BatchMetadata, ProducerEntry};

const VERSION: i16 = 1;
const HEADER_SIZE: usize = 10;
const ENTRY_SIZE: usize = 46;
const CRC_AT: usize = 2;
const CRC_FROM: usize = 6;

/// Why a snapshot cannot be used; it is removed then, and an older one tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSnapshot {
    /// Written by another broker.
    #[error("its version is {0}, not 1")]
    Version(i16),
    /// Bytes have changed.
    #[error("its checksum is wrong")]
    Checksum,
    /// It ends before its entries do.
    #[error("it is too short")]
    Short,
}

/// The file of these producers.
pub fn encode_snapshot<'a>(entries: impl ExactSizeIterator<Item = &'a ProducerEntry>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_SIZE + entries.len() * ENTRY_SIZE);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&(entries.len() as u32).to_be_bytes());
    for entry in entries {
        let last = entry.last_batch();
        bytes.extend_from_slice(&entry.producer_id.0.to_be_bytes());
        bytes.extend_from_slice(&entry.epoch.0.to_be_bytes());
        bytes.extend_from_slice(&entry.last_sequence().to_be_bytes());
        bytes.extend_from_slice(&last.map_or(-1, |batch| batch.last_offset.0).to_be_bytes());
        bytes.extend_from_slice(&last.map_or(0, |batch| batch.offset_delta).to_be_bytes());
        bytes.extend_from_slice(&entry.last_timestamp.0.to_be_bytes());
        bytes.extend_from_slice(&entry.coordinator_epoch.to_be_bytes());
        bytes.extend_from_slice(&Offset::to_wire(entry.transaction_start).to_be_bytes());
    }
    let crc = crc32c(&bytes[CRC_FROM..]);
    bytes[CRC_AT..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// The producers in the file.
///
/// # Errors
/// What Kafka takes for corrupt.
pub fn decode_snapshot(bytes: &[u8]) -> Result<Vec<ProducerEntry>, BadSnapshot> {
    let version = i16::from_be_bytes(field(bytes, 0)?);
    if version != VERSION {
        return Err(BadSnapshot::Version(version));
    }
    let crc = u32::from_be_bytes(field(bytes, CRC_AT)?);
    let checked = bytes.get(CRC_FROM..).ok_or(BadSnapshot::Short)?;
    if crc32c(checked) != crc {
        return Err(BadSnapshot::Checksum);
    }
    let count = i32::from_be_bytes(field(bytes, CRC_FROM)?);
    let entries = bytes.get(HEADER_SIZE..).ok_or(BadSnapshot::Short)?;
    let count = usize::try_from(count).map_err(|_| BadSnapshot::Short)?;
    if count > entries.len() / ENTRY_SIZE {
        return Err(BadSnapshot::Short);
    }
    entries.chunks_exact(ENTRY_SIZE).take(count).map(decode_entry).collect()
}

fn decode_entry(bytes: &[u8]) -> Result<ProducerEntry, BadSnapshot> {
    let mut entry = ProducerEntry::empty(ProducerId(i64::from_be_bytes(field(bytes, 0)?)));
    entry.epoch = ProducerEpoch(i16::from_be_bytes(field(bytes, 8)?));
    entry.last_timestamp = Timestamp(i64::from_be_bytes(field(bytes, 26)?));
    entry.coordinator_epoch = i32::from_be_bytes(field(bytes, 34)?);
    entry.transaction_start = Offset::from_wire(i64::from_be_bytes(field(bytes, 38)?));
    if let Some(last_offset) = Offset::from_wire(i64::from_be_bytes(field(bytes, 14)?)) {
        entry.add_batch(BatchMetadata {
            last_sequence: i32::from_be_bytes(field(bytes, 10)?),
            last_offset,
            offset_delta: i32::from_be_bytes(field(bytes, 22)?),
            timestamp: entry.last_timestamp,
        });
    }
    Ok(entry)
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], BadSnapshot> {
    bytes.get(at..at + N).and_then(|field| field.try_into().ok()).ok_or(BadSnapshot::Short)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_ONE: &str = "000122ac0517000000010000000000000fa00003000000090000000000000031\
                          000000020000018bcfe568000000000cffffffffffffffff";

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn golden_bytes() {
        assert_eq!(encode_snapshot([].iter()), bytes("000148674bc700000000"));
        let decoded = decode_snapshot(&bytes(OF_ONE)).unwrap();
        assert_eq!(decoded.len(), 1);
        assert_eq!(decoded[0].producer_id, ProducerId(4000));
        assert_eq!(decoded[0].last_batch().unwrap().first_offset(), Offset(47));
        assert_eq!(decoded[0].coordinator_epoch, 12);
        assert_eq!(decoded[0].transaction_start, None);
        assert_eq!(encode_snapshot(decoded.iter()), bytes(OF_ONE));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = bytes(OF_ONE);
        for at in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[at / 8] ^= 1 << (at % 8);
            assert!(decode_snapshot(&bad).is_err(), "bit {at}");
        }
        for len in 0..good.len() {
            assert!(decode_snapshot(&good[..len]).is_err(), "length {len}");
        }
    }
}
