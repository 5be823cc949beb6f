//! What is wrong with stored data, and what would repair it. Pure.

use std::fmt::{self, Display, Formatter};

use crate::loss::Loss;
use crate::step::Step;

/// The kinds of things that can be wrong; their names do not change, scripts look for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is told by its text below")]
pub enum Kind {
    WrongChecksum,
    TornBatch,
    NotABatch,
    UnwrittenTail,
    OffsetsOutOfOrder,
    OverlappingSegments,
    MissingOffsets,
    UnreadableRecords,
    UnreadableInternalRecord,
    OffsetOverflow,
    MissingIndex,
    BrokenIndex,
    OrphanIndex,
    BrokenTransactionIndex,
    BrokenSnapshot,
    StaleSnapshot,
    BrokenEpochs,
    BrokenPartitionMetadata,
    MissingPartitionMetadata,
    NoSegments,
    Leftover,
    UnknownFile,
    BrokenCheckpoint,
    CheckpointBeyondEnd,
    CheckpointOfNothing,
    ForeignDirectory,
    PartitionTwice,
    WaitingDeletion,
    StrayPartition,
    UnfinishedMove,
    MissingMetaProperties,
    BrokenMetaProperties,
    DifferentIdentities,
    UncleanShutdown,
    BrokerRunning,
    Unreadable,
    WrongCluster,
    UnknownTopic,
    NotAssigned,
    WrongTopicId,
    MissingReplica,
    BrokenZnode,
}

impl Kind {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::WrongChecksum => "wrong-checksum",
            Kind::TornBatch => "torn-batch",
            Kind::NotABatch => "not-a-batch",
            Kind::UnwrittenTail => "unwritten-tail",
            Kind::OffsetsOutOfOrder => "offsets-out-of-order",
            Kind::OverlappingSegments => "overlapping-segments",
            Kind::MissingOffsets => "missing-offsets",
            Kind::UnreadableRecords => "unreadable-records",
            Kind::UnreadableInternalRecord => "unreadable-internal-record",
            Kind::OffsetOverflow => "offset-overflow",
            Kind::MissingIndex => "missing-index",
            Kind::BrokenIndex => "broken-index",
            Kind::OrphanIndex => "orphan-index",
            Kind::BrokenTransactionIndex => "broken-transaction-index",
            Kind::BrokenSnapshot => "broken-snapshot",
            Kind::StaleSnapshot => "stale-snapshot",
            Kind::BrokenEpochs => "broken-epochs",
            Kind::BrokenPartitionMetadata => "broken-partition-metadata",
            Kind::MissingPartitionMetadata => "missing-partition-metadata",
            Kind::NoSegments => "no-segments",
            Kind::Leftover => "leftover",
            Kind::UnknownFile => "unknown-file",
            Kind::BrokenCheckpoint => "broken-checkpoint",
            Kind::CheckpointBeyondEnd => "checkpoint-beyond-end",
            Kind::CheckpointOfNothing => "checkpoint-of-nothing",
            Kind::ForeignDirectory => "foreign-directory",
            Kind::PartitionTwice => "partition-twice",
            Kind::WaitingDeletion => "waiting-deletion",
            Kind::StrayPartition => "stray-partition",
            Kind::UnfinishedMove => "unfinished-move",
            Kind::MissingMetaProperties => "missing-meta-properties",
            Kind::BrokenMetaProperties => "broken-meta-properties",
            Kind::DifferentIdentities => "different-identities",
            Kind::UncleanShutdown => "unclean-shutdown",
            Kind::BrokerRunning => "broker-running",
            Kind::Unreadable => "unreadable",
            Kind::WrongCluster => "wrong-cluster",
            Kind::UnknownTopic => "unknown-topic",
            Kind::NotAssigned => "not-assigned",
            Kind::WrongTopicId => "wrong-topic-id",
            Kind::MissingReplica => "missing-replica",
            Kind::BrokenZnode => "broken-znode",
        }
    }

    /// Whether it is only worth knowing: a broker deals with it when it starts, or it may be as it should.
    pub fn is_note(self) -> bool {
        matches!(
            self,
            Kind::MissingOffsets
                | Kind::OffsetOverflow
                | Kind::MissingPartitionMetadata
                | Kind::Leftover
                | Kind::UnknownFile
                | Kind::CheckpointOfNothing
                | Kind::WaitingDeletion
                | Kind::StrayPartition
                | Kind::UnfinishedMove
                | Kind::MissingMetaProperties
                | Kind::UncleanShutdown
                | Kind::BrokerRunning
        )
    }
}

impl Display for Kind {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// What repairing would do, what would be lost by that, and the steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// In words.
    pub does: String,
    /// What is gone afterwards.
    pub loses: Loss,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

impl Repair {
    /// A repair that loses nothing.
    pub fn lossless(does: impl Into<String>, steps: Vec<Step>) -> Repair {
        Repair { does: does.into(), loses: Loss::Nothing, steps }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where: a path, or a znode.
    pub place: String,
    /// What.
    pub kind: Kind,
    /// The particulars.
    pub what: String,
    /// How it would be repaired; none if nobody but a person can.
    pub repair: Option<Repair>,
}

impl Finding {
    /// A finding that nothing is done about.
    pub fn new(place: impl Into<String>, kind: Kind, what: impl Into<String>) -> Finding {
        Finding { place: place.into(), kind, what: what.into(), repair: None }
    }

    /// With a repair.
    #[must_use]
    pub fn repaired_by(self, repair: Repair) -> Finding {
        Finding { repair: Some(repair), ..self }
    }
}

impl Display for Finding {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let note = if self.kind.is_note() { "note: " } else { "" };
        write!(out, "{}: {note}{} [{}]", self.place, self.what, self.kind)?;
        if let Some(repair) = &self.repair {
            write!(out, "\n  repair: {}\n  loses: {}", repair.does, repair.loses)?;
        } else if !self.kind.is_note() {
            write!(out, "\n  repair: none known to this program")?;
        }
        Ok(())
    }
}
