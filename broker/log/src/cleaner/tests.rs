//! Cleanings of logs on disk: what can be read afterwards, after a restart, and after a crash at every operation.

mod crash;
mod former;
mod random_walk;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use gregor_model::{
    LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp, TopicName, TopicPartition,
};
use gregor_records::{
    BatchBuilder, BatchOptions, Codec, Compression, EndTransactionMarker, Limits, Producer, batches,
};

use super::cleaning::{CleaningMeans, clean, look_at};
use super::offset_map::{KeyHash, SLOT_BYTES};
use super::pace::SharedRate;
use super::*;
use crate::partition_dir::PartitionDir;
use crate::testing::*;
use crate::{
    AppendOrigin, CleanupPolicy, FetchIsolation, LogConfig, LogManager, LogManagerConfig, PartitionLog,
    StorageError,
};

const EPOCH: LeaderEpoch = LeaderEpoch(3);
const DAY_MS: i64 = 86_400_000;

fn compacted() -> LogConfig {
    LogConfig {
        cleanup_policy: CleanupPolicy { delete: false, compact: true },
        segment_bytes: 600,
        index_interval_bytes: 50,
        min_cleanable_dirty_ratio: 0.0,
        file_delete_delay_ms: 0,
        ..LogConfig::default()
    }
}

/// Opens the log as one that a crash left.
fn open(dir: &Arc<PartitionDir>) -> PartitionLog {
    load_crashed(dir, compacted()).unwrap()
}

type Record = (u8, Option<u8>);

fn batch(options: BatchOptions, records: &[Record]) -> Bytes {
    let mut builder = BatchBuilder::new(options).unwrap();
    for (offset, (key, value)) in records.iter().enumerate() {
        let value = value.map(|value| [value; 20]);
        let value = value.as_ref().map(<[u8; 20]>::as_slice);
        builder.append(Offset(offset as i64), Some(NOW), Some(&[*key]), value, &[]).unwrap();
    }
    builder.finish().unwrap().into()
}

fn append(
    log: &PartitionLog,
    options: BatchOptions,
    records: &[Record],
) -> Result<Offset, crate::AppendError> {
    let info = log.append_as_leader(batch(options, records), EPOCH, AppendOrigin::Client, None, NOW)?;
    log.set_high_watermark(log.log_end_offset());
    Ok(info.first_offset.unwrap())
}

/// Cleans whatever can be cleaned, with room for `keys_max` keys.
fn clean_log(
    log: &PartitionLog,
    keys_max: usize,
    now: Timestamp,
) -> Result<Option<CleanerStats>, CleanError> {
    let config = CleanerConfig {
        dedupe_buffer_bytes: 2 * keys_max * SLOT_BYTES,
        load_factor: 0.5,
        io_buffer_bytes: 300,
        ..CleanerConfig::default()
    };
    let Some((view, found)) = look_at(log, now)? else { return Ok(None) };
    let (hash, rate) = (KeyHash::default(), SharedRate::default());
    let means = CleaningMeans { config: &config, hash: &hash, rate: &rate, stop: &|| false };
    clean(log, &view, &found, &means, now).map(Some)
}

/// All data records by offset: key and the value's byte.
fn contents(log: &PartitionLog) -> BTreeMap<i64, Record> {
    let bytes = read_all(log);
    let mut all = BTreeMap::new();
    for batch in batches(&bytes).map(Result::unwrap) {
        batch.check_crc().unwrap();
        let mut records = batch.records(Limits::for_batch(batch.header())).unwrap();
        while let Some(record) = records.next_record().unwrap() {
            if !batch.is_control() {
                all.insert(record.offset.0, (record.key.unwrap()[0], record.value.map(|value| value[0])));
            }
        }
    }
    all
}

/// The last record of each key before `end`, and everything from there on.
fn survivors(written: &BTreeMap<i64, Record>, end: i64) -> BTreeMap<i64, Record> {
    let mut latest = HashMap::new();
    for (&offset, &(key, _)) in written.range(..end) {
        latest.insert(key, offset);
    }
    let kept: HashSet<i64> = latest.into_values().collect();
    written
        .iter()
        .filter(|(offset, _)| **offset >= end || kept.contains(offset))
        .map(|(o, r)| (*o, *r))
        .collect()
}

fn bases(log: &PartitionLog) -> Vec<i64> {
    log.compaction_view().unwrap().segments.iter().map(|segment| segment.base().0).collect()
}

fn clean_end(log: &PartitionLog) -> Option<Offset> {
    let log_dir = log.partition_dir().log_dir();
    log_dir.cleaner_checkpoint().get(log_dir, log.topic_partition()).unwrap()
}

/// Every offset can be found: a read from it begins with the batch that holds it or the next one.
fn check_look_ups(log: &PartitionLog, contents: &BTreeMap<i64, Record>) {
    for offset in log.log_start_offset().0..log.log_end_offset().0 {
        let next = contents.range(offset..).next().map(|(offset, _)| *offset);
        let data = log.read(Offset(offset), 1, FetchIsolation::LogEnd, true).unwrap();
        let Some(slice) = data.records else {
            assert_eq!(next, None);
            continue;
        };
        let bytes = slice.read_to_bytes().unwrap();
        let batch = batches(&bytes).next().unwrap().unwrap();
        assert!(batch.last_offset().0 >= offset);
        assert!(next.is_none_or(|next| batch.base_offset().0 <= next));
    }
}

/// Fills a log with a hundred records of five keys in many segments.
fn fill(log: &PartitionLog) -> BTreeMap<i64, Record> {
    let mut written = BTreeMap::new();
    for n in 0..50u8 {
        let codec = Codec::ALL[usize::from(n) % 5];
        let records = [(n % 5, Some(n)), ((n + 1) % 5, if n % 7 == 0 { None } else { Some(n) })];
        let options = BatchOptions { compression: Compression::of(codec), ..BatchOptions::default() };
        let first = append(log, options, &records).unwrap();
        written.extend(records.into_iter().enumerate().map(|(i, record)| (first.0 + i as i64, record)));
    }
    written
}

#[test]
fn a_log_is_compacted_and_read_again() {
    let (_root, dir) = partition_dir();
    let log = open(&dir);
    let written = fill(&log);
    let before = bases(&log);
    let active = *before.last().unwrap();
    log.set_config(Arc::new(LogConfig { segment_bytes: 2000, ..compacted() }));
    let stats = clean_log(&log, 1000, NOW).unwrap().unwrap();
    let expected = survivors(&written, active);
    assert_eq!(contents(&log), expected);
    check_look_ups(&log, &expected);
    let after = bases(&log);
    assert!(after.len() < before.len(), "{before:?} became {after:?}");
    assert_eq!((after.first(), after.last()), (before.first(), before.last()));
    assert_eq!(clean_end(&log), Some(Offset(active)));
    assert_eq!(log.log_end_offset(), Offset(100));
    assert!(stats.bytes_written < stats.bytes_read && stats.records_written < stats.records_read);
    assert!(look_at(&log, NOW).unwrap().unwrap().1.cleanable_bytes == 0);
    drop(log);
    let again = open(&dir);
    assert_eq!(contents(&again), expected);
    assert_eq!((bases(&again), again.log_end_offset()), (after, Offset(100)));
    check_look_ups(&again, &expected);
}

#[test]
fn a_small_map_takes_several_rounds() {
    let (_root, dir) = partition_dir();
    let log = open(&dir);
    let written = fill(&log);
    let active = *bases(&log).last().unwrap();
    let mut rounds = 0;
    let mut last = None;
    while clean_end(&log) != Some(Offset(active)) {
        clean_log(&log, 2, NOW).unwrap().unwrap();
        rounds += 1;
        assert!(clean_end(&log) > last, "each round gets on");
        last = clean_end(&log);
    }
    assert!(rounds > 3);
    // Each key's last record is there, and nothing that was not written.
    let left = contents(&log);
    assert!(left.iter().all(|(offset, record)| written.get(offset) == Some(record)));
    assert!(survivors(&written, active).iter().all(|(offset, record)| left.get(offset) == Some(record)));
    assert!(left.len() < written.len());
}

#[test]
fn what_must_not_be_cleaned_is_not() {
    let (_root, dir) = partition_dir();
    let log = open(&dir);
    let written = fill(&log);
    log.set_high_watermark(Offset(30));
    clean_log(&log, 1000, NOW).unwrap();
    let end = clean_end(&log).unwrap().0;
    assert!(end <= 30);
    assert_eq!(contents(&log), survivors(&written, end));
    log.set_high_watermark(log.log_end_offset());
    log.set_config(Arc::new(LogConfig { min_compaction_lag_ms: 1000, ..compacted() }));
    let (_, found) = look_at(&log, NOW).unwrap().unwrap();
    assert_eq!(found.cleanable_bytes, 0, "all records are from now");
    let (_, found) = look_at(&log, NOW + 1001).unwrap().unwrap();
    assert!(found.cleanable_bytes > 0);
    let lag = LogConfig { max_compaction_lag_ms: 500, min_cleanable_dirty_ratio: 1.0, ..compacted() };
    log.set_config(Arc::new(lag));
    assert!(!look_at(&log, NOW + 500).unwrap().unwrap().1.eligible);
    assert!(look_at(&log, NOW + 501).unwrap().unwrap().1.eligible);
}

#[test]
fn tombstones_go_after_their_time() {
    let (_root, dir) = partition_dir();
    let log = open(&dir);
    append(&log, BatchOptions::default(), &[(1, Some(1)), (2, Some(1)), (1, None)]).unwrap();
    for n in 0..20 {
        append(&log, BatchOptions::default(), &[(9, Some(n)), (8, Some(n))]).unwrap();
    }
    clean_log(&log, 1000, NOW).unwrap();
    assert_eq!(contents(&log).get(&2), Some(&(1, None)));
    let later = |n, now| {
        for _ in 0..20 {
            append(&log, BatchOptions::default(), &[(9, Some(n)), (8, Some(n))]).unwrap();
        }
        clean_log(&log, 1000, now).unwrap();
        contents(&log)
    };
    assert_eq!(later(30, NOW + (DAY_MS - 1)).get(&2), Some(&(1, None)));
    let left = later(40, NOW + DAY_MS);
    assert_eq!(left.get(&2), None);
    assert_eq!(left.get(&1), Some(&(2, Some(1))));
}

fn transactional(id: i64, sequence: i32) -> BatchOptions {
    BatchOptions {
        producer: Some(Producer {
            id: ProducerId(id),
            epoch: ProducerEpoch(0),
            base_sequence: Some(Sequence(sequence)),
        }),
        transactional: true,
        ..BatchOptions::default()
    }
}

fn end_transaction(log: &PartitionLog, id: i64, commit: bool) {
    let marker = EndTransactionMarker { commit, coordinator_epoch: 0 }
        .batch(Offset(0), None, ProducerId(id), ProducerEpoch(0), NOW)
        .unwrap();
    log.append_as_leader(marker.into(), EPOCH, AppendOrigin::Coordinator, None, NOW).unwrap();
    log.set_high_watermark(log.log_end_offset());
}

#[test]
fn transactions_over_several_segments() {
    let (_root, dir) = partition_dir();
    let log = open(&dir);
    append(&log, BatchOptions::default(), &[(1, Some(1)), (2, Some(1))]).unwrap();
    for n in 0..10 {
        append(&log, transactional(7, n), &[(1, Some(100 + n as u8))]).unwrap();
        append(&log, transactional(8, n), &[(3, Some(100 + n as u8))]).unwrap();
    }
    end_transaction(&log, 7, false);
    end_transaction(&log, 8, true);
    for n in 0..20 {
        append(&log, BatchOptions::default(), &[(9, Some(n)), (8, Some(n))]).unwrap();
    }
    let last_of_8 = 2 + 2 * 9 + 1;
    let check = |log: &PartitionLog| {
        let left = contents(log);
        assert_eq!(left.get(&0), Some(&(1, Some(1))), "the aborted value did not replace it");
        assert_eq!(left.get(&last_of_8), Some(&(3, Some(109))));
        assert!(left.values().all(|(key, value)| *key != 1 || *value == Some(1)));
        assert!(!log.has_ongoing_transaction(ProducerId(7)));
    };
    for _ in 0..3 {
        clean_log(&log, 1000, NOW).unwrap();
        check(&log);
        for n in 0..20 {
            append(&log, BatchOptions::default(), &[(9, Some(n)), (8, Some(n))]).unwrap();
        }
    }
    clean_log(&log, 1000, NOW + DAY_MS).unwrap();
    check(&log);
    // The producers' sequences outlive their records, also when only the log is left to tell them.
    drop(log);
    for name in std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()) {
        if name.extension().is_some_and(|extension| extension == "snapshot") {
            std::fs::remove_file(name).unwrap();
        }
    }
    let log = open(&dir);
    check(&log);
    let mut producers = log.active_producers();
    producers.sort_by_key(|producer| producer.producer_id);
    let last: Vec<_> = producers.iter().map(|p| (p.producer_id.0, p.last_sequence)).collect();
    assert_eq!(last, [(7, 9), (8, 9)]);
    assert!(append(&log, transactional(8, 11), &[(3, Some(1))]).is_err(), "a gap is still noticed");
    append(&log, transactional(8, 10), &[(3, Some(1))]).unwrap();
}

#[test]
fn read_committed_after_a_cleaning_that_leaves_aborted_records() {
    let (_root, dir) = partition_dir();
    let log = open(&dir);
    append(&log, transactional(7, 0), &[(1, Some(100))]).unwrap();
    end_transaction(&log, 7, false);
    for n in 0..20 {
        append(&log, BatchOptions::default(), &[(n, Some(n)), (n + 100, Some(n))]).unwrap();
    }
    // The producer's last batch stays, empty; its marker too, as a batch of its transaction was met.
    clean_log(&log, 1000, NOW).unwrap();
    let data = log.read(Offset(0), 1 << 20, FetchIsolation::TxnCommitted, true).unwrap();
    let aborted: Vec<_> = data.aborted.unwrap().iter().map(|a| (a.producer_id.0, a.first_offset.0)).collect();
    assert_eq!(aborted, [(7, 0)]);
    assert!(!contents(&log).contains_key(&0));
}

#[test]
fn truncation_makes_dirty() {
    let (_root, dir) = partition_dir();
    let log = open(&dir);
    fill(&log);
    clean_log(&log, 1000, NOW).unwrap();
    let clean = clean_end(&log).unwrap();
    log.truncate_to(clean + 3, NOW).unwrap();
    assert_eq!(clean_end(&log), Some(clean), "only what was dirty is cut");
    log.truncate_to(clean + -3, NOW).unwrap();
    let base = *bases(&log).last().unwrap();
    assert_eq!(clean_end(&log), Some(Offset(base)));
    log.truncate_fully_and_start_at(Offset(1000), NOW).unwrap();
    append(&log, BatchOptions::default(), &[(1, Some(1))]).unwrap();
    assert_eq!(
        look_at(&log, NOW).unwrap().map(|(_, found)| found.first_dirty),
        None,
        "the active segment alone"
    );
}

#[test]
fn a_log_that_changed_meanwhile_is_left_alone() {
    let (_root, dir) = partition_dir();
    let log = open(&dir);
    let written = fill(&log);
    let (view, found) = look_at(&log, NOW).unwrap().unwrap();
    let (hash, rate, config) = (KeyHash::default(), SharedRate::default(), CleanerConfig::default());
    let means = CleaningMeans { config: &config, hash: &hash, rate: &rate, stop: &|| false };
    log.truncate_to(Offset(90), NOW).unwrap();
    let error = clean(&log, &view, &found, &means, NOW).unwrap_err();
    assert!(matches!(error, CleanError::Aborted | CleanError::Storage(StorageError::Closed(_))), "{error}");
    let expected: BTreeMap<_, _> = written.range(..90).map(|(o, r)| (*o, *r)).collect();
    assert_eq!(contents(&log), expected);
    assert_eq!(clean_end(&log), None);
    assert!(dir.log_dir().failure().is_none());
    // Asked to stop, or no longer compacted: nothing is left behind either.
    let (view, found) = look_at(&log, NOW).unwrap().unwrap();
    let stopped = CleaningMeans { stop: &|| true, ..means };
    assert!(matches!(clean(&log, &view, &found, &stopped, NOW), Err(CleanError::Aborted)));
    assert_eq!(contents(&log), expected);
    let leftovers = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(leftovers.map(|name| name.into_string().unwrap()).all(|name| !name.contains("cleaned")));
}

#[test]
fn damaged_batches_are_not_blessed() {
    let (_root, dir) = partition_dir();
    let log = open(&dir);
    fill(&log);
    let path = dir.path().join("00000000000000000000.log");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[70] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(clean_log(&log, 1000, NOW), Err(CleanError::Corrupt { position: 0, .. })));
    assert!(dir.log_dir().failure().is_none());
    assert_eq!(clean_end(&log), None);
}

#[test]
fn the_same_base_twice_within_the_delay() {
    let (_root, dir) = partition_dir();
    let log = open(&dir);
    log.set_config(Arc::new(LogConfig { file_delete_delay_ms: 1000, ..compacted() }));
    fill(&log);
    let old = log.compaction_view().unwrap().segments;
    clean_log(&log, 1000, NOW).unwrap();
    let middle = log.compaction_view().unwrap().segments;
    fill(&log);
    clean_log(&log, 1000, NOW + 10).unwrap();
    // What a slow reader still holds can be asked for without harm, whatever became of the files.
    old[0].unlink().unwrap();
    middle[0].log().close();
    assert!(matches!(middle[0].log().get(), Err(StorageError::Closed(_))));
    assert!(dir.log_dir().failure().is_none());
}

fn manager_config(root: &std::path::Path) -> LogManagerConfig {
    LogManagerConfig {
        log_dirs: vec![root.to_path_buf()],
        defaults: compacted(),
        ..LogManagerConfig::default()
    }
}

fn open_manager(root: &std::path::Path) -> Arc<LogManager> {
    Arc::new(LogManager::open(manager_config(root), HashMap::new(), NOW).unwrap())
}

#[test]
fn the_cleaner_cleans_what_needs_it_and_skips_what_it_cannot() {
    let root = temporary_dir();
    let manager = open_manager(root.path());
    let partition = |number| TopicPartition::new("t", number);
    let log = |number| manager.get_or_create(&partition(number), None, true, NOW).unwrap();
    let cleaner = LogCleaner::new(Arc::clone(&manager), CleanerConfig::default());
    assert_eq!(cleaner.clean_once(NOW, &|| false), CleanOutcome::Nothing);
    let written = fill(&log(0));
    fill(&log(1));
    let path = manager.log(&partition(1)).unwrap().dir().join("00000000000000000000.log");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[70] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let mut outcomes = Vec::new();
    loop {
        match cleaner.clean_once(NOW, &|| false) {
            CleanOutcome::Nothing => break,
            CleanOutcome::Cleaned { partition, .. } => outcomes.push((partition, true)),
            CleanOutcome::GivenUp(partition) => outcomes.push((partition, false)),
        }
    }
    outcomes.sort();
    assert_eq!(outcomes, [(partition(0), true), (partition(1), false)]);
    assert_eq!(cleaner.uncleanable_partitions(), [(root.path().to_path_buf(), partition(1))]);
    let gauges = cleaner.gauges(NOW + 7);
    assert_eq!((gauges.uncleanable_partitions_count, gauges.time_since_last_run_ms), (1, 7));
    assert!(gauges.uncleanable_bytes > 0 && gauges.cleaner_recopy_percent > 0);
    // The checkpoint is Kafka's, and is found again.
    let end = clean_end(&log(0)).unwrap();
    let checkpoint = std::fs::read_to_string(root.path().join("cleaner-offset-checkpoint")).unwrap();
    assert_eq!(checkpoint, format!("0\n1\nt 0 {end}\n"));
    manager.shutdown(NOW).unwrap();
    drop(manager);
    let manager = open_manager(root.path());
    let log = manager.log(&partition(0)).unwrap();
    assert_eq!(contents(&log), survivors(&written, end.0));
    assert_eq!(clean_end(&log), Some(end));
    manager.delete(&partition(0), NOW).unwrap();
    let checkpoint = std::fs::read_to_string(root.path().join("cleaner-offset-checkpoint")).unwrap();
    assert_eq!(checkpoint, "0\n0\n");
}

#[test]
fn compact_and_delete() {
    let root = temporary_dir();
    let manager = open_manager(root.path());
    let both = CleanupPolicy { delete: true, compact: true };
    let config = LogConfig { cleanup_policy: both, retention_ms: Some(1000), ..compacted() };
    manager.update_topic_config(&TopicName::new("t"), Some(config));
    let log = manager.get_or_create(&TopicPartition::new("t", 0), None, true, NOW).unwrap();
    fill(&log);
    let cleaner = LogCleaner::new(Arc::clone(&manager), CleanerConfig::default());
    manager.run_retention(NOW + 5000);
    assert_eq!(log.log_start_offset(), Offset(0), "the manager leaves compacted logs to the cleaner");
    assert!(matches!(cleaner.clean_once(NOW, &|| false), CleanOutcome::Cleaned { .. }));
    assert_eq!(log.log_start_offset(), Offset(0));
    // Segments in which no record was left are as old as their files.
    let later = Timestamp::now() + 5000;
    cleaner.clean_once(later, &|| false);
    assert_eq!(log.log_start_offset(), log.log_end_offset(), "all of it is old");
    assert_eq!(cleaner.clean_once(later, &|| false), CleanOutcome::Nothing);
}

#[test]
fn the_checkpoint_moves_with_the_log() {
    let (from, to) = (temporary_dir(), temporary_dir());
    let dirs = vec![from.path().to_path_buf(), to.path().to_path_buf()];
    let config = LogManagerConfig { log_dirs: dirs, defaults: compacted(), ..LogManagerConfig::default() };
    let manager = LogManager::open(config, HashMap::new(), NOW).unwrap();
    let partition = TopicPartition::new("t", 0);
    manager.set_preferred_dir(&partition, from.path()).unwrap();
    let log = manager.get_or_create(&partition, None, true, NOW).unwrap();
    let written = fill(&log);
    clean_log(&log, 1000, NOW).unwrap();
    let clean = clean_end(&log);
    assert!(clean.is_some());
    let future = manager.get_or_create_future(&partition, None, to.path(), NOW).unwrap();
    future.append_as_follower(read_all(&log).into(), Some(EPOCH), NOW).unwrap();
    manager.replace_current_with_future(&partition, NOW).unwrap();
    let moved = manager.log(&partition).unwrap();
    assert_eq!(moved.parent_dir(), to.path());
    assert_eq!(clean_end(&moved), clean);
    assert_eq!(contents(&moved), survivors(&written, clean.unwrap().0));
    assert_eq!(std::fs::read_to_string(from.path().join("cleaner-offset-checkpoint")).unwrap(), "0\n0\n");
}

#[test]
fn a_segment_with_offsets_too_far_apart_becomes_two() {
    const FAR: i64 = 3_000_000_000;
    let (_root, dir) = partition_dir();
    let at = |base: i64, key: u8| {
        let options = BatchOptions {
            base_offset: Offset(base),
            partition_leader_epoch: Some(EPOCH),
            ..BatchOptions::default()
        };
        let mut builder = BatchBuilder::new(options).unwrap();
        builder.append(Offset(base), Some(NOW), Some(&[key]), Some(b"v"), &[]).unwrap();
        builder.finish().unwrap()
    };
    let write = |base: i64, bytes: Vec<u8>| {
        std::fs::write(dir.path().join(format!("{base:020}.log")), bytes).unwrap();
    };
    write(0, [at(0, 1), at(FAR, 2), at(FAR + 1, 1)].concat());
    write(2 * FAR, at(2 * FAR, 9));
    let log = open(&dir);
    log.set_high_watermark(log.log_end_offset());
    clean_log(&log, 1000, NOW).unwrap();
    assert_eq!(bases(&log), [0, FAR, 2 * FAR]);
    let left: Vec<(i64, u8)> = contents(&log).into_iter().map(|(offset, (key, _))| (offset, key)).collect();
    assert_eq!(left, [(FAR, 2), (FAR + 1, 1), (2 * FAR, 9)]);
    assert_eq!(contents(&open(&dir)).len(), 3);
}
