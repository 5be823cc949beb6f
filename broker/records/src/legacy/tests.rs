//! Old message sets: the reference vectors, round trips, wrappers' offsets, and down-conversion.

use gregor_model::{Offset, ProducerEpoch, ProducerId, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::attributes::TimestampType;
use crate::batch::{BatchRef, Magic, batches};
use crate::builder::{BatchBuilder, BatchOptions, BuildError};
use crate::compression::{Codec, Compression};
use crate::control::EndTransactionMarker;
use crate::record::{Limits, RecordsError};
use crate::vectors::{A, E, F, G, T, hex};

const OLD_CODECS: [Codec; 4] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4];

type Read = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>);

fn read(bytes: &[u8]) -> Result<Vec<Read>, RecordsError> {
    let mut all = Vec::new();
    for batch in batches(bytes) {
        let batch = batch.unwrap();
        batch.check_crc().unwrap();
        let mut records = batch.records(Limits::for_batch(&batch))?;
        while let Some(record) = records.next_record()? {
            all.push((
                record.offset.0,
                record.timestamp.map_or(-1, |timestamp| timestamp.0),
                record.key.map(<[u8]>::to_vec),
                record.value.map(<[u8]>::to_vec),
            ));
        }
    }
    Ok(all)
}

fn build(magic: Magic, codec: Codec, records: &[Read]) -> Vec<u8> {
    let compression = Compression::of(codec);
    let mut builder =
        LegacyBuilder::new(magic, compression, TimestampType::CreateTime, None, Vec::new()).unwrap();
    for (offset, timestamp, key, value) in records {
        let timestamp = (*timestamp != -1).then_some(Timestamp(*timestamp));
        builder.append(Offset(*offset), timestamp, key.as_deref(), value.as_deref()).unwrap();
    }
    builder.finish().unwrap()
}

fn record(offset: i64, timestamp: i64, key: &str, value: &str) -> Read {
    (offset, timestamp, Some(key.into()), Some(value.into()))
}

#[test]
fn vectors_are_written() {
    assert_eq!(build(Magic::V1, Codec::None, &[record(7, T, "k", "v")]), hex(E));
    assert_eq!(build(Magic::V0, Codec::None, &[(7, -1, None, Some(b"v".to_vec()))]), hex(F));
    let wrapper = build(Magic::V1, Codec::Lz4, &[record(10, T, "a", "x"), record(11, T + 5, "b", "y")]);
    assert_eq!(read(&wrapper).unwrap(), read(&hex(G)).unwrap());
    let (ours, theirs) = (BatchRef::first(&wrapper).unwrap(), hex(G));
    let theirs = BatchRef::first(&theirs).unwrap();
    assert_eq!(ours.stored_offset, theirs.stored_offset);
    assert_eq!(ours.max_timestamp, theirs.max_timestamp);
    assert_eq!(ours.attributes, theirs.attributes);
}

#[test]
fn wrapper_offsets() {
    let records = [record(10, T, "a", "x"), record(13, T, "b", "y")];
    let patched = |magic, offset: i64| {
        let mut bytes = build(magic, Codec::Gzip, &records);
        bytes[..8].copy_from_slice(&offset.to_be_bytes());
        read(&bytes).map(|records| records.into_iter().map(|record| record.0).collect::<Vec<_>>())
    };
    assert_eq!(patched(Magic::V1, 13), Ok(vec![10, 13]));
    assert_eq!(patched(Magic::V1, 103), Ok(vec![100, 103]));
    assert_eq!(patched(Magic::V1, 0), Ok(vec![0, 3]));
    assert!(matches!(patched(Magic::V1, 2), Err(RecordsError::Invalid(_))));
    assert_eq!(patched(Magic::V0, 999), Ok(vec![10, 13]));
}

#[test]
fn append_time_of_a_wrapper_overrides() {
    let mut builder = LegacyBuilder::new(
        Magic::V1,
        Compression::of(Codec::Snappy),
        TimestampType::LogAppendTime,
        Some(Timestamp(77)),
        Vec::new(),
    )
    .unwrap();
    builder.append(Offset(1), Some(Timestamp(T)), None, Some(b"v")).unwrap();
    let bytes = builder.finish().unwrap();
    assert_eq!(BatchRef::first(&bytes).unwrap().max_timestamp, Some(Timestamp(77)));
    assert_eq!(read(&bytes).unwrap()[0].1, 77);
}

#[test]
fn what_these_formats_do_not_have() {
    let new = |magic, codec| {
        LegacyBuilder::new(magic, Compression::of(codec), TimestampType::CreateTime, None, Vec::new()).err()
    };
    assert_eq!(new(Magic::V1, Codec::Zstd), Some(BuildError::UnsupportedCodec(Codec::Zstd)));
    assert_eq!(new(Magic::V2, Codec::None), Some(BuildError::UnsupportedMagic(Magic::V2)));
    assert_eq!(new(Magic::V0, Codec::Gzip), None);
}

#[test]
fn broken_wrappers() {
    // A null value, and nothing inside.
    let mut null = hex(E);
    null[17] = 1;
    null.truncate(31);
    null.extend_from_slice(&(-1i32).to_be_bytes());
    let size = (null.len() - 12) as u32;
    null[8..12].copy_from_slice(&size.to_be_bytes());
    let batch = BatchRef::first(&null).unwrap();
    assert!(batch.records(Limits::for_batch(&batch)).is_err());
    // Inner messages that claim to be compressed.
    let mut nested = hex(G);
    nested[34 + 11 + 17] = 1;
    let batch = BatchRef::first(&nested).unwrap();
    let mut records = batch.records(Limits::for_batch(&batch)).unwrap();
    let error = records.next_record().unwrap_err();
    assert_eq!(error.to_string(), "Inner messages must not be compressed");
}

fn current(codec: Codec, base: i64, count: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions {
        base_offset: Offset(base),
        compression: Compression::of(codec),
        ..BatchOptions::default()
    })
    .unwrap();
    for i in 0..count {
        let headers: [(&[u8], Option<&[u8]>); 1] = [(b"h", None)];
        builder.append(Offset(base + i), Some(Timestamp(T + i)), Some(b"k"), Some(b"v"), &headers).unwrap();
    }
    builder.finish().unwrap()
}

fn marker(offset: i64) -> Vec<u8> {
    EndTransactionMarker { commit: true, coordinator_epoch: 0 }
        .batch(Offset(offset), None, ProducerId(1), ProducerEpoch(0), Timestamp(T))
        .unwrap()
}

#[test]
fn down_conversion_keeps_records_and_drops_the_rest() {
    #[track_caller]
    fn check(codec: Codec, to: Magic, from_offset: i64, expected: &[i64]) {
        let stored = [current(codec, 10, 3), marker(13), current(codec, 14, 1)].concat();
        let mut out = Vec::new();
        down_convert(&stored, to, Offset(from_offset), &mut out).unwrap();
        assert!(batches(&out).all(|batch| batch.unwrap().magic == to));
        let read = read(&out).unwrap();
        assert_eq!(read.iter().map(|record| record.0).collect::<Vec<_>>(), expected);
        let times = if to == Magic::V0 { -1 } else { T };
        assert!(read.iter().all(|record| record.1 == -1 || record.1 >= times));
    }
    for to in [Magic::V0, Magic::V1] {
        check(Codec::None, to, 0, &[10, 11, 12, 14]);
        check(Codec::None, to, 12, &[12, 14]);
        check(Codec::None, to, 13, &[14]);
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4] {
            check(codec, to, 12, &[10, 11, 12, 14]);
        }
    }
}

#[test]
fn down_conversion_of_old_batches() {
    let mut out = Vec::new();
    down_convert(&[hex(E), hex(F), hex(G)].concat(), Magic::V1, Offset(0), &mut out).unwrap();
    assert_eq!(out, [hex(E), hex(F), hex(G)].concat());
    out.clear();
    down_convert(&[hex(E), hex(G)].concat(), Magic::V0, Offset(0), &mut out).unwrap();
    assert!(batches(&out).all(|batch| batch.unwrap().magic == Magic::V0));
    assert_eq!(read(&out).unwrap().iter().map(|record| record.0).collect::<Vec<_>>(), [7, 10, 11]);
}

/// Feeds `chunks` and returns the whole answer, which must have the promised size.
fn answer(chunks: &[Vec<u8>], to: Magic, from: i64) -> Result<Vec<u8>, DownConversionError> {
    let mut conversion = DownConversion::new(to, Offset(from), chunks.iter().map(Vec::len).sum());
    let mut sent = Vec::new();
    for chunk in chunks {
        conversion.feed(chunk)?;
        sent.extend(conversion.take());
    }
    conversion.end_source();
    while !conversion.is_complete() {
        let piece = conversion.take();
        assert!(!piece.is_empty());
        sent.extend(piece);
    }
    assert!(conversion.take().is_empty());
    assert_eq!(Some(sent.len()), conversion.size());
    Ok(sent)
}

/// The offsets a client reads: whole batches up to the first cut-off one.
fn offsets(answer: &[u8]) -> Vec<i64> {
    let whole = {
        let mut walk = batches(answer);
        while walk.by_ref().next().is_some_and(|batch| batch.is_ok()) {}
        walk.position()
    };
    read(&answer[..whole]).unwrap().into_iter().map(|record| record.0).collect()
}

#[test]
fn answers_have_their_promised_size() {
    let compressed = vec![current(Codec::Gzip, 0, 50), current(Codec::Gzip, 50, 50)];
    assert_eq!(offsets(&answer(&compressed, Magic::V1, 0).unwrap())[..50], (0..50).collect::<Vec<_>>()[..]);
    // The first converted batch is larger than all that is stored.
    let plain = vec![current(Codec::None, 0, 50)];
    let all = answer(&plain, Magic::V1, 0).unwrap();
    assert!(all.len() > plain[0].len());
    assert_eq!(offsets(&all), (0..50).collect::<Vec<_>>());
    // Nothing is left of markers: the head of a message that does not fit.
    let overflow = answer(&[marker(5)], Magic::V1, 0).unwrap();
    assert_eq!(overflow, [vec![0xff; 8], vec![0, 0, 0, 61]].concat());
    assert_eq!(answer(&[], Magic::V1, 0).unwrap(), b"");
}

#[test]
fn what_is_missing_is_filled() {
    // Dropping most of the second batch leaves room, filled by more than one piece.
    let chunks = vec![current(Codec::None, 0, 1), marker(1), current(Codec::None, 2, 20_000)];
    let converted = answer(&chunks, Magic::V1, 20_000).unwrap();
    assert_eq!(converted.len(), chunks.iter().map(Vec::len).sum::<usize>());
    assert_eq!(offsets(&converted), [20_000, 20_001]);
}

#[test]
fn zstd_first_is_an_error_and_later_an_end() {
    let zstd = current(Codec::Zstd, 1, 1);
    assert_eq!(answer(std::slice::from_ref(&zstd), Magic::V1, 0), Err(DownConversionError::Zstd));
    let converted = answer(&[current(Codec::None, 0, 1), zstd], Magic::V1, 0).unwrap();
    assert_eq!(offsets(&converted), [0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_built_is_read(
        gaps in proptest::collection::vec(
            (1i64..50, 0i64..1 << 40, proptest::option::of("[a-z]{0,20}"), proptest::option::of(".{0,60}")), 1..20),
        base in 0i64..1 << 40,
        magic in proptest::sample::select(vec![Magic::V0, Magic::V1]),
        codec in proptest::sample::select(OLD_CODECS.to_vec()),
    ) {
        let mut offset = base;
        let records: Vec<Read> = gaps.into_iter().map(|(gap, timestamp, key, value)| {
            offset += gap;
            let timestamp = if magic == Magic::V0 { -1 } else { timestamp };
            (offset, timestamp, key.map(String::into_bytes), value.map(String::into_bytes))
        }).collect();
        let bytes = build(magic, codec, &records);
        prop_assert_eq!(BatchRef::first(&bytes).unwrap().magic, magic);
        prop_assert_eq!(read(&bytes).unwrap(), records);
    }

    #[test]
    fn damaged_input_converts_or_fails(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        codec in proptest::sample::select(OLD_CODECS.to_vec()),
    ) {
        let mut stored = [current(codec, 0, 5), hex(A), hex(G)].concat();
        for (at, byte) in changes {
            let at = at.index(stored.len());
            stored[at] = byte;
        }
        let mut out = Vec::new();
        let _ = down_convert(&stored, Magic::V0, Offset(0), &mut out);
        let _ = answer(&[stored], Magic::V1, 0);
    }
}
