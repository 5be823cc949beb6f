//! A crash at every operation of the disk during a cleaning.

use crate::disk::OsDisk;
use crate::testing::faulty_disk::{Crash, FaultyDisk};
use crate::testing::random::Random;

use super::*;

/// A cleaning that stops at each operation of the disk in turn, then a restart: nothing that counts is lost, and nothing
/// that was compacted away twice over comes back wrong.
#[test]
fn a_crash_at_every_operation() {
    for seed in 0..6 {
        let mut at = 1;
        loop {
            let before = operations_before_cleaning(seed);
            let root = temporary_dir();
            let disk = FaultyDisk::new(Some(before + at), seed * 1000 + at);
            let finished = crash_once(root.path(), &disk, seed, at);
            if finished {
                assert!(at > 20, "{at} operations are too few to tell anything");
                break;
            }
            at += 1;
        }
    }
}

fn operations_before_cleaning(seed: u64) -> u64 {
    let root = temporary_dir();
    let disk = FaultyDisk::new(None, seed);
    let log = open(&partition_dir_on(root.path(), disk.clone()));
    prepare(&log, seed);
    disk.operations()
}

fn prepare(log: &PartitionLog, seed: u64) -> BTreeMap<i64, Record> {
    let mut random = Random::new(seed);
    let mut written = BTreeMap::new();
    for n in 0..25u8 {
        let records: Vec<Record> = (0..1 + random.below(3))
            .map(|_| (random.below(6) as u8, (random.below(5) > 0).then_some(n)))
            .collect();
        let first = append(log, BatchOptions::default(), &records).unwrap();
        written.extend(records.into_iter().enumerate().map(|(i, record)| (first.0 + i as i64, record)));
    }
    log.flush(NOW).unwrap();
    written
}

/// Returns whether the cleaning ended before the crash.
fn crash_once(root: &std::path::Path, disk: &Arc<FaultyDisk>, seed: u64, at: u64) -> bool {
    let log = open(&partition_dir_on(root, disk.clone()));
    let written = prepare(&log, seed);
    let active = *bases(&log).last().unwrap();
    // Every other time several segments become one.
    log.set_config(Arc::new(LogConfig { segment_bytes: 600 * (1 + seed as u32 % 2 * 2), ..compacted() }));
    let finished = clean_log(&log, 4, NOW).and_then(|_| clean_log(&log, 4, NOW)).is_ok();
    drop(log);
    for crash in [Crash::Kill, Crash::PowerLoss] {
        let copy = temporary_dir();
        disk.after_crash(crash, root, copy.path());
        let dir = partition_dir_on(copy.path(), Arc::new(OsDisk));
        let log = open(&dir);
        let left = contents(&log);
        let context = format!("seed {seed}, {crash:?} at operation {at}");
        assert!(left.iter().all(|(offset, record)| written.get(offset) == Some(record)), "{context}");
        let needed = survivors(&written, active);
        assert!(needed.iter().all(|(offset, record)| left.get(offset) == Some(record)), "{context}");
        assert_eq!(log.log_end_offset().0, written.len() as i64, "{context}");
        log.set_high_watermark(log.log_end_offset());
        check_look_ups(&log, &left);
        // And it can be cleaned from there.
        clean_log(&log, 1000, NOW).unwrap();
        let left = contents(&log);
        assert!(needed.iter().all(|(offset, record)| left.get(offset) == Some(record)), "{context}");
        check_look_ups(&log, &left);
        let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        for name in names.map(|name| name.into_string().unwrap()) {
            assert!(!name.ends_with(".cleaned") && !name.ends_with(".swap"), "{context}: {name}");
        }
    }
    finished
}
