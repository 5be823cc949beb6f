//! Controlled shutdown (`processControlledShutdown`): the broker's leaderships move away, its replicas leave the ISRs, then
//! it may go.

use gregor_model::{BrokerId, TopicPartition};

use crate::context::{PartitionKey, Replica, ReplicaState};
use crate::controller::Controller;
use crate::election::Strategy;
use crate::request::{ControlledShutdownError, ControlledShutdownRequest, Reply};
use crate::step::Step;

/// Parts of a controlled shutdown.
#[derive(Debug)]
pub(crate) enum ControlledShutdownStep {
    /// Tell the broker to stop following these.
    StopFollowing(Vec<Replica>),
    /// Answer with what it still leads.
    Reply(BrokerId),
}

impl Controller {
    /// Begins with a ControlledShutdown.
    pub(crate) fn controlled_shutdown(&mut self, request: &ControlledShutdownRequest) {
        let cached = self.context.brokers.epoch(request.broker);
        let refusal = match (request.broker_epoch, cached) {
            (Some(given), Some(cached)) if given < cached => Some(ControlledShutdownError::StaleBrokerEpoch),
            (_, Some(_)) => None,
            (Some(_), None) => Some(ControlledShutdownError::Failed),
            (None, None) => Some(ControlledShutdownError::BrokerNotAvailable),
        };
        if let Some(error) = refusal {
            return self.reply(Reply::ControlledShutdown(Err(error)));
        }
        let broker = request.broker;
        self.context.brokers.set_shutting_down(broker, true);
        let (led, followed): (Vec<PartitionKey>, Vec<PartitionKey>) = self
            .context
            .partitions_on(broker)
            .filter(|key| self.can_move(*key))
            .partition(|key| self.is_led_by(*key, broker));
        let followed: Vec<Replica> = followed.into_iter().map(|key| (key, broker)).collect();
        self.then([
            Step::Elect(led, Strategy::ControlledShutdown),
            Step::ControlledShutdown(ControlledShutdownStep::StopFollowing(followed.clone())),
            Step::MoveReplicas(followed, ReplicaState::Offline),
            Step::ControlledShutdown(ControlledShutdownStep::Reply(broker)),
        ]);
    }

    /// Does one part of a controlled shutdown.
    pub(crate) fn controlled_shutdown_step(&mut self, step: ControlledShutdownStep) {
        match step {
            ControlledShutdownStep::StopFollowing(replicas) => {
                for (key, broker) in replicas {
                    self.batch.stop_replica(&self.context, broker, key, false);
                }
                self.send_batch();
            }
            ControlledShutdownStep::Reply(broker) => {
                let remaining = self.still_led_by(broker);
                self.reply(Reply::ControlledShutdown(Ok(remaining)));
            }
        }
    }

    /// Whether somebody else could take the partition over at all.
    fn can_move(&self, key: PartitionKey) -> bool {
        self.context.partition(key).is_some_and(|partition| {
            partition.assignment.replicas.len() > 1
                && partition.leadership.is_some()
                && !self.context.is_queued_for_deletion(partition.topic)
        })
    }

    fn is_led_by(&self, key: PartitionKey, broker: BrokerId) -> bool {
        self.context.partition(key).is_some_and(|partition| partition.leader() == Some(broker))
    }

    /// `partitionLeadersOnBroker`.
    fn still_led_by(&self, broker: BrokerId) -> Vec<TopicPartition> {
        self.context
            .partitions_on(broker)
            .filter(|key| self.can_move(*key) && self.is_led_by(*key, broker))
            .filter_map(|key| Some(self.context.partition(key)?.name.clone()))
            .collect()
    }
}
