//! Log directories as a whole, on real files.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gregor_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TopicId, TopicPartition};

use crate::testing::*;
use crate::{
    AppendError, AppendOrigin, LogConfig, LogError, LogManager, LogManagerConfig, LogStartReason, OpenError,
    PartitionLog, StorageError,
};

fn config(dirs: &[PathBuf]) -> LogManagerConfig {
    let defaults = LogConfig { segment_bytes: 2000, file_delete_delay_ms: 5, ..LogConfig::default() };
    LogManagerConfig {
        log_dirs: dirs.to_vec(),
        defaults,
        segment_delete_delay_ms: 5,
        ..LogManagerConfig::default()
    }
}

fn open(dirs: &[PathBuf]) -> LogManager {
    LogManager::open(config(dirs), HashMap::new(), NOW).unwrap()
}

fn refused(dirs: &[PathBuf]) -> OpenError {
    LogManager::open(config(dirs), HashMap::new(), NOW).map(drop).unwrap_err()
}

fn partition(n: i32) -> TopicPartition {
    TopicPartition::new("topic", n)
}

fn topic_id() -> TopicId {
    TopicId::from_random([9; 16]).unwrap()
}

fn create(logs: &LogManager, n: i32) -> Arc<PartitionLog> {
    logs.get_or_create(&partition(n), Some(topic_id()), true, NOW).unwrap()
}

fn append(log: &PartitionLog, batches: i64) {
    for n in 0..batches {
        let batch = client_batch(2, 100, NOW.0 + n);
        log.append_as_leader(batch, LeaderEpoch(1), AppendOrigin::Client, None, NOW).unwrap();
    }
}

fn entries(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_clean_stop_leaves_what_kafka_leaves() {
    let root = temporary_dir();
    let dir = root.path().join("logs");
    let logs = open(std::slice::from_ref(&dir));
    assert!(dir.join(".lock").exists());
    append(&create(&logs, 0), 20);
    logs.log(&partition(0)).unwrap().set_high_watermark(Offset(30));
    logs.shutdown(NOW).unwrap();
    assert_eq!(
        entries(&dir),
        [
            ".kafka_cleanshutdown",
            "log-start-offset-checkpoint",
            "recovery-point-offset-checkpoint",
            "replication-offset-checkpoint",
            "topic-0",
        ]
    );
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    assert_eq!(read(".kafka_cleanshutdown"), r#"{"version":0,"brokerEpoch":-1}"#);
    assert_eq!(read("recovery-point-offset-checkpoint"), "0\n1\ntopic 0 40\n");
    assert_eq!(read("replication-offset-checkpoint"), "0\n1\ntopic 0 30\n");
    assert_eq!(read("log-start-offset-checkpoint"), "0\n0\n");
    assert_eq!(read("topic-0/leader-epoch-checkpoint"), "0\n1\n1 0\n");
    assert_eq!(read("topic-0/partition.metadata"), format!("version: 0\ntopic_id: {}", topic_id()));
    assert!(dir.join("topic-0/00000000000000000040.snapshot").exists());

    let logs = open(std::slice::from_ref(&dir));
    assert!(!dir.join(".kafka_cleanshutdown").exists());
    let log = logs.log(&partition(0)).unwrap();
    assert_eq!((log.log_end_offset(), log.high_watermark()), (Offset(40), Offset(30)));
    assert_eq!(log.topic_id(), Some(topic_id()));
    assert_eq!(log.latest_epoch(), Some(LeaderEpoch(1)));
    assert_eq!(logs.checkpointed_high_watermark(&partition(0)), Some(Offset(30)));
}

#[test]
fn after_a_crash_everything_written_is_there() {
    let root = temporary_dir();
    let dirs = [root.path().join("a"), root.path().join("b")];
    let logs = open(&dirs);
    for n in 0..6 {
        append(&create(&logs, n), 15);
    }
    logs.checkpoint_high_watermarks();
    drop(logs);
    let logs = open(&dirs);
    assert_eq!(logs.all().len(), 6);
    assert!(logs.all().iter().all(|log| log.log_end_offset() == Offset(30)));
    let in_a = logs.all().iter().filter(|log| log.parent_dir() == dirs[0]).count();
    assert_eq!(in_a, 3, "new logs go to the directory with the fewest");
}

#[test]
fn bad_directories_are_refused_or_given_up() {
    let root = temporary_dir();
    let good = root.path().join("good");
    let file = root.path().join("file");
    fs::write(&file, "x").unwrap();
    let logs = open(&[good.clone(), file.clone()]);
    assert_eq!(logs.live_dirs(), std::slice::from_ref(&good));
    assert_eq!(logs.offline_dirs(), std::slice::from_ref(&file));
    assert!(matches!(logs.get_or_create(&partition(0), None, false, NOW), Err(LogError::MayBeOffline(_))));
    append(&create(&logs, 0), 1);
    logs.shutdown(NOW).unwrap();
    assert!(matches!(refused(std::slice::from_ref(&file)), OpenError::NoLiveDirs(_)));
    assert!(matches!(refused(&[good.clone(), good.join("../good")]), OpenError::DuplicateDir(_)));
    fs::create_dir(good.join("lost+found")).unwrap();
    assert!(matches!(refused(std::slice::from_ref(&good)), OpenError::ForeignDirectory(_)));
    fs::remove_dir(good.join("lost+found")).unwrap();
    let other = root.path().join("other");
    fs::create_dir_all(other.join("topic-0")).unwrap();
    assert!(matches!(refused(&[good, other]), OpenError::DuplicateLog { .. }));
}

#[test]
fn another_topic_id_is_refused() {
    let root = temporary_dir();
    let logs = open(&[root.path().to_path_buf()]);
    create(&logs, 0);
    let other = TopicId::from_random([5; 16]);
    assert!(matches!(
        logs.get_or_create(&partition(0), other, true, NOW),
        Err(LogError::InconsistentTopicId { .. })
    ));
}

#[test]
fn a_deleted_log_is_renamed_and_then_removed() {
    let root = temporary_dir();
    let dir = root.path().to_path_buf();
    let logs = open(std::slice::from_ref(&dir));
    let log = create(&logs, 0);
    append(&log, 3);
    let slice = log.read(Offset(0), 1000, crate::FetchIsolation::LogEnd, true).unwrap().records.unwrap();
    assert!(logs.delete(&partition(0), NOW).unwrap());
    assert!(!logs.delete(&partition(0), NOW).unwrap());
    assert!(logs.log(&partition(0)).is_none());
    let is_deleted = |name: &String| name.starts_with("topic-0.") && name.ends_with("-delete");
    assert_eq!(entries(&dir).iter().filter(|name| is_deleted(name)).count(), 1);
    let refused =
        log.append_as_leader(client_batch(1, 1, 0), LeaderEpoch(1), AppendOrigin::Client, None, NOW);
    assert!(matches!(refused, Err(AppendError::Storage(StorageError::Closed(_)))));
    logs.run_due_work(NOW);
    assert!(entries(&dir).iter().any(is_deleted), "not yet");
    logs.run_due_work(NOW + 5);
    assert!(!entries(&dir).iter().any(is_deleted));
    assert!(!slice.read_to_bytes().unwrap().is_empty(), "a reader that has the file goes on reading");
    assert_eq!(create(&logs, 0).log_end_offset(), Offset(0), "a log of that name starts anew");
}

#[test]
fn retention_and_delayed_removal_of_segments() {
    let root = temporary_dir();
    let dir = root.path().to_path_buf();
    let logs = open(std::slice::from_ref(&dir));
    let log = create(&logs, 0);
    append(&log, 50);
    log.set_high_watermark(Offset(100));
    let segments = log.segment_count();
    assert!(segments > 4);
    log.increment_log_start_offset(Offset(50), LogStartReason::ClientRecordDeletion).unwrap();
    logs.run_retention(NOW);
    assert!(log.segment_count() < segments);
    assert_eq!(log.log_start_offset(), Offset(50));
    let deleted =
        |dir: &Path| entries(&dir.join("topic-0")).iter().filter(|name| name.ends_with(".deleted")).count();
    assert!(deleted(&dir) > 0);
    logs.run_due_work(NOW + 5);
    assert_eq!(deleted(&dir), 0);
    logs.checkpoint_log_start_offsets();
    let checkpoint = fs::read_to_string(dir.join("log-start-offset-checkpoint")).unwrap();
    assert_eq!(checkpoint, "0\n1\ntopic 0 50\n");
    let by_time = NOW + LogConfig::default().retention_ms.unwrap() + 100;
    logs.run_retention(by_time);
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(100), Offset(100)));
    assert_eq!(log.segment_count(), 1);
    logs.shutdown(NOW).unwrap();
    let logs = open(&[dir]);
    let log = logs.log(&partition(0)).unwrap();
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(100), Offset(100)));
}

#[test]
fn a_crash_takes_the_log_start_offset_and_the_epochs_back_together() {
    let root = temporary_dir();
    let dir = root.path().to_path_buf();
    let logs = open(std::slice::from_ref(&dir));
    let log = create(&logs, 0);
    for (epoch, start) in [(1, 0), (2, 4), (3, 8)] {
        log.assign_epoch_start(LeaderEpoch(epoch), Offset(start)).unwrap();
        let batch = client_batch(4, 100, NOW.0);
        log.append_as_leader(batch, LeaderEpoch(epoch), AppendOrigin::Client, None, NOW).unwrap();
    }
    log.set_high_watermark(Offset(12));
    let file = || fs::read_to_string(dir.join("topic-0/leader-epoch-checkpoint")).unwrap();
    assert_eq!(log.delete_records(Some(Offset(9))).unwrap(), Offset(9));
    assert_eq!(log.epoch_start_offset(LeaderEpoch(2)), None);
    assert_eq!(file(), "0\n3\n1 0\n2 4\n3 8\n");
    drop((log, logs));

    let logs = open(std::slice::from_ref(&dir));
    let log = logs.log(&partition(0)).unwrap();
    assert_eq!(log.log_start_offset(), Offset(0), "it was not checkpointed");
    assert_eq!(log.epoch_start_offset(LeaderEpoch(2)), Some(Offset(4)));
    log.set_high_watermark(Offset(12));
    assert_eq!(log.delete_records(Some(Offset(5))).unwrap(), Offset(5));
    logs.checkpoint_log_start_offsets();
    assert_eq!(file(), "0\n2\n2 5\n3 8\n");
    assert_eq!(log.delete_records(Some(Offset(9))).unwrap(), Offset(9));
    drop((log, logs));

    let logs = open(std::slice::from_ref(&dir));
    let log = logs.log(&partition(0)).unwrap();
    assert_eq!(log.log_start_offset(), Offset(5));
    assert_eq!(log.epoch_entries(), [(LeaderEpoch(2), Offset(5)), (LeaderEpoch(3), Offset(8))]);
    log.set_high_watermark(Offset(12));
    assert_eq!(log.delete_records(Some(Offset(9))).unwrap(), Offset(9));
    logs.shutdown(NOW).unwrap();
    assert_eq!(file(), "0\n1\n3 9\n", "a clean stop leaves what Kafka leaves");
}

#[test]
fn a_log_moves_between_directories() {
    let root = temporary_dir();
    let dirs = [root.path().join("a"), root.path().join("b")];
    let logs = open(&dirs);
    let current = create(&logs, 0);
    append(&current, 10);
    current.set_high_watermark(Offset(20));
    current.assign_epoch_start(LeaderEpoch(7), Offset(20)).unwrap();
    let target = dirs.iter().find(|dir| **dir != current.parent_dir()).unwrap();
    let future = logs.get_or_create_future(&partition(0), Some(topic_id()), target, NOW).unwrap();
    assert!(future.is_future());
    future.append_as_follower(read_all(&current).into(), None, NOW).unwrap();
    let verify = |log: &PartitionLog| {
        log.start_transaction_verification(ProducerId(1), 0, ProducerEpoch(0), NOW).unwrap()
    };
    let guard = verify(&current);
    logs.replace_current_with_future(&partition(0), NOW).unwrap();
    let moved = logs.log(&partition(0)).unwrap();
    assert_eq!(verify(&moved), guard, "what a producer was about to write may be written still");
    assert_eq!(moved.parent_dir(), *target);
    assert!(!moved.is_future());
    assert_eq!(moved.dir(), target.join("topic-0"));
    assert_eq!((moved.log_end_offset(), moved.high_watermark()), (Offset(20), Offset(20)));
    assert_eq!(moved.latest_epoch(), Some(LeaderEpoch(7)));
    assert!(logs.future_log(&partition(0)).is_none());
    append(&moved, 1);
    logs.shutdown(NOW).unwrap();
    let logs = open(&dirs);
    assert_eq!(logs.log(&partition(0)).unwrap().log_end_offset(), Offset(22));
}

#[test]
fn a_failed_directory_goes_offline_and_the_others_go_on() {
    let root = temporary_dir();
    let dirs = [root.path().join("a"), root.path().join("b")];
    let logs = open(&dirs);
    for n in 0..4 {
        append(&create(&logs, n), 2);
    }
    let told = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&told);
    logs.set_failure_listener(Box::new(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    }));
    let victim = logs.log(&partition(0)).unwrap();
    let dir = victim.parent_dir();
    fs::remove_dir_all(victim.dir()).unwrap();
    let failed = victim.assign_epoch_start(LeaderEpoch(5), Offset(4));
    assert!(matches!(failed, Err(StorageError::Io { .. })));
    assert_eq!(told.load(Ordering::Relaxed), 1);
    let neighbour =
        logs.all().into_iter().find(|log| log.parent_dir() == dir && !Arc::ptr_eq(log, &victim)).unwrap();
    assert!(matches!(neighbour.flush(NOW), Err(StorageError::Offline { .. })));
    let dropped = logs.drop_failed_dir(&dir).unwrap();
    assert_eq!(dropped.logs.len(), 2);
    assert_eq!(logs.all().len(), 2);
    assert_eq!(logs.offline_dirs(), [dir]);
    logs.all().iter().for_each(|log| append(log, 1));
    logs.shutdown(NOW).unwrap();
    assert_eq!(told.load(Ordering::Relaxed), 1);
}

#[test]
fn damaged_checkpoints_of_a_directory_count_as_none() {
    let root = temporary_dir();
    let dir = root.path().to_path_buf();
    let logs = open(std::slice::from_ref(&dir));
    append(&create(&logs, 0), 10);
    logs.shutdown(NOW).unwrap();
    for name in
        ["recovery-point-offset-checkpoint", "replication-offset-checkpoint", "log-start-offset-checkpoint"]
    {
        fs::write(dir.join(name), b"0\n7\ngarbage \xff\n").unwrap();
    }
    fs::remove_file(dir.join(".kafka_cleanshutdown")).unwrap();
    let logs = open(&[dir]);
    assert_eq!(logs.log(&partition(0)).unwrap().log_end_offset(), Offset(20));
}

#[test]
fn configuration_of_topics() {
    let root = temporary_dir();
    let logs = open(&[root.path().to_path_buf()]);
    let log = create(&logs, 0);
    let own = LogConfig { segment_bytes: 777, ..LogConfig::default() };
    logs.update_topic_config(&partition(0).topic, Some(own));
    assert_eq!(log.config().segment_bytes, 777);
    assert_eq!(create(&logs, 1).config().segment_bytes, 777);
    logs.update_topic_config(&partition(0).topic, None);
    assert_eq!(log.config().segment_bytes, 2000);
    logs.update_defaults(LogConfig { segment_bytes: 888, ..LogConfig::default() });
    assert_eq!(log.config().segment_bytes, 888);
}

#[test]
fn checkpoints_written_at_the_same_time_do_not_disturb_each_other() {
    let root = tempfile::tempdir().unwrap();
    let logs = open(&[root.path().join("a")]);
    for n in 0..3 {
        append(&create(&logs, n), 1);
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    logs.checkpoint_log_start_offsets();
                    logs.checkpoint_high_watermarks();
                    logs.checkpoint_recovery_points();
                }
            });
        }
    });
    assert_eq!(logs.offline_dirs(), Vec::<PathBuf>::new());
}
