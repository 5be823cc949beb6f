//! The transactional ids of one partition of `__transaction_state`: the machine that the shell drives.

use std::collections::BTreeMap;

use gregor_model::{Offset, Timestamp};
use indexmap::IndexMap;

use super::metadata::{Metadata, TransactionState};
use super::request::{TransactionEffect, TransactionRecord, TransactionReply};
use super::{Markers, TransactionError};
use crate::TransactionalId;
use crate::group::AppendFailure;
use crate::group::request::{AppendId, RequestId};
use crate::schema::transaction::encode_key;

/// What `server.properties` says of transactions.
#[derive(Clone, Debug)]
pub struct TransactionConfig {
    /// `transaction.max.timeout.ms`.
    pub timeout_ms_max: i32,
    /// `transactional.id.expiration.ms`.
    pub id_expiration_ms: i64,
    /// `request.timeout.ms`, which bounds the append of tombstones.
    pub request_timeout_ms: i32,
}

impl Default for TransactionConfig {
    fn default() -> Self {
        TransactionConfig {
            timeout_ms_max: 900_000,
            id_expiration_ms: 604_800_000,
            request_timeout_ms: 30_000,
        }
    }
}

/// What an append decides.
#[derive(Debug)]
pub(super) enum Then {
    /// InitProducerId is answered with what the target holds.
    AnswerInit(RequestId),
    /// AddPartitionsToTxn, or EndTxn that came again, is answered.
    AnswerDone(RequestId),
    /// The decision is stored: the client hears of it, and the markers go out.
    Decided { reply: Option<(RequestId, TransactionReply)>, fence: Option<RequestId>, is_fence: bool },
    /// All markers are written: the transaction is over.
    Completed,
    /// The id is forgotten.
    Forgotten,
}

/// An append under way.
#[derive(Debug)]
struct Waiting {
    id: TransactionalId,
    target: Metadata,
    then: Then,
}

/// The transactional ids of one partition (`TransactionCoordinator`, `TransactionStateManager`).
#[derive(Debug)]
pub struct TransactionShard {
    pub(super) config: TransactionConfig,
    pub(super) ids: IndexMap<TransactionalId, Metadata>,
    waiting: BTreeMap<AppendId, Waiting>,
    /// Transactions whose completion could not be stored yet.
    incomplete: Vec<TransactionalId>,
    last_append: u64,
}

impl TransactionShard {
    /// A partition without ids; a loaded one comes from [`super::TransactionLoader`].
    pub fn new(config: TransactionConfig) -> TransactionShard {
        TransactionShard {
            config,
            ids: IndexMap::new(),
            waiting: BTreeMap::new(),
            incomplete: Vec::new(),
            last_append: 0,
        }
    }

    /// Takes loaded ids over; transactions that were decided get their markers sent again.
    pub(super) fn adopt(&mut self, ids: IndexMap<TransactionalId, Metadata>) -> Vec<TransactionEffect> {
        self.ids = ids;
        let decided = self.ids.iter().filter(|(_, metadata)| metadata.state.is_preparing());
        let mut effects: Vec<TransactionEffect> =
            decided.clone().map(|(id, metadata)| markers_of(id, metadata)).collect();
        // A decided transaction without partitions has nothing to wait for.
        let done: Vec<TransactionalId> = decided
            .filter(|(_, metadata)| metadata.partitions.is_empty())
            .map(|(id, _)| id.clone())
            .collect();
        effects.extend(done.iter().flat_map(|id| self.complete_if_done(id)));
        effects
    }

    /// Asks for the append of `target`; until it is settled the id is pending.
    pub(super) fn store(&mut self, id: &TransactionalId, target: Metadata, then: Then) -> TransactionEffect {
        if let Some(metadata) = self.ids.get_mut(id) {
            metadata.pending = Some(target.state);
        }
        let timeout_ms = match then {
            Then::Forgotten => self.config.request_timeout_ms,
            _ => target.timeout_ms,
        };
        let value = target.to_value().map(|value| value.encode());
        let record = TransactionRecord { key: encode_key(id), value, timeout_ms };
        self.last_append += 1;
        let append = AppendId(self.last_append);
        self.waiting.insert(append, Waiting { id: id.clone(), target, then });
        TransactionEffect::Append(append, record)
    }

    /// An append that was asked for is committed, or failed.
    pub fn appended(
        &mut self,
        append: AppendId,
        outcome: Result<Offset, AppendFailure>,
        now: Timestamp,
    ) -> Vec<TransactionEffect> {
        let Some(Waiting { id, target, then }) = self.waiting.remove(&append) else { return Vec::new() };
        match outcome {
            Ok(_) => self.settled(&id, target, then, now),
            Err(failure) => self.failed(&id, then, failure),
        }
    }

    fn settled(
        &mut self,
        id: &TransactionalId,
        target: Metadata,
        then: Then,
        now: Timestamp,
    ) -> Vec<TransactionEffect> {
        if matches!(then, Then::Forgotten) {
            self.ids.swap_remove(id);
            return Vec::new();
        }
        let Some(metadata) = self.ids.get_mut(id) else { return Vec::new() };
        let producer = (target.producer_id, target.epoch);
        metadata.settle(target);
        match then {
            Then::AnswerInit(request) => {
                vec![TransactionEffect::Reply(request, TransactionReply::Init(Ok(producer)))]
            }
            Then::AnswerDone(request) => {
                vec![TransactionEffect::Reply(request, TransactionReply::Done(Ok(())))]
            }
            Then::Decided { reply, .. } => {
                metadata.pending = metadata.completion();
                let markers = markers_of(id, metadata);
                let mut effects: Vec<_> = reply
                    .into_iter()
                    .map(|(request, reply)| TransactionEffect::Reply(request, reply))
                    .collect();
                effects.push(markers);
                effects.extend(self.complete_if_empty(id, now));
                effects
            }
            Then::Completed | Then::Forgotten => Vec::new(),
        }
    }

    fn failed(&mut self, id: &TransactionalId, then: Then, failure: AppendFailure) -> Vec<TransactionEffect> {
        let error = failure.of_transaction();
        let Some(metadata) = self.ids.get_mut(id) else { return Vec::new() };
        if matches!(then, Then::Completed) {
            // The decision stands; unless another broker coordinates now, its completion is tried again.
            if error != TransactionError::NotCoordinator {
                self.incomplete.push(id.clone());
            }
            return Vec::new();
        }
        metadata.pending = None;
        match then {
            Then::AnswerInit(request) => {
                vec![TransactionEffect::Reply(request, TransactionReply::Init(Err(error)))]
            }
            Then::AnswerDone(request) => {
                vec![TransactionEffect::Reply(request, TransactionReply::Done(Err(error)))]
            }
            Then::Decided { reply, fence, is_fence } => {
                metadata.fence_failed |= is_fence;
                match (reply, fence) {
                    (_, Some(request)) => {
                        vec![TransactionEffect::Reply(request, TransactionReply::Init(Err(error)))]
                    }
                    (Some((request, _)), None) => {
                        vec![TransactionEffect::Reply(request, TransactionReply::Done(Err(error)))]
                    }
                    (None, None) => Vec::new(),
                }
            }
            Then::Completed | Then::Forgotten => Vec::new(),
        }
    }

    /// How many completions could not be stored; [`TransactionShard::retry_completions`] tries them again.
    pub fn incomplete(&self) -> usize {
        self.incomplete.len()
    }

    /// Tries again to store completions that could not be; the shell calls this after a moment's pause.
    pub fn retry_completions(&mut self) -> Vec<TransactionEffect> {
        let incomplete = std::mem::take(&mut self.incomplete);
        incomplete.iter().flat_map(|id| self.complete_if_done(id)).collect()
    }

    /// The partition is led elsewhere now: whoever waits is sent to the new coordinator.
    pub fn unload(mut self) -> Vec<TransactionEffect> {
        let waiting = std::mem::take(&mut self.waiting).into_values().map(|waiting| waiting.then);
        let error = TransactionError::NotCoordinator;
        waiting
            .filter_map(|then| match then {
                Then::AnswerInit(request) | Then::Decided { fence: Some(request), .. } => {
                    Some(TransactionEffect::Reply(request, TransactionReply::Init(Err(error))))
                }
                Then::AnswerDone(request) | Then::Decided { reply: Some((request, _)), .. } => {
                    Some(TransactionEffect::Reply(request, TransactionReply::Done(Err(error))))
                }
                Then::Decided { .. } | Then::Completed | Then::Forgotten => None,
            })
            .collect()
    }

    /// The id's state, for those that only look.
    pub(super) fn settled_state(&self, id: &TransactionalId) -> Option<&Metadata> {
        self.ids.get(id).filter(|metadata| metadata.state != TransactionState::Dead)
    }
}

/// The markers that a decided transaction still needs.
fn markers_of(id: &TransactionalId, metadata: &Metadata) -> TransactionEffect {
    TransactionEffect::SendMarkers(Markers {
        id: id.clone(),
        producer: (metadata.producer_id, metadata.epoch),
        commit: metadata.state == TransactionState::PrepareCommit,
        partitions: metadata.partitions.iter().cloned().collect(),
    })
}
