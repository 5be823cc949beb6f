//! The reference vectors through views and patches, and hostile bytes.

use gregor_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::attributes::TimestampType;
use crate::vectors::{A, B, C, D, E, F, G, T, hex};

#[track_caller]
fn only(bytes: &[u8]) -> BatchRef<'_> {
    let batch = BatchRef::first(bytes).unwrap();
    batch.check_crc().unwrap();
    assert_eq!(batch.size_in_bytes, bytes.len());
    batch
}

#[test]
fn header_of_a() {
    let bytes = hex(A);
    let batch = only(&bytes);
    assert_eq!(batch.magic, Magic::V2);
    assert_eq!(batch.crc, 0x2815_2d3f);
    assert_eq!(
        (batch.base_offset(), batch.last_offset(), batch.next_offset()),
        (Offset(100), Offset(101), Offset(102))
    );
    assert_eq!(batch.partition_leader_epoch, Some(LeaderEpoch(5)));
    assert_eq!((batch.base_timestamp, batch.max_timestamp), (T, Some(Timestamp(T + 5))));
    assert_eq!((batch.producer_id, batch.base_sequence), (None, None));
    assert_eq!(batch.record_count, Some(2));
    assert_eq!(batch.delete_horizon(), None);
    assert!(!batch.is_compressed() && !batch.is_control() && !batch.is_transactional());
}

#[test]
fn headers_of_the_others() {
    let bytes = hex(B);
    assert_eq!(only(&bytes).delete_horizon(), Some(Timestamp(T + 86_400_000)));

    let bytes = hex(C);
    let batch = only(&bytes);
    assert_eq!((batch.producer_id, batch.producer_epoch), (Some(ProducerId(4000)), ProducerEpoch(3)));
    assert_eq!((batch.base_sequence, batch.last_sequence()), (Some(Sequence(7)), Some(Sequence(8))));
    assert_eq!((batch.record_count, batch.last_offset()), (Some(0), Offset(101)));
    assert!(batch.is_transactional());

    let bytes = hex(D);
    let batch = only(&bytes);
    assert!(batch.is_control() && batch.is_transactional());

    let bytes = hex(E);
    let batch = only(&bytes);
    assert_eq!((batch.magic, batch.last_offset()), (Magic::V1, Offset(7)));
    assert_eq!((batch.max_timestamp, batch.record_count), (Some(Timestamp(T)), None));

    let bytes = hex(F);
    let batch = only(&bytes);
    assert_eq!((batch.magic, batch.max_timestamp), (Magic::V0, None));

    let bytes = hex(G);
    let batch = only(&bytes);
    assert_eq!((batch.codec(), batch.last_offset()), (Some(crate::Codec::Lz4), Offset(11)));
}

#[test]
fn patches() {
    let sent = {
        let mut bytes = hex(A);
        set_base_offset(&mut bytes, Offset(0));
        bytes[12..16].copy_from_slice(&(-1i32).to_be_bytes());
        bytes
    };
    assert_eq!(only(&sent).crc, 0x2815_2d3f);
    assert_eq!(only(&sent).partition_leader_epoch, None);

    let mut stored = sent;
    set_last_offset(&mut stored, Offset(101));
    set_partition_leader_epoch(&mut stored, LeaderEpoch(5));
    set_max_timestamp(&mut stored, TimestampType::CreateTime, Some(Timestamp(T + 5)));
    assert_eq!(stored, hex(A));

    set_max_timestamp(&mut stored, TimestampType::LogAppendTime, Some(Timestamp(T + 1000)));
    let batch = only(&stored);
    assert_eq!(batch.crc, 0x87fa_d112);
    assert_eq!(batch.attributes.low_byte(), 8);
    let mut records = batch.records(Limits::for_batch(&batch)).unwrap();
    while let Some(record) = records.next_record().unwrap() {
        assert_eq!(record.timestamp, Some(Timestamp(T + 1000)));
    }
}

#[test]
fn several_batches_and_a_torn_one() {
    let whole = [hex(A), hex(E), hex(D)].concat();
    let torn = [whole.clone(), hex(B)[..70].to_vec()].concat();
    let offsets: Vec<_> = batches(&whole).map(|batch| batch.unwrap().last_offset().0).collect();
    assert_eq!(offsets, [101, 7, 50]);
    let mut walk = batches(&torn);
    assert_eq!(walk.by_ref().filter(Result::is_ok).count(), 3);
    assert_eq!(walk.position(), whole.len());
    let last = batches(&torn).last().unwrap().unwrap_err();
    assert_eq!(last, BatchError::Torn { needed: 72, available: 70 });
}

#[test]
fn what_is_torn_and_what_is_corrupt() {
    #[track_caller]
    fn check(length: usize, patch: &[(usize, u8)], torn: bool) {
        let mut bytes = hex(A);
        bytes.truncate(length);
        for &(at, byte) in patch {
            bytes[at] = byte;
        }
        match BatchRef::first(&bytes).unwrap_err() {
            BatchError::Torn { available, .. } => assert!(torn && available == length),
            BatchError::Corrupt(_) => assert!(!torn),
        }
    }
    check(0, &[], true);
    check(11, &[], true);
    check(16, &[], true);
    check(60, &[], true);
    check(88, &[], true);
    check(89, &[(11, 13)], false); // below the smallest size
    check(89, &[(8, 0x80)], false); // negative size
    check(89, &[(11, 48)], false); // no room for the header
    check(89, &[(16, 3)], false); // unknown magic
    check(89, &[(16, 0xff)], false);
    check(12, &[(11, 0)], false); // damaged before it is torn
}

#[test]
fn wrong_crc() {
    for at in [21, 40, 60, 88] {
        let mut bytes = hex(A);
        bytes[at] ^= 1;
        assert!(matches!(BatchRef::first(&bytes).unwrap().check_crc(), Err(BatchError::Corrupt(_))));
    }
}

fn read_all(bytes: &[u8]) {
    for batch in batches(bytes) {
        let Ok(batch) = batch else { break };
        let limits = Limits { record_bytes_max: 1 << 16, total_bytes_max: 1 << 18 };
        let _ = (batch.check_crc(), batch.last_offset(), batch.next_offset(), batch.last_sequence());
        let Ok(mut records) = batch.records(limits) else { continue };
        while let Ok(Some(record)) = records.next_record() {
            let headers = record.headers.iter().count();
            assert_eq!(headers, record.headers.len());
            assert!(record.key.map_or(0, <[u8]>::len) <= limits.record_bytes_max);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read_all(&bytes);
    }

    #[test]
    fn mutated_batches_never_panic(
        which in 0usize..7,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = hex([A, B, C, D, E, F, G][which]);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read_all(&bytes);
        bytes.truncate(cut.index(bytes.len()) + 1);
        read_all(&bytes);
    }
}
