//! AlterPartition (`processAlterPartition`): leaders propose ISRs, the controller checks and writes them.
//!
//! Two differences from Kafka, both on the safe side. A write that finds this controller deposed ends its term (Kafka
//! answers -1 and goes on). And a version conflict refreshes the cached state, so that the partition does not stay
//! blocked behind a stale one.

use std::collections::BTreeMap;
use std::sync::Arc;

use gregor_model::{BrokerId, LeaderAndIsr, LeaderRecoveryState};

use crate::context::{Liveness, PartitionKey};
use crate::control::Leadership;
use crate::controller::Controller;
use crate::operation::{Operation, Outcome, WriteOutcome};
use crate::partition_machine::{Settled, settle_write, write_outcomes};
use crate::reassignment::ReassignmentStep;
use crate::request::{
    AlterPartitionError, AlterPartitionItem, AlterPartitionRequest, AlterPartitionTopError, Reply, TopicRef,
};
use crate::step::Step;
use crate::znode::LeaderIsrAndControllerEpoch;

/// One item of the request being worked on.
#[derive(Debug)]
struct Item {
    key: Option<PartitionKey>,
    result: Result<LeaderAndIsr, AlterPartitionError>,
}

/// What AlterPartition waits for: these states, for these items.
#[derive(Debug)]
pub(crate) struct AlterPartitionAwait {
    items: Vec<Item>,
    written: Vec<(PartitionKey, Leadership)>,
}

/// What the check of a proposal comes to.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Write it.
    Write,
    /// The state is like that already.
    Unchanged,
    /// Refuse it.
    Refuse(AlterPartitionError),
}

impl Controller {
    /// Begins with an AlterPartition.
    pub(crate) fn alter_partition(&mut self, request: &AlterPartitionRequest) {
        if self.context.brokers.epoch(request.broker) != Some(request.broker_epoch) {
            return self.reply(Reply::AlterPartition(Err(AlterPartitionTopError::StaleBrokerEpoch)));
        }
        let mut items = Vec::with_capacity(request.partitions.len());
        // Of two proposals for one partition the later counts.
        let mut wanted: BTreeMap<PartitionKey, Leadership> = BTreeMap::new();
        for proposal in &request.partitions {
            let (key, verdict) = self.judge_proposal(request.broker, proposal);
            if let Some(key) = key {
                wanted.remove(&key);
            }
            let current = key.and_then(|key| self.context.partition(key)?.leadership.clone());
            let result = match (verdict, key, current) {
                (Verdict::Write, Some(key), Some(_)) => {
                    let leader_and_isr = proposed(request.broker, proposal);
                    let controller_epoch = self.context.epoch;
                    let leadership = LeaderIsrAndControllerEpoch { leader_and_isr, controller_epoch };
                    let result = Ok(leadership.leader_and_isr.clone());
                    wanted.insert(key, Arc::new(leadership));
                    result
                }
                (Verdict::Unchanged, _, Some(current)) => Ok(current.leader_and_isr.clone()),
                (Verdict::Refuse(error), ..) => Err(error),
                _ => Err(AlterPartitionError::UnknownTopicOrPartition),
            };
            items.push(Item { key, result });
        }
        let written: Vec<(PartitionKey, Leadership)> = wanted.into_iter().collect();
        if written.is_empty() {
            return self.isrs_written(AlterPartitionAwait { items, written }, Vec::new());
        }
        let writes =
            written.iter().filter_map(|(key, leadership)| self.state_write(*key, leadership)).collect();
        self.store(Operation::WritePartitionStates(writes), AlterPartitionAwait { items, written });
    }

    fn judge_proposal(&self, broker: BrokerId, item: &AlterPartitionItem) -> (Option<PartitionKey>, Verdict) {
        let topic = match &item.topic {
            TopicRef::Name(name) => self.context.topic_key(name),
            TopicRef::Id(id) => match id.and_then(|id| self.context.topic_by_id(id)) {
                Some(key) => Some(key),
                None => return (None, Verdict::Refuse(AlterPartitionError::UnknownTopicId)),
            },
        };
        let key = topic.and_then(|key| self.context.topic(key)?.partitions.get(&item.partition).copied());
        let leadership = key.and_then(|key| self.context.partition(key)?.leadership.as_ref());
        match leadership {
            Some(leadership) => {
                let is_live = |id: &BrokerId| self.context.brokers.liveness(*id) == Liveness::Online;
                (key, judge(&leadership.leader_and_isr, broker, item, is_live))
            }
            None => (key, Verdict::Refuse(AlterPartitionError::UnknownTopicOrPartition)),
        }
    }

    /// Goes on when the states are written.
    pub(crate) fn resume_alter_partition(&mut self, awaited: AlterPartitionAwait, outcome: Outcome) {
        let outcomes = write_outcomes(outcome, awaited.written.len());
        self.isrs_written(awaited, outcomes);
    }

    fn isrs_written(&mut self, awaited: AlterPartitionAwait, outcomes: Vec<WriteOutcome>) {
        let AlterPartitionAwait { mut items, written } = awaited;
        let mut failed: BTreeMap<PartitionKey, AlterPartitionError> = BTreeMap::new();
        for ((key, leadership), outcome) in written.into_iter().zip(outcomes) {
            match settle_write(&leadership, outcome) {
                Settled::Written => self.context.set_leadership(key, leadership),
                Settled::Stale(fresh) => {
                    self.context.set_leadership(key, fresh);
                    failed.insert(key, AlterPartitionError::InvalidUpdateVersion);
                }
                Settled::Failed(_) => {
                    failed.insert(key, AlterPartitionError::Failed);
                }
            }
        }
        for item in &mut items {
            if let (Some(key), Ok(_)) = (item.key, &item.result)
                && let Some(error) = failed.get(&key)
            {
                item.result = Err(*error);
            }
        }
        // Also for the refused ones, whose leader may have the wrong idea; never a LeaderAndIsr.
        self.batch.update_metadata_of_all(items.iter().filter_map(|item| item.key));
        self.send_batch();
        let succeeded = items.iter().filter(|item| item.result.is_ok()).filter_map(|item| item.key).collect();
        let reply = Reply::AlterPartition(Ok(items.into_iter().map(|item| item.result).collect()));
        self.reply(reply);
        self.then([Step::Reassignment(ReassignmentStep::Complete(succeeded))]);
    }
}

/// The state as the leader wants it.
fn proposed(broker: BrokerId, item: &AlterPartitionItem) -> LeaderAndIsr {
    LeaderAndIsr {
        leader: Some(broker),
        leader_epoch: item.leader_epoch,
        isr: item.isr.clone(),
        recovery: item.recovery,
        partition_epoch: item.partition_epoch.next(),
    }
}

/// The checks of a proposal against the cached state, first match wins.
fn judge(
    current: &LeaderAndIsr,
    broker: BrokerId,
    item: &AlterPartitionItem,
    is_live: impl Fn(&BrokerId) -> bool,
) -> Verdict {
    use AlterPartitionError as Error;
    if item.partition_epoch > current.partition_epoch || item.leader_epoch > current.leader_epoch {
        return Verdict::Refuse(Error::NotController);
    }
    if item.leader_epoch < current.leader_epoch {
        return Verdict::Refuse(Error::FencedLeaderEpoch);
    }
    // Before the partition epoch is compared, so that asking again after a lost answer succeeds.
    if current.leader == Some(broker) && current.isr == item.isr && current.recovery == item.recovery {
        return Verdict::Unchanged;
    }
    if item.partition_epoch < current.partition_epoch {
        return Verdict::Refuse(Error::InvalidUpdateVersion);
    }
    if item.recovery == LeaderRecoveryState::Recovering
        && (item.isr.len() > 1 || current.recovery == LeaderRecoveryState::Recovered)
    {
        return Verdict::Refuse(Error::InvalidRequest);
    }
    if !item.isr.iter().all(is_live) {
        return Verdict::Refuse(Error::IneligibleReplica);
    }
    Verdict::Write
}
