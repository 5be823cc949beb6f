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
