//! What is known of one transactional id (`TransactionMetadata`), and which state follows which.

use std::collections::BTreeSet;

use gregor_model::{ProducerEpoch, ProducerId, Timestamp, TopicName, TopicPartition};

use crate::schema::transaction::{TransactionStatus, TransactionValue};

/// Where a transactional id stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TransactionState {
    /// No transaction yet with this epoch.
    Empty,
    /// Partitions have been added.
    Ongoing,
    /// To be committed; markers are under way.
    PrepareCommit,
    /// To be aborted; markers are under way.
    PrepareAbort,
    /// Committed.
    CompleteCommit,
    /// Aborted.
    CompleteAbort,
    /// Being forgotten. Never stored.
    Dead,
    /// Where Kafka's coordinator stands between raising an epoch to fence a producer and aborting its transaction. Never
    /// stored, and never seen here, where both are one step; clients may ask for it.
    PrepareEpochFence,
}

impl TransactionState {
    /// Every state that clients may name in a filter.
    pub const ALL: [TransactionState; 8] = [
        TransactionState::Empty,
        TransactionState::Ongoing,
        TransactionState::PrepareCommit,
        TransactionState::PrepareAbort,
        TransactionState::CompleteCommit,
        TransactionState::CompleteAbort,
        TransactionState::Dead,
        TransactionState::PrepareEpochFence,
    ];

    /// The name that ListTransactions and DescribeTransactions give.
    pub fn name(self) -> &'static str {
        match self {
            TransactionState::Empty => "Empty",
            TransactionState::Ongoing => "Ongoing",
            TransactionState::PrepareCommit => "PrepareCommit",
            TransactionState::PrepareAbort => "PrepareAbort",
            TransactionState::CompleteCommit => "CompleteCommit",
            TransactionState::CompleteAbort => "CompleteAbort",
            TransactionState::Dead => "Dead",
            TransactionState::PrepareEpochFence => "PrepareEpochFence",
        }
    }

    /// The state of that name.
    pub fn of_name(name: &str) -> Option<TransactionState> {
        TransactionState::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether the markers are being sent.
    pub(super) fn is_preparing(self) -> bool {
        matches!(self, TransactionState::PrepareCommit | TransactionState::PrepareAbort)
    }

    /// Whether an id in this state may be forgotten once it is old enough.
    pub(super) fn is_expirable(self) -> bool {
        matches!(
            self,
            TransactionState::Empty | TransactionState::CompleteCommit | TransactionState::CompleteAbort
        )
    }

    fn status(self) -> Option<TransactionStatus> {
        Some(match self {
            TransactionState::Empty => TransactionStatus::Empty,
            TransactionState::Ongoing => TransactionStatus::Ongoing,
            TransactionState::PrepareCommit => TransactionStatus::PrepareCommit,
            TransactionState::PrepareAbort => TransactionStatus::PrepareAbort,
            TransactionState::CompleteCommit => TransactionStatus::CompleteCommit,
            TransactionState::CompleteAbort => TransactionStatus::CompleteAbort,
            TransactionState::Dead | TransactionState::PrepareEpochFence => return None,
        })
    }

    fn of_status(status: TransactionStatus) -> TransactionState {
        match status {
            TransactionStatus::Empty => TransactionState::Empty,
            TransactionStatus::Ongoing => TransactionState::Ongoing,
            TransactionStatus::PrepareCommit => TransactionState::PrepareCommit,
            TransactionStatus::PrepareAbort => TransactionState::PrepareAbort,
            TransactionStatus::CompleteCommit => TransactionState::CompleteCommit,
            TransactionStatus::CompleteAbort => TransactionState::CompleteAbort,
        }
    }
}

/// The epoch of an id that has been created but given to no producer yet.
pub(super) const NO_EPOCH: ProducerEpoch = ProducerEpoch(-1);

/// The last epoch that producers get: the one above is kept for fencing.
pub(super) const EPOCH_LAST: i16 = i16::MAX - 1;

/// One transactional id. `last_*` die with the broker, as no record has a field for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) producer_id: ProducerId,
    pub(super) last_producer_id: Option<ProducerId>,
    pub(super) epoch: ProducerEpoch,
    pub(super) last_epoch: ProducerEpoch,
    pub(super) timeout_ms: i32,
    pub(super) state: TransactionState,
    pub(super) partitions: BTreeSet<TopicPartition>,
    pub(super) started_at: Option<Timestamp>,
    pub(super) updated_at: Timestamp,
    /// The state whose record is being appended, or that follows when the markers are done.
    pub(super) pending: Option<TransactionState>,
    /// An epoch was raised to fence a producer, but its record could not be written: it is not raised again.
    pub(super) fence_failed: bool,
}

impl Metadata {
    pub(super) fn new(producer_id: ProducerId, timeout_ms: i32, now: Timestamp) -> Metadata {
        Metadata {
            producer_id,
            last_producer_id: None,
            epoch: NO_EPOCH,
            last_epoch: NO_EPOCH,
            timeout_ms,
            state: TransactionState::Empty,
            partitions: BTreeSet::new(),
            started_at: None,
            updated_at: now,
            pending: None,
            fence_failed: false,
        }
    }

    /// The record of this state; `None` for one that is never stored.
    pub(super) fn to_value(&self) -> Option<TransactionValue> {
        let mut partitions: Vec<(TopicName, Vec<i32>)> = Vec::new();
        for partition in &self.partitions {
            match partitions.last_mut() {
                Some((topic, ids)) if *topic == partition.topic => ids.push(partition.partition),
                _ => partitions.push((partition.topic.clone(), vec![partition.partition])),
            }
        }
        Some(TransactionValue {
            producer_id: self.producer_id,
            producer_epoch: self.epoch,
            timeout_ms: self.timeout_ms,
            status: self.state.status()?,
            partitions,
            updated_at: self.updated_at,
            started_at: self.started_at,
        })
    }

    pub(super) fn from_value(value: TransactionValue) -> Metadata {
        let partitions = value.partitions.into_iter().flat_map(|(topic, ids)| {
            ids.into_iter().map(move |id| TopicPartition { topic: topic.clone(), partition: id })
        });
        let mut metadata = Metadata::new(value.producer_id, value.timeout_ms, value.updated_at);
        metadata.partitions = partitions.collect();
        metadata.epoch = value.producer_epoch;
        metadata.state = TransactionState::of_status(value.status);
        metadata.started_at = value.started_at;
        metadata.pending = metadata.completion();
        metadata
    }

    /// What follows when all markers are written.
    pub(super) fn completion(&self) -> Option<TransactionState> {
        match self.state {
            TransactionState::PrepareCommit => Some(TransactionState::CompleteCommit),
            TransactionState::PrepareAbort => Some(TransactionState::CompleteAbort),
            _ => None,
        }
    }

    /// The record of `target` is committed: it becomes what is known. An emptied id keeps, for those who look, the
    /// start of its last transaction.
    pub(super) fn settle(&mut self, target: Metadata) {
        let started_at = match target.state {
            TransactionState::Empty => self.started_at,
            _ => target.started_at,
        };
        *self = Metadata { started_at, pending: None, fence_failed: false, ..target };
    }
}
