//! Partition state transitions (`ZkPartitionStateMachine`): creating the state of new partitions, and elections.
//!
//! Writes start from the cached state and its version. A state that changed behind our back makes the write conflict,
//! and the conflict brings the fresh state, from which the decision is taken again: the same as Kafka's read before every
//! write, without the read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gregor_model::{BrokerId, LeaderAndIsr, LeaderEpoch, LeaderRecoveryState, PartitionEpoch};

use crate::context::{PartitionKey, PartitionState, TopicKey};
use crate::control::Leadership;
use crate::controller::Controller;
use crate::effect::Notice;
use crate::election::{Ballot, Decision, Strategy};
use crate::operation::{
    CreateOutcome, Operation, Outcome, PartitionStateCreate, PartitionStateWrite, WriteOutcome,
};
use crate::znode::LeaderIsrAndControllerEpoch;

/// One transition to OnlinePartition under way.
#[derive(Debug)]
pub(crate) struct ElectionRun {
    strategy: Strategy,
    /// Still to be decided.
    remaining: Vec<PartitionKey>,
    /// Decided, to be written.
    elected: Vec<Winner>,
    /// `unclean.leader.election.enable` by topic, as far as it was asked for.
    unclean: BTreeMap<TopicKey, bool>,
}

#[derive(Debug)]
pub(crate) struct Winner {
    key: PartitionKey,
    leadership: Leadership,
    recipients: Vec<BrokerId>,
}

/// What a partition transition waits for.
#[derive(Debug)]
pub(crate) enum PartitionAwait {
    /// Creation of these states.
    Created(Vec<(PartitionKey, Leadership)>, ElectionRun),
    /// The unclean election config of these topics.
    UncleanFlags(Vec<TopicKey>, ElectionRun),
    /// The elected leaders.
    Written(Vec<Winner>, ElectionRun),
}

impl Controller {
    /// Moves partitions to New, Offline or NonExistent: memory only.
    pub(crate) fn move_partitions(&mut self, keys: &[PartitionKey], target: PartitionState) {
        for key in self.movable_partitions(keys, target) {
            self.context.set_partition_state(key, target);
        }
    }

    fn movable_partitions(&mut self, keys: &[PartitionKey], target: PartitionState) -> Vec<PartitionKey> {
        let mut movable = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(partition) = self.context.partition(*key) else { continue };
            if target.may_follow(partition.state) {
                movable.push(*key);
            } else {
                let subject = partition.name.to_string();
                let from = partition.state.name();
                self.notice(Notice::InvalidTransition { subject, from, to: target.name() });
            }
        }
        movable
    }

    /// Moves partitions to Online: creates the state of New ones, elects a leader for the others.
    pub(crate) fn elect(&mut self, keys: &[PartitionKey], strategy: Strategy) {
        self.elections.clear();
        let movable = self.movable_partitions(keys, PartitionState::Online);
        let is_new = |key: &PartitionKey| {
            self.context.partition(*key).is_some_and(|partition| partition.state == PartitionState::New)
        };
        let (new, remaining): (Vec<_>, Vec<_>) = movable.into_iter().partition(is_new);
        let run = ElectionRun { strategy, remaining, elected: Vec::new(), unclean: BTreeMap::new() };
        let created: Vec<(PartitionKey, Leadership)> =
            new.into_iter().filter_map(|key| Some((key, self.first_leadership(key)?))).collect();
        if created.is_empty() {
            return self.hold_elections(run);
        }
        let creates = created
            .iter()
            .filter_map(|(key, leadership)| {
                let partition = self.context.partition(*key)?.name.clone();
                Some(PartitionStateCreate { partition, leadership: Arc::clone(leadership) })
            })
            .collect();
        self.store(Operation::CreatePartitionStates(creates), PartitionAwait::Created(created, run));
    }

    /// Leader and ISR of a new partition: its online replicas in order of assignment.
    fn first_leadership(&mut self, key: PartitionKey) -> Option<Leadership> {
        let partition = self.context.partition(key)?;
        let replicas = &partition.assignment.replicas;
        let isr: Vec<BrokerId> =
            replicas.iter().copied().filter(|id| self.context.is_online(key, *id)).collect();
        let Some(leader) = isr.first().copied() else {
            let (partition, reason) = (partition.name.clone(), "no assigned replica is alive".to_owned());
            self.notice(Notice::ElectionFailed { partition, reason });
            return None;
        };
        let leader_and_isr = LeaderAndIsr {
            leader: Some(leader),
            leader_epoch: LeaderEpoch(0),
            isr,
            recovery: LeaderRecoveryState::Recovered,
            partition_epoch: PartitionEpoch(0),
        };
        Some(Arc::new(LeaderIsrAndControllerEpoch { leader_and_isr, controller_epoch: self.context.epoch }))
    }

    /// Goes on with a transition after ZooKeeper answered.
    pub(crate) fn resume_partitions(&mut self, awaited: PartitionAwait, outcome: Outcome) {
        match awaited {
            PartitionAwait::Created(created, run) => self.states_created(created, run, outcome),
            PartitionAwait::UncleanFlags(topics, mut run) => {
                // Without an answer the safe assumption is that data loss is not permitted.
                let flags = if let Outcome::Flags(flags) = outcome { flags } else { Vec::new() };
                let flags = flags.into_iter().chain(std::iter::repeat(false));
                run.unclean.extend(topics.into_iter().zip(flags));
                self.hold_elections(run);
            }
            PartitionAwait::Written(winners, run) => self.leaders_written(winners, run, outcome),
        }
    }

    fn states_created(
        &mut self,
        created: Vec<(PartitionKey, Leadership)>,
        run: ElectionRun,
        outcome: Outcome,
    ) {
        let outcomes = create_outcomes(outcome, created.len());
        for ((key, leadership), outcome) in created.into_iter().zip(outcomes) {
            let reason = match outcome {
                CreateOutcome::Created => None,
                // Our own creation whose answer was lost.
                CreateOutcome::Exists(Some(found)) if found == *leadership => None,
                CreateOutcome::Exists(_) => Some("its state exists already".to_owned()),
                CreateOutcome::Failed(reason) => Some(reason),
            };
            if let Some(reason) = reason {
                if let Some(partition) = self.context.partition(key) {
                    let partition = partition.name.clone();
                    self.notice(Notice::ElectionFailed { partition, reason });
                }
                continue;
            }
            let recipients = leadership.leader_and_isr.isr.clone();
            self.context.set_leadership(key, leadership);
            self.context.set_partition_state(key, PartitionState::Online);
            self.batch.leader_and_isr(&self.context, recipients, key, true);
        }
        self.hold_elections(run);
    }

    fn hold_elections(&mut self, mut run: ElectionRun) {
        let mut undecided = Vec::new();
        let mut topics = BTreeSet::new();
        for key in std::mem::take(&mut run.remaining) {
            match self.decide(key, &run) {
                Ok(Decision::Elected(leader_and_isr, recipients)) => {
                    self.tally.leaders += 1;
                    let was_in_sync = self.context.partition(key).is_some_and(|partition| {
                        let before = partition.leadership.as_ref();
                        let isr = before.map(|before| before.leader_and_isr.isr.as_slice());
                        leader_and_isr.leader.is_some_and(|leader| isr.unwrap_or_default().contains(&leader))
                    });
                    self.tally.unclean += u64::from(!was_in_sync);
                    let controller_epoch = self.context.epoch;
                    let leadership =
                        Arc::new(LeaderIsrAndControllerEpoch { leader_and_isr, controller_epoch });
                    run.elected.push(Winner { key, leadership, recipients });
                }
                Ok(Decision::DependsOnTopicConfig) => {
                    topics.extend(self.context.partition(key).map(|partition| partition.topic));
                    undecided.push(key);
                }
                Ok(Decision::Nobody) => {
                    let reason = format!("Failed to elect leader under strategy {}", run.strategy.name());
                    self.election_failed(key, reason);
                }
                Err(reason) => self.election_failed(key, reason),
            }
        }
        if !undecided.is_empty() {
            run.remaining = undecided;
            let names =
                topics.iter().filter_map(|topic| Some(self.context.topic(*topic)?.name.clone())).collect();
            let awaited = PartitionAwait::UncleanFlags(topics.into_iter().collect(), run);
            return self.store(Operation::ReadUncleanElection(names), awaited);
        }
        self.write_leaders(run);
    }

    fn decide(&self, key: PartitionKey, run: &ElectionRun) -> Result<Decision, String> {
        let partition = self.context.partition(key).ok_or("the partition is gone")?;
        let leadership = partition.leadership.as_ref().ok_or("LeaderAndIsr information doesn't exist")?;
        let ballot = Ballot {
            assignment: &partition.assignment,
            current: &leadership.leader_and_isr,
            liveness: |broker| self.context.liveness(key, broker),
        };
        Ok(ballot.decide(run.strategy, run.unclean.get(&partition.topic).copied()))
    }

    fn write_leaders(&mut self, mut run: ElectionRun) {
        let winners = std::mem::take(&mut run.elected);
        if winners.is_empty() {
            return self.send_batch();
        }
        let writes =
            winners.iter().filter_map(|winner| self.state_write(winner.key, &winner.leadership)).collect();
        self.store(Operation::WritePartitionStates(writes), PartitionAwait::Written(winners, run));
    }

    /// The write that replaces the cached state of a partition.
    pub(crate) fn state_write(
        &self,
        key: PartitionKey,
        leadership: &Leadership,
    ) -> Option<PartitionStateWrite> {
        let partition = self.context.partition(key)?;
        let expected = partition.leadership.as_ref()?.leader_and_isr.partition_epoch;
        Some(PartitionStateWrite {
            partition: partition.name.clone(),
            leadership: Arc::clone(leadership),
            expected,
        })
    }

    fn leaders_written(&mut self, winners: Vec<Winner>, mut run: ElectionRun, outcome: Outcome) {
        let outcomes = write_outcomes(outcome, winners.len());
        for (winner, outcome) in winners.into_iter().zip(outcomes) {
            match settle_write(&winner.leadership, outcome) {
                Settled::Written => {
                    if let Some(leader) = winner.leadership.leader_and_isr.leader {
                        self.elections.insert(winner.key, Ok(leader));
                    }
                    self.context.set_leadership(winner.key, winner.leadership);
                    self.context.set_partition_state(winner.key, PartitionState::Online);
                    self.batch.leader_and_isr(&self.context, winner.recipients, winner.key, false);
                }
                Settled::Stale(fresh) => {
                    self.context.set_leadership(winner.key, fresh);
                    run.remaining.push(winner.key);
                }
                Settled::Failed(reason) => self.election_failed(winner.key, reason),
            }
        }
        if run.remaining.is_empty() { self.send_batch() } else { self.hold_elections(run) }
    }

    fn election_failed(&mut self, key: PartitionKey, reason: String) {
        if let Some(partition) = self.context.partition(key) {
            let partition = partition.name.clone();
            self.notice(Notice::ElectionFailed { partition, reason: reason.clone() });
            self.elections.insert(key, Err(reason));
        }
    }
}

/// What a state write came to.
pub(crate) enum Settled {
    /// It stands in ZooKeeper as we wanted it.
    Written,
    /// It had changed: decide again from this.
    Stale(Leadership),
    /// It cannot be written.
    Failed(String),
}

/// Judges the outcome of one write of `wanted`.
pub(crate) fn settle_write(wanted: &LeaderIsrAndControllerEpoch, outcome: WriteOutcome) -> Settled {
    match outcome {
        WriteOutcome::Written => Settled::Written,
        // Our own write whose answer was lost: what we wanted, at the version it was to have.
        WriteOutcome::Conflict(Some(found)) if found == *wanted => Settled::Written,
        WriteOutcome::Conflict(Some(found)) if found.controller_epoch > wanted.controller_epoch => {
            Settled::Failed(format!(
                "its state was written by a controller with epoch {}",
                found.controller_epoch
            ))
        }
        WriteOutcome::Conflict(Some(found)) => Settled::Stale(Arc::new(found)),
        WriteOutcome::Conflict(None) => Settled::Failed("its state does not exist".to_owned()),
        WriteOutcome::Failed(reason) => Settled::Failed(reason),
    }
}

/// One outcome per write, whatever the shell gave.
pub(crate) fn write_outcomes(outcome: Outcome, count: usize) -> Vec<WriteOutcome> {
    let (mut outcomes, reason) = match outcome {
        Outcome::Written(outcomes) => (outcomes, String::new()),
        Outcome::Failed(failure) => (Vec::new(), failure.0),
        _ => (Vec::new(), "unexpected outcome".to_owned()),
    };
    outcomes.resize(count, WriteOutcome::Failed(reason));
    outcomes
}

fn create_outcomes(outcome: Outcome, count: usize) -> Vec<CreateOutcome> {
    let (mut outcomes, reason) = match outcome {
        Outcome::Created(outcomes) => (outcomes, String::new()),
        Outcome::Failed(failure) => (Vec::new(), failure.0),
        _ => (Vec::new(), "unexpected outcome".to_owned()),
    };
    outcomes.resize(count, CreateOutcome::Failed(reason));
    outcomes
}
