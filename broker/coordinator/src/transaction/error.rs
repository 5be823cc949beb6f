//! What a transaction request can be answered with, and how a failed append becomes such an answer.

use thiserror::Error;

use crate::group::AppendFailure;

/// Why a transaction request was refused; each has the Kafka error code of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[allow(missing_docs)] // each variant is the Kafka error code of the same name
pub enum TransactionError {
    #[error("the request makes no sense")]
    InvalidRequest,
    #[error("the transaction timeout is out of bounds")]
    InvalidTransactionTimeout,
    #[error("the coordinator is loading the transactional id")]
    CoordinatorLoadInProgress,
    #[error("the coordinator is not available")]
    CoordinatorNotAvailable,
    #[error("this broker does not coordinate the transactional id")]
    NotCoordinator,
    #[error("another request for the transactional id is under way")]
    ConcurrentTransactions,
    #[error("a newer producer has taken the transactional id over")]
    ProducerFenced,
    #[error("the producer id is not the transactional id's")]
    InvalidProducerIdMapping,
    #[error("the transaction is not in a state for that")]
    InvalidTxnState,
    #[error("the partition is not in the transaction")]
    TransactionAbortable,
    #[error("there is no such transactional id")]
    TransactionalIdNotFound,
    #[error("an unexpected error on the server")]
    UnknownServerError,
}

impl AppendFailure {
    /// The answer to who waits for a transaction's record (`TransactionStateManager.appendTransactionToLog`).
    pub fn of_transaction(self) -> TransactionError {
        match self {
            Self::UnknownTopicOrPartition
            | Self::NotEnoughReplicas
            | Self::NotEnoughReplicasAfterAppend
            | Self::RequestTimedOut => TransactionError::CoordinatorNotAvailable,
            Self::NotLeaderOrFollower | Self::KafkaStorageError | Self::NotCoordinator => {
                TransactionError::NotCoordinator
            }
            _ => TransactionError::UnknownServerError,
        }
    }
}
