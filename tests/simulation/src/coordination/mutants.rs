//! Historic mistakes of coordinators, made again on purpose, one at a time: each must be caught by an invariant.
//!
//! They live here alone: where a mutant is on, the simulated shell does not do what the product's machine says, or tells it
//! something else than what happened. The product has no switch that could be left on.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoordinationMutant {
    /// Partition leaders take markers of any coordinator epoch.
    MarkersOfAnyCoordinator,
    /// Whatever epoch a producer has, it is taken for the current one.
    NoProducerFencing,
    /// A group's records are reported as committed when they are only in the leader's log.
    OffsetsBeforeReplication,
    /// A transaction's records are reported as committed when they are only in the leader's log.
    DecisionsBeforeReplication,
    /// Readers of committed records get everything up to the high watermark.
    StablePastOpenTransactions,
    /// Offsets are committed whoever's generation it is.
    NoGenerationCheck,
    /// A decision whose markers were not written is carried out the other way by the next coordinator.
    DecisionReversedByRetry,
    /// Partition leaders do not ask the coordinator whether a transaction is open (before KIP-890).
    NoVerification,
    /// The loader takes offsets of transactions for committed ones (KAFKA-5600 and the like).
    TransactionalOffsetsTakenAsPlain,
    /// OffsetFetch answers although a transaction over the offset is open (before KIP-447).
    UnstableOffsetsShown,
    /// A coordinator acts on what it read before that is replicated, as Kafka does.
    ServedBeforeReplication,
    /// Markers that reach a partition of `__consumer_offsets` while it is loading are forgotten.
    MarkersForgottenWhileLoading,
    /// A transaction is complete when its markers were sent.
    CompleteBeforeMarkers,
    /// A block of producer ids is given out twice.
    ProducerIdsTwice,
    /// The loader leaves groups out, so that their generations begin again.
    GenerationsForgotten,
}

impl CoordinationMutant {
    /// All of them.
    pub const ALL: [CoordinationMutant; 15] = [
        CoordinationMutant::MarkersOfAnyCoordinator,
        CoordinationMutant::NoProducerFencing,
        CoordinationMutant::OffsetsBeforeReplication,
        CoordinationMutant::DecisionsBeforeReplication,
        CoordinationMutant::StablePastOpenTransactions,
        CoordinationMutant::NoGenerationCheck,
        CoordinationMutant::DecisionReversedByRetry,
        CoordinationMutant::NoVerification,
        CoordinationMutant::TransactionalOffsetsTakenAsPlain,
        CoordinationMutant::UnstableOffsetsShown,
        CoordinationMutant::ServedBeforeReplication,
        CoordinationMutant::MarkersForgottenWhileLoading,
        CoordinationMutant::CompleteBeforeMarkers,
        CoordinationMutant::ProducerIdsTwice,
        CoordinationMutant::GenerationsForgotten,
    ];
}
