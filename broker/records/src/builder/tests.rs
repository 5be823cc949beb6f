//! Built batches against the reference vectors, and round trips of arbitrary records.

use proptest::prelude::*;

use super::*;
use crate::batch::BatchRef;
use crate::control::EndTransactionMarker;
use crate::record::Limits;
use crate::vectors::{A, B, C, D, T, hex};

fn options_of_a() -> BatchOptions {
    BatchOptions {
        base_offset: Offset(100),
        partition_leader_epoch: Some(LeaderEpoch(5)),
        ..BatchOptions::default()
    }
}

#[test]
fn vector_a() {
    let mut builder = BatchBuilder::new(options_of_a()).unwrap();
    let headers: [(&[u8], Option<&[u8]>); 2] = [(b"h", Some(&[1, 2])), (b"n", None)];
    builder.append(Offset(100), Some(Timestamp(T)), None, Some(b"hello"), &headers).unwrap();
    builder.append(Offset(101), Some(Timestamp(T + 5)), Some(b"k"), None, &[]).unwrap();
    assert_eq!(builder.written_bytes(), 89);
    assert_eq!(builder.finish().unwrap(), hex(A));
}

#[test]
fn vector_b_keeps_offsets_and_gets_a_horizon() {
    let options = BatchOptions { delete_horizon: Some(Timestamp(T + 86_400_000)), ..options_of_a() };
    let mut builder = BatchBuilder::new(options).unwrap();
    builder.append(Offset(101), Some(Timestamp(T + 5)), Some(b"k"), None, &[]).unwrap();
    assert_eq!(builder.finish().unwrap(), hex(B));
}

#[test]
fn vector_c_is_empty() {
    let producer =
        Producer { id: ProducerId(4000), epoch: ProducerEpoch(3), base_sequence: Some(Sequence(7)) };
    let options = BatchOptions { producer: Some(producer), transactional: true, ..options_of_a() };
    assert_eq!(empty_batch(&options, Offset(101), Some(Timestamp(T + 5))).unwrap(), hex(C));
}

#[test]
fn vector_d_is_a_marker() {
    #[track_caller]
    fn check(commit: bool, expected: &[u8]) {
        let marker = EndTransactionMarker { commit, coordinator_epoch: 12 };
        let batch = marker
            .batch(Offset(50), Some(LeaderEpoch(5)), ProducerId(4000), ProducerEpoch(3), Timestamp(T))
            .unwrap();
        assert_eq!(batch, expected);
    }
    check(true, &hex(D));
    let mut abort = hex(D);
    abort[69] = 0;
    abort[17..21].copy_from_slice(&hex("93814fe7"));
    check(false, &abort);
}

#[test]
fn offsets_must_rise_and_fit() {
    let mut builder = BatchBuilder::new(options_of_a()).unwrap();
    let mut append = |offset| builder.append(Offset(offset), None, None, None, &[]);
    assert!(matches!(append(99), Err(BuildError::OffsetOutOfRange { .. })));
    assert_eq!(append(100), Ok(()));
    assert!(matches!(append(100), Err(BuildError::OffsetNotIncreasing { .. })));
    assert_eq!(append(100 + i64::from(i32::MAX)), Ok(()));
    assert!(matches!(append(101 + i64::from(i32::MAX)), Err(BuildError::OffsetOutOfRange { .. })));
}

#[test]
fn nothing_appended_nothing_written() {
    for codec in Codec::ALL {
        let options = BatchOptions { compression: Compression::of(codec), ..options_of_a() };
        let builder = BatchBuilder::append_to(b"before".to_vec(), options).unwrap();
        assert_eq!(builder.finish().unwrap(), b"before");
    }
}

#[test]
fn last_offset_can_be_kept() {
    let mut builder = BatchBuilder::new(options_of_a()).unwrap();
    builder.append(Offset(103), Some(Timestamp(T)), None, None, &[]).unwrap();
    builder.keep_last_offset(Offset(110));
    let bytes = builder.finish().unwrap();
    let batch = BatchRef::first(&bytes).unwrap();
    assert_eq!((batch.base_offset(), batch.last_offset()), (Offset(100), Offset(110)));
    assert_eq!(batch.record_count, Some(1));
}

type Header = (Vec<u8>, Option<Vec<u8>>);

#[derive(Clone, Debug)]
struct Sample {
    gap: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<Header>,
}

fn bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
    proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200))
}

fn sample() -> impl Strategy<Value = Sample> {
    let headers = proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..5), bytes()), 0..4);
    (1i64..1000, any::<i64>(), bytes(), bytes(), headers)
        .prop_map(|(gap, timestamp, key, value, headers)| Sample { gap, timestamp, key, value, headers })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_built_is_read(
        samples in proptest::collection::vec(sample(), 1..30),
        codec in proptest::sample::select(Codec::ALL.to_vec()),
        base in 0i64..1 << 50,
        horizon in proptest::option::of(any::<i64>()),
    ) {
        let mut builder = BatchBuilder::append_to(b"prefix".to_vec(), BatchOptions {
            base_offset: Offset(base),
            compression: Compression::of(codec),
            delete_horizon: horizon.map(Timestamp),
            ..BatchOptions::default()
        }).unwrap();
        let mut offset = base;
        for sample in &samples {
            offset += sample.gap;
            let headers: Vec<(&[u8], Option<&[u8]>)> =
                sample.headers.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).collect();
            let timestamp = (sample.timestamp != -1).then_some(Timestamp(sample.timestamp));
            builder.append(
                Offset(offset), timestamp, sample.key.as_deref(), sample.value.as_deref(), &headers,
            ).unwrap();
        }
        let bytes = builder.finish().unwrap();
        let bytes = bytes.strip_prefix(b"prefix").unwrap();
        let batch = BatchRef::first(bytes).unwrap();
        batch.check_crc().unwrap();
        prop_assert_eq!(batch.size_in_bytes, bytes.len());
        prop_assert_eq!(batch.last_offset(), Offset(offset));
        prop_assert_eq!(batch.max_timestamp.map_or(-1, |max| max.0),
            samples.iter().map(|sample| sample.timestamp).max().unwrap().max(-1));
        let mut records = batch.records(Limits::for_batch(&batch)).unwrap();
        let mut expected = base;
        for sample in &samples {
            expected += sample.gap;
            let record = records.next_record().unwrap().unwrap();
            prop_assert_eq!(record.offset, Offset(expected));
            prop_assert_eq!(record.timestamp.map_or(-1, |timestamp| timestamp.0), sample.timestamp);
            prop_assert_eq!(record.key, sample.key.as_deref());
            prop_assert_eq!(record.value, sample.value.as_deref());
            let headers: Vec<Header> = record.headers.iter()
                .map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec))).collect();
            prop_assert_eq!(&headers, &sample.headers);
        }
        prop_assert_eq!(records.next_record(), Ok(None));
    }
}
