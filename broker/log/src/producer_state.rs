//! Idempotent and transactional producers of a partition.

use gregor_model::{Offset, ProducerEpoch, ProducerId, Timestamp};

/// Proof that the transaction coordinator was asked about a producer's transaction (`VerificationGuard`): created
/// before the question, handed back with the append.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VerificationGuard(pub(crate) u64);

/// One producer's state, as DescribeProducers tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerSummary {
    /// The producer.
    pub producer_id: ProducerId,
    /// Its newest epoch.
    pub producer_epoch: ProducerEpoch,
    /// The last sequence in the log, -1 if none is known.
    pub last_sequence: i32,
    /// The time of its last batch.
    pub last_timestamp: Timestamp,
    /// The epoch of the coordinator that wrote its last marker.
    pub coordinator_epoch: Option<i32>,
    /// Where its open transaction starts.
    pub current_transaction_start: Option<Offset>,
}
