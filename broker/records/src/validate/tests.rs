//! The table of what a leader refuses, what it stores as sent, and what it rebuilds.

use bytes::Bytes;
use gregor_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::attributes::TimestampType;
use crate::batch::{set_base_offset, set_max_timestamp};
use crate::builder::{BatchBuilder, BatchOptions, Producer};
use crate::compression::Compression;
use crate::control::EndTransactionMarker;
use crate::crc::crc32c;
use crate::legacy::LegacyBuilder;
use crate::record::Limits;
use crate::vectors::{A, T, hex};

const NOW: Timestamp = Timestamp(T + 1000);

fn partition() -> TopicPartition {
    TopicPartition::new("t", 0)
}

fn topic() -> ValidationConfig {
    ValidationConfig::default()
}

fn compacted() -> ValidationConfig {
    ValidationConfig { compacted: true, ..topic() }
}

fn append_time() -> ValidationConfig {
    ValidationConfig { timestamp_type: TimestampType::LogAppendTime, ..topic() }
}

fn compressed_by(codec: Codec) -> ValidationConfig {
    ValidationConfig { compression: Some(Compression::of(codec)), ..topic() }
}

/// A batch as a producer sends it: records at T, T + 1, …, keys `k0`, `k1`, …, one header each.
fn sent(codec: Codec, count: i64) -> Vec<u8> {
    sent_with(BatchOptions { compression: Compression::of(codec), ..BatchOptions::default() }, count)
}

fn sent_with(options: BatchOptions, count: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(options).unwrap();
    for i in 0..count {
        let key = format!("k{i}");
        let headers: [(&[u8], Option<&[u8]>); 1] = [(b"h", Some(b"1"))];
        builder
            .append(Offset(i), Some(Timestamp(T + i)), Some(key.as_bytes()), Some(b"value"), &headers)
            .unwrap();
    }
    builder.finish().unwrap()
}

fn sealed(mut batch: Vec<u8>, patch: &[(usize, u8)]) -> Vec<u8> {
    for &(at, byte) in patch {
        batch[at] = byte;
    }
    let crc = crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

fn legacy(magic: Magic, codec: Codec, count: i64) -> Vec<u8> {
    let mut builder =
        LegacyBuilder::new(magic, Compression::of(codec), TimestampType::CreateTime, None, Vec::new())
            .unwrap();
    for i in 0..count {
        builder.append(Offset(i), Some(Timestamp(T + i)), Some(b"k"), Some(b"value")).unwrap();
    }
    builder.finish().unwrap()
}

fn run(batch: &[u8], config: &ValidationConfig, origin: AppendOrigin) -> Result<Validated, ValidationError> {
    let validated = validate(&Bytes::copy_from_slice(batch), &partition(), config, origin, NOW)?;
    let mut validated = validated.unwrap();
    validated.assign(Offset(500), LeaderEpoch(9));
    let bytes = validated.to_bytes();
    let stored = BatchRef::first(&bytes).unwrap();
    stored.check_crc().unwrap();
    assert_eq!(stored.header(), validated.header());
    assert_eq!(stored.last_offset(), Offset(500 + validated.offset_count - 1));
    assert_eq!(stored.partition_leader_epoch, Some(LeaderEpoch(9)));
    Ok(validated)
}

fn accepted(batch: &[u8], config: &ValidationConfig) -> Validated {
    run(batch, config, AppendOrigin::Client).unwrap()
}

type Read = (i64, Option<i64>, Option<Vec<u8>>, Option<Vec<u8>>, usize);

fn read(batch: &[u8]) -> Vec<Read> {
    let mut all = Vec::new();
    for batch in crate::batches(batch) {
        let batch = batch.unwrap();
        let mut records = batch.records(Limits::for_batch(&batch)).unwrap();
        while let Some(record) = records.next_record().unwrap() {
            all.push((
                record.offset.0,
                record.timestamp.map(|timestamp| timestamp.0),
                record.key.map(<[u8]>::to_vec),
                record.value.map(<[u8]>::to_vec),
                record.headers.len(),
            ));
        }
    }
    all
}

#[test]
fn the_payload_is_kept_as_sent() {
    for codec in Codec::ALL {
        let bytes = Bytes::from(sent(codec, 3));
        let mut validated =
            validate(&bytes, &partition(), &topic(), AppendOrigin::Client, NOW).unwrap().unwrap();
        validated.assign(Offset(500), LeaderEpoch(9));
        assert_eq!(validated.payload().as_ptr(), bytes[61..].as_ptr(), "not copied");
        assert_eq!(validated.converted_records, 0);
        assert_eq!((validated.offset_count, validated.max_timestamp), (3, Some(Timestamp(T + 2))));
        assert_eq!(validated.header().crc, BatchRef::first(&bytes).unwrap().crc);
        let read: Vec<i64> = read(&validated.to_bytes()).iter().map(|record| record.0).collect();
        assert_eq!(read, [500, 501, 502]);
    }
}

#[test]
fn vector_a_on_an_append_time_topic() {
    let mut batch = hex(A);
    set_base_offset(&mut batch, Offset(0));
    let mut validated =
        validate(&batch.into(), &partition(), &append_time(), AppendOrigin::Client, NOW).unwrap().unwrap();
    validated.assign(Offset(100), LeaderEpoch(5));
    let mut expected = hex(A);
    set_max_timestamp(&mut expected, TimestampType::LogAppendTime, Some(NOW));
    assert_eq!(validated.to_bytes(), expected);
    assert_eq!(validated.header().crc, 0x87fa_d112);
    assert_eq!(validated.append_time, Some(NOW));
    assert_eq!(validated.max_timestamp, Some(NOW));
}

#[test]
fn a_wrong_maximum_timestamp_is_corrected() {
    let mut batch = sent(Codec::Gzip, 3);
    set_max_timestamp(&mut batch, TimestampType::CreateTime, Some(Timestamp(1)));
    let stored = accepted(&batch, &topic());
    assert_eq!(stored.header().max_timestamp, Some(Timestamp(T + 2)));
    assert_eq!(stored.converted_records, 0);
}

#[test]
fn recompression() {
    for source in Codec::ALL {
        for target in Codec::ALL {
            let batch = sent(source, 20);
            let stored = accepted(&batch, &compressed_by(target));
            assert_eq!(stored.header().codec(), Some(target));
            assert_eq!(stored.converted_records, if source == target { 0 } else { 20 });
            let expected: Vec<Read> =
                read(&batch).into_iter().map(|(offset, t, k, v, h)| (offset + 500, t, k, v, h)).collect();
            assert_eq!(read(&stored.to_bytes()), expected);
        }
    }
}

#[test]
fn recompression_keeps_the_producer_and_stamps_append_time() {
    let producer = Producer { id: ProducerId(4), epoch: ProducerEpoch(2), base_sequence: Some(Sequence(7)) };
    let options = BatchOptions { producer: Some(producer), transactional: true, ..BatchOptions::default() };
    let config = ValidationConfig { compression: Some(Compression::of(Codec::Zstd)), ..append_time() };
    let stored = accepted(&sent_with(options, 2), &config);
    let header = stored.header();
    assert_eq!((header.producer_id, header.producer_epoch), (Some(ProducerId(4)), ProducerEpoch(2)));
    assert_eq!(header.base_sequence, Some(Sequence(7)));
    assert!(header.is_transactional());
    assert_eq!(header.timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(header.max_timestamp, Some(NOW));
}

#[test]
fn old_formats_become_one_batch() {
    for magic in [Magic::V0, Magic::V1] {
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4] {
            for config in [topic(), compacted(), compressed_by(Codec::Zstd)] {
                let stored = accepted(&legacy(magic, codec, 3), &config);
                assert_eq!(stored.converted_records, 3);
                let target = config.compression.map_or(codec, Compression::codec);
                assert_eq!(stored.header().codec(), Some(target));
                let times: Vec<_> = read(&stored.to_bytes()).iter().map(|record| record.1).collect();
                let expected = match magic {
                    Magic::V0 => [None; 3],
                    _ => [Some(T), Some(T + 1), Some(T + 2)],
                };
                assert_eq!(times, expected);
                let max = if magic == Magic::V0 { None } else { Some(Timestamp(T + 2)) };
                assert_eq!(stored.max_timestamp, max);
            }
        }
    }
}

#[test]
fn sparse_offsets_are_kept_only_when_not_compressed() {
    let sparse = |codec| {
        let mut builder = BatchBuilder::new(BatchOptions {
            compression: Compression::of(codec),
            ..BatchOptions::default()
        })
        .unwrap();
        builder.append(Offset(0), None, Some(b"a"), None, &[]).unwrap();
        builder.append(Offset(5), None, Some(b"b"), None, &[]).unwrap();
        let bytes = builder.finish().unwrap();
        sealed(bytes, &[(26, 1)]) // last offset delta
    };
    let offsets =
        |stored: &Validated| read(&stored.to_bytes()).iter().map(|record| record.0).collect::<Vec<_>>();
    let stored = accepted(&sparse(Codec::None), &topic());
    assert_eq!((stored.converted_records, offsets(&stored)), (0, vec![500, 505]));
    let stored = accepted(&sparse(Codec::Lz4), &topic());
    assert_eq!((stored.converted_records, offsets(&stored)), (2, vec![500, 501]));
}

/// The start of the error, for each kind.
fn kind(result: Result<Validated, ValidationError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(ValidationError::InvalidRecord(_)) => "record",
        Err(ValidationError::InvalidRecords { .. }) => "records",
        Err(ValidationError::InvalidTimestamps { .. }) => "timestamps",
        Err(ValidationError::Corrupt(_)) => "corrupt",
        Err(ValidationError::TooLarge { .. }) => "large",
        Err(ValidationError::UnknownCodec(_)) => "codec",
        Err(ValidationError::Build(_)) => "build",
    }
}

#[test]
fn batches_that_clients_may_not_send() {
    #[track_caller]
    fn check(batch: Vec<u8>, from_client: &str, from_coordinator: &str) {
        assert_eq!(kind(run(&batch, &topic(), AppendOrigin::Client)), from_client);
        assert_eq!(kind(run(&batch, &topic(), AppendOrigin::Coordinator)), from_coordinator);
    }
    let three = || sent(Codec::None, 3);
    let producer = |base_sequence| Producer { id: ProducerId(4), epoch: ProducerEpoch(2), base_sequence };
    let marker = EndTransactionMarker { commit: true, coordinator_epoch: 1 }
        .batch(Offset(0), None, ProducerId(4), ProducerEpoch(2), Timestamp(T))
        .unwrap();
    let unsequenced = BatchOptions { producer: Some(producer(None)), ..BatchOptions::default() };
    check(three(), "ok", "ok");
    check(sealed(three(), &[(7, 1)]), "record", "ok"); // base offset 1
    check(sealed(three(), &[(26, 3)]), "record", "ok"); // last offset delta 3 of 3 records
    check(sealed(three(), &[(23, 0xff)]), "record", "ok"); // negative last offset delta
    check(sealed(three(), &[(57, 0xff)]), "record", "record"); // negative count
    check(sealed(three(), &[(60, 2), (26, 1)]), "record", "record"); // a record too many
    check(sealed(three(), &[(60, 4), (26, 3)]), "record", "record"); // a record too few
    check(marker, "record", "ok");
    check(sent_with(unsequenced, 1), "record", "ok");
    check([three(), three()].concat(), "record", "record");
    check(
        [legacy(Magic::V1, Codec::Gzip, 1), legacy(Magic::V1, Codec::Gzip, 1)].concat(),
        "record",
        "record",
    );
    check(
        [legacy(Magic::V1, Codec::None, 1), legacy(Magic::V0, Codec::None, 1)].concat(),
        "record",
        "record",
    );
    check([legacy(Magic::V1, Codec::None, 1), legacy(Magic::V1, Codec::None, 1)].concat(), "ok", "ok");
    check(sealed(three(), &[(22, 6)]), "codec", "codec");
    let mut damaged = three();
    damaged[70] ^= 1;
    check(damaged, "corrupt", "corrupt");
    let mut unknown_magic = three();
    unknown_magic[16] = 3;
    check(unknown_magic, "corrupt", "corrupt");
}

#[test]
fn control_batches_of_coordinators_are_never_compressed() {
    let marker = EndTransactionMarker { commit: true, coordinator_epoch: 1 }
        .batch(Offset(0), None, ProducerId(4), ProducerEpoch(2), Timestamp(T))
        .unwrap();
    for config in [compressed_by(Codec::Gzip), compacted()] {
        let stored = run(&marker, &config, AppendOrigin::Coordinator).unwrap();
        assert_eq!(stored.header().codec(), Some(Codec::None));
        assert!(stored.header().is_control());
        assert_eq!(stored.converted_records, 0);
    }
}

#[test]
fn keys_on_compacted_topics() {
    for codec in Codec::ALL {
        let options = BatchOptions { compression: Compression::of(codec), ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options).unwrap();
        for (offset, key) in [Some("a"), None, Some(""), None].into_iter().enumerate() {
            builder.append(Offset(offset as i64), None, key.map(str::as_bytes), None, &[]).unwrap();
        }
        let batch = builder.finish().unwrap();
        assert_eq!(kind(run(&batch, &topic(), AppendOrigin::Client)), "ok");
        for config in
            [compacted(), ValidationConfig { compression: Some(Compression::of(Codec::Lz4)), ..compacted() }]
        {
            let error = run(&batch, &config, AppendOrigin::Client).unwrap_err();
            let indexes: Vec<i32> = error.record_errors().iter().map(|error| error.batch_index).collect();
            assert_eq!(indexes, [1, 3]);
            assert!(error.to_string().starts_with(
                "One or more records have been rejected due to 2 record errors in total, and only showing the first \
                 three errors at most: [RecordError(batchIndex=1, message='Compacted topic cannot accept message \
                 without key in topic partition t-0'"
            ));
        }
    }
}

#[test]
fn timestamp_bounds() {
    #[track_caller]
    fn check(timestamp: i64, before: i64, after: i64, expected: &str) {
        let config =
            ValidationConfig { timestamp_before_max_ms: before, timestamp_after_max_ms: after, ..topic() };
        let mut builder = BatchBuilder::new(BatchOptions::default()).unwrap();
        builder.append(Offset(0), crate::batch::timestamp_from_wire(timestamp), None, None, &[]).unwrap();
        let batch = builder.finish().unwrap();
        assert_eq!(kind(run(&batch, &config, AppendOrigin::Client)), expected);
        let config = ValidationConfig { timestamp_type: TimestampType::LogAppendTime, ..config };
        assert_eq!(kind(run(&batch, &config, AppendOrigin::Client)), "ok");
    }
    let now = NOW.0;
    check(now, 0, 0, "ok");
    check(now - 1, 0, 0, "timestamps");
    check(now + 1, 0, 0, "timestamps");
    check(now - 10, 10, 0, "ok");
    check(now - 11, 10, 0, "timestamps");
    check(now + 10, 0, 10, "ok");
    check(now + 11, 0, 10, "timestamps");
    check(-1, 0, 0, "ok");
    check(i64::MIN, i64::MAX, i64::MAX, "ok");
    check(i64::MAX, i64::MAX, 10, "timestamps");
}

#[test]
fn batches_that_claim_append_time() {
    for codec in [Codec::None, Codec::Zstd] {
        let mut batch = sent(codec, 2);
        set_max_timestamp(&mut batch, TimestampType::LogAppendTime, Some(Timestamp(T + 7)));
        // In range on a CreateTime topic: the type is cleared, and the claimed time is kept as the maximum.
        let stored = accepted(&batch, &topic());
        assert_eq!(stored.header().timestamp_type(), TimestampType::CreateTime);
        assert_eq!(stored.header().max_timestamp, Some(Timestamp(T + 7)));
        assert_eq!(kind(run(&batch, &append_time(), AppendOrigin::Client)), "timestamps");
        set_max_timestamp(&mut batch, TimestampType::LogAppendTime, None);
        assert_eq!(kind(run(&batch, &topic(), AppendOrigin::Client)), "timestamps");
    }
}

#[test]
fn sizes() {
    let batch = sent(Codec::Zstd, 1000);
    let exact = ValidationConfig { max_message_bytes: batch.len(), ..topic() };
    assert_eq!(kind(run(&batch, &exact, AppendOrigin::Client)), "ok");
    let short = ValidationConfig { max_message_bytes: batch.len() - 1, ..topic() };
    assert_eq!(kind(run(&batch, &short, AppendOrigin::Client)), "large");
    let grown = ValidationConfig { max_message_bytes: batch.len(), ..compressed_by(Codec::None) };
    assert_eq!(kind(run(&batch, &grown, AppendOrigin::Client)), "large");
}

#[test]
fn incomplete_batches_are_cut_off() {
    let whole = sent(Codec::None, 2);
    let torn = [whole.clone(), whole[..50].to_vec()].concat();
    assert_eq!(accepted(&torn, &topic()).size_in_bytes(), whole.len());
    for length in [0, 5, 20, 60, whole.len() - 1] {
        let bytes = Bytes::copy_from_slice(&whole[..length]);
        assert!(validate(&bytes, &partition(), &topic(), AppendOrigin::Client, NOW).unwrap().is_none());
    }
}

#[test]
fn damaged_inner_messages() {
    // Flip a byte of an inner message's value, and set the wrapper's checksum right.
    let mut wrapper = hex(crate::vectors::G);
    wrapper[80] ^= 1;
    let crc = crate::crc::crc32(&wrapper[16..]);
    wrapper[12..16].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(kind(run(&wrapper, &topic(), AppendOrigin::Client)), "corrupt");
}

#[test]
fn listed_record_errors_are_bounded() {
    let mut builder = BatchBuilder::new(BatchOptions::default()).unwrap();
    let count = RECORD_ERRORS_MAX as i64 + 5;
    for offset in 0..count {
        builder.append(Offset(offset), None, None, None, &[]).unwrap();
    }
    let error = run(&builder.finish().unwrap(), &compacted(), AppendOrigin::Client).unwrap_err();
    assert_eq!(error.record_errors().len(), RECORD_ERRORS_MAX);
    assert!(error.to_string().contains(&format!("due to {count} record errors")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn hostile_records_never_panic(
        codec in proptest::sample::select(Codec::ALL.to_vec()),
        target in proptest::option::of(proptest::sample::select(Codec::ALL.to_vec())),
        old in any::<bool>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        sealing in any::<bool>(),
    ) {
        let mut batch = if old && codec != Codec::Zstd { legacy(Magic::V1, codec, 3) } else { sent(codec, 3) };
        for (at, byte) in changes {
            let at = at.index(batch.len());
            batch[at] = byte;
        }
        if sealing && !old {
            batch = sealed(batch, &[]);
        }
        let config = ValidationConfig {
            compression: target.map(Compression::of), compacted: true, max_message_bytes: 10_000, ..topic()
        };
        if let Ok(Some(mut validated)) = validate(&batch.into(), &partition(), &config, AppendOrigin::Client, NOW) {
            validated.assign(Offset(500), LeaderEpoch(9));
            let stored = validated.to_bytes();
            prop_assert!(stored.len() <= config.max_message_bytes);
            let stored = BatchRef::first(&stored).unwrap();
            prop_assert!(stored.check_crc().is_ok());
            prop_assert_eq!(stored.base_offset(), Offset(500));
            let mut records = stored.records(Limits::for_batch(&stored)).unwrap();
            while records.next_record().unwrap().is_some() {}
        }
    }
}
