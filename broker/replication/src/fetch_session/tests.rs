use gregor_model::{Offset, Timestamp, TopicId, TopicName};

use super::*;
use crate::manager::FetchPartition;

fn id(byte: u8) -> TopicId {
    TopicId::from_random([byte; 16]).unwrap()
}

fn partition(index: i32) -> SessionPartition {
    SessionPartition { topic_id: None, topic: Some(TopicName::new("t")), partition: index }
}

fn wanted(offset: i64) -> FetchPartition {
    FetchPartition {
        topic_id: None,
        fetch_offset: Offset(offset),
        log_start_offset: None,
        max_bytes: 1 << 20,
        current_leader_epoch: None,
        last_fetched_epoch: None,
    }
}

fn request(id: i32, epoch: i32, listed: &[i32]) -> SessionRequest {
    SessionRequest {
        session_id: id,
        session_epoch: epoch,
        by_topic_id: false,
        from_follower: false,
        listed: listed.iter().map(|index| (partition(*index), wanted(0))).collect(),
        forgotten: Vec::new(),
    }
}

fn summary(has_records: bool, high_watermark: i64) -> PartitionSummary {
    PartitionSummary {
        has_records,
        high_watermark: Some(Offset(high_watermark)),
        log_start_offset: Some(Offset(0)),
        ..PartitionSummary::default()
    }
}

/// Sends a request; every partition is answered with what `answer` says. Returns the session's id and the partitions told.
fn fetch(
    cache: &FetchSessionCache,
    request: SessionRequest,
    now: i64,
    answer: impl Fn(i32) -> PartitionSummary,
) -> Result<(i32, Vec<i32>), FetchSessionError> {
    let context = cache.begin(request, |_| None, Timestamp(now))?;
    let answered = |(partition, _): &(SessionPartition, FetchPartition)| {
        (partition.clone(), answer(partition.partition))
    };
    let results: Vec<_> = context.partitions().iter().map(answered).collect();
    let answer = context.finish(results, |summary| *summary, Timestamp(now))?;
    Ok((answer.session_id, answer.partitions.iter().map(|(partition, _)| partition.partition).collect()))
}

#[test]
fn an_incremental_answer_tells_only_news() {
    let cache = FetchSessionCache::new(1000, 7);
    let quiet = |_| summary(false, 5);
    let (id, told) = fetch(&cache, request(0, 0, &[0, 1, 2]), 0, quiet).unwrap();
    assert!(id > 0);
    assert_eq!(told, [0, 1, 2]);
    assert_eq!(fetch(&cache, request(id, 1, &[]), 0, quiet), Ok((id, vec![])));
    let moved = |index| summary(false, if index == 1 { 6 } else { 5 });
    assert_eq!(fetch(&cache, request(id, 2, &[]), 0, moved), Ok((id, vec![1])));
    assert_eq!(fetch(&cache, request(id, 3, &[]), 0, |index| summary(index == 0, 5)), Ok((id, vec![0, 1])));
    // Partition 0 had records, so it is last in line from now on.
    let all_have = |_| summary(true, 5);
    assert_eq!(fetch(&cache, request(id, 4, &[]), 0, all_have), Ok((id, vec![1, 2, 0])));
    let news = |index| PartitionSummary { is_news: index == 2, ..summary(false, 5) };
    assert_eq!(fetch(&cache, request(id, 5, &[]), 0, news), Ok((id, vec![2])));
}

#[test]
fn an_error_is_told_and_so_is_what_follows_it() {
    let cache = FetchSessionCache::new(1000, 7);
    let (id, _) = fetch(&cache, request(0, 0, &[0]), 0, |_| summary(false, 5)).unwrap();
    let error = |_| PartitionSummary { is_error: true, ..PartitionSummary::default() };
    assert_eq!(fetch(&cache, request(id, 1, &[]), 0, error), Ok((id, vec![0])));
    assert_eq!(fetch(&cache, request(id, 2, &[]), 0, error), Ok((id, vec![0])));
    assert_eq!(fetch(&cache, request(id, 3, &[]), 0, |_| summary(false, 5)), Ok((id, vec![0])));
    assert_eq!(fetch(&cache, request(id, 4, &[]), 0, |_| summary(false, 5)), Ok((id, vec![])));
}

#[test]
fn partitions_come_and_go() {
    let cache = FetchSessionCache::new(1000, 7);
    let have = |_| summary(true, 5);
    let (id, _) = fetch(&cache, request(0, 0, &[0, 1]), 0, have).unwrap();
    let mut change = request(id, 1, &[2]);
    change.forgotten = vec![partition(0)];
    assert_eq!(fetch(&cache, change, 0, have), Ok((id, vec![1, 2])));
    assert_eq!(cache.partitions(), 2);
    let mut last = request(id, 2, &[]);
    last.forgotten = vec![partition(1), partition(2)];
    assert_eq!(fetch(&cache, last, 0, have), Ok((0, vec![])), "an empty session ends");
    assert!(cache.is_empty());
}

#[test]
fn sessions_out_of_step_are_refused() {
    let cache = FetchSessionCache::new(1000, 7);
    let have = |_| summary(true, 5);
    assert_eq!(fetch(&cache, request(12, 1, &[]), 0, have), Err(FetchSessionError::IdNotFound(12)));
    assert_eq!(fetch(&cache, request(-3, 1, &[]), 0, have), Err(FetchSessionError::IdNotFound(-3)));
    let (id, _) = fetch(&cache, request(0, 0, &[0]), 0, have).unwrap();
    assert_eq!(
        fetch(&cache, request(id, 2, &[]), 0, have),
        Err(FetchSessionError::InvalidEpoch { id, epoch: 2 })
    );
    let by_id = SessionRequest { by_topic_id: true, ..request(id, 1, &[]) };
    assert_eq!(fetch(&cache, by_id, 0, have), Err(FetchSessionError::TopicIds(id)));
    // A second request overtook the first while that one waited.
    let waiting = cache.begin(request(id, 1, &[]), |_| None, Timestamp(0)).unwrap();
    fetch(&cache, request(id, 2, &[]), 0, have).unwrap();
    assert!(waiting.throttled().is_err());
    assert!(waiting.finish(Vec::new(), |summary: &PartitionSummary| *summary, Timestamp(0)).is_err());
    // A full fetch closes the session it names.
    let (other, _) = fetch(&cache, request(id, 0, &[0]), 0, have).unwrap();
    assert_ne!(other, id);
    assert_eq!(fetch(&cache, request(other, -1, &[0]), 0, have), Ok((0, vec![0])));
    assert!(cache.is_empty());
}

#[test]
fn a_topic_id_is_looked_up_again_until_it_is_known() {
    let cache = FetchSessionCache::new(1000, 7);
    let unknown = SessionPartition { topic_id: Some(id(1)), topic: None, partition: 0 };
    let full = SessionRequest { by_topic_id: true, listed: vec![(unknown, wanted(0))], ..request(0, 0, &[]) };
    let (session, _) =
        fetch(&cache, full, 0, |_| PartitionSummary { is_error: true, ..summary(false, 0) }).unwrap();
    let next = SessionRequest { by_topic_id: true, ..request(session, 1, &[]) };
    let context = cache.begin(next, |_| Some(TopicName::new("new")), Timestamp(0)).unwrap();
    assert_eq!(context.partitions()[0].0.topic, Some(TopicName::new("new")));
}

/// A full cache of one slot per shard: sessions of `size` partitions, privileged or not, made at 0 and last used then.
#[track_caller]
fn check_eviction(old: (bool, i32), new: (bool, i32), used_at: i64, now: i64, evicted: bool) {
    let cache = FetchSessionCache::new(8, 7);
    let have = |_| summary(true, 5);
    let sized = |size: i32| request(0, 0, &(0..size).collect::<Vec<_>>());
    let mut ids = Vec::new();
    for _ in 0..8 {
        let (id, _) =
            fetch(&cache, SessionRequest { from_follower: old.0, ..sized(old.1) }, 0, have).unwrap();
        ids.push(id);
    }
    for id in ids {
        assert!(id > 0);
        fetch(&cache, request(id, 1, &[]), used_at, have).unwrap();
    }
    let (id, _) = fetch(&cache, SessionRequest { from_follower: new.0, ..sized(new.1) }, now, have).unwrap();
    assert_eq!(id > 0, evicted, "{old:?} {new:?} {used_at} {now}");
    assert_eq!(cache.len(), 8);
}

#[test]
fn who_makes_room_for_whom() {
    let (consumer, follower) = (false, true);
    check_eviction((consumer, 2), (consumer, 3), 0, 1_000, false); // too young to go
    check_eviction((consumer, 2), (consumer, 3), 0, 120_001, true); // unused for too long
    check_eviction((consumer, 2), (consumer, 3), 120_001, 120_002, true); // settled, and smaller
    check_eviction((consumer, 2), (consumer, 2), 120_001, 120_002, false);
    check_eviction((consumer, 9), (follower, 1), 0, 1_000, true);
    check_eviction((follower, 1), (consumer, 9), 120_001, 120_002, false);
    check_eviction((follower, 1), (follower, 9), 0, 1_000, false);
    check_eviction((follower, 1), (follower, 9), 120_001, 120_002, true);
    check_eviction((follower, 1), (consumer, 9), 0, 120_001, true); // unused: whoever it was
}

#[test]
fn who_left_a_partition_behind_is_kept_no_longer_than_it_was_away() {
    let cache = FetchSessionCache::new(8, 1);
    let full = |index| PartitionSummary { is_full: index == 1, ..summary(true, 9) };
    let (id, _) = fetch(&cache, request(0, 0, &[0, 1, 2]), 0, full).unwrap();
    let mut epoch = 0;
    let mut wait = |forgotten: &[i32], now| {
        epoch += 1;
        let forgotten = forgotten.iter().map(|index| partition(*index)).collect();
        let request = SessionRequest { forgotten, ..request(id, epoch, &[]) };
        let context = cache.begin(request, |_| None, Timestamp(now)).unwrap();
        let results = context.partitions().iter().map(|(p, _)| (p.clone(), summary(false, 9))).collect();
        let wait = context.max_wait_ms(500);
        context.finish(results, |summary| *summary, Timestamp(now)).unwrap();
        wait
    };
    assert_eq!(wait(&[], 90), 500);
    assert_eq!(wait(&[2], 95), 500, "there was no more of it");
    // A full answer is forgotten with the next one.
    assert_eq!(wait(&[1], 100), 500);

    let (id, _) = fetch(&cache, request(0, 0, &[0, 1]), 0, full).unwrap();
    let at = |epoch, forgotten: &[i32], now, asked| {
        let forgotten = forgotten.iter().map(|index| partition(*index)).collect();
        let request = SessionRequest { forgotten, ..request(id, epoch, &[]) };
        cache.begin(request, |_| None, Timestamp(now)).unwrap().max_wait_ms(asked)
    };
    assert_eq!(at(1, &[1], 100, 500), 5);
    assert_eq!(at(2, &[], 105, 500), 5);
    assert_eq!(at(3, &[], 110, 500), 10);
    assert_eq!(at(4, &[], 120, 500), 20);
    assert_eq!(at(5, &[], 99, 500), 5, "the clock went back");
    assert_eq!(at(6, &[], 400, 500), 300);
    assert_eq!(at(7, &[], 700, 500), 500);
    assert_eq!(at(8, &[], 101, 0), 0);
}

#[test]
fn followers_are_kept_for_as_long_as_they_ask() {
    let cache = FetchSessionCache::new(8, 1);
    let full = |_| PartitionSummary { is_full: true, ..summary(true, 9) };
    let (id, _) =
        fetch(&cache, SessionRequest { from_follower: true, ..request(0, 0, &[0, 1]) }, 0, full).unwrap();
    let request = SessionRequest { forgotten: vec![partition(1)], ..request(id, 1, &[]) };
    assert_eq!(cache.begin(request, |_| None, Timestamp(1)).unwrap().max_wait_ms(500), 500);
}
