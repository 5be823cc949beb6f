//! A load with acks=all while links break, leaders change, announcements are late and replicas move between log directories: nothing acknowledged is lost, and in the end
//! all replicas are equal. Seeds vary what happens; threads and the clock vary when.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gregor_log::LogConfig;
use gregor_model::{Offset, Timestamp};
use gregor_records::{Limits, batches};
use gregor_replication::{ReplicaProtocol, ReplicationConfig, RequiredAcks};
use parking_lot::Mutex;

use crate::harness::{Broker, LOG_DIRS, State, World, eventually, partition, state};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits >> 33) % limit as u64) as usize
    }
}

/// Seed 1, or those that the environment's `REPLICATION_SEEDS` says (`1-40`), for a longer run by hand.
fn seeds() -> std::ops::RangeInclusive<u64> {
    let range = std::env::var("REPLICATION_SEEDS").unwrap_or_else(|_| "1-1".to_owned());
    let (first, last) = range.split_once('-').unwrap();
    first.parse().unwrap()..=last.parse().unwrap()
}

/// The values of a log by offset.
fn values(broker: &Broker) -> HashMap<i64, String> {
    let bytes = broker.bytes(0);
    let mut values = HashMap::new();
    for batch in batches(&bytes) {
        let batch = batch.unwrap();
        let mut records = batch.records(Limits::for_batch(batch.header())).unwrap();
        while let Some(record) = records.next_record().unwrap() {
            values.insert(record.offset.0, String::from_utf8(record.value.unwrap().to_vec()).unwrap());
        }
    }
    values
}

/// Produces until told to stop, always to whom the controller says leads; notes what was acknowledged where.
async fn produce(world: &World, brokers: &[Broker], until: Instant, acked: &Mutex<HashMap<i64, String>>) {
    for number in 0.. {
        if Instant::now() > until {
            return;
        }
        let leader = world.state(&partition(0)).leader;
        let value = format!("value-{number}");
        let broker = &brokers[usize::try_from(leader).unwrap() - 1];
        if let Ok(info) = broker.produce(0, &[&value], RequiredAcks::All, 300).await {
            let before = acked.lock().insert(info.first_offset.unwrap().0, value);
            assert_eq!(before, None, "one offset was acknowledged twice");
        } else {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// One thing goes wrong, or right again.
async fn disturb(world: &World, brokers: &[Broker], random: &mut Random) {
    let any = |random: &mut Random| i32::try_from(random.below(3)).unwrap() + 1;
    match random.below(5) {
        4 => {
            // To where it is, that ends a move.
            let (broker, dir) = (&brokers[random.below(3)], LOG_DIRS[random.below(3)]);
            broker.move_to(0, dir).await.unwrap();
        }
        0 => {
            let link = (any(random), any(random));
            world.cut.lock().insert(link);
        }
        1 => world.cut.lock().clear(),
        2 => {
            // Somebody of the ISR is elected; one broker hears of it late.
            let elected = world.elect(&partition(0), random.below(8));
            let late = random.below(4);
            for (index, broker) in brokers.iter().enumerate() {
                if index != late {
                    broker.announce(&elected).await;
                }
            }
            tokio::time::sleep(Duration::from_millis(random.below(60) as u64)).await;
            if let Some(broker) = brokers.get(late) {
                broker.announce(&elected).await;
            }
        }
        _ => {
            let leader = world.state(&partition(0)).leader;
            brokers[usize::try_from(leader).unwrap() - 1].manager.shrink_isrs(Timestamp::now());
        }
    }
}

async fn run(seed: u64, protocol: ReplicaProtocol) {
    let world = World::new();
    let config = |config: &mut ReplicationConfig| {
        config.replica_lag_time_max_ms = 200;
        config.protocol = protocol;
    };
    let log = LogConfig { segment_bytes: 20_000, min_insync_replicas: 2, ..LogConfig::default() };
    let brokers: Arc<[Broker; 3]> =
        Arc::new([1, 2, 3].map(|id| world.broker_with_dirs(id, log.clone(), config)));
    for broker in brokers.iter() {
        broker.apply(&[state(0, 1, 0, &[1, 2, 3], &[1, 2, 3])]).await;
    }
    let acked = Arc::new(Mutex::new(HashMap::new()));
    let until = Instant::now() + Duration::from_secs(3);
    let load = {
        let (world, brokers, acked) = (Arc::clone(&world), Arc::clone(&brokers), Arc::clone(&acked));
        tokio::spawn(async move { produce(&world, &brokers[..], until, &acked).await })
    };
    let mut random = Random(seed);
    while Instant::now() < until {
        disturb(&world, &brokers[..], &mut random).await;
        tokio::time::sleep(Duration::from_millis(random.below(120) as u64)).await;
    }
    load.await.unwrap();
    world.cut.lock().clear();
    let last = world.elect(&partition(0), 0);
    for broker in brokers.iter() {
        broker.announce(&last).await;
    }
    let leader = &brokers[usize::try_from(last.leader).unwrap() - 1];
    eventually("enough replicas are in sync", || leader.isr(0).len() >= 2).await;
    leader.produce(0, &["end"], RequiredAcks::All, 20_000).await.unwrap();
    let equal =
        |broker: &Broker| broker.log_end(0) == leader.log_end(0) && broker.bytes(0) == leader.bytes(0);
    eventually("all replicas are equal", || brokers.iter().all(equal)).await;
    let found = values(leader);
    let acked = std::mem::take(&mut *acked.lock());
    println!(
        "seed {seed}: {} acknowledged, {} terms, log end {}",
        acked.len(),
        last.leader_epoch,
        leader.log_end(0)
    );
    for (offset, value) in &acked {
        assert_eq!(found.get(offset), Some(value), "seed {seed}: acknowledged at {offset}");
    }
    assert_eq!(leader.manager.status(&partition(0)).unwrap().leader_epoch.unwrap().0, last.leader_epoch);
    assert!(leader.high_watermark(0) <= leader.log_end(0) && Offset(leader.high_watermark(0)) > Offset(0));
    for broker in brokers.iter() {
        assert_eq!(broker.manager.failed_partitions(), 0, "seed {seed}");
        broker.manager.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn nothing_acknowledged_is_lost() {
    for seed in seeds() {
        run(seed, ReplicaProtocol::default()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn nothing_acknowledged_is_lost_with_old_protocols() {
    for seed in seeds() {
        run(seed, ReplicaProtocol { fetch: 11, list_offsets: 5, offset_for_leader_epoch: 3 }).await;
    }
}

/// A leader that the controller names and a state to announce.
impl World {
    /// Elects somebody of the ISR, as the controller would, and returns what to announce.
    fn elect(&self, partition: &gregor_model::TopicPartition, choice: usize) -> State {
        self.change(partition, |state| {
            state.leader = state.isr[choice % state.isr.len()];
            state.leader_epoch += 1;
            state.partition_epoch += 1;
        })
    }
}
