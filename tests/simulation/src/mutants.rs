//! Historic mistakes, made again on purpose, one at a time: each must be caught by an invariant.
//!
//! They live here alone: where a mutant is on, the simulated shell does not do what the product's machine says. The product has
//! no switch that could be left on.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Followers truncate to their high watermark, not to where the epochs part (before KIP-101).
    TruncateToHighWatermark,
    /// A leader treats the ISR that it proposed as if it were confirmed (KAFKA-12735 and the like).
    IsrNotFrozen,
    /// The high watermark does not wait for a replica that is being let into the ISR.
    HighWatermarkPastJoining,
    /// ZooKeeper takes writes of controllers that were deposed (KAFKA-6082).
    NoControllerFencing,
    /// LeaderAndIsr is applied whatever its controller epoch, broker epoch and leader epoch (KAFKA-7235).
    StaleLeaderAndIsr,
    /// A leader that missed a term goes on with what it knew of its followers (Kafka 3.9 does; seed 650 found it).
    PositionsKept,
    /// A batch that comes again is appended again.
    DuplicatesAppended,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Mutant; 7] = [
        Mutant::TruncateToHighWatermark,
        Mutant::IsrNotFrozen,
        Mutant::HighWatermarkPastJoining,
        Mutant::NoControllerFencing,
        Mutant::StaleLeaderAndIsr,
        Mutant::PositionsKept,
        Mutant::DuplicatesAppended,
    ];
}
