//! What one seed decides before anything happens: brokers, partitions, groups, producers, timeouts, noise.

use crate::random::Random;

/// The most members a group has.
pub const MEMBERS_MAX: usize = 50;

/// What the members of a group do with what they consume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// They commit offsets.
    Read,
    /// They write what they read to the data partitions, and commit the offsets in the same transaction.
    Copy,
}

/// A consumer group.
#[derive(Clone, Debug)]
pub struct GroupPlan {
    /// What its members do.
    pub work: Work,
    /// How many there are at first.
    pub members: usize,
    /// How many partitions they consume.
    pub inputs: u8,
    /// How many of a thousand members are static.
    pub static_per_mille: u64,
}

/// The life of one cluster. Times are in milliseconds.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// How many brokers; their ids are 1 and up.
    pub brokers: i32,
    /// Partitions of `__consumer_offsets`.
    pub offsets_partitions: i32,
    /// Partitions of `__transaction_state`.
    pub transactions_partitions: i32,
    /// Partitions that transactions write to.
    pub data_partitions: i32,
    /// The groups.
    pub groups: Vec<GroupPlan>,
    /// Transactional ids that producers without a group use.
    pub transactional_ids: usize,
    /// For how long there are faults.
    pub faults_ms: i64,
    /// Mean time between two faults.
    pub fault_interval_ms: i64,
    /// How long until a broker that is gone is replaced as leader.
    pub detection_ms: i64,
    /// How long a request waits for its answer.
    pub request_timeout_ms: i64,
    /// `offsets.commit.timeout.ms`.
    pub commit_timeout_ms: i64,
    /// Members' `session.timeout.ms`.
    pub session_timeout_ms: i32,
    /// Members' `max.poll.interval.ms`, which bounds the join phase.
    pub rebalance_timeout_ms: i32,
    /// `group.initial.rebalance.delay.ms`.
    pub initial_delay_ms: i32,
    /// Mean time between a client's steps.
    pub step_ms: i64,
    /// `transaction.timeout.ms`.
    pub transaction_timeout_ms: i32,
    /// `transactional.id.expiration.ms`.
    pub id_expiration_ms: i64,
    /// How many messages in a thousand are lost.
    pub loss_per_mille: u64,
    /// How many come twice.
    pub duplicate_per_mille: u64,
    /// How many come late.
    pub late_per_mille: u64,
    /// How long an append usually takes to be replicated, at most.
    pub replication_ms: i64,
}

impl Scenario {
    /// The scenario of a seed's stream.
    pub fn draw(random: &mut Random) -> Scenario {
        let groups: Vec<GroupPlan> = (0..random.between(0, 3)).map(|_| draw_group(random)).collect();
        let copies = groups.iter().any(|group| group.work == Work::Copy);
        let fewest = if groups.is_empty() { 1 } else { 0 };
        let transactional_ids = match random.per_mille(600) || (fewest == 1 && !copies) {
            true => usize::try_from(random.between(1, 4)).unwrap_or(1),
            false => fewest,
        };
        let noisy = random.per_mille(600);
        let mut noise = |max| if noisy { random.below(max) } else { 0 };
        let (loss, duplicate, late) = (noise(20), noise(20), noise(25));
        Scenario {
            brokers: i32::try_from(random.between(3, 5)).unwrap_or(3),
            offsets_partitions: i32::try_from(random.between(1, 3)).unwrap_or(1),
            transactions_partitions: i32::try_from(random.between(1, 3)).unwrap_or(1),
            data_partitions: i32::try_from(random.between(2, 4)).unwrap_or(2),
            groups,
            transactional_ids,
            faults_ms: random.between(30_000, 70_000),
            fault_interval_ms: random.between(300, 4_000),
            detection_ms: random.between(300, 3_000),
            request_timeout_ms: random.between(1_000, 4_000),
            commit_timeout_ms: random.between(500, 3_000),
            session_timeout_ms: i32::try_from(random.between(6_000, 10_000)).unwrap_or(6_000),
            rebalance_timeout_ms: i32::try_from(random.between(4_000, 12_000)).unwrap_or(5_000),
            initial_delay_ms: i32::try_from(random.between(0, 3_000)).unwrap_or(0),
            step_ms: random.between(100, 700),
            transaction_timeout_ms: i32::try_from(random.between(3_000, 12_000)).unwrap_or(5_000),
            id_expiration_ms: if random.per_mille(150) { 8_000 } else { 604_800_000 },
            loss_per_mille: loss,
            duplicate_per_mille: duplicate,
            late_per_mille: late,
            replication_ms: random.between(2, 40),
        }
    }
}

fn draw_group(random: &mut Random) -> GroupPlan {
    let work = if random.per_mille(450) { Work::Copy } else { Work::Read };
    // Most groups are small; one in twelve is as large as they come.
    let members = match random.below(12) {
        0 => random.between(20, MEMBERS_MAX as i64 + 5).min(MEMBERS_MAX as i64),
        1..=3 => random.between(4, 12),
        _ => random.between(1, 4),
    };
    let inputs = members + random.between(0, 4);
    GroupPlan {
        work,
        members: usize::try_from(members).unwrap_or(1),
        inputs: u8::try_from(inputs).unwrap_or(u8::MAX),
        static_per_mille: if random.per_mille(350) { random.below(1_001) } else { 0 },
    }
}
