//! Reading records: the reference vectors, what contradicts a batch, and the bounds.

use gregor_model::{Offset, Sequence, Timestamp};

use super::*;
use crate::batch::{BatchRef, Magic, set_max_timestamp};
use crate::builder::{BatchBuilder, BatchOptions};
use crate::compression::{Codec, Compression};
use crate::vectors::{A, B, C, D, E, F, G, T, hex};

/// Offset, timestamp, key, value, headers: of every record, or why reading failed.
type Read = (i64, Option<i64>, Option<String>, Option<String>, Vec<(String, Option<Vec<u8>>)>);

fn read_with(bytes: &[u8], limits: Limits) -> Result<Vec<Read>, RecordsError> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let batch = BatchRef::first(bytes).unwrap();
    let mut records = batch.records(limits)?;
    let mut all = Vec::new();
    while let Some(record) = records.next_record()? {
        all.push((
            record.offset.0,
            record.timestamp.map(|timestamp| timestamp.0),
            record.key.map(text),
            record.value.map(text),
            record.headers.iter().map(|(key, value)| (text(key), value.map(<[u8]>::to_vec))).collect(),
        ));
    }
    Ok(all)
}

fn read(bytes: &[u8]) -> Result<Vec<Read>, RecordsError> {
    read_with(bytes, Limits::for_stored_bytes(bytes.len()))
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn records_of_a() -> Vec<Read> {
    let headers = vec![("h".to_owned(), Some(vec![1, 2])), ("n".to_owned(), None)];
    vec![(100, Some(T), None, text("hello"), headers), (101, Some(T + 5), text("k"), None, vec![])]
}

/// A with its records in one stored lz4 block.
fn a_in_lz4() -> Vec<u8> {
    let a = hex(A);
    let mut bytes = a[..61].to_vec();
    bytes[8..12].copy_from_slice(&hex("0000005c"));
    bytes[17..21].copy_from_slice(&hex("374ac160"));
    bytes[21..23].copy_from_slice(&hex("0003"));
    bytes.extend_from_slice(&hex("04224d186040821c000080"));
    bytes.extend_from_slice(&a[61..]);
    bytes.extend_from_slice(&[0; 4]);
    bytes
}

#[test]
fn vectors() {
    assert_eq!(read(&hex(A)).unwrap(), records_of_a());
    let lz4 = a_in_lz4();
    BatchRef::first(&lz4).unwrap().check_crc().unwrap();
    assert_eq!(lz4.len(), 104);
    assert_eq!(read(&lz4).unwrap(), records_of_a());
    assert_eq!(read(&hex(B)).unwrap(), vec![(101, Some(T + 5), text("k"), None, vec![])]);
    assert_eq!(read(&hex(C)).unwrap(), vec![]);
    assert_eq!(read(&hex(E)).unwrap(), vec![(7, Some(T), text("k"), text("v"), vec![])]);
    assert_eq!(read(&hex(F)).unwrap(), vec![(7, None, None, text("v"), vec![])]);
    assert_eq!(
        read(&hex(G)).unwrap(),
        vec![(10, Some(T), text("a"), text("x"), vec![]), (11, Some(T + 5), text("b"), text("y"), vec![])]
    );
}

#[test]
fn markers() {
    use crate::control::{ControlRecordType, EndTransactionMarker};
    let commit = hex(D);
    let abort = EndTransactionMarker { commit: false, coordinator_epoch: 12 }
        .batch(
            Offset(50),
            Some(gregor_model::LeaderEpoch(5)),
            gregor_model::ProducerId(4000),
            gregor_model::ProducerEpoch(3),
            Timestamp(T),
        )
        .unwrap();
    for (bytes, is_commit) in [(commit, true), (abort, false)] {
        let batch = BatchRef::first(&bytes).unwrap();
        let mut records = batch.records(Limits::for_batch(&batch)).unwrap();
        let record = records.next_record().unwrap().unwrap();
        let kind = if is_commit { ControlRecordType::Commit } else { ControlRecordType::Abort };
        assert_eq!(ControlRecordType::of(&record), Ok(kind));
        let marker = EndTransactionMarker::parse(&record).unwrap().unwrap();
        assert_eq!(marker, EndTransactionMarker { commit: is_commit, coordinator_epoch: 12 });
        assert_eq!(records.next_record(), Ok(None));
    }
}

#[test]
fn sequences_wrap_with_offsets() {
    let mut bytes = hex(A);
    bytes[43..51].copy_from_slice(&7i64.to_be_bytes());
    bytes[53..57].copy_from_slice(&i32::MAX.to_be_bytes());
    let batch = BatchRef::first(&bytes).unwrap();
    let mut records = batch.records(Limits::for_batch(&batch)).unwrap();
    assert_eq!(records.next_record().unwrap().unwrap().sequence, Some(Sequence(i32::MAX)));
    assert_eq!(records.next_record().unwrap().unwrap().sequence, Some(Sequence(0)));
}

#[test]
fn contradictions() {
    #[track_caller]
    fn check(patch: &[(usize, u8)], expected: &str) {
        let mut bytes = hex(A);
        for &(at, byte) in patch {
            bytes[at] = byte;
        }
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    check(&[(57, 0xff)], "invalid record count");
    check(&[(60, 1)], "records still remaining");
    check(&[(60, 3)], "premature EOF");
    check(&[(61, 0x28)], "Invalid record size: expected to read");
    check(&[(61, 0x24)], "passes the end");
    check(&[(61, 0x01)], "Invalid record size -1");
    check(&[(66, 0x40)], "passes the end"); // the value's length
    check(&[(22, 5)], "Unknown compression type id: 5");
    check(&[(22, 4)], "Failed to decompress zstd");
}

#[test]
fn a_negative_length_is_null() {
    let mut bytes = hex(A);
    bytes[65] = 0x03; // key length -2
    assert_eq!(read(&bytes).unwrap()[0].2, None);
}

#[test]
fn large_records_are_read_within_limits() {
    let value = vec![7u8; 3_000_000];
    for codec in Codec::ALL {
        let options = BatchOptions { compression: Compression::of(codec), ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options).unwrap();
        for offset in 0..3 {
            builder.append(Offset(offset), Some(Timestamp(T)), None, Some(&value), &[]).unwrap();
        }
        let bytes = builder.finish().unwrap();
        assert_eq!(read(&bytes).unwrap().len(), 3);
        if codec != Codec::None {
            let limits = Limits { record_bytes_max: 2_000_000, total_bytes_max: 1 << 30 };
            assert!(matches!(read_with(&bytes, limits), Err(RecordsError::TooLarge { .. })));
            let limits = Limits { record_bytes_max: 4_000_000, total_bytes_max: 8_000_000 };
            assert!(matches!(read_with(&bytes, limits), Err(RecordsError::Compression(_))));
        }
    }
}

#[test]
fn a_record_that_claims_more_than_comes_costs_little() {
    // One record of 2^31 - 1 bytes, of which ten come.
    let mut body = Vec::new();
    crate::varint::write_int(&mut body, i32::MAX);
    body.extend_from_slice(&[0; 10]);
    let mut compressor =
        crate::compression::Compressor::new(Compression::of(Codec::Zstd), Vec::new(), crate::Magic::V2)
            .unwrap();
    compressor.write(&body).unwrap();
    let payload = compressor.finish().unwrap();
    let mut bytes = hex(A)[..61].to_vec();
    bytes.extend_from_slice(&payload);
    let size = (bytes.len() - 12) as u32;
    bytes[8..12].copy_from_slice(&size.to_be_bytes());
    bytes[22] = 4;
    assert!(read(&bytes).is_err());
}

#[test]
fn append_time_overrides_deltas() {
    let mut bytes = hex(A);
    set_max_timestamp(&mut bytes, crate::TimestampType::LogAppendTime, Some(Timestamp(9)));
    assert!(read(&bytes).unwrap().iter().all(|record| record.1 == Some(9)));
}

/// Format, codec, offset and bytes of batches that Kafka 3.9's `MemoryRecordsBuilder` wrote: one record, key `k0`, value
/// null, time T, and in magic 2 a header.
const WRITTEN_BY_KAFKA: [(Magic, Codec, i64, &str); 10] = [
    (
        Magic::V0,
        Codec::Gzip,
        5101,
        "00000000000013ed00000036df2378b70001ffffffff000000281f8b08000000000000ff63600001e1b74042e0e3\
         e30dbbc05ca66c83ff4000008c110df11c000000",
    ),
    (
        Magic::V0,
        Codec::Snappy,
        10202,
        "00000000000027da0000003e8cbcbb190002ffffffff0000003082534e415050590000000001000000010000001c\
         1c000005015427da00000010f1e3b0ba0000000000026b30ffffffff",
    ),
    (
        Magic::V0,
        Codec::Lz4,
        15303,
        "0000000000003bc700000036eee133d30003ffffffff0000002804224d1860401a1900000011000100a13bc70000\
         0010f1e3b0ba0f0070026b30ffffffff00000000",
    ),
    (
        Magic::V1,
        Codec::Gzip,
        25505,
        "00000000000063a100000042e781cc6801010000018bcfe56800ffffffff0000002c1f8b08000000000000ff6360\
         800389eb9aaf9b19810cc6eef34f3340224cd906ff81000036f0c5be24000000",
    ),
    (
        Magic::V1,
        Codec::Snappy,
        30606,
        "000000000000778e000000490d5393fe01020000018bcfe56800ffffffff0000003382534e415050590000000001\
         000000010000001f24000019016018d729eb8301000000018bcfe56800000000026b30ffffffff",
    ),
    (
        Magic::V1,
        Codec::Lz4,
        35707,
        "0000000000008b7b00000044cbc8ec4b01030000018bcfe56800ffffffff0000002e04224d186040821f00000016\
         000100f00a18d729eb8301000000018bcfe56800000000026b30ffffffff00000000",
    ),
    (
        Magic::V2,
        Codec::Gzip,
        45909,
        "000000000000b35500000052ffffffff0206c12ae10001000000000000018bcfe568000000018bcfe56800ffffff\
         ffffffffffffffffffffff000000011f8b08000000000000ff9360606060c936606462ca6062040044fb1e810d00\
         0000",
    ),
    (
        Magic::V2,
        Codec::Snappy,
        51010,
        "000000000000c74200000054ffffffff02e2fcb3d10002000000000000018bcfe568000000018bcfe56800ffffff\
         ffffffffffffffffffffff0000000182534e415050590000000001000000010000000f0d3018000000046b300102\
         02680201",
    ),
    (
        Magic::V2,
        Codec::Lz4,
        56111,
        "000000000000db2f0000004dffffffff0269bb0cd00003000000000000018bcfe568000000018bcfe56800ffffff\
         ffffffffffffffffffffff0000000104224d186040820d00008018000000046b3001020268020100000000",
    ),
    (
        Magic::V2,
        Codec::Zstd,
        61212,
        "000000000000ef1c0000004affffffff02e74fb4ba0004000000000000018bcfe568000000018bcfe56800ffffff\
         ffffffffffffffffffffff0000000128b52ffd005868000018000000046b30010202680201010000",
    ),
];

#[test]
fn batches_of_kafka() {
    for (magic, codec, offset, bytes) in WRITTEN_BY_KAFKA {
        let bytes = hex(bytes);
        let batch = BatchRef::first(&bytes).unwrap();
        batch.check_crc().unwrap();
        assert_eq!((batch.magic, batch.codec()), (magic, Some(codec)));
        let timestamp = (magic != Magic::V0).then_some(T);
        let headers = if magic == Magic::V2 { vec![("h".to_owned(), Some(vec![1]))] } else { vec![] };
        assert_eq!(read(&bytes).unwrap(), vec![(offset, timestamp, text("k0"), None, headers)]);
    }
}
