//! Random work on a log, a crash at every operation of the disk, and what the next start finds: all that was durable,
//! nothing but a prefix of what was written, indexes and producers that agree with it.

use std::path::PathBuf;
use std::sync::Arc;

use gregor_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
use gregor_records::batch::{set_base_offset, set_partition_leader_epoch};
use gregor_records::{BatchHeader, BatchOptions, Producer, batches};

use super::PartitionLog;
use crate::disk::OsDisk;
use crate::offset_index::OffsetEntry;
use crate::producer_state::ProducerState;
use crate::segment_scan::HeaderScan;
use crate::sparse_index::IndexEntry;
use crate::stored_batch::producer_batch;
use crate::testing::faulty_disk::{Crash, FaultyDisk};
use crate::testing::random::Random;
use crate::testing::*;
use crate::time_index::TimeEntry;
use crate::{AppendOrigin, FetchIsolation, LogConfig, LogStartReason};

/// Operations of a scenario.
const STEPS: u64 = 14;

/// Batches in order, each with the bytes it should have in the log.
type History = Vec<(Offset, Vec<u8>)>;

/// What the log should hold.
#[derive(Default)]
struct Expected {
    history: History,
    /// What it may hold as well, if the crash comes during this operation.
    in_flight: Option<History>,
    /// What lies before must survive.
    durable: Offset,
    sequences: [i32; 2],
    epoch: i32,
}

fn config(random: &mut Random) -> LogConfig {
    LogConfig {
        segment_bytes: 400 + random.below(800) as u32,
        index_interval_bytes: random.below(300) as u32,
        segment_index_bytes: 48 + random.below(200) as u32,
        flush_messages: if random.below(4) == 0 { 3 } else { i64::MAX },
        file_delete_delay_ms: 0,
        ..LogConfig::default()
    }
}

fn end(history: &History) -> Option<Offset> {
    history.last().and_then(|(_, bytes)| BatchHeader::decode(bytes).ok()).map(|header| header.next_offset())
}

/// Does `STEPS` random things; stops at the crash.
fn work(log: &PartitionLog, random: &mut Random, expected: &mut Expected) {
    for step in 0..STEPS {
        let done = match random.below(100) {
            0..68 => append(log, random, expected, step),
            68..76 => log.flush(NOW).is_ok(),
            76..82 => log.flush_rolled(NOW).is_ok(),
            82..90 => checkpoint_recovery_point(log),
            90..96 => truncate(log, random, expected),
            96..98 => delete_head(log, random),
            _ => restart(log, random, expected),
        };
        if !done {
            return;
        }
        expected.in_flight = None;
        expected.durable = log.marks.read().flushed;
    }
}

/// What `LogManager` does every minute.
fn checkpoint_recovery_point(log: &PartitionLog) -> bool {
    let log_dir = log.partition_dir().log_dir();
    let entry = || vec![(log.topic_partition().clone(), log.recovery_point())];
    log_dir.recovery_points().write(log_dir, entry).is_ok()
}

fn append(log: &PartitionLog, random: &mut Random, expected: &mut Expected, step: u64) -> bool {
    if random.below(8) == 0 {
        expected.epoch += 1;
    }
    let epoch = LeaderEpoch(expected.epoch);
    let count = 1 + random.below(3) as i32;
    let slot = random.below(4) as usize;
    let producer = expected.sequences.get(slot).map(|&next| Producer {
        id: ProducerId(100 + slot as i64),
        epoch: ProducerEpoch(0),
        base_sequence: Some(Sequence(next)),
    });
    let options = BatchOptions { producer, ..BatchOptions::default() };
    let batch = batch_with(options, count, random.below(150) as usize, NOW.0 + step as i64 * 10);
    let first = log.log_end_offset();
    let mut stored = batch.to_vec();
    set_base_offset(&mut stored, first);
    set_partition_leader_epoch(&mut stored, epoch);
    let mut history = expected.history.clone();
    history.push((first, stored));
    expected.in_flight = Some(history.clone());
    if log.append_as_leader(batch, epoch, AppendOrigin::Client, None, NOW).is_err() {
        return false;
    }
    expected.history = history;
    if producer.is_some() {
        expected.sequences[slot] += count;
    }
    true
}

fn truncate(log: &PartitionLog, random: &mut Random, expected: &mut Expected) -> bool {
    if expected.history.is_empty() {
        return true;
    }
    let keep = random.below(expected.history.len() as u64 + 1) as usize;
    let Some(&(target, _)) = expected.history.get(keep) else { return true };
    if target < log.log_start_offset() {
        return true;
    }
    let shorter = expected.history[..keep].to_vec();
    expected.in_flight = Some(shorter.clone());
    expected.durable = expected.durable.min(target);
    if log.truncate_to(target, NOW).is_err() {
        return false;
    }
    expected.history = shorter;
    forget_sequences(log, expected);
    true
}

fn restart(log: &PartitionLog, random: &mut Random, expected: &mut Expected) -> bool {
    let target = log.log_end_offset() + random.below(3) as i64;
    expected.in_flight = Some(History::new());
    expected.durable = Offset::ZERO;
    if log.truncate_fully_and_start_at(target, NOW).is_err() {
        return false;
    }
    expected.history.clear();
    forget_sequences(log, expected);
    true
}

fn forget_sequences(log: &PartitionLog, expected: &mut Expected) {
    let known = log.active_producers();
    for (slot, next) in expected.sequences.iter_mut().enumerate() {
        let summary = known.iter().find(|known| known.producer_id == ProducerId(100 + slot as i64));
        *next = summary.map_or(0, |summary| summary.last_sequence + 1);
    }
}

fn delete_head(log: &PartitionLog, random: &mut Random) -> bool {
    log.set_high_watermark(log.log_end_offset());
    let (start, end) = (log.log_start_offset(), log.log_end_offset());
    let to = start + random.below((end - start) as u64 + 1) as i64;
    log.increment_log_start_offset(to, LogStartReason::ClientRecordDeletion).is_ok()
        && log.delete_old_segments(NOW).is_ok()
}

/// Runs the scenario of `seed` until the crash; returns how many operations the disk did.
fn run(seed: u64, crash_at: Option<u64>, crash: Crash) -> u64 {
    let before = temporary_dir();
    let disk = FaultyDisk::new(crash_at, seed ^ crash_at.unwrap_or(0));
    let mut random = Random::new(seed);
    let config = config(&mut random);
    let mut expected = Expected::default();
    {
        let dir = partition_dir_on(before.path(), Arc::clone(&disk) as _);
        match load_crashed(&dir, config.clone()) {
            Ok(log) => work(&log, &mut random, &mut expected),
            Err(_) => return disk.operations(),
        }
    }
    let after = temporary_dir();
    disk.after_crash(crash, before.path(), after.path());
    let context = format!("seed {seed}, crash {crash:?} at {crash_at:?}");
    verify(after.path().to_path_buf(), &config, &expected, crash, &context);
    disk.operations()
}

fn verify(root: PathBuf, config: &LogConfig, expected: &Expected, crash: Crash, context: &str) {
    let dir = partition_dir_on(&root, Arc::new(OsDisk));
    let log = load_crashed(&dir, config.clone()).unwrap_or_else(|error| panic!("{context}: {error}"));
    let bytes = read_all(&log);
    let end = log.log_end_offset();
    let found = [Some(&expected.history), expected.in_flight.as_ref()]
        .into_iter()
        .flatten()
        .any(|history| is_prefix(&log, &bytes, history));
    assert!(found, "{context}: the log [{}, {end}) is no prefix of what was written", log.log_start_offset());
    assert!(end >= expected.durable, "{context}: durable up to {}, found {end}", expected.durable);
    if crash == Crash::Kill && expected.in_flight.is_none() {
        assert_eq!(
            Some(end),
            self::end(&expected.history).or(Some(end)),
            "{context}: acknowledged records are lost"
        );
    }
    verify_reads(&log, &bytes, context);
    verify_indexes(&log, context);
    verify_producers(&log, &bytes, context);
    log.append_as_leader(client_batch(2, 10, NOW.0), LeaderEpoch(99), AppendOrigin::Client, None, NOW)
        .unwrap_or_else(|error| panic!("{context}: cannot append after recovery: {error}"));
    log.close(NOW).unwrap();
    drop(log);
    let again = load(&dir, config.clone(), checkpoint(true, end.0 + 2)).unwrap();
    assert_eq!(again.log_end_offset(), end + 2, "{context}");
    verify_indexes(&again, context);
}

/// Whether the log holds batches of `history` one after the other, from some segment's base on.
fn is_prefix(log: &PartitionLog, bytes: &[u8], history: &History) -> bool {
    let start = log.log_start_offset();
    let kept = history.iter().filter(|(base, _)| *base >= start && *base < log.log_end_offset());
    let expected: Vec<u8> = kept.flat_map(|(_, bytes)| bytes.iter().copied()).collect();
    expected == bytes
}

fn verify_reads(log: &PartitionLog, bytes: &[u8], context: &str) {
    for batch in batches(bytes).map(Result::unwrap) {
        batch.check_crc().unwrap();
        for offset in batch.base_offset().0..=batch.last_offset().0 {
            let data = log.read(Offset(offset), 1, FetchIsolation::LogEnd, true).unwrap();
            let read = data.records.unwrap().read_to_bytes().unwrap();
            assert_eq!(&read[..], batch.bytes(), "{context}: reading {offset}");
        }
    }
}

fn entries<E: IndexEntry>(base: Offset, path: PathBuf) -> Vec<E> {
    let bytes = std::fs::read(path).unwrap_or_default();
    assert_eq!(bytes.len() % E::SIZE, 0);
    bytes.chunks(E::SIZE).map(|entry| E::decode(base, entry)).collect()
}

fn verify_indexes(log: &PartitionLog, context: &str) {
    for segment in log.segments.load().iter() {
        segment.offset_index().write().unwrap();
        segment.time_index().write().unwrap();
        let path = segment.path();
        let offsets: Vec<OffsetEntry> = entries(segment.base(), path.with_extension("index"));
        let times: Vec<TimeEntry> = entries(segment.base(), path.with_extension("timeindex"));
        assert!(offsets.is_sorted_by(|a, b| a.offset < b.offset && a.position < b.position), "{context}");
        assert!(times.is_sorted_by(|a, b| a.timestamp < b.timestamp && a.offset <= b.offset), "{context}");
        let mut places = Vec::new();
        let mut scan = HeaderScan::new(segment.log(), 0, segment.size());
        while let Some(place) = scan.next().unwrap() {
            places.push(place);
        }
        for entry in offsets {
            let found = places.iter().any(|place| {
                place.position == u64::from(entry.position) && place.header.last_offset() == entry.offset
            });
            assert!(found, "{context}: {entry:?} of {} points nowhere", path.display());
        }
        for entry in times {
            let until = places.iter().filter(|place| place.header.last_offset() <= entry.offset);
            let largest = until.filter_map(|place| place.header.max_timestamp).max();
            assert_eq!(largest, Some(entry.timestamp), "{context}: {entry:?} of {}", path.display());
        }
    }
}

fn verify_producers(log: &PartitionLog, bytes: &[u8], context: &str) {
    let mut replayed = ProducerState::default();
    for batch in batches(bytes).map(Result::unwrap) {
        let Some(producer) = producer_batch(batch.header(), None) else { continue };
        let mut updates = Default::default();
        replayed.check(&mut updates, &producer, AppendOrigin::Replication).unwrap();
        replayed.apply(updates);
    }
    let known = log.active_producers();
    for expected in replayed.summaries() {
        assert!(known.contains(&expected), "{context}: {expected:?} is not among {known:?}");
    }
}

/// Crashes each scenario at every one of its operations.
fn crash_everywhere(seeds: std::ops::Range<u64>, crash: Crash) -> u64 {
    let mut cases = 0;
    for seed in seeds {
        let operations = run(seed, None, crash);
        for crash_at in 0..operations {
            run(seed, Some(crash_at), crash);
        }
        cases += operations + 1;
    }
    cases
}

#[test]
fn a_killed_process_loses_nothing_acknowledged() {
    let cases = crash_everywhere(0..60, Crash::Kill);
    assert!(cases > 2500, "{cases}");
}

#[test]
fn a_power_loss_loses_nothing_durable() {
    let cases = crash_everywhere(1000..1090, Crash::PowerLoss);
    assert!(cases > 3750, "{cases}");
}

#[test]
fn a_power_loss_loses_nothing_durable_on_other_logs() {
    let cases = crash_everywhere(2000..2090, Crash::PowerLoss);
    assert!(cases > 3750, "{cases}");
}
