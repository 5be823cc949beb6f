//! InitProducerId: a producer takes its transactional id over, and whoever had it before is fenced.

use gregor_model::{ProducerEpoch, ProducerId, Timestamp};

use super::metadata::{EPOCH_LAST, Metadata, NO_EPOCH, TransactionState};
use super::request::{InitProducer, TransactionEffect, TransactionReply};
use super::shard::{Then, TransactionShard};
use super::{EndTransaction, TransactionError};
use crate::group::request::RequestId;

impl TransactionShard {
    /// Whether this request needs a new producer id, which the shell is to get first.
    pub fn needs_producer_id(&self, init: &InitProducer) -> bool {
        match self.ids.get(&init.id) {
            None => true,
            Some(metadata) => must_rotate(metadata, init.current),
        }
    }

    /// InitProducerId; `fresh` is a producer id that nobody has, if one could be had.
    pub fn init(
        &mut self,
        request: RequestId,
        init: &InitProducer,
        fresh: Option<ProducerId>,
        now: Timestamp,
    ) -> Vec<TransactionEffect> {
        match self.try_init(request, init, fresh, now) {
            Ok(effects) => effects,
            Err(error) => vec![TransactionEffect::Reply(request, TransactionReply::Init(Err(error)))],
        }
    }

    fn try_init(
        &mut self,
        request: RequestId,
        init: &InitProducer,
        fresh: Option<ProducerId>,
        now: Timestamp,
    ) -> Result<Vec<TransactionEffect>, TransactionError> {
        if init.id.is_empty() {
            return Err(TransactionError::InvalidRequest);
        }
        if init.timeout_ms <= 0 || init.timeout_ms > self.config.timeout_ms_max {
            return Err(TransactionError::InvalidTransactionTimeout);
        }
        if !self.ids.contains_key(&init.id) {
            let fresh = fresh.ok_or(TransactionError::CoordinatorLoadInProgress)?;
            self.ids.insert(init.id.clone(), Metadata::new(fresh, init.timeout_ms, now));
        }
        let Some(metadata) = self.ids.get(&init.id) else { return Err(TransactionError::UnknownServerError) };
        if metadata.pending.is_some() {
            return Err(TransactionError::ConcurrentTransactions);
        }
        if !is_current(metadata, init.current) {
            return Err(TransactionError::ProducerFenced);
        }
        match metadata.state {
            TransactionState::PrepareCommit | TransactionState::PrepareAbort => {
                Err(TransactionError::ConcurrentTransactions)
            }
            TransactionState::Ongoing => self.fence(&init.id.clone(), Some(request), now),
            TransactionState::Dead | TransactionState::PrepareEpochFence => {
                Err(TransactionError::UnknownServerError)
            }
            TransactionState::Empty | TransactionState::CompleteCommit | TransactionState::CompleteAbort => {
                let target = next_producer(metadata, init, fresh, now)?;
                Ok(vec![self.store(&init.id, target, Then::AnswerInit(request))])
            }
        }
    }

    /// Raises the epoch of an open transaction and aborts it. The raised epoch is given to nobody: who asked, if
    /// anyone, is told to try again.
    pub(super) fn fence(
        &mut self,
        id: &crate::TransactionalId,
        request: Option<RequestId>,
        now: Timestamp,
    ) -> Result<Vec<TransactionEffect>, TransactionError> {
        let Some(metadata) = self.ids.get_mut(id) else { return Ok(Vec::new()) };
        if !metadata.fence_failed {
            let raised = metadata.epoch.0.checked_add(1).ok_or(TransactionError::UnknownServerError)?;
            metadata.epoch = ProducerEpoch(raised);
        }
        metadata.last_epoch = NO_EPOCH;
        let producer = (metadata.producer_id, metadata.epoch);
        let end = EndTransaction { id: id.clone(), producer, commit: false };
        let reply = request
            .map(|request| (request, TransactionReply::Init(Err(TransactionError::ConcurrentTransactions))));
        Ok(self.decide(&end, Then::Decided { reply, fence: request, is_fence: true }, now))
    }
}

/// Whether the producer that asks is the one that has the id now (`isValidProducerId`).
fn is_current(metadata: &Metadata, current: Option<(ProducerId, ProducerEpoch)>) -> bool {
    let Some((id, epoch)) = current else { return true };
    metadata.epoch == NO_EPOCH
        || id == metadata.producer_id
        || (Some(id) == metadata.last_producer_id && epoch.0 >= EPOCH_LAST)
}

/// Whether the epochs of the producer id are used up.
fn must_rotate(metadata: &Metadata, current: Option<(ProducerId, ProducerEpoch)>) -> bool {
    metadata.epoch.0 >= EPOCH_LAST && current.is_none_or(|(_, epoch)| epoch == metadata.epoch)
}

/// The id with its next epoch, or with a new producer id where the epochs are used up
/// (`prepareIncrementProducerEpoch`, `prepareProducerIdRotation`).
fn next_producer(
    metadata: &Metadata,
    init: &InitProducer,
    fresh: Option<ProducerId>,
    now: Timestamp,
) -> Result<Metadata, TransactionError> {
    let mut target = Metadata {
        last_producer_id: Some(metadata.producer_id),
        timeout_ms: init.timeout_ms,
        state: TransactionState::Empty,
        partitions: Default::default(),
        started_at: None,
        updated_at: now,
        pending: None,
        fence_failed: false,
        ..metadata.clone()
    };
    if must_rotate(metadata, init.current) {
        target.producer_id = fresh.ok_or(TransactionError::CoordinatorLoadInProgress)?;
        target.epoch = ProducerEpoch(0);
        target.last_epoch = if init.current.is_some() { metadata.epoch } else { NO_EPOCH };
        return Ok(target);
    }
    let raised = || match metadata.epoch.0 {
        epoch if epoch >= EPOCH_LAST => Err(TransactionError::UnknownServerError),
        epoch => Ok(ProducerEpoch(epoch + 1)),
    };
    match init.current.map(|(_, epoch)| epoch) {
        None => {
            target.epoch = raised()?;
            target.last_epoch = NO_EPOCH;
        }
        Some(epoch) if epoch == metadata.epoch || metadata.epoch == NO_EPOCH => {
            target.epoch = raised()?;
            target.last_epoch = metadata.epoch;
        }
        // The answer to the same request was lost: what it gave stands.
        Some(epoch) if epoch == metadata.last_epoch => {}
        Some(_) => return Err(TransactionError::ProducerFenced),
    }
    Ok(target)
}
