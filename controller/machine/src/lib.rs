//! The controller of Kafka 3.9's ZooKeeper mode as pure code: [`Controller::apply`] takes an [`Event`] and gives the
//! list of [`Effect`]s to perform. Mirrors `KafkaController` and the state machines around it.
//!
//! Nothing here reads a clock, draws a random number, awaits, or knows ZooKeeper's or Kafka's encodings. Where Kafka
//! calls ZooKeeper amid a transition, the call is an effect ([`Effect::Store`]) and its outcome an event
//! ([`Event::Completed`]); what follows the call waits as an explicit continuation inside the machine.
//! Invariants: at most one store operation is outstanding; an event is worked off completely before the next begins.

mod alter_partition;
mod batch;
mod broker_change;
mod config;
mod context;
mod control;
mod controlled_shutdown;
mod controller;
mod dispatch;
mod effect;
mod elect_leaders;
mod election;
mod event;
mod failover;
mod features;
mod notification;
mod operation;
mod partition_machine;
mod pending;
mod placement;
mod producer_ids;
mod reassignment;
mod replica_machine;
mod request;
mod statistics;
mod step;
#[cfg(test)]
mod tests;
mod topic_change;
mod topic_deletion;
mod znode;

pub use config::ControllerConfig;
pub use control::{
    ControlRequest, LeaderAndIsrPartition, LeaderAndIsrRequest, LeaderAndIsrTopic, Leadership,
    StopReplicaPartition, StopReplicaRequest, StopReplicaTopic, UpdateMetadataContent,
    UpdateMetadataPartition, UpdateMetadataRequest, UpdateMetadataTopic,
};
pub use controller::Controller;
pub use effect::{Effect, Notice, Timer};
pub use event::{Event, LossReason, ReplicaAnswer};
pub use operation::{
    CreateOutcome, Operation, OperationId, Outcome, PartitionStateCreate, PartitionStateWrite, StoreFailure,
    WriteOutcome,
};
pub use placement::{Candidate, PlacementError, PlacementStart, place_replicas};
pub use request::{
    AllocateProducerIdsError, AllocateProducerIdsRequest, AlterPartitionError, AlterPartitionItem,
    AlterPartitionRequest, AlterPartitionTopError, AlterReassignmentsRequest, ControlledShutdownError,
    ControlledShutdownRequest, ElectLeadersError, ElectLeadersRequest, ElectionType, FeatureUpdate,
    FeatureUpdateError, FeatureUpdateResult, ListReassignmentsRequest, NotController, PerPartition,
    ProducerIds, ReassignmentError, Reply, RequestId, TopicRef, UpdateFeaturesRequest, UpgradeType,
};
pub use statistics::{ControllerStatistics, ElectionTally};
pub use znode::{
    BrokerRegistration, FeatureNode, FinalizedFeatures, LeaderIsrAndControllerEpoch, ProducerIdBlock,
    Snapshot, SupportedFeatures, TopicNode, VersionRange,
};
