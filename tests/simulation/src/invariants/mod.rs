//! What must hold, one file each. The checker sees everything at once, as no part of a cluster can.
//!
//! Two things absolve a loss, as Kafka's promise ends there: an unclean election where those are allowed, and the election of a
//! replica whose disk lost records while it was, or was about to be, in the ISR and which has not had them again since (*tainted*;
//! ZooKeeper mode lacks what KIP-903 and KIP-966 do about that). Worse, a leader whose
//! disk lost records and that is back before any controller noticed leads on in the same leader epoch, and its followers
//! cannot tell its first life from its second: such a partition is *forked*, and nothing is asked of it any more.

mod acknowledged_records;
mod committed_prefix;
mod controller_fencing;
mod high_watermark;
mod leader_per_epoch;
pub mod liveness;
mod reassignment;

use std::collections::{BTreeMap, BTreeSet};

use gregor_model::{BrokerId, ControllerEpoch, LeaderEpoch, Offset, TopicName, TopicPartition};

use crate::broker::Disk;
use crate::log::{Batch, SimLog};
use crate::scenario::Scenario;
use crate::zookeeper::StateChange;

pub use reassignment::unfinished;

/// What is known of one partition.
#[derive(Debug, Default)]
struct Known {
    /// Acknowledged batches by offset: how many records, and what they say.
    acknowledged: BTreeMap<Offset, (i64, u64)>,
    /// What was below any high watermark.
    committed: BTreeMap<Offset, Batch>,
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
        known.isr.clone_from(&after.isr);
        let is_election =
            change.before.as_ref().is_none_or(|b| b.leader_and_isr.leader_epoch != after.leader_epoch);
        if let Some(leader) = after.leader.filter(|_| is_election) {
            let was_in_isr =
                change.before.as_ref().is_none_or(|before| before.leader_and_isr.isr.contains(&leader));
            self.check_election(change, leader, was_in_isr, disks);
        }
        let before = change.before.as_ref().map_or(&[][..], |before| &before.leader_and_isr.isr);
        let joined: Vec<BrokerId> = after.isr.iter().filter(|id| !before.contains(id)).copied().collect();
        self.clear_taints(&change.partition, &joined, disks);
        self.check_isr_has_acknowledged(&change.partition, disks, "ISR written");
    }

    /// A disk lost what was not synced, or more; `before` was the log's end.
    pub fn on_disk_loss(&mut self, broker: BrokerId, partition: &TopicPartition, before: Offset) {
        if let Some(known) = self.partitions.get_mut(partition) {
            let lost = known.tainted.entry(broker).or_insert(before);
            *lost = before.max(*lost);
        }
    }

    /// A follower's log grew.
    pub fn on_caught_up(&mut self, broker: BrokerId, partition: &TopicPartition, log: &SimLog) {
        if let Some(known) = self.partitions.get_mut(partition)
            && known.tainted.get(&broker).is_some_and(|end| log.end() >= *end)
        {
            known.tainted.remove(&broker);
        }
    }
}
