//! What a seed makes of a swap: the order in which brokers change hands, how each goes, and during which step a replica moves.

use gregor_harness::BrokerKind;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

/// The brokers of the cluster.
pub const BROKERS: i32 = 3;

/// How a broker ends before its successor starts in its directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// SIGTERM and a controlled shutdown, as in the procedure for operators.
    Stopped,
    /// `kill -9`.
    Killed,
}

/// One broker changes hands.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Which.
    pub broker: i32,
    /// Whose it is afterwards.
    pub becomes: BrokerKind,
    /// How it ended.
    pub leaving: Leaving,
    /// Whether a replica is being moved at the time.
    pub reassigning: bool,
}

/// The whole way from Kafka to Gregor and back.
pub fn plan(seed: u64) -> Vec<Step> {
    let mut random = SmallRng::seed_from_u64(seed);
    let reassigning = random.random_range(0..2 * BROKERS as usize);
    let mut steps = Vec::new();
    for becomes in [BrokerKind::Gregor, BrokerKind::Kafka] {
        let mut order: Vec<i32> = (0..BROKERS).collect();
        order.shuffle(&mut random);
        for broker in order {
            // Every third seed takes the clean way throughout, every third kills throughout, the others do both.
            let killed = match seed % 3 {
                0 => false,
                1 => true,
                _ => random.random_bool(0.5),
            };
            let leaving = if killed { Leaving::Killed } else { Leaving::Stopped };
            steps.push(Step { broker, becomes, leaving, reassigning: steps.len() == reassigning });
        }
    }
    steps
}
