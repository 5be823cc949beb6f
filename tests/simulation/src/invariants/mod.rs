//! What must hold, one file each. The checker sees everything at once, as no part of a cluster can.
//!
//! Two things absolve a loss, as Kafka's promise ends there: an unclean election where those are allowed, and the leadership of a
//! replica whose disk lost records that it is still believed to have (*tainted*; ZooKeeper mode lacks what KIP-903 and KIP-966 do
//! about that). Worse, a leader whose disk lost records and that is back before any controller noticed leads on in the
//! same leader epoch, and its followers cannot tell its first life from its second: such a partition is *forked*, and nothing is
//! asked of it any more. Most lives have no disk that loses anything, and nothing to be forgiven.

mod acknowledged_records;
mod committed_prefix;
mod controller_fencing;
mod disk_loss;
mod high_watermark;
mod idempotence;
mod leader_per_epoch;
pub mod liveness;
mod reassignment;

use std::collections::{BTreeMap, BTreeSet};

use gregor_model::{BrokerId, ControllerEpoch, LeaderEpoch, Offset, TopicName, TopicPartition};

use crate::log::{Batch, Disk, Payload};
use crate::scenario::Scenario;
use crate::zookeeper::StateChange;

use disk_loss::Noted;
use high_watermark::Raised;

pub use reassignment::unfinished;

/// What is known of one partition.
#[derive(Debug, Default)]
struct Known {
    /// Acknowledged batches by offset.
    acknowledged: BTreeMap<Offset, Payload>,
    /// What was below any high watermark.
    committed: BTreeMap<Offset, Batch>,
    /// Where the committed batches of idempotent producers are: by producer and first sequence.
    sequences: BTreeMap<(i64, i32), Offset>,
    /// What is below was deleted on request.
    deleted_below: Offset,
    /// The last sequence of each producer that was deleted on request.
    deleted_sequences: BTreeMap<i64, i32>,
    /// The leader epoch in ZooKeeper.
    epoch: LeaderEpoch,
    /// The ISR in ZooKeeper.
    isr: Vec<BrokerId>,
    /// Who leads in which term.
    leaders: BTreeMap<LeaderEpoch, BrokerId>,
    /// Since this term what was there before need not be.
    absolved_before: LeaderEpoch,
    /// Replicas whose disk lost records, and what their log end was.
    tainted: BTreeMap<BrokerId, Offset>,
    /// A leader lost records and leads on in the same term.
    forked: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Checker {
    unclean_elections: bool,
    partitions: BTreeMap<TopicPartition, Known>,
    /// Of each broker's process: the highest term applied.
    terms: BTreeMap<(BrokerId, u64, TopicPartition), LeaderEpoch>,
    controller_epoch: ControllerEpoch,
    noted: Vec<Noted>,
    raised: Vec<Raised>,
    /// Topics that are to be deleted: nobody is promised their records any more.
    deleted: BTreeSet<TopicName>,
    violation: Option<String>,
    /// How many records were acknowledged.
    pub acknowledged: u64,
    /// How many elections absolved a loss.
    pub absolutions: u64,
    /// How many partitions were forked.
    pub forks: u64,
}

impl Checker {
    /// Of a cluster in which nothing has happened.
    pub fn new(scenario: &Scenario) -> Checker {
        Checker {
            unclean_elections: scenario.unclean_elections,
            partitions: BTreeMap::new(),
            terms: BTreeMap::new(),
            controller_epoch: ControllerEpoch(0),
            noted: Vec::new(),
            raised: Vec::new(),
            deleted: BTreeSet::new(),
            violation: None,
            acknowledged: 0,
            absolutions: 0,
            forks: 0,
        }
    }

    /// The first violation.
    pub fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    /// Notes a violation.
    pub fn violated(&mut self, invariant: &str, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(format!("{invariant}: {}", what()));
        }
    }

    /// Whether nothing is asked of a partition any more.
    pub fn is_forked(&self, partition: &TopicPartition) -> bool {
        self.partitions.get(partition).is_some_and(|known| known.forked)
    }

    /// A topic is to be deleted.
    pub fn on_deletion(&mut self, topic: &TopicName) {
        self.deleted.insert(topic.clone());
    }

    /// A partition's state was written in ZooKeeper; `disks` is everybody's.
    pub fn on_state_change(&mut self, change: &StateChange, disks: &[(BrokerId, &Disk)]) {
        self.check_writer(change);
        let Some(after) = &change.after else {
            self.partitions.remove(&change.partition);
            return;
        };
        let after = &after.leader_and_isr;
        let known = self.partitions.entry(change.partition.clone()).or_default();
        known.epoch = after.leader_epoch;
        known.isr.clone_from(&after.isr);
        let is_election =
            change.before.as_ref().is_none_or(|b| b.leader_and_isr.leader_epoch != after.leader_epoch);
        if let Some(leader) = after.leader.filter(|_| is_election) {
            let was_in_isr =
                change.before.as_ref().is_none_or(|before| before.leader_and_isr.isr.contains(&leader));
            self.check_election(change, leader, was_in_isr, disks);
        }
        self.check_isr_has_acknowledged(&change.partition, disks, "ISR written");
    }
}
