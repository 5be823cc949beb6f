//! Damage to the files of a log directory itself: it opens, or a start is refused or the directory given up with a reason.
//! Nothing panics, and no record goes for a checkpoint's damage.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use gregor_model::{LeaderEpoch, Offset, TopicPartition};

use crate::cleaner::CLEANER_CHECKPOINT;
use crate::testing::random::Random;
use crate::testing::*;
use crate::{AppendOrigin, LogConfig, LogManager, LogManagerConfig, LogStartReason};

const PARTITIONS: i32 = 3;
const END: i64 = 40;

fn open(dir: &Path) -> Result<LogManager, crate::OpenError> {
    let defaults = LogConfig { segment_bytes: 2000, file_delete_delay_ms: 5, ..LogConfig::default() };
    let config = LogManagerConfig { log_dirs: vec![dir.to_owned()], defaults, ..LogManagerConfig::default() };
    LogManager::open(config, HashMap::new(), NOW)
}

fn partition(n: i32) -> TopicPartition {
    TopicPartition::new("topic", n)
}

/// A directory that was closed cleanly, with every checkpoint. Of one log the head was deleted.
fn write_dir(dir: &Path) {
    let logs = open(dir).unwrap();
    for n in 0..PARTITIONS {
        let log = logs.get_or_create(&partition(n), None, true, NOW).unwrap();
        for at in 0..END / 2 {
            let batch = client_batch(2, 100, NOW.0 + at);
            log.append_as_leader(batch, LeaderEpoch(1), AppendOrigin::Client, None, NOW).unwrap();
        }
        log.set_high_watermark(Offset(END));
    }
    let first = logs.log(&partition(0)).unwrap();
    first.increment_log_start_offset(Offset(5), LogStartReason::ClientRecordDeletion).unwrap();
    logs.shutdown(NOW).unwrap();
    fs::write(dir.join(CLEANER_CHECKPOINT), "0\n2\ntopic 1 20\ntopic 2 0\n").unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len() as u64 + 1) as usize;
    match random.below(6) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        1 => bytes.truncate(at),
        2 => bytes.extend((0..random.below(40)).map(|_| random.next() as u8)),
        3 if at < bytes.len() => bytes[at] = b'0' + random.below(10) as u8,
        4 => bytes.insert(at, b" \n-9\xff\0"[random.below(6) as usize]),
        _ => bytes.clear(),
    }
}

#[test]
fn damaged_checkpoints_cost_no_record() {
    let template = temporary_dir();
    write_dir(template.path());
    let files = [
        "recovery-point-offset-checkpoint",
        "log-start-offset-checkpoint",
        "replication-offset-checkpoint",
        CLEANER_CHECKPOINT,
        ".kafka_cleanshutdown",
    ];
    for seed in 0..1000 {
        let mut random = Random::new(seed);
        let root = temporary_dir();
        copy(template.path(), root.path());
        let name = files[seed as usize % files.len()];
        let mut bytes = fs::read(root.path().join(name)).unwrap();
        damage(&mut bytes, &mut random);
        fs::write(root.path().join(name), &bytes).unwrap();
        if random.below(2) == 0 {
            fs::remove_file(root.path().join(".kafka_cleanshutdown")).unwrap();
        }
        let context = format!("seed {seed}, {name}: {:?}", String::from_utf8_lossy(&bytes));
        let logs = match open(root.path()) {
            Ok(logs) => logs,
            Err(error) => panic!("{context}: {error}"),
        };
        for n in 0..PARTITIONS {
            let log = logs.log(&partition(n)).unwrap_or_else(|| panic!("{context}: no log {n}"));
            // Where a log starts is told by that file alone, and Kafka starts a log anew that ends before.
            if name != "log-start-offset-checkpoint" {
                assert_eq!(log.log_end_offset(), Offset(END), "{context}");
                assert_eq!(log.log_start_offset(), Offset(if n == 0 { 5 } else { 0 }), "{context}");
            }
            let batch = client_batch(2, 100, NOW.0);
            log.append_as_leader(batch, LeaderEpoch(2), AppendOrigin::Client, None, NOW).unwrap();
        }
        logs.shutdown(NOW).unwrap_or_else(|error| panic!("{context}: {error}"));
    }
}
