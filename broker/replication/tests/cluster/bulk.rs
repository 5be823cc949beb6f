//! Many partitions at once.

use std::time::Instant;

use gregor_log::LogConfig;
use gregor_replication::RequiredAcks;

use crate::harness::{World, eventually, state};

const PARTITIONS: i32 = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_partitions_change_leaders() {
    let world = World::new();
    let brokers = [1, 2]
        .map(|id| world.broker_with(id, LogConfig::default(), |config| config.num_replica_fetchers = 3));
    let begin: Vec<_> = (0..PARTITIONS).map(|index| state(index, 1, 0, &[1, 2], &[1, 2])).collect();
    for broker in &brokers {
        let begun = Instant::now();
        broker.apply(&begin).await;
        println!("{PARTITIONS} partitions created in {:?}", begun.elapsed());
    }
    let [first, second] = &brokers;
    first.produce(77, &["a"], RequiredAcks::All, 20_000).await.unwrap();
    let next: Vec<_> = (0..PARTITIONS).map(|index| state(index, 2, 1, &[2, 1], &[1, 2])).collect();
    for broker in &brokers {
        let begun = Instant::now();
        broker.apply(&next).await;
        println!("{PARTITIONS} partitions moved in {:?}", begun.elapsed());
    }
    second.produce(77, &["b"], RequiredAcks::All, 20_000).await.unwrap();
    second.produce(999, &["c"], RequiredAcks::All, 20_000).await.unwrap();
    eventually("the old leader follows", || first.log_end(77) == 2 && first.log_end(999) == 1).await;
    assert_eq!(second.manager.statuses().iter().filter(|status| status.is_leader).count(), 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_fetchers_changes_under_load() {
    let world = World::new();
    let (leader, follower) = (world.broker(1), world.broker(2));
    let states: Vec<_> = (0..20).map(|index| state(index, 1, 0, &[1, 2], &[1, 2])).collect();
    leader.apply(&states).await;
    follower.apply(&states).await;
    let load = async {
        for round in 0..10 {
            for index in 0..20 {
                let value = format!("{round}");
                leader.produce(index, &[&value], RequiredAcks::All, 20_000).await.unwrap();
            }
        }
    };
    let resize = async {
        for fetchers in [4, 2, 7, 1] {
            follower.manager.set_num_replica_fetchers(fetchers).await;
        }
    };
    tokio::join!(load, resize);
    assert_eq!(follower.manager.failed_partitions(), 0);
    for index in 0..20 {
        assert_eq!(leader.bytes(index), follower.bytes(index));
    }
}
