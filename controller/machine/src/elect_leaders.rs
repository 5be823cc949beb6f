//! Elections that somebody asks for: ElectLeaders, `/admin/preferred_replica_election`, and the regular rebalance of
//! leaders (`processReplicaLeaderElection`, `checkAndTriggerAutoLeaderRebalance`).

use std::collections::{BTreeMap, BTreeSet};

use gregor_model::{BrokerId, TopicPartition};

use crate::context::{Liveness, PartitionKey};
use crate::controller::Controller;
use crate::effect::{Effect, Timer};
use crate::election::Strategy;
use crate::event::Event;
use crate::operation::{Operation, Outcome};
use crate::request::{ElectLeadersError, ElectLeadersRequest, ElectionType, Reply};
use crate::step::Step;

/// Parts of requested elections.
#[derive(Debug)]
pub(crate) enum ElectLeadersStep {
    /// Answer ElectLeaders from the outcome of the elections just held.
    Reply(ElectionType, Vec<(TopicPartition, Result<PartitionKey, ElectLeadersError>)>),
    /// Hold preferred elections for these, then delete the node that asked for them.
    FromNode(Vec<TopicPartition>),
    /// Delete the node.
    DeleteNode,
}

/// What requested elections wait for.
#[derive(Debug)]
pub(crate) enum ElectLeadersAwait {
    /// Content of `/admin/preferred_replica_election`.
    Requested,
    /// The node is deleted.
    Deleted,
}

impl Controller {
    /// Does one part of a requested election.
    pub(crate) fn elect_leaders_step(&mut self, step: ElectLeadersStep) {
        match step {
            ElectLeadersStep::Reply(election, items) => self.reply_to_election(election, items),
            ElectLeadersStep::FromNode(names) => {
                let judged =
                    names.iter().filter_map(|name| self.electable(name, ElectionType::Preferred).ok());
                let keys: BTreeSet<PartitionKey> = judged.collect();
                self.then([
                    Step::Elect(keys.into_iter().collect(), Strategy::Preferred),
                    Step::ElectLeaders(ElectLeadersStep::DeleteNode),
                ]);
            }
            ElectLeadersStep::DeleteNode => {
                self.store(Operation::DeletePreferredElection, ElectLeadersAwait::Deleted);
            }
        }
    }

    /// Goes on with a requested election after ZooKeeper answered.
    pub(crate) fn resume_elect_leaders(&mut self, awaited: ElectLeadersAwait, outcome: Outcome) {
        match (awaited, outcome) {
            (ElectLeadersAwait::Requested, Outcome::PreferredElection(found)) => {
                if let Some(names) = found {
                    self.then([Step::ElectLeaders(ElectLeadersStep::FromNode(names))]);
                }
            }
            // Looks once more, lest a node created meanwhile be missed.
            (ElectLeadersAwait::Deleted, Outcome::Done) => self.enqueue(Event::PreferredElectionRequested),
            (_, outcome) => self.abandon_on(outcome),
        }
    }

    /// ElectLeaders.
    pub(crate) fn elect_leaders(&mut self, request: ElectLeadersRequest) {
        let election = request.election;
        let everything = request.partitions.is_none();
        let names = request.partitions.unwrap_or_else(|| {
            self.context.partitions().map(|(_, partition)| partition.name.clone()).collect()
        });
        let mut items: Vec<(TopicPartition, Result<PartitionKey, ElectLeadersError>)> = names
            .into_iter()
            .map(|name| {
                let judged = self.electable(&name, election);
                (name, judged)
            })
            .collect();
        if everything {
            items.retain(|(_, item)| *item != Err(ElectLeadersError::NotNeeded));
        }
        let keys: BTreeSet<PartitionKey> =
            items.iter().filter_map(|(_, item)| item.as_ref().ok().copied()).collect();
        // Asked for by an administrator, an unclean election does not depend on the topic's config.
        let strategy = match election {
            ElectionType::Preferred => Strategy::Preferred,
            ElectionType::Unclean => Strategy::Offline { allow_unclean: true },
        };
        self.then([
            Step::Elect(keys.into_iter().collect(), strategy),
            Step::ElectLeaders(ElectLeadersStep::Reply(election, items)),
        ]);
    }

    /// Whether an election for this partition makes sense.
    fn electable(
        &self,
        name: &TopicPartition,
        election: ElectionType,
    ) -> Result<PartitionKey, ElectLeadersError> {
        let key = self.context.find(name).ok_or(ElectLeadersError::UnknownTopicOrPartition)?;
        let partition = self.context.partition(key).ok_or(ElectLeadersError::UnknownTopicOrPartition)?;
        if self.context.is_queued_for_deletion(partition.topic) {
            return Err(ElectLeadersError::TopicBeingDeleted);
        }
        // Kafka throws here and never answers.
        if partition.leadership.is_none() {
            return Err(unavailable(election, "The partition has no leadership information yet.".to_owned()));
        }
        let leader = partition.leader();
        let valid = match election {
            ElectionType::Preferred => leader.is_some() && leader == partition.preferred_leader(),
            ElectionType::Unclean => {
                leader.is_some_and(|leader| self.context.brokers.liveness(leader) == Liveness::Online)
            }
        };
        if valid { Err(ElectLeadersError::NotNeeded) } else { Ok(key) }
    }

    fn reply_to_election(
        &mut self,
        election: ElectionType,
        items: Vec<(TopicPartition, Result<PartitionKey, ElectLeadersError>)>,
    ) {
        let results = items.into_iter().map(|(name, item)| {
            let result = item.and_then(|key| match self.elections.get(&key) {
                Some(Ok(leader)) => Ok(*leader),
                Some(Err(reason)) => Err(unavailable(election, reason.clone())),
                None => Err(unavailable(election, "The election was not held.".to_owned())),
            });
            (name, result)
        });
        let reply = Reply::ElectLeaders(Ok(results.collect()));
        self.reply(reply);
    }

    /// `processAutoPreferredReplicaLeaderElection`. Kafka elects broker by broker; here it is one transition.
    pub(crate) fn rebalance_leaders(&mut self) {
        let mut groups: BTreeMap<BrokerId, (usize, Vec<PartitionKey>)> = BTreeMap::new();
        for (key, partition) in self.context.partitions() {
            let Some(preferred) = partition.preferred_leader() else { continue };
            if self.context.is_queued_for_deletion(partition.topic) {
                continue;
            }
            let (size, displaced) = groups.entry(preferred).or_default();
            *size += 1;
            if partition.leadership.is_some() && partition.leader() != Some(preferred) {
                displaced.push(key);
            }
        }
        let percentage = i64::from(self.config.leader_imbalance_per_broker_percentage);
        let exceeds = |size: usize, displaced: usize| {
            // displaced / size > percentage / 100, without division.
            i64::try_from(displaced * 100).unwrap_or(i64::MAX)
                > percentage.saturating_mul(i64::try_from(size).unwrap_or(i64::MAX))
        };
        let candidates: Vec<PartitionKey> = groups
            .into_values()
            .filter(|(size, displaced)| exceeds(*size, displaced.len()))
            .flat_map(|(_, displaced)| displaced)
            .filter(|key| self.preferred_can_lead(*key))
            .collect();
        self.schedule_rebalance(self.config.leader_imbalance_check_interval_seconds);
        self.then([Step::Elect(candidates, Strategy::Preferred)]);
    }

    fn preferred_can_lead(&self, key: PartitionKey) -> bool {
        let Some(partition) = self.context.partition(key) else { return false };
        let (Some(preferred), Some(leadership)) = (partition.preferred_leader(), &partition.leadership)
        else {
            return false;
        };
        self.context.is_online(key, preferred) && leadership.leader_and_isr.isr.contains(&preferred)
    }

    /// Starts the timer of the next rebalance.
    pub(crate) fn schedule_rebalance(&mut self, seconds: i64) {
        let delay_ms = seconds.saturating_mul(1000);
        self.effects.push(Effect::StartTimer { timer: Timer::AutoLeaderRebalance, delay_ms });
    }
}

fn unavailable(election: ElectionType, reason: String) -> ElectLeadersError {
    match election {
        ElectionType::Preferred => ElectLeadersError::PreferredLeaderNotAvailable(reason),
        ElectionType::Unclean => ElectLeadersError::EligibleLeadersNotAvailable(reason),
    }
}
