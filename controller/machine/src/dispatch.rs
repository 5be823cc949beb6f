//! What begins with which event, and what an event means to a broker that is not the controller.

use gregor_model::Timestamp;

use crate::context::ReplicaState;
use crate::controller::Controller;
use crate::effect::{Effect, Timer};
use crate::event::Event;
use crate::operation::Operation;
use crate::pending::Pending;
use crate::step::Step;
use crate::{
    broker_change::BrokerAwait, elect_leaders::ElectLeadersAwait, failover::FailoverAwait,
    notification::NotificationAwait, reassignment::ReassignmentAwait, topic_change::TopicAwait,
    topic_deletion::DeletionAwait,
};

impl Controller {
    /// Begins with an event. Its predecessor is done.
    pub(crate) fn begin(&mut self, event: Event, now: Timestamp) {
        self.name_event(name(&event));
        if let Event::Elected { controller_epoch } = event {
            self.take_office(controller_epoch, now);
            return self.store(Operation::LoadContext, FailoverAwait::Context);
        }
        if !self.is_active() {
            if let Some((request, pending)) = Pending::of(&event) {
                self.effects.push(Effect::Reply { request, reply: pending.not_controller() });
            }
            return;
        }
        if let Some((request, pending)) = Pending::of(&event) {
            self.expect_reply(request, pending);
        }
        self.begin_active(event);
    }

    fn begin_active(&mut self, event: Event) {
        match event {
            Event::BrokersChanged => self.store(Operation::ReadBrokers, BrokerAwait::Changed),
            Event::BrokerModified(broker) => {
                self.store(Operation::ReadBroker(broker), BrokerAwait::Modified(broker));
            }
            Event::BrokerRefuses(broker, epoch) => self.broker_refuses(broker, epoch),
            Event::BrokerAnswers(broker, epoch) => self.broker_answers(broker, epoch),
            Event::TopicsChanged => self.store(Operation::ListTopics, TopicAwait::Listed),
            Event::PartitionsChanged(topic) => {
                // A topic that is unknown yet comes with TopicsChanged, one that was deleted just now is gone.
                if let Some(key) = self.context.topic_key(&topic) {
                    self.store(Operation::ReadTopics(vec![topic]), TopicAwait::Modified(key));
                }
            }
            Event::DeletionsRequested => self.store(Operation::ListDeletions, DeletionAwait::Requested),
            Event::ReassignmentsRequested => {
                self.store(Operation::ReadReassignments, ReassignmentAwait::Requested);
            }
            Event::PreferredElectionRequested => {
                self.store(Operation::ReadPreferredElection, ElectLeadersAwait::Requested);
            }
            Event::IsrChangesNotified => self.store(Operation::ReadIsrChanges, NotificationAwait::IsrChanges),
            Event::LogDirsFailed => self.store(Operation::ReadLogDirEvents, NotificationAwait::LogDirs),
            Event::UncleanElectionEnabled(None) => self.then([Step::ElectUnsettled(None)]),
            Event::UncleanElectionEnabled(Some(topic)) => {
                if let Some(key) = self.context.topic_key(&topic) {
                    self.then([Step::ElectUnsettled(Some(key))]);
                }
            }
            Event::TimerFired(Timer::AutoLeaderRebalance) => self.rebalance_leaders(),
            Event::AlterPartition(_, request) => self.alter_partition(&request),
            Event::ControlledShutdown(_, request) => self.controlled_shutdown(&request),
            Event::ElectLeaders(_, request) => self.elect_leaders(request),
            Event::AlterReassignments(_, request) => self.alter_reassignments(request),
            Event::ListReassignments(_, request) => self.list_reassignments(request),
            Event::AllocateProducerIds(_, request) => self.allocate_producer_ids(&request),
            Event::UpdateFeatures(_, request) => self.update_features(request),
            Event::LeaderAndIsrAnswered { broker, broker_epoch, partitions } => {
                self.leader_and_isr_answered(broker, broker_epoch, &partitions);
            }
            Event::StopReplicaAnswered { broker, broker_epoch, partitions } => {
                self.stop_replica_answered(broker, broker_epoch, &partitions);
            }
            Event::Elected { .. } | Event::Lost(_) | Event::Completed { .. } => {}
        }
    }

    /// Steps that stop replicas for good without waiting for the brokers' answers
    /// (`stopRemovedReplicasOfReassignedPartition`).
    pub(crate) fn remove_replicas(replicas: Vec<crate::context::Replica>) -> Vec<Step> {
        if replicas.is_empty() {
            return Vec::new();
        }
        vec![
            Step::MoveReplicas(replicas.clone(), ReplicaState::Offline),
            Step::MoveReplicas(replicas.clone(), ReplicaState::DeletionStarted),
            Step::MoveReplicas(replicas.clone(), ReplicaState::DeletionSuccessful),
            Step::MoveReplicas(replicas, ReplicaState::NonExistent),
        ]
    }
}

/// The name of an event in Kafka's words, for the log.
fn name(event: &Event) -> &'static str {
    match event {
        Event::Elected { .. } => "failover",
        Event::Lost(_) => "resignation",
        Event::Completed { .. } => "completion",
        Event::TimerFired(Timer::AutoLeaderRebalance) => "AutoPreferredReplicaLeaderElection",
        Event::BrokersChanged => "BrokerChange",
        Event::BrokerModified(_) => "BrokerModifications",
        Event::BrokerRefuses(..) => "BrokerRefusal",
        Event::BrokerAnswers(..) => "BrokerReturn",
        Event::TopicsChanged => "TopicChange",
        Event::PartitionsChanged(_) => "PartitionModifications",
        Event::DeletionsRequested => "TopicDeletion",
        Event::ReassignmentsRequested => "ZkPartitionReassignment",
        Event::PreferredElectionRequested | Event::ElectLeaders(..) => "ReplicaLeaderElection",
        Event::IsrChangesNotified => "IsrChangeNotification",
        Event::LogDirsFailed => "LogDirEventNotification",
        Event::UncleanElectionEnabled(None) => "UncleanLeaderElectionEnable",
        Event::UncleanElectionEnabled(Some(_)) => "TopicUncleanLeaderElectionEnable",
        Event::AlterPartition(..) => "AlterPartitionReceived",
        Event::ControlledShutdown(..) => "ControlledShutdown",
        Event::AlterReassignments(..) => "ApiPartitionReassignment",
        Event::ListReassignments(..) => "ListPartitionReassignments",
        Event::AllocateProducerIds(..) => "AllocateProducerIds",
        Event::UpdateFeatures(..) => "UpdateFeatures",
        Event::LeaderAndIsrAnswered { .. } => "LeaderAndIsrResponseReceived",
        Event::StopReplicaAnswered { .. } => "TopicDeletionStopReplicaResponseReceived",
    }
}
