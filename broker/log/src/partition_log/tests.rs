//! The log as a whole, on real files.

use gregor_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};
use gregor_records::{BatchOptions, Producer};

use crate::testing::*;
use crate::{AppendError, AppendOrigin, FetchIsolation, LogConfig, PartitionLog, ReadError};

const EPOCH: LeaderEpoch = LeaderEpoch(3);

fn small_segments() -> LogConfig {
    LogConfig { segment_bytes: 1000, index_interval_bytes: 100, ..LogConfig::default() }
}

fn append(log: &PartitionLog, count: i32, bytes: usize, timestamp: i64) -> crate::AppendInfo {
    let batch = client_batch(count, bytes, timestamp);
    log.append_as_leader(batch, EPOCH, AppendOrigin::Client, None, NOW).unwrap()
}

#[test]
fn appended_records_are_read_back_with_offsets_and_epoch() {
    let (_root, dir) = partition_dir();
    let log = load_unclean(&dir, small_segments());
    for n in 0..50 {
        let info = append(&log, 2, 40, NOW.0 + n);
        assert_eq!(info.first_offset, Some(Offset(2 * n)));
        assert_eq!(info.last_offset, Some(Offset(2 * n + 1)));
    }
    assert_eq!(log.log_end_offset(), Offset(100));
    assert!(log.segment_count() > 5);
    let bytes = read_all(&log);
    let batches: Vec<_> = gregor_records::batches(&bytes).map(Result::unwrap).collect();
    assert_eq!(batches.len(), 50);
    for (n, batch) in batches.iter().enumerate() {
        assert_eq!(batch.base_offset(), Offset(2 * n as i64));
        assert_eq!(batch.partition_leader_epoch, Some(EPOCH));
        batch.check_crc().unwrap();
    }
    for offset in 0..100 {
        let data = log.read(Offset(offset), 1, FetchIsolation::LogEnd, true).unwrap();
        let bytes = data.records.unwrap().read_to_bytes().unwrap();
        let batch = gregor_records::BatchRef::first(&bytes).unwrap();
        assert!(batch.base_offset() <= Offset(offset) && Offset(offset) <= batch.last_offset());
    }
    assert_eq!(log.latest_epoch(), Some(EPOCH));
    assert_eq!(log.end_offset_for_epoch(EPOCH), Some((EPOCH, Offset(100))));
}

#[test]
fn a_log_is_the_same_after_a_clean_stop_and_after_a_crash() {
    for clean in [true, false] {
        let (_root, dir) = partition_dir();
        let log = load_unclean(&dir, small_segments());
        for n in 0..40 {
            append(&log, 3, 30, NOW.0 + n);
        }
        let (bytes, segments) = (read_all(&log), log.segment_count());
        if clean {
            log.close(NOW).unwrap();
        }
        drop(log);
        let log = load(&dir, small_segments(), checkpoint(clean, if clean { 120 } else { 0 })).unwrap();
        assert_eq!(log.log_end_offset(), Offset(120));
        assert_eq!(log.segment_count(), segments);
        assert_eq!(read_all(&log), bytes);
        assert_eq!(append(&log, 1, 10, NOW.0).first_offset, Some(Offset(120)));
    }
}

#[test]
fn readers_are_bounded_by_isolation() {
    let (_root, dir) = partition_dir();
    let log = load_unclean(&dir, LogConfig::default());
    for n in 0..10 {
        append(&log, 1, 10, NOW.0 + n);
    }
    log.set_high_watermark(Offset(4));
    let read = |from, isolation| log.read(Offset(from), 1 << 20, isolation, true).map(|data| data.len());
    let one = read(9, FetchIsolation::LogEnd).unwrap();
    assert_eq!(read(0, FetchIsolation::LogEnd).unwrap(), 10 * one);
    assert_eq!(read(0, FetchIsolation::HighWatermark).unwrap(), 4 * one);
    assert_eq!(read(4, FetchIsolation::HighWatermark).unwrap(), 0);
    assert_eq!(read(7, FetchIsolation::HighWatermark).unwrap(), 0);
    assert_eq!(read(10, FetchIsolation::LogEnd).unwrap(), 0);
    assert!(matches!(read(11, FetchIsolation::LogEnd), Err(ReadError::OutOfRange { .. })));
    let offsets = log.offsets();
    assert_eq!(offsets.high_watermark.position, 4 * one as u64);
    assert_eq!(offsets.log_end_offset.position, 10 * one as u64);
}

#[test]
fn a_follower_takes_the_leaders_bytes() {
    let (_root, dir) = partition_dir();
    let leader = load_unclean(&dir, small_segments());
    for n in 0..30 {
        append(&leader, 2, 40, NOW.0 + n);
    }
    let (_root, dir) = partition_dir();
    let follower = load_unclean(&dir, small_segments());
    while follower.log_end_offset() < leader.log_end_offset() {
        let data = leader.read(follower.log_end_offset(), 333, FetchIsolation::LogEnd, true).unwrap();
        let bytes = data.records.unwrap().read_to_bytes().unwrap();
        follower.append_as_follower(bytes, Some(EPOCH), NOW).unwrap();
    }
    assert_eq!(read_all(&leader), read_all(&follower));
    assert_eq!(follower.latest_epoch(), Some(EPOCH));
    let again = leader.read(Offset(0), 10, FetchIsolation::LogEnd, true).unwrap().records.unwrap();
    let refused = follower.append_as_follower(again.read_to_bytes().unwrap(), Some(EPOCH), NOW);
    assert!(matches!(refused, Err(AppendError::UnexpectedOffset { .. })));
}

#[test]
fn a_follower_leaves_out_what_a_later_leader_wrote() {
    let (_root, dir) = partition_dir();
    let leader = load_unclean(&dir, LogConfig::default());
    for epoch in [EPOCH, LeaderEpoch(5), EPOCH] {
        // The last one is of an earlier epoch again: what comes after a batch that is left out is left out, too.
        let batch = client_batch(2, 40, NOW.0);
        leader.append_as_leader(batch, epoch, AppendOrigin::Client, None, NOW).unwrap();
    }
    for (of_fetch, log_end) in [(LeaderEpoch(2), 0), (EPOCH, 2), (LeaderEpoch(5), 6)] {
        let (_root, dir) = partition_dir();
        let follower = load_unclean(&dir, LogConfig::default());
        let info = follower.append_as_follower(read_all(&leader).into(), Some(of_fetch), NOW).unwrap();
        assert_eq!((info.log_end_offset, follower.log_end_offset()), (Offset(log_end), Offset(log_end)));
        assert!(follower.latest_epoch() <= Some(of_fetch));
    }
}

#[test]
fn truncation_leaves_what_lies_before() {
    for target in [0, 1, 6, 7, 20, 21, 59, 60] {
        let (_root, dir) = partition_dir();
        let log = load_unclean(&dir, small_segments());
        let mut ends = vec![0];
        for n in 0..60 {
            append(&log, 1, 40, NOW.0 + n);
            ends.push(read_all(&log).len());
        }
        log.set_high_watermark(Offset(60));
        let bytes = read_all(&log);
        assert_eq!(log.truncate_to(Offset(target), NOW).unwrap(), target < 60);
        assert_eq!(log.log_end_offset(), Offset(target));
        assert_eq!(log.high_watermark(), Offset(target));
        assert_eq!(read_all(&log), bytes[..ends[target as usize]]);
        assert_eq!(append(&log, 1, 40, NOW.0).first_offset, Some(Offset(target)));
        drop(log);
        let log = load_unclean(&dir, small_segments());
        assert_eq!(log.log_end_offset(), Offset(target + 1));
    }
}

#[test]
fn duplicates_are_told_and_gaps_refused() {
    let (_root, dir) = partition_dir();
    let log = load_unclean(&dir, LogConfig::default());
    let send = |log: &PartitionLog, sequence: i32| {
        let producer = Producer {
            id: ProducerId(9),
            epoch: ProducerEpoch(0),
            base_sequence: Some(gregor_model::Sequence(sequence)),
        };
        let options = BatchOptions { producer: Some(producer), ..BatchOptions::default() };
        log.append_as_leader(batch_with(options, 2, 10, NOW.0), EPOCH, AppendOrigin::Client, None, NOW)
    };
    for n in 0..8 {
        assert_eq!(send(&log, 2 * n).unwrap().first_offset, Some(Offset(2 * i64::from(n))));
    }
    let again = send(&log, 6).unwrap();
    assert!(again.duplicate);
    assert_eq!((again.first_offset, again.last_offset), (Some(Offset(6)), Some(Offset(7))));
    assert_eq!(log.log_end_offset(), Offset(16));
    assert!(matches!(send(&log, 4), Err(AppendError::OutOfOrderSequence { .. })));
    assert!(matches!(send(&log, 18), Err(AppendError::OutOfOrderSequence { .. })));
    log.close(NOW).unwrap();
    drop(log);
    let log = load(&dir, LogConfig::default(), checkpoint(true, 16)).unwrap();
    assert!(send(&log, 14).unwrap().duplicate, "the newest batch is in the snapshot");
    assert_eq!(send(&log, 16).unwrap().first_offset, Some(Offset(16)));
}

#[test]
fn a_segment_with_offsets_too_far_from_its_base_is_split() {
    let (_root, dir) = partition_dir();
    let far = i64::from(i32::MAX) + 10;
    let mut bytes = Vec::new();
    for base in [0, 5, far, far + 20, 2 * far] {
        let epoch = Some(EPOCH);
        let options = BatchOptions {
            base_offset: Offset(base),
            partition_leader_epoch: epoch,
            ..BatchOptions::default()
        };
        bytes.extend_from_slice(&batch_with(options, 2, 30, NOW.0));
    }
    std::fs::write(dir.path().join("00000000000000000000.log"), &bytes).unwrap();
    let log = load_unclean(&dir, LogConfig::default());
    assert_eq!(log.segment_count(), 3);
    assert_eq!(log.log_end_offset(), Offset(2 * far + 2));
    assert_eq!(read_all(&log), bytes);
}

fn transactional(pid: i64, sequence: i32) -> bytes::Bytes {
    let base_sequence = Some(gregor_model::Sequence(sequence));
    let producer = Some(Producer { id: ProducerId(pid), epoch: ProducerEpoch(0), base_sequence });
    batch_with(BatchOptions { producer, transactional: true, ..BatchOptions::default() }, 1, 10, NOW.0)
}

fn marker(pid: i64, commit: bool, coordinator_epoch: i32) -> bytes::Bytes {
    let marker = gregor_records::EndTransactionMarker { commit, coordinator_epoch };
    marker.batch(Offset(0), None, ProducerId(pid), ProducerEpoch(0), NOW).unwrap().into()
}

fn write(
    log: &PartitionLog,
    batch: bytes::Bytes,
    origin: AppendOrigin,
) -> Result<crate::AppendInfo, AppendError> {
    log.append_as_leader(batch, EPOCH, origin, None, NOW)
}

#[test]
fn transactions_hold_back_the_last_stable_offset() {
    let (_root, dir) = partition_dir();
    let log = load_unclean(&dir, LogConfig::default());
    let stable = |log: &PartitionLog| log.last_stable_offset().0;
    let client = |batch| write(&log, batch, AppendOrigin::Client).unwrap();
    let coordinator = |batch| write(&log, batch, AppendOrigin::Coordinator).unwrap();
    client(transactional(1, 0)); // 0
    client(transactional(2, 0)); // 1
    client(transactional(1, 1)); // 2
    log.set_high_watermark(Offset(3));
    assert_eq!(stable(&log), 0);
    coordinator(marker(1, false, 1)); // 3
    assert_eq!(stable(&log), 0, "the marker is not below the high watermark yet");
    log.set_high_watermark(Offset(4));
    assert_eq!(stable(&log), 1, "the other transaction is still open");
    coordinator(marker(2, true, 1)); // 4
    log.maybe_increment_high_watermark(Offset(5));
    assert_eq!(stable(&log), 5);
    let data = log.read(Offset(0), 1 << 20, FetchIsolation::TxnCommitted, true).unwrap();
    let aborted = data.aborted.unwrap();
    assert_eq!(aborted, [crate::AbortedTransaction { producer_id: ProducerId(1), first_offset: Offset(0) }]);
    assert!(matches!(
        write(&log, marker(1, true, 0), AppendOrigin::Coordinator),
        Err(AppendError::TransactionCoordinatorFenced { .. })
    ));
    client(transactional(3, 0)); // 5
    let plain = BatchOptions {
        producer: Some(Producer {
            id: ProducerId(3),
            epoch: ProducerEpoch(0),
            base_sequence: Some(gregor_model::Sequence(1)),
        }),
        ..BatchOptions::default()
    };
    let mixed = write(&log, batch_with(plain, 1, 10, NOW.0), AppendOrigin::Client);
    assert!(matches!(mixed, Err(AppendError::InvalidTxnState { .. })));
    drop(log);
    let log = load_unclean(&dir, LogConfig::default());
    log.set_high_watermark(Offset(6));
    assert_eq!(stable(&log), 5, "the open transaction is found again");
    let data = log.read(Offset(0), 1 << 20, FetchIsolation::TxnCommitted, true).unwrap();
    assert_eq!(data.aborted.unwrap(), aborted, "and the aborted one");
}

#[test]
fn a_transaction_opens_only_with_its_verification() {
    let (_root, dir) = partition_dir();
    let log = load_unclean(&dir, LogConfig::default());
    let verification = &log.shared.transaction_verification;
    assert_eq!(
        log.start_transaction_verification(ProducerId(1), 0, ProducerEpoch(0), NOW),
        None,
        "it is off"
    );
    verification.store(true, std::sync::atomic::Ordering::Relaxed);
    let send = |guard| log.append_as_leader(transactional(1, 0), EPOCH, AppendOrigin::Client, guard, NOW);
    assert!(matches!(send(None), Err(AppendError::InvalidTxnState { .. })));
    let guard = log.start_transaction_verification(ProducerId(1), 0, ProducerEpoch(0), NOW);
    assert!(guard.is_some());
    let again = log.start_transaction_verification(ProducerId(1), 0, ProducerEpoch(0), NOW);
    assert_eq!(guard, again);
    assert!(send(guard).is_ok());
    assert_eq!(log.start_transaction_verification(ProducerId(1), 1, ProducerEpoch(0), NOW), None);
    assert!(write(&log, transactional(1, 1), AppendOrigin::Client).is_ok());
    assert!(write(&log, marker(1, true, 0), AppendOrigin::Coordinator).is_ok());
    let stale = log.append_as_leader(transactional(1, 2), EPOCH, AppendOrigin::Client, guard, NOW);
    assert!(matches!(stale, Err(AppendError::InvalidTxnState { .. })));
}

#[test]
fn offsets_by_timestamp() {
    use crate::{ListedOffset, TimestampQuery};
    use gregor_model::Timestamp;
    let (_root, dir) = partition_dir();
    let log = load_unclean(&dir, small_segments());
    for n in 0..40 {
        append(&log, 2, 40, NOW.0 + n * 10);
    }
    let at = |query| log.offset_for_timestamp(query).unwrap();
    let found = |timestamp: i64, offset: i64| {
        let (timestamp, offset) = (Some(Timestamp(timestamp)), Some(Offset(offset)));
        Some(ListedOffset { timestamp, offset, leader_epoch: Some(EPOCH) })
    };
    for n in 0..40 {
        assert_eq!(at(TimestampQuery::At(Timestamp(NOW.0 + n * 10))), found(NOW.0 + n * 10, 2 * n));
        assert_eq!(
            at(TimestampQuery::At(Timestamp(NOW.0 + n * 10 + 1))),
            found(NOW.0 + n * 10 + 1, 2 * n + 1)
        );
    }
    assert_eq!(at(TimestampQuery::At(Timestamp(0))), found(NOW.0, 0));
    assert_eq!(at(TimestampQuery::At(Timestamp(NOW.0 + 392))), None);
    assert_eq!(at(TimestampQuery::MaxTimestamp), found(NOW.0 + 391, 79));
    let known = |offset: Option<i64>, leader_epoch| {
        Some(ListedOffset { timestamp: None, offset: offset.map(Offset), leader_epoch })
    };
    assert_eq!(at(TimestampQuery::Earliest), known(Some(0), Some(EPOCH)));
    assert_eq!(at(TimestampQuery::EarliestLocal), known(Some(0), Some(EPOCH)));
    assert_eq!(at(TimestampQuery::Latest), known(Some(80), Some(EPOCH)));
    assert_eq!(at(TimestampQuery::LatestTiered), known(None, None));
    assert_eq!(log.legacy_offsets_before(-2, 5, NOW).unwrap(), [Offset(0)]);
    assert_eq!(log.legacy_offsets_before(-1, 1, NOW).unwrap(), [Offset(80)]);
}

#[test]
fn delete_records_needs_the_policy_and_stops_at_the_high_watermark() {
    use crate::{CleanupPolicy, DeleteRecordsError};
    let (_root, dir) = partition_dir();
    let log = load_unclean(&dir, LogConfig::default());
    append(&log, 10, 5, NOW.0);
    log.set_high_watermark(Offset(8));
    assert!(matches!(log.delete_records(Some(Offset(9))), Err(DeleteRecordsError::OutOfRange { .. })));
    assert_eq!(log.delete_records(Some(Offset(3))).unwrap(), Offset(3));
    assert_eq!(log.delete_records(Some(Offset(2))).unwrap(), Offset(3));
    assert_eq!(log.delete_records(None).unwrap(), Offset(8));
    let read = log.read(Offset(7), 100, FetchIsolation::LogEnd, true);
    assert!(matches!(read, Err(ReadError::OutOfRange { .. })));
    let compact = CleanupPolicy { delete: false, compact: true };
    log.set_config(LogConfig { cleanup_policy: compact, ..LogConfig::default() }.into());
    assert!(matches!(log.delete_records(None), Err(DeleteRecordsError::Policy(_))));
}

#[test]
fn old_formats_are_read_and_recovered() {
    use gregor_records::legacy::LegacyBuilder;
    use gregor_records::{Codec, Compression, Magic, TimestampType};
    let (_root, dir) = partition_dir();
    let mut bytes = Vec::new();
    for (n, magic) in [Magic::V0, Magic::V1].into_iter().enumerate() {
        for codec in [Codec::None, Codec::Gzip] {
            let mut builder = LegacyBuilder::new(
                magic,
                Compression::of(codec),
                TimestampType::CreateTime,
                None,
                Vec::new(),
            )
            .unwrap();
            for at in 0..3 {
                let offset = Offset(10 * (2 * n as i64 + i64::from(codec == Codec::Gzip)) + at);
                builder.append(offset, Some(NOW), Some(b"k"), Some(b"v")).unwrap();
            }
            bytes.extend_from_slice(&builder.finish().unwrap());
        }
    }
    std::fs::write(dir.path().join("00000000000000000000.log"), &bytes).unwrap();
    let log = load_unclean(&dir, LogConfig::default());
    assert_eq!(log.log_end_offset(), Offset(33));
    assert_eq!(read_all(&log), bytes);
    assert_eq!(append(&log, 1, 10, NOW.0).first_offset, Some(Offset(33)));
}
