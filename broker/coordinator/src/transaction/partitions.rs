//! AddPartitionsToTxn and AddOffsetsToTxn: what a transaction is going to write; and the question whether it may.

use gregor_model::{ProducerEpoch, ProducerId, Timestamp, TopicPartition};

use super::TransactionError;
use super::metadata::{Metadata, TransactionState};
use super::request::{AddPartitions, TransactionEffect, TransactionReply, VerifyPartitions};
use super::shard::{Then, TransactionShard};
use crate::TransactionalId;
use crate::group::request::RequestId;

/// Whether each partition asked for is in the transaction.
pub type Verified = Vec<(TopicPartition, Result<(), TransactionError>)>;

impl TransactionShard {
    /// The id, if the producer is the one that has it.
    pub(super) fn owned(
        &self,
        id: &TransactionalId,
        (producer_id, epoch): (ProducerId, ProducerEpoch),
    ) -> Result<&Metadata, TransactionError> {
        if id.is_empty() {
            return Err(TransactionError::InvalidRequest);
        }
        let metadata = self.ids.get(id).ok_or(TransactionError::InvalidProducerIdMapping)?;
        if metadata.producer_id != producer_id {
            Err(TransactionError::InvalidProducerIdMapping)
        } else if metadata.epoch != epoch {
            Err(TransactionError::ProducerFenced)
        } else {
            Ok(metadata)
        }
    }

    /// AddPartitionsToTxn and AddOffsetsToTxn.
    pub fn add_partitions(
        &mut self,
        request: RequestId,
        add: AddPartitions,
        now: Timestamp,
    ) -> Vec<TransactionEffect> {
        match self.try_add(add, now) {
            Ok((id, target)) => vec![self.store(&id, target, Then::AnswerDone(request))],
            Err(error) => vec![TransactionEffect::Reply(request, TransactionReply::Done(Err(error)))],
        }
    }

    /// The state to store. It is stored even when every partition is in already: a broker that does not know that another
    /// one coordinates by now may remember an earlier transaction, and must not let the producer write.
    fn try_add(
        &self,
        add: AddPartitions,
        now: Timestamp,
    ) -> Result<(TransactionalId, Metadata), TransactionError> {
        let metadata = self.owned(&add.id, add.producer)?;
        if metadata.pending.is_some() || metadata.state.is_preparing() {
            return Err(TransactionError::ConcurrentTransactions);
        }
        let ongoing = metadata.state == TransactionState::Ongoing;
        let mut target = metadata.clone();
        if !ongoing {
            target.partitions.clear();
            target.started_at = Some(now);
        }
        target.state = TransactionState::Ongoing;
        target.partitions.extend(add.partitions);
        target.updated_at = now;
        Ok((add.id, target))
    }

    /// Whether each partition is in the producer's open transaction (`handleVerifyPartitionsInTransaction`).
    ///
    /// # Errors
    /// The question cannot be answered for any of them.
    pub fn verify_partitions(&self, verify: &VerifyPartitions) -> Result<Verified, TransactionError> {
        let metadata = self.owned(&verify.id, verify.producer)?;
        if metadata.state.is_preparing() {
            return Err(TransactionError::ConcurrentTransactions);
        }
        let known = |partition: &TopicPartition| match metadata.partitions.contains(partition) {
            true => Ok(()),
            false => Err(TransactionError::TransactionAbortable),
        };
        Ok(verify.partitions.iter().map(|partition| (partition.clone(), known(partition))).collect())
    }
}
