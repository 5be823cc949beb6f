//! Damage to each file of a log, everywhere in it: the log opens with what lies before the damage, or its directory goes
//! offline with a reason. Nothing panics.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use gregor_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TopicId};
use gregor_records::{BatchOptions, EndTransactionMarker, Producer, batches};

use super::PartitionLog;
use crate::disk::OsDisk;
use crate::testing::random::Random;
use crate::testing::*;
use crate::{AppendOrigin, FetchIsolation, LogConfig, TimestampQuery};

fn config() -> LogConfig {
    LogConfig { segment_bytes: 1500, index_interval_bytes: 150, ..LogConfig::default() }
}

/// A log with several segments, epochs, producers, and aborted transactions.
fn write_log(root: &Path) -> Vec<u8> {
    let dir = partition_dir_on(root, Arc::new(OsDisk));
    let log = load(&dir, config(), checkpoint(false, 0)).unwrap();
    log.assign_topic_id(TopicId::from_random([3; 16]).unwrap()).unwrap();
    let mut sequence = 0;
    for n in 0..30 {
        let epoch = LeaderEpoch(n / 10);
        let producer = (n % 3 != 0).then(|| {
            let base_sequence = Some(Sequence(sequence));
            sequence += 2;
            Producer { id: ProducerId(7), epoch: ProducerEpoch(1), base_sequence }
        });
        let options = BatchOptions { producer, transactional: producer.is_some(), ..BatchOptions::default() };
        let batch = batch_with(options, 2, 60, NOW.0 + i64::from(n) * 100);
        log.append_as_leader(batch, epoch, AppendOrigin::Client, None, NOW).unwrap();
        if n % 3 == 2 {
            let marker = EndTransactionMarker { commit: n % 2 == 0, coordinator_epoch: 1 };
            let marker = marker.batch(Offset(0), None, ProducerId(7), ProducerEpoch(1), NOW).unwrap();
            log.append_as_leader(marker.into(), epoch, AppendOrigin::Coordinator, None, NOW).unwrap();
        }
    }
    let bytes = read_all(&log);
    log.close(NOW).unwrap();
    bytes
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let len = bytes.len() as u64;
    let at = random.below(len.max(1)) as usize;
    match random.below(6) {
        0 if len > 0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes.truncate(at),
        2 => bytes.extend((0..random.below(300)).map(|_| random.next() as u8)),
        3 => bytes.extend(vec![0; random.below(5000) as usize]),
        4 if len > 0 => {
            let end = (at + 1 + random.below(64) as usize).min(bytes.len());
            bytes[at..end].fill(random.next() as u8);
        }
        _ => {
            let end = (at + 1 + random.below(200) as usize).min(bytes.len());
            bytes.drain(at.min(end)..end);
        }
    }
}

/// Uses the log in every way; what is damaged may be refused.
fn use_log(log: &PartitionLog) {
    log.set_high_watermark(log.log_end_offset());
    let (start, end) = (log.log_start_offset().0, log.log_end_offset().0);
    for offset in (start..=end.min(start + 200)).step_by(3) {
        for isolation in [FetchIsolation::LogEnd, FetchIsolation::TxnCommitted] {
            if let Ok(data) = log.read(Offset(offset), 500, isolation, true)
                && let Some(slice) = data.records
            {
                let _ = slice.read_to_bytes();
            }
        }
    }
    for timestamp in [0, NOW.0, NOW.0 + 1500, i64::MAX] {
        let _ = log.offset_for_timestamp(TimestampQuery::At(gregor_model::Timestamp(timestamp)));
    }
    let _ = log.offset_for_timestamp(TimestampQuery::MaxTimestamp);
    let _ = log.legacy_offsets_before(NOW.0, 10, NOW);
    let _ = (log.offsets(), log.active_producers(), log.delete_old_segments(NOW));
    let _ = log.append_as_leader(client_batch(1, 20, NOW.0), LeaderEpoch(9), AppendOrigin::Client, None, NOW);
    let _ = log.truncate_to(Offset((start + end) / 2), NOW);
    let _ = log.append_as_leader(client_batch(1, 20, NOW.0), LeaderEpoch(9), AppendOrigin::Client, None, NOW);
    let _ = log.close(NOW);
}

/// The bytes that a batch's checksum covers: base offset and leader epoch are not among them.
fn checked_parts(log: &[u8]) -> Vec<u8> {
    let checked = |batch: gregor_records::BatchRef<'_>| {
        batch.check_crc().unwrap();
        batch.bytes()[16..].to_vec()
    };
    batches(log).flat_map(|batch| checked(batch.unwrap())).collect()
}

fn run(seed: u64, template: &Path, whole: &[u8]) {
    let mut random = Random::new(seed);
    let root = temporary_dir();
    let target = root.path().join("t-0");
    fs::create_dir(&target).unwrap();
    let mut names: Vec<_> =
        fs::read_dir(template.join("t-0")).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    let victim = random.below(names.len() as u64) as usize;
    let mut is_log = false;
    for (at, name) in names.iter().enumerate() {
        let mut bytes = fs::read(template.join("t-0").join(name)).unwrap();
        if at == victim {
            damage(&mut bytes, &mut random);
            is_log = name.to_string_lossy().ends_with(".log");
        }
        fs::write(target.join(name), bytes).unwrap();
    }
    let clean = random.below(2) == 0;
    let dir = partition_dir_on(root.path(), Arc::new(OsDisk));
    let context = format!("seed {seed}, clean {clean}, damaged {:?}", names[victim]);
    match load(&dir, config(), checkpoint(clean, if clean { i64::MAX } else { 0 })) {
        Err(error) => {
            assert!(dir.log_dir().failure().is_some(), "{context}: {error}");
            assert!(!is_log || clean, "{context}: {error}");
        }
        Ok(log) => {
            if !clean {
                // All good batches before the damage, and nothing else.
                let found = checked_parts(&read_all(&log));
                assert!(whole.starts_with(&found), "{context}: {} of {} bytes", found.len(), whole.len());
                assert!(is_log || found.len() == whole.len(), "{context}");
            }
            use_log(&log);
        }
    }
}

#[test]
fn damage_anywhere_is_survived() {
    let template = temporary_dir();
    let whole = checked_parts(&write_log(template.path()));
    let names: Vec<_> =
        fs::read_dir(template.path().join("t-0")).unwrap().map(|e| e.unwrap().file_name()).collect();
    for suffix in [".log", ".index", ".timeindex", ".txnindex", ".snapshot", "checkpoint", "metadata"] {
        assert!(
            names.iter().any(|name| name.to_string_lossy().ends_with(suffix)),
            "no {suffix} in {names:?}"
        );
    }
    for seed in 0..3000 {
        run(seed, template.path(), &whole);
    }
}
