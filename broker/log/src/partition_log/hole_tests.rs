//! Holes between segments after a crash: what only the crash can have made is cut off, all others stay.

use std::path::Path;
use std::sync::Arc;

use gregor_model::{LeaderEpoch, Offset};
use gregor_records::BatchOptions;

use super::PartitionLog;
use crate::LogConfig;
use crate::checkpoint::offsets;
use crate::partition_dir::PartitionDir;
use crate::testing::*;

const EPOCH: LeaderEpoch = LeaderEpoch(3);

fn config() -> LogConfig {
    LogConfig { segment_bytes: 600, ..LogConfig::default() }
}

/// Appends one batch that begins at `base`, as a follower does.
fn fetch(log: &PartitionLog, base: i64) {
    let options = BatchOptions {
        base_offset: Offset(base),
        partition_leader_epoch: Some(EPOCH),
        ..BatchOptions::default()
    };
    log.append_as_follower(batch_with(options, 2, 40, NOW.0 + base), Some(EPOCH), NOW).unwrap();
}

fn bases(log: &PartitionLog) -> Vec<i64> {
    log.segments.load().iter().map(|segment| segment.base().0).collect()
}

fn remove_last_batch(dir: &PartitionDir, base: i64) {
    let path = dir.path().join(format!("{base:020}.log"));
    let bytes = std::fs::read(&path).unwrap();
    let last = gregor_records::batches(&bytes).map(Result::unwrap).last().unwrap().size_in_bytes;
    std::fs::write(&path, &bytes[..bytes.len() - last]).unwrap();
}

fn preallocate_as_kafka(dir: &PartitionDir, base: i64, suffix: &str) {
    let path = dir.path().join(format!("{base:020}.{suffix}"));
    let mut bytes = std::fs::read(&path).unwrap_or_default();
    bytes.resize(10_485_760, 0);
    std::fs::write(path, bytes).unwrap();
}

/// A log of 40 offsets in small segments, which is dropped as by a crash.
fn dense_log(dir: &Arc<PartitionDir>) -> Vec<i64> {
    let log = load_crashed(dir, config()).unwrap();
    (0..20).for_each(|n| fetch(&log, 2 * n));
    let bases = bases(&log);
    assert!(bases.len() > 4, "{bases:?}");
    bases
}

#[test]
fn a_lost_end_of_a_segment_is_told_from_other_holes() {
    type Change = fn(&PartitionDir, &[i64]);
    // (what was done beside removing the second segment's last batch, whether what follows it stays)
    let cases: [(&str, Change, bool); 8] = [
        ("nothing", |_, _| {}, false),
        ("the recovery point is known to lie before", |dir, bases| say(dir, bases[1]), false),
        ("the recovery point is known to lie behind", |dir, bases| say(dir, bases[2]), true),
        ("no checkpoint", |dir, _| std::fs::remove_file(checkpoint_file(dir)).unwrap(), true),
        ("no entry", |dir, _| std::fs::write(checkpoint_file(dir), "0\n1\nother 0 5\n").unwrap(), true),
        (
            "the cleaner has been here",
            |dir, bases| {
                let file = dir.log_dir().path().join(crate::cleaner::CLEANER_CHECKPOINT);
                std::fs::write(file, format!("0\n1\nt 0 {}\n", bases[2])).unwrap();
            },
            true,
        ),
        ("Kafka's index", |dir, bases| preallocate_as_kafka(dir, *bases.last().unwrap(), "index"), true),
        (
            "Kafka's time index",
            |dir, bases| preallocate_as_kafka(dir, *bases.last().unwrap(), "timeindex"),
            true,
        ),
    ];
    for (what, change, stays) in cases {
        let (_root, dir) = partition_dir();
        let bases = dense_log(&dir);
        remove_last_batch(&dir, bases[1]);
        change(&dir, &bases);
        let dir = reopened(&dir);
        let log = load_crashed(&dir, config()).unwrap();
        let end = if stays { 40 } else { bases[2] - 2 };
        assert_eq!(log.log_end_offset(), Offset(end), "{what}");
        let bytes = read_all(&log);
        // The loading of the directory ends with that.
        let entry = || vec![(log.topic_partition().clone(), log.recovery_point())];
        dir.log_dir().recovery_points().write(dir.log_dir(), entry).unwrap();
        drop(log);
        // A second crash finds nothing else, though nothing tells of Kafka any more.
        let log = load_crashed(&reopened(&dir), config()).unwrap();
        assert_eq!((log.log_end_offset(), read_all(&log)), (Offset(end), bytes), "{what}");
    }
}

/// The hole that Kafka left is on file before the last trace of Kafka is gone.
#[test]
fn a_crash_during_recovery_takes_no_hole_of_kafkas_for_a_loss() {
    let (_root, dir) = partition_dir();
    let bases = dense_log(&dir);
    remove_last_batch(&dir, bases[1]);
    preallocate_as_kafka(&dir, *bases.last().unwrap(), "index");
    for _ in 0..2 {
        let log = load_crashed(&reopened(&dir), config()).unwrap();
        assert_eq!(log.log_end_offset(), Offset(40));
    }
}

fn checkpoint_file(dir: &PartitionDir) -> std::path::PathBuf {
    dir.log_dir().path().join(offsets::RECOVERY_POINT)
}

fn say(dir: &PartitionDir, recovery_point: i64) {
    std::fs::write(checkpoint_file(dir), format!("0\n1\nt 0 {recovery_point}\n")).unwrap();
}

fn reopened(dir: &PartitionDir) -> Arc<PartitionDir> {
    let root: &Path = dir.log_dir().path();
    partition_dir_on(root, Arc::new(crate::disk::OsDisk))
}

/// A follower's copy of a log whose leader has compacted it: every other batch is missing, also where segments meet.
#[test]
fn a_copy_of_a_compacted_log_survives_a_crash() {
    for gap in [4, 40, i64::from(i32::MAX) / 2, i64::from(i32::MAX) + 5] {
        let (_root, dir) = partition_dir();
        let log = load_crashed(&dir, config()).unwrap();
        (0..30).for_each(|n| fetch(&log, gap * n));
        let (end, bytes) = (log.log_end_offset(), read_all(&log));
        assert!(log.segment_count() > 3);
        drop(log);
        let log = load_crashed(&reopened(&dir), config()).unwrap();
        assert_eq!((log.log_end_offset(), read_all(&log)), (end, bytes), "gap {gap}");
    }
}

/// A truncation to an offset that compaction removed leaves the records' end below the log's.
#[test]
fn what_follows_a_truncation_into_a_hole_survives_a_crash() {
    let (_root, dir) = partition_dir();
    let log = load_crashed(&dir, config()).unwrap();
    (0..10).for_each(|n| fetch(&log, 20 * n));
    log.truncate_to(Offset(110), NOW).unwrap();
    (0..20).for_each(|n| fetch(&log, 110 + 2 * n));
    let (end, bytes) = (log.log_end_offset(), read_all(&log));
    drop(log);
    let log = load_crashed(&reopened(&dir), config()).unwrap();
    assert_eq!((log.log_end_offset(), read_all(&log)), (end, bytes));
}
