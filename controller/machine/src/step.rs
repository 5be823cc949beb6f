//! The vocabulary of the stack: steps still to be done, and continuations that wait for ZooKeeper.

use crate::alter_partition::AlterPartitionAwait;
use crate::broker_change::{BrokerAwait, BrokerStep};
use crate::context::{PartitionKey, Replica, ReplicaState, TopicKey};
use crate::controlled_shutdown::ControlledShutdownStep;
use crate::controller::Controller;
use crate::elect_leaders::{ElectLeadersAwait, ElectLeadersStep};
use crate::election::Strategy;
use crate::failover::{FailoverAwait, FailoverStep};
use crate::features::FeaturesAwait;
use crate::notification::NotificationAwait;
use crate::operation::{Operation, Outcome, StoreFailure};
use crate::partition_machine::PartitionAwait;
use crate::producer_ids::ProducerIdsAwait;
use crate::reassignment::{ReassignmentAwait, ReassignmentStep};
use crate::replica_machine::ReplicaAwait;
use crate::topic_change::TopicAwait;
use crate::topic_deletion::{DeletionAwait, DeletionStep};

/// Something to do.
#[derive(Debug)]
pub(crate) enum Step {
    /// Move these partitions to Online.
    Elect(Vec<PartitionKey>, Strategy),
    /// Try Online for all New and Offline partitions, of one topic or of all.
    ElectUnsettled(Option<TopicKey>),
    /// Move replicas.
    MoveReplicas(Vec<Replica>, ReplicaState),
    /// UpdateMetadata with these partitions to everybody.
    Announce(Vec<PartitionKey>),
    /// Do this in ZooKeeper; a failure ends the event.
    Store(Operation),
    Brokers(BrokerStep),
    Deletion(DeletionStep),
    Reassignment(ReassignmentStep),
    Failover(FailoverStep),
    ElectLeaders(ElectLeadersStep),
    ControlledShutdown(ControlledShutdownStep),
}

/// What waits for an outcome.
#[derive(Debug)]
pub(crate) enum Continuation {
    /// Only whether it was done.
    Done,
    Partitions(PartitionAwait),
    Replicas(ReplicaAwait),
    Brokers(BrokerAwait),
    Topics(TopicAwait),
    Deletion(DeletionAwait),
    Reassignment(ReassignmentAwait),
    Failover(FailoverAwait),
    ElectLeaders(ElectLeadersAwait),
    AlterPartition(AlterPartitionAwait),
    Notification(NotificationAwait),
    ProducerIds(ProducerIdsAwait),
    Features(FeaturesAwait),
}

impl Controller {
    /// Does one step.
    pub(crate) fn step(&mut self, step: Step) {
        match step {
            Step::Elect(keys, strategy) => self.elect(&keys, strategy),
            Step::ElectUnsettled(topic) => {
                let keys = self.context.unsettled(topic);
                self.elect(&keys, Strategy::Offline { allow_unclean: false });
            }
            Step::MoveReplicas(replicas, target) => self.move_replicas(replicas, target),
            Step::Announce(keys) => {
                self.batch.update_metadata_of_all(keys);
                self.send_batch();
            }
            Step::Store(operation) => self.store(operation, Continuation::Done),
            Step::Brokers(step) => self.broker_step(step),
            Step::Deletion(step) => self.deletion_step(step),
            Step::Reassignment(step) => self.reassignment_step(step),
            Step::Failover(step) => self.failover_step(step),
            Step::ElectLeaders(step) => self.elect_leaders_step(step),
            Step::ControlledShutdown(step) => self.controlled_shutdown_step(step),
        }
    }

    /// Goes on with what waited.
    pub(crate) fn resume(&mut self, continuation: Continuation, outcome: Outcome) {
        match continuation {
            Continuation::Done => {
                if let Outcome::Failed(failure) = outcome {
                    self.abandon(failure);
                }
            }
            Continuation::Partitions(awaited) => self.resume_partitions(awaited, outcome),
            Continuation::Replicas(awaited) => self.resume_replicas(awaited, outcome),
            Continuation::Brokers(awaited) => self.resume_brokers(awaited, outcome),
            Continuation::Topics(awaited) => self.resume_topics(awaited, outcome),
            Continuation::Deletion(awaited) => self.resume_deletion(awaited, outcome),
            Continuation::Reassignment(awaited) => self.resume_reassignment(awaited, outcome),
            Continuation::Failover(awaited) => self.resume_failover(awaited, outcome),
            Continuation::ElectLeaders(awaited) => self.resume_elect_leaders(awaited, outcome),
            Continuation::AlterPartition(awaited) => self.resume_alter_partition(awaited, outcome),
            Continuation::Notification(awaited) => self.resume_notification(awaited, outcome),
            Continuation::ProducerIds(awaited) => self.resume_producer_ids(awaited, outcome),
            Continuation::Features(awaited) => self.resume_features(&awaited, &outcome),
        }
    }

    /// Ends the event on an outcome that is a failure, or not the one that was asked for.
    pub(crate) fn abandon_on(&mut self, outcome: Outcome) {
        let failure = match outcome {
            Outcome::Failed(failure) => failure,
            _ => StoreFailure("the outcome is not the one asked for".to_owned()),
        };
        self.abandon(failure);
    }
}

/// Lets a module's own kind of awaiting stand where a continuation is asked for.
macro_rules! into_continuation {
    ($($awaited:ty => $variant:ident),* $(,)?) => {
        $(impl From<$awaited> for Continuation {
            fn from(awaited: $awaited) -> Continuation {
                Continuation::$variant(awaited)
            }
        })*
    };
}

into_continuation! {
    PartitionAwait => Partitions,
    ReplicaAwait => Replicas,
    BrokerAwait => Brokers,
    TopicAwait => Topics,
    DeletionAwait => Deletion,
    ReassignmentAwait => Reassignment,
    FailoverAwait => Failover,
    ElectLeadersAwait => ElectLeaders,
    AlterPartitionAwait => AlterPartition,
    NotificationAwait => Notification,
    ProducerIdsAwait => ProducerIds,
    FeaturesAwait => Features,
}
