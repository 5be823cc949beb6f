//! Counts for metrics, as Kafka's controller reports them (`KafkaController.updateMetrics`).

use crate::context::{PartitionState, ReplicaState};
use crate::controller::Controller;

/// What `kafka.controller:type=KafkaController` shows; all zero when not active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControllerStatistics {
    /// `ActiveBrokerCount`.
    pub active_brokers: usize,
    /// `GlobalTopicCount`.
    pub topics: usize,
    /// `GlobalPartitionCount`: partitions whose leadership is known.
    pub partitions: usize,
    /// `OfflinePartitionsCount`.
    pub offline_partitions: usize,
    /// `PreferredReplicaImbalanceCount`: partitions of topics outside deletion that the preferred replica does not lead.
    pub preferred_replica_imbalance: usize,
    /// `TopicsToDeleteCount`.
    pub topics_to_delete: usize,
    /// `ReplicasToDeleteCount`.
    pub replicas_to_delete: usize,
    /// `TopicsIneligibleToDeleteCount`.
    pub topics_ineligible_to_delete: usize,
    /// `ReplicasIneligibleToDeleteCount`.
    pub replicas_ineligible_to_delete: usize,
    /// Partitions being reassigned.
    pub reassigning_partitions: usize,
}

/// Elections held since the start of this broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ElectionTally {
    /// Leaders elected.
    pub leaders: u64,
    /// Those that were not in sync.
    pub unclean: u64,
}

impl Controller {
    /// How many elections were held so far.
    pub fn elections(&self) -> ElectionTally {
        self.tally
    }

    /// Counts everything anew: a walk over all partitions, for a reader that comes every few seconds.
    pub fn statistics(&self) -> ControllerStatistics {
        let context = &self.context;
        let mut counts = ControllerStatistics {
            active_brokers: context.brokers.ids().count(),
            topics: context.topics().count(),
            topics_to_delete: context.deleting().len(),
            reassigning_partitions: context.reassigning().count(),
            ..ControllerStatistics::default()
        };
        for (_, partition) in context.partitions() {
            counts.partitions += usize::from(partition.leadership.is_some());
            counts.offline_partitions += usize::from(partition.state == PartitionState::Offline);
            let displaced = partition.leadership.is_some()
                && partition.leader() != partition.preferred_leader()
                && !context.is_queued_for_deletion(partition.topic);
            counts.preferred_replica_imbalance += usize::from(displaced);
        }
        for topic in context.deleting() {
            let ineligible = context.topic(topic).is_some_and(|topic| topic.ineligible_for_deletion);
            counts.topics_ineligible_to_delete += usize::from(ineligible);
            for (_, state) in context.replica_states(topic) {
                counts.replicas_to_delete += usize::from(state != ReplicaState::DeletionSuccessful);
                counts.replicas_ineligible_to_delete +=
                    usize::from(state == ReplicaState::DeletionIneligible);
            }
        }
        counts
    }
}
