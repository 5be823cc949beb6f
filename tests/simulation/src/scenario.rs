//! What one seed decides before anything happens: the size of the cluster, its settings, which faults there will be.

use gregor_model::BrokerId;

use crate::random::Random;

/// The life of one cluster. Times are in milliseconds of the cluster's time.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// How many brokers; their ids are 1 and up.
    pub brokers: i32,
    /// Replicas of each partition, topic by topic.
    pub topics: Vec<Vec<Vec<BrokerId>>>,
    /// `min.insync.replicas`.
    pub min_insync_replicas: usize,
    /// `unclean.leader.election.enable`.
    pub unclean_elections: bool,
    /// Whether producers are idempotent.
    pub idempotent: bool,
    /// Whether DeleteRecords is asked for.
    pub deletes_records: bool,
    /// Log directories per broker.
    pub log_dirs: usize,
    /// Whether disks lose anything: unsynced records when the power goes, flipped bits, whole disks.
    pub disks_lose: bool,
    /// Whether followers learn in Fetch where logs part (IBP 2.7 and later).
    pub truncates_on_fetch: bool,
    /// For how long there are faults.
    pub faults_ms: i64,
    /// Mean time between two faults.
    pub fault_interval_ms: i64,
    /// `zookeeper.session.timeout.ms`.
    pub session_timeout_ms: i64,
    /// `replica.lag.time.max.ms`.
    pub lag_max_ms: i64,
    /// `replica.fetch.backoff.ms`.
    pub backoff_ms: i64,
    /// `replica.fetch.wait.max.ms`.
    pub fetch_wait_ms: i64,
    /// How long a request waits for its answer.
    pub request_timeout_ms: i64,
    /// Mean time between two produce requests of one producer.
    pub produce_interval_ms: i64,
    /// How many producers.
    pub producers: usize,
    /// How many messages in a thousand are lost, come twice, or come late.
    pub loss_per_mille: u64,
    /// See `loss_per_mille`.
    pub duplicate_per_mille: u64,
    /// See `loss_per_mille`.
    pub late_per_mille: u64,
    /// `leader.imbalance.check.interval.seconds`.
    pub rebalance_seconds: i64,
    /// How many batches a fetch brings per partition at most.
    pub fetch_batches_max: usize,
}

impl Scenario {
    /// The scenario of a seed's stream.
    pub fn draw(random: &mut Random) -> Scenario {
        let brokers = i32::try_from(random.between(3, 5)).unwrap_or(3);
        let topics = (0..random.between(1, 3))
            .map(|_| (0..random.between(1, 3)).map(|_| draw_replicas(random, brokers)).collect())
            .collect();
        let noisy = random.per_mille(600);
        let mut noise = |max| if noisy { random.below(max) } else { 0 };
        let (loss, duplicate, late) = (noise(20), noise(20), noise(20));
        Scenario {
            brokers,
            topics,
            min_insync_replicas: if random.per_mille(500) { 1 } else { 2 },
            unclean_elections: random.per_mille(100),
            idempotent: random.per_mille(700),
            deletes_records: random.per_mille(400),
            log_dirs: if random.per_mille(500) { 1 } else { 2 },
            disks_lose: random.per_mille(350),
            truncates_on_fetch: random.per_mille(850),
            faults_ms: random.between(90_000, 210_000),
            fault_interval_ms: random.between(2_000, 20_000),
            session_timeout_ms: random.between(3_000, 9_000),
            lag_max_ms: random.between(5_000, 15_000),
            backoff_ms: random.between(200, 1_000),
            fetch_wait_ms: 500,
            request_timeout_ms: random.between(2_000, 6_000),
            produce_interval_ms: random.between(200, 800),
            producers: usize::try_from(random.between(1, 2)).unwrap_or(1),
            loss_per_mille: loss,
            duplicate_per_mille: duplicate,
            late_per_mille: late,
            rebalance_seconds: random.between(10, 60),
            fetch_batches_max: usize::try_from(random.between(1, 20)).unwrap_or(1),
        }
    }
}

/// A list of different brokers, two or three, sometimes one.
pub fn draw_replicas(random: &mut Random, brokers: i32) -> Vec<BrokerId> {
    let mut all: Vec<BrokerId> = (1..=brokers).map(BrokerId).collect();
    random.shuffle(&mut all);
    let factor = match random.below(10) {
        0 => 1,
        1..=3 => 2,
        _ => 3,
    };
    all.truncate(factor);
    all
}
