//! States of partitions and replicas, and which may follow which (`PartitionState`, `ReplicaState`).

/// Where a partition stands (`PartitionState`).
///
/// ```text
/// NonExistent -> New -> Online <-> Offline -> NonExistent
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartitionState {
    /// Has replicas assigned, no leader and ISR yet.
    New,
    /// Has a leader.
    Online,
    /// Its leader died.
    Offline,
    /// Not created, or deleted.
    NonExistent,
}

/// For each target the states it may be reached from.
const PARTITION_TRANSITIONS: [(PartitionState, &[PartitionState]); 4] = {
    use PartitionState::{New, NonExistent, Offline, Online};
    [
        (New, &[NonExistent]),
        (Online, &[New, Online, Offline]),
        (Offline, &[New, Online, Offline]),
        (NonExistent, &[Offline]),
    ]
};

impl PartitionState {
    /// Whether this state may follow `from`.
    pub(crate) fn may_follow(self, from: PartitionState) -> bool {
        PARTITION_TRANSITIONS.iter().any(|(target, sources)| *target == self && sources.contains(&from))
    }

    /// The name Kafka logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            PartitionState::New => "NewPartition",
            PartitionState::Online => "OnlinePartition",
            PartitionState::Offline => "OfflinePartition",
            PartitionState::NonExistent => "NonExistentPartition",
        }
    }
}

/// Where a replica stands (`ReplicaState`).
///
/// ```text
/// NonExistent -> New -> Online <-> Offline -> DeletionStarted -> DeletionSuccessful -> NonExistent
///                          ^          ^   \        |
///                          +----------+--- DeletionIneligible
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplicaState {
    /// Just assigned; cannot lead yet.
    New,
    /// Part of the assignment and told so.
    Online,
    /// Its broker or directory died, or it is being removed.
    Offline,
    /// Told to delete its log.
    DeletionStarted,
    /// Said that it deleted its log.
    DeletionSuccessful,
    /// Could not delete its log.
    DeletionIneligible,
    /// Not there.
    NonExistent,
}

/// For each target the states it may be reached from.
const REPLICA_TRANSITIONS: [(ReplicaState, &[ReplicaState]); 7] = {
    use ReplicaState::{
        DeletionIneligible, DeletionStarted, DeletionSuccessful, New, NonExistent, Offline, Online,
    };
    [
        (New, &[NonExistent]),
        (Online, &[New, Online, Offline, DeletionIneligible]),
        (Offline, &[New, Online, Offline, DeletionIneligible]),
        (DeletionStarted, &[Offline]),
        (DeletionSuccessful, &[DeletionStarted]),
        (DeletionIneligible, &[Offline, DeletionStarted]),
        (NonExistent, &[DeletionSuccessful]),
    ]
};

impl ReplicaState {
    /// Whether this state may follow `from`.
    pub(crate) fn may_follow(self, from: ReplicaState) -> bool {
        REPLICA_TRANSITIONS.iter().any(|(target, sources)| *target == self && sources.contains(&from))
    }

    /// The name Kafka logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ReplicaState::New => "NewReplica",
            ReplicaState::Online => "OnlineReplica",
            ReplicaState::Offline => "OfflineReplica",
            ReplicaState::DeletionStarted => "ReplicaDeletionStarted",
            ReplicaState::DeletionSuccessful => "ReplicaDeletionSuccessful",
            ReplicaState::DeletionIneligible => "ReplicaDeletionIneligible",
            ReplicaState::NonExistent => "NonExistentReplica",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partition_transitions() {
        use PartitionState::{New, NonExistent, Offline, Online};
        let states = [New, Online, Offline, NonExistent];
        // Rows: target. Columns: from New, Online, Offline, NonExistent.
        let table = [
            (New, [false, false, false, true]),
            (Online, [true, true, true, false]),
            (Offline, [true, true, true, false]),
            (NonExistent, [false, false, true, false]),
        ];
        for (target, row) in table {
            assert_eq!(states.map(|from| target.may_follow(from)), row, "{target:?}");
        }
    }

    #[test]
    fn replica_transitions() {
        use ReplicaState::*;
        let states =
            [New, Online, Offline, DeletionStarted, DeletionSuccessful, DeletionIneligible, NonExistent];
        let table = [
            (New, [0, 0, 0, 0, 0, 0, 1]),
            (Online, [1, 1, 1, 0, 0, 1, 0]),
            (Offline, [1, 1, 1, 0, 0, 1, 0]),
            (DeletionStarted, [0, 0, 1, 0, 0, 0, 0]),
            (DeletionSuccessful, [0, 0, 0, 1, 0, 0, 0]),
            (DeletionIneligible, [0, 0, 1, 1, 0, 0, 0]),
            (NonExistent, [0, 0, 0, 0, 1, 0, 0]),
        ];
        for (target, row) in table {
            assert_eq!(states.map(|from| u8::from(target.may_follow(from))), row, "{target:?}");
        }
    }
}
