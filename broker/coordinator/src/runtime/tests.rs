//! The shells over a log in memory: load, ask, append, resign.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use gregor_model::{BrokerId, LeaderEpoch, Offset, ProducerEpoch, ProducerId, TopicPartition};
use gregor_records::{BatchRef, Compression, batch};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::group::request::{Claim, Commit, OffsetToCommit};
use crate::group::{AppendFailure, GroupConfig, GroupError};
use crate::transaction::*;

/// One partition's log in memory, shared by the brokers of a test.
struct MemoryLog {
    bytes: Mutex<(Vec<u8>, i64)>,
    is_replicated: watch::Sender<bool>,
    partition_count: Mutex<i32>,
}

impl Default for MemoryLog {
    fn default() -> Self {
        MemoryLog {
            bytes: Mutex::default(),
            is_replicated: watch::Sender::new(true),
            partition_count: Mutex::new(1),
        }
    }
}

#[async_trait]
impl TopicLog for MemoryLog {
    async fn append(&self, _partition: i32, append: TopicAppend) -> Result<Offset, AppendFailure> {
        let mut log = self.bytes.lock();
        let base = Offset(log.1);
        let mut bytes = append.batch.to_vec();
        let records = BatchRef::first(&bytes).expect("a batch").header().record_count.unwrap_or(0);
        batch::set_base_offset(&mut bytes, base);
        log.0.extend(bytes);
        log.1 += i64::from(records);
        Ok(base)
    }

    fn range(&self, _partition: i32) -> Result<Range<Offset>, LoadError> {
        Ok(Offset(0)..Offset(self.bytes.lock().1))
    }

    async fn partition_count(&self) -> Option<i32> {
        Some(*self.partition_count.lock())
    }

    fn read(&self, _partition: i32, from: Offset) -> Result<Bytes, LoadError> {
        let log = self.bytes.lock();
        let mut position = 0;
        for batch in gregor_records::batches(&log.0) {
            let batch = batch.expect("a batch");
            if batch.header().next_offset() > from {
                break;
            }
            position += batch.bytes().len();
        }
        Ok(Bytes::copy_from_slice(&log.0[position..]))
    }

    async fn replicated(&self, _partition: i32, _end: Offset) -> Result<(), LoadError> {
        let mut replicated = self.is_replicated.subscribe();
        replicated.wait_for(|is| *is).await.expect("the log is there");
        Ok(())
    }
}

async fn until(mut condition: impl AsyncFnMut() -> bool) {
    while !condition().await {
        tokio::task::yield_now().await;
    }
}

fn commit(offset: i64) -> Commit {
    Commit {
        claim: Claim { group: "g".into(), member: "".into(), instance: None, generation: -1 },
        producer: None,
        verification: None,
        member_epoch_known: false,
        retention_ms: None,
        offsets: vec![OffsetToCommit {
            partition: TopicPartition::new("t", 0),
            offset: Offset(offset),
            leader_epoch: None,
            metadata: "".into(),
            committed_at: None,
        }],
    }
}

async fn fetched(groups: &GroupCoordinator) -> Result<Option<Offset>, GroupError> {
    let partitions = Some(vec![TopicPartition::new("t", 0)]);
    let fetch = FetchGroup { group: "g".into(), partitions, require_stable: true, member: None, epoch: -1 };
    groups.fetch(fetch).await.map(|offsets| offsets[0].offset)
}

#[tokio::test]
async fn a_group_moves_to_another_broker() {
    let log = Arc::new(MemoryLog::default());
    let broker = || GroupCoordinator::new(log.clone(), GroupConfig::default(), Compression::NONE, 1);
    let (first, second) = (broker(), broker());
    assert_eq!(first.commit(commit(1)).await, Err(GroupError::NotCoordinator));
    first.elect(0, LeaderEpoch(1));
    until(async || first.commit(commit(7)).await.is_ok()).await;
    assert_eq!(fetched(&first).await, Ok(Some(Offset(7))));
    first.resign(0, Some(LeaderEpoch(0)));
    assert_eq!(fetched(&first).await, Ok(Some(Offset(7))), "an older resignation is ignored");
    first.resign(0, Some(LeaderEpoch(2)));
    assert_eq!(fetched(&first).await, Err(GroupError::NotCoordinator));
    first.elect(0, LeaderEpoch(1));
    assert_eq!(fetched(&first).await, Err(GroupError::NotCoordinator), "an older election is ignored");
    second.elect(0, LeaderEpoch(2));
    until(async || fetched(&second).await.is_ok()).await;
    assert_eq!(fetched(&second).await, Ok(Some(Offset(7))));
    second.shutdown().await;
    first.shutdown().await;
}

#[tokio::test]
async fn nothing_is_served_that_could_still_be_lost() {
    let log = Arc::new(MemoryLog::default());
    log.is_replicated.send_replace(false);
    let groups = GroupCoordinator::new(log.clone(), GroupConfig::default(), Compression::NONE, 1);
    groups.elect(0, LeaderEpoch(1));
    for _ in 0..100 {
        tokio::task::yield_now().await;
        assert_eq!(fetched(&groups).await, Err(GroupError::CoordinatorLoadInProgress));
    }
    groups.resign(0, Some(LeaderEpoch(2)));
    assert_eq!(fetched(&groups).await, Err(GroupError::NotCoordinator));
    groups.elect(0, LeaderEpoch(3));
    log.is_replicated.send_replace(true);
    until(async || fetched(&groups).await.is_ok()).await;
    groups.shutdown().await;
}

#[tokio::test]
async fn a_marker_that_comes_while_the_partition_loads_decides() {
    let log = Arc::new(MemoryLog::default());
    let broker = || GroupCoordinator::new(log.clone(), GroupConfig::default(), Compression::NONE, 1);
    let first = broker();
    first.elect(0, LeaderEpoch(1));
    let mut transactional = commit(7);
    transactional.producer = Some((ProducerId(9), ProducerEpoch(0)));
    until(async || first.commit(transactional.clone()).await.is_ok()).await;
    first.resign(0, Some(LeaderEpoch(2)));
    log.is_replicated.send_replace(false);
    let second = broker();
    second.elect(0, LeaderEpoch(2));
    // The marker lies behind what was read, and nobody reads on.
    let marker = Offset(log.bytes.lock().1);
    let completed = second.complete_transaction(0, ProducerId(9), true, marker);
    log.is_replicated.send_replace(true);
    completed.await;
    assert_eq!(fetched(&second).await, Ok(Some(Offset(7))));
    second.shutdown().await;
    first.shutdown().await;
}

/// Producer ids from 1000, and leaders that take each marker at the second attempt.
#[derive(Default)]
struct Outside {
    written: Mutex<Vec<(TopicPartition, bool)>>,
    attempts: Mutex<usize>,
}

#[async_trait]
impl ProducerIdSource for Outside {
    async fn allocate(&self) -> Option<(i64, i32)> {
        Some((1_000, 1_000))
    }
}

#[async_trait]
impl MarkerRoute for Outside {
    fn target(&self, partition: &TopicPartition) -> MarkerTarget {
        match partition.partition {
            9 => MarkerTarget::Deleted,
            _ => MarkerTarget::Leader(BrokerId(1)),
        }
    }

    async fn write(&self, _broker: BrokerId, markers: &WriteMarkers) -> Option<Vec<Vec<MarkerAnswer>>> {
        *self.attempts.lock() += 1;
        if *self.attempts.lock() == 1 {
            return None;
        }
        let mut answers = Vec::new();
        for (_, _, markers) in &markers.markers {
            let written = markers.partitions.iter().map(|partition| (partition.clone(), markers.commit));
            self.written.lock().extend(written);
            answers.push(vec![MarkerAnswer::Settled; markers.partitions.len()]);
        }
        Some(answers)
    }
}

#[tokio::test]
async fn a_transaction_is_decided_and_its_markers_written() {
    let outside = Arc::new(Outside::default());
    let log = Arc::new(MemoryLog::default());
    let coordinator =
        TransactionCoordinator::new(log, TransactionConfig::default(), 1, outside.clone(), outside.clone());
    let stop = CancellationToken::new();
    let sender = tokio::spawn(Arc::clone(&coordinator).send_markers(stop.clone()));
    coordinator.elect(0, LeaderEpoch(3));
    let init = InitProducer { id: "x".into(), timeout_ms: 60_000, current: None };
    until(async || coordinator.init(init.clone()).await.is_ok()).await;
    let producer = coordinator.init(init.clone()).await.expect("the next epoch");
    assert_eq!(producer.0, ProducerId(1_000));
    assert_eq!(producer.1, ProducerEpoch(1));
    let partitions = [0, 9].map(|index| TopicPartition::new("t", index)).to_vec();
    let add = AddPartitions { id: "x".into(), producer, partitions };
    assert_eq!(coordinator.add_partitions(add).await, Ok(()));
    let end = EndTransaction { id: "x".into(), producer, commit: true };
    assert_eq!(coordinator.end(end).await, Ok(()));
    until(async || {
        coordinator.describe("x".into()).await.expect("known").state == TransactionState::CompleteCommit
    })
    .await;
    assert_eq!(*outside.written.lock(), vec![(TopicPartition::new("t", 0), true)]);
    stop.cancel();
    sender.await.expect("stops");
    coordinator.shutdown().await;
}

#[tokio::test]
async fn another_number_of_partitions_is_not_served() {
    let outside = Arc::new(Outside::default());
    let log = Arc::new(MemoryLog::default());
    let coordinator = TransactionCoordinator::new(
        log.clone(),
        TransactionConfig::default(),
        1,
        outside.clone(),
        outside.clone(),
    );
    *log.partition_count.lock() = 2;
    coordinator.elect(0, LeaderEpoch(1));
    let describe = || coordinator.describe("x".into());
    for _ in 0..100 {
        tokio::task::yield_now().await;
        assert_eq!(describe().await, Err(TransactionError::CoordinatorLoadInProgress));
    }
    *log.partition_count.lock() = 1;
    coordinator.resign(0, Some(LeaderEpoch(2)));
    coordinator.elect(0, LeaderEpoch(3));
    until(async || describe().await == Err(TransactionError::TransactionalIdNotFound)).await;
    coordinator.shutdown().await;
}

#[tokio::test]
async fn a_damaged_batch_is_left_out() {
    let log = Arc::new(MemoryLog::default());
    let broker = || GroupCoordinator::new(log.clone(), GroupConfig::default(), Compression::NONE, 1);
    let first = broker();
    first.elect(0, LeaderEpoch(1));
    until(async || first.commit(commit(7)).await.is_ok()).await;
    let damaged_from = log.bytes.lock().0.len();
    assert!(first.commit(commit(8)).await.is_ok());
    let damaged_to = log.bytes.lock().0.len();
    let mut other = commit(9);
    other.claim.group = "h".into();
    assert!(first.commit(other).await.is_ok());
    first.resign(0, Some(LeaderEpoch(2)));
    log.bytes.lock().0[(damaged_from + damaged_to) / 2 + 20] ^= 1;
    let second = broker();
    second.elect(0, LeaderEpoch(2));
    until(async || fetched(&second).await.is_ok()).await;
    assert_eq!(fetched(&second).await, Ok(Some(Offset(7))));
    let (groups, _) = second.list().await;
    assert_eq!(groups.len(), 2, "what lies behind the damage is read");
    second.shutdown().await;
    first.shutdown().await;
}

/// A leader that writes what it is told, but answers only when it is let.
struct SlowAnswers {
    asked: watch::Sender<usize>,
    let_go: watch::Sender<bool>,
}

#[async_trait]
impl ProducerIdSource for SlowAnswers {
    async fn allocate(&self) -> Option<(i64, i32)> {
        Some((1_000, 1_000))
    }
}

#[async_trait]
impl MarkerRoute for SlowAnswers {
    fn target(&self, partition: &TopicPartition) -> MarkerTarget {
        MarkerTarget::Leader(BrokerId(partition.partition))
    }

    async fn write(&self, _broker: BrokerId, markers: &WriteMarkers) -> Option<Vec<Vec<MarkerAnswer>>> {
        self.asked.send_modify(|asked| *asked += 1);
        let mut let_go = self.let_go.subscribe();
        let_go.wait_for(|is| *is).await.expect("the test goes on");
        let settled =
            |(_, _, markers): &(i32, i32, Markers)| vec![MarkerAnswer::Settled; markers.partitions.len()];
        Some(markers.markers.iter().map(settled).collect())
    }
}

#[tokio::test]
async fn answers_of_an_earlier_term_settle_nothing() {
    let outside = Arc::new(SlowAnswers { asked: watch::Sender::new(0), let_go: watch::Sender::new(false) });
    let log = Arc::new(MemoryLog::default());
    let coordinator =
        TransactionCoordinator::new(log, TransactionConfig::default(), 1, outside.clone(), outside.clone());
    let stop = CancellationToken::new();
    let sender = tokio::spawn(Arc::clone(&coordinator).send_markers(stop.clone()));
    coordinator.elect(0, LeaderEpoch(1));
    let init = InitProducer { id: "x".into(), timeout_ms: 60_000, current: None };
    until(async || coordinator.init(init.clone()).await.is_ok()).await;
    let producer = coordinator.init(init.clone()).await.expect("the next epoch");
    let add = AddPartitions { id: "x".into(), producer, partitions: vec![TopicPartition::new("t", 0)] };
    assert_eq!(coordinator.add_partitions(add).await, Ok(()));
    let end = EndTransaction { id: "x".into(), producer, commit: true };
    assert_eq!(coordinator.end(end).await, Ok(()));
    outside.asked.subscribe().wait_for(|asked| *asked == 1).await.expect("markers are sent");
    coordinator.resign(0, Some(LeaderEpoch(2)));
    coordinator.elect(0, LeaderEpoch(3));
    let state = async || coordinator.describe("x".into()).await.map(|described| described.state);
    until(async || state().await.is_ok()).await;
    outside.let_go.send_replace(true);
    outside.asked.subscribe().wait_for(|asked| *asked == 2).await.expect("they are sent again");
    until(async || state().await == Ok(TransactionState::CompleteCommit)).await;
    assert_eq!(*outside.asked.borrow(), 2, "completed by the answer to this term's own markers");
    stop.cancel();
    sender.await.expect("stops");
    coordinator.shutdown().await;
}
