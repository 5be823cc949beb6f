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
