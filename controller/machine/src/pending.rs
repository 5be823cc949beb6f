//! The request in hand: whatever becomes of its event, it is answered once.

use gregor_model::TopicPartition;

use crate::event::Event;
use crate::request::{
    AllocateProducerIdsError, AlterPartitionTopError, ControlledShutdownError, FeatureUpdateError,
    NotController, ReassignmentError, Reply, RequestId,
};

/// What kind of answer is owed.
#[derive(Debug)]
pub(crate) enum Pending {
    AlterPartition,
    ControlledShutdown,
    ElectLeaders,
    AlterReassignments(Vec<TopicPartition>),
    ListReassignments,
    AllocateProducerIds,
    UpdateFeatures(Vec<String>),
}

impl Pending {
    /// The request that an event carries.
    pub(crate) fn of(event: &Event) -> Option<(RequestId, Pending)> {
        Some(match event {
            Event::AlterPartition(id, _) => (*id, Pending::AlterPartition),
            Event::ControlledShutdown(id, _) => (*id, Pending::ControlledShutdown),
            Event::ElectLeaders(id, _) => (*id, Pending::ElectLeaders),
            Event::AlterReassignments(id, request) => {
                let partitions = request.partitions.iter().map(|(partition, _)| partition.clone());
                (*id, Pending::AlterReassignments(partitions.collect()))
            }
            Event::ListReassignments(id, _) => (*id, Pending::ListReassignments),
            Event::AllocateProducerIds(id, _) => (*id, Pending::AllocateProducerIds),
            Event::UpdateFeatures(id, request) => (
                *id,
                Pending::UpdateFeatures(request.updates.iter().map(|update| update.name.clone()).collect()),
            ),
            _ => return None,
        })
    }

    /// The answer when this broker is not the controller. Kafka leaves some pre-empted requests without an answer
    /// (AlterPartition, AllocateProducerIds, UpdateFeatures); an answer lets the sender look elsewhere at once.
    pub(crate) fn not_controller(self) -> Reply {
        match self {
            Pending::AlterPartition => Reply::AlterPartition(Err(AlterPartitionTopError::NotController)),
            Pending::ControlledShutdown => {
                Reply::ControlledShutdown(Err(ControlledShutdownError::NotController))
            }
            Pending::ElectLeaders => Reply::ElectLeaders(Err(NotController)),
            Pending::AlterReassignments(_) => Reply::AlterReassignments(Err(NotController)),
            Pending::ListReassignments => Reply::ListReassignments(Err(NotController)),
            Pending::AllocateProducerIds => {
                Reply::AllocateProducerIds(Err(AllocateProducerIdsError::NotController))
            }
            Pending::UpdateFeatures(_) => Reply::UpdateFeatures(Err(NotController)),
        }
    }

    /// The answer when ZooKeeper failed underneath.
    pub(crate) fn failed(self) -> Reply {
        match self {
            Pending::AlterPartition => Reply::AlterPartition(Err(AlterPartitionTopError::Failed)),
            Pending::ControlledShutdown => Reply::ControlledShutdown(Err(ControlledShutdownError::Failed)),
            Pending::ElectLeaders => Reply::ElectLeaders(Err(NotController)),
            Pending::AlterReassignments(partitions) => {
                let failed =
                    partitions.into_iter().map(|partition| (partition, Err(ReassignmentError::Failed)));
                Reply::AlterReassignments(Ok(failed.collect()))
            }
            Pending::ListReassignments => Reply::ListReassignments(Err(NotController)),
            Pending::AllocateProducerIds => Reply::AllocateProducerIds(Err(AllocateProducerIdsError::Failed)),
            Pending::UpdateFeatures(names) => {
                let failed = names.into_iter().map(|name| (name, Err(FeatureUpdateError::Failed)));
                Reply::UpdateFeatures(Ok(failed.collect()))
            }
        }
    }
}
