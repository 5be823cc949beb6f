//! What administrators ask: ListTransactions and DescribeTransactions.

use super::request::{DescribedTransaction, ListedTransaction};
use super::shard::TransactionShard;
use super::{TransactionError, TransactionState};
use crate::TransactionalId;

impl TransactionShard {
    /// Every id of this partition.
    pub fn list(&self) -> impl Iterator<Item = ListedTransaction> + '_ {
        self.ids.iter().filter(|(_, metadata)| metadata.state != TransactionState::Dead).map(
            |(id, metadata)| ListedTransaction {
                id: id.clone(),
                producer_id: metadata.producer_id,
                state: metadata.state,
                started_at: metadata.started_at,
            },
        )
    }

    /// One id.
    ///
    /// # Errors
    /// The id is empty or unknown.
    pub fn describe(&self, id: &TransactionalId) -> Result<DescribedTransaction, TransactionError> {
        if id.is_empty() {
            return Err(TransactionError::InvalidRequest);
        }
        let metadata = self.settled_state(id).ok_or(TransactionError::TransactionalIdNotFound)?;
        Ok(DescribedTransaction {
            state: metadata.state,
            timeout_ms: metadata.timeout_ms,
            started_at: metadata.started_at,
            producer: (metadata.producer_id, metadata.epoch),
            partitions: metadata.partitions.iter().cloned().collect(),
        })
    }
}
