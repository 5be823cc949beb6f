//! Consumers: what they see, when they wait, where they are sent.

use std::time::{Duration, Instant};

use gregor_log::{FetchIsolation, LogConfig, TimestampQuery};
use gregor_model::{BrokerId, LeaderEpoch, Offset};
use gregor_replication::{
    FetchError, FetchParams, FetchPartition, FetchRequester, ListOffsetsError, PartitionError,
    ReplicaSelector, RequiredAcks,
};

use crate::harness::{World, consumer, eventually, partition, state, wanted};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_see_up_to_the_high_watermark() {
    let world = World::new();
    let (leader, _follower) = (world.broker(1), world.broker(2));
    leader.apply(&[state(0, 1, 0, &[1, 2], &[1, 2])]).await;
    leader.produce(0, &["a"], RequiredAcks::Leader, 0).await.unwrap();
    let fetched = leader.consume(0, 0).await.unwrap();
    assert!(fetched.is_empty());
    assert_eq!(fetched.high_watermark, Offset(0));
    let beyond = leader.consume(0, 2).await.unwrap_err();
    assert!(matches!(beyond, FetchError::OffsetOutOfRange { .. }), "{beyond:?}");
    let negative = leader.consume(0, -1).await.unwrap_err();
    assert!(matches!(negative, FetchError::OffsetOutOfRange { .. }), "{negative:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_fetch_is_woken_by_what_it_waits_for() {
    let world = World::new();
    let leader = world.broker(1);
    leader.apply(&[state(0, 1, 0, &[1], &[1])]).await;
    let begun = Instant::now();
    let wait = leader.consume_with(0, 0, consumer(60_000, 1));
    let produce = leader.produce(0, &["a"], RequiredAcks::All, 1_000);
    let (fetched, produced) = tokio::join!(wait, produce);
    produced.unwrap();
    assert!(!fetched.unwrap().is_empty());
    assert!(begun.elapsed() < Duration::from_secs(30));

    let bytes = leader.bytes(0).len();
    let wait = leader.consume_with(0, 1, consumer(60_000, i32::try_from(3 * bytes).unwrap()));
    let produce = async {
        for _ in 0..3 {
            leader.produce(0, &["a"], RequiredAcks::All, 1_000).await.unwrap();
        }
    };
    let (fetched, ()) = tokio::join!(wait, produce);
    assert_eq!(fetched.unwrap().len(), 3 * bytes);

    let nothing = leader.consume_with(0, 4, consumer(20, 1)).await.unwrap();
    assert!(nothing.is_empty(), "after max wait the answer is what there is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_fetch_is_woken_when_the_leader_goes() {
    let world = World::new();
    let (leader, _other) = (world.broker(1), world.broker(2));
    leader.apply(&[state(0, 1, 0, &[1], &[1, 2])]).await;
    let request = FetchPartition { current_leader_epoch: Some(LeaderEpoch(0)), ..wanted(0) };
    let wait = leader.manager.fetch(consumer(60_000, 1), vec![(partition(0), request)]);
    let depose = async {
        tokio::task::yield_now().await;
        leader.apply(&[state(0, 2, 1, &[2], &[1, 2])]).await;
    };
    let (mut results, _) = tokio::join!(wait, depose);
    let error = results.remove(0).1.unwrap_err();
    assert!(matches!(error, FetchError::Partition(PartitionError::FencedLeaderEpoch(_))), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_but_for_the_first_batch() {
    let world = World::new();
    let leader = world.broker(1);
    leader.apply(&[state(0, 1, 0, &[1], &[1]), state(1, 1, 0, &[1], &[1])]).await;
    leader.produce(0, &["some value"], RequiredAcks::All, 1_000).await.unwrap();
    leader.produce(1, &["some value"], RequiredAcks::All, 1_000).await.unwrap();
    let fetch = |max_bytes, hard_max_bytes| {
        let params = FetchParams { max_bytes, hard_max_bytes, ..consumer(0, 1) };
        leader.manager.fetch(params, vec![(partition(0), wanted(0)), (partition(1), wanted(0))])
    };
    let lengths = |results: Vec<(_, Result<gregor_replication::FetchedPartition, FetchError>)>| {
        results.into_iter().map(|(_, result)| result.unwrap().len()).collect::<Vec<_>>()
    };
    let batch = leader.bytes(0).len();
    assert_eq!(lengths(fetch(10, false).await), [batch, 0]);
    assert_eq!(lengths(fetch(i32::try_from(batch).unwrap() * 2, false).await), [batch, batch]);
    assert_eq!(lengths(fetch(10, true).await), [10, 0], "before v3 even the first batch is cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_serve_new_consumers_and_leaders_old_ones() {
    let world = World::new();
    let (leader, follower) = (world.broker(1), world.broker(2));
    let states = [state(0, 1, 0, &[1, 2], &[1, 2])];
    leader.apply(&states).await;
    follower.apply(&states).await;
    leader.produce(0, &["a"], RequiredAcks::All, 10_000).await.unwrap();
    let fetched = follower.consume_with(0, 0, consumer(20_000, 1)).await.unwrap();
    assert!(!fetched.is_empty());
    let old = FetchParams { requester: FetchRequester::Consumer { rack: None }, ..consumer(0, 1) };
    let error = follower.consume_with(0, 0, old.clone()).await.unwrap_err();
    assert!(matches!(error, FetchError::Partition(PartitionError::NotLeaderOrFollower(_))), "{error:?}");
    assert!(!leader.consume_with(0, 0, old).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_is_sent_to_the_replica_in_its_rack() {
    let world = World::new();
    let leader =
        world.broker_with(1, LogConfig::default(), |c| c.replica_selector = ReplicaSelector::RackAware);
    let follower = world.broker(2);
    world.racks.lock().extend([(1, "a".to_owned()), (2, "b".to_owned())]);
    let states = [state(0, 1, 0, &[1, 2], &[1, 2])];
    leader.apply(&states).await;
    follower.apply(&states).await;
    leader.produce(0, &["a"], RequiredAcks::All, 10_000).await.unwrap();
    let from = |rack: &str| FetchParams {
        requester: FetchRequester::Consumer { rack: Some(rack.to_owned()) },
        ..consumer(60_000, 1)
    };
    let sent = leader.consume_with(0, 0, from("b")).await.unwrap();
    assert_eq!((sent.preferred_read_replica, sent.is_empty()), (Some(BrokerId(2)), true));
    let served = leader.consume_with(0, 0, from("a")).await.unwrap();
    assert_eq!((served.preferred_read_replica, served.is_empty()), (None, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_of_a_new_leader_wait_for_its_high_watermark() {
    let world = World::new();
    let (first, second) = (world.broker(1), world.broker(2));
    let states = [state(0, 1, 0, &[1, 2], &[1, 2])];
    first.apply(&states).await;
    second.apply(&states).await;
    first.produce(0, &["a", "b"], RequiredAcks::All, 10_000).await.unwrap();
    eventually("the follower knows", || second.high_watermark(0) == 2).await;
    let latest = |broker: &crate::harness::Broker, isolation| {
        broker.manager.list_offset(&partition(0), TimestampQuery::Latest, isolation, None, true)
    };
    let consumer = Some(FetchIsolation::HighWatermark);
    assert_eq!(latest(&first, consumer).unwrap().unwrap().offset, Some(Offset(2)));
    // A term that begins above the high watermark.
    world.cut.lock().insert((2, 1));
    first.produce(0, &["c"], RequiredAcks::Leader, 0).await.unwrap();
    first.apply(&[state(0, 1, 1, &[1, 2], &[1, 2])]).await;
    assert!(matches!(latest(&first, consumer), Err(ListOffsetsError::NotAvailable(_))));
    assert_eq!(latest(&first, None).unwrap().unwrap().offset, Some(Offset(3)));
    world.cut.lock().clear();
    second.apply(&[state(0, 1, 1, &[1, 2], &[1, 2])]).await;
    eventually("it is replicated", || latest(&first, consumer).is_ok()).await;
    assert_eq!(latest(&first, consumer).unwrap().unwrap().offset, Some(Offset(3)));
}
