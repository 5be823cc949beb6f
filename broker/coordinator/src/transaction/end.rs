//! EndTxn: the decision is stored, the client hears of it, markers go out, and the last one completes it.

use gregor_model::{Timestamp, TopicPartition};

use super::TransactionError;
use super::metadata::{Metadata, TransactionState};
use super::request::{EndTransaction, TransactionEffect, TransactionReply};
use super::shard::{Then, TransactionShard};
use crate::TransactionalId;
use crate::group::request::RequestId;

/// What EndTxn does in a state: nothing more to decide, a decision to store, or a refusal.
fn rule(state: TransactionState, commit: bool) -> Result<Option<TransactionState>, TransactionError> {
    use TransactionState::{
        CompleteAbort, CompleteCommit, Dead, Empty, Ongoing, PrepareAbort, PrepareCommit, PrepareEpochFence,
    };
    match (state, commit) {
        (Ongoing, true) => Ok(Some(PrepareCommit)),
        (Ongoing, false) => Ok(Some(PrepareAbort)),
        (CompleteCommit, true) | (CompleteAbort, false) => Ok(None),
        (PrepareCommit, true) | (PrepareAbort, false) => Err(TransactionError::ConcurrentTransactions),
        (Empty | PrepareAbort | CompleteAbort, true)
        | (Empty | PrepareCommit | CompleteCommit, false)
        | (Dead | PrepareEpochFence, _) => Err(TransactionError::InvalidTxnState),
    }
}

impl TransactionShard {
    /// EndTxn from a client.
    pub fn end(
        &mut self,
        request: RequestId,
        end: &EndTransaction,
        now: Timestamp,
    ) -> Vec<TransactionEffect> {
        let done = |result| TransactionEffect::Reply(request, TransactionReply::Done(result));
        let state = match self.owned(&end.id, end.producer) {
            Err(error) => return vec![done(Err(error))],
            Ok(metadata) if metadata.pending.is_some() => {
                return vec![done(Err(TransactionError::ConcurrentTransactions))];
            }
            Ok(metadata) => metadata.state,
        };
        match rule(state, end.commit) {
            Err(error) => vec![done(Err(error))],
            // The answer to the same request was lost. Or this broker does not know that another one coordinates by now, and
            // the request is about a later transaction: so the answer waits until what is known has been written once more.
            Ok(None) => self.confirm(request, &end.id, now),
            Ok(Some(_)) => {
                let reply = Some((request, TransactionReply::Done(Ok(()))));
                self.decide(end, Then::Decided { reply, fence: None, is_fence: false }, now)
            }
        }
    }

    /// Answers when the state of the id, as it is, is in the log again: nobody but the coordinator gets that far.
    fn confirm(
        &mut self,
        request: RequestId,
        id: &TransactionalId,
        now: Timestamp,
    ) -> Vec<TransactionEffect> {
        let Some(metadata) = self.ids.get(id) else { return Vec::new() };
        let target = Metadata { updated_at: now, ..metadata.clone() };
        vec![self.store(id, target, Then::AnswerDone(request))]
    }

    /// Stores the decision over an open transaction.
    pub(super) fn decide(
        &mut self,
        end: &EndTransaction,
        then: Then,
        now: Timestamp,
    ) -> Vec<TransactionEffect> {
        let Some(metadata) = self.ids.get(&end.id) else { return Vec::new() };
        let Ok(Some(state)) = rule(metadata.state, end.commit) else { return Vec::new() };
        let target = Metadata { state, updated_at: now, ..metadata.clone() };
        vec![self.store(&end.id, target, then)]
    }

    /// A marker of the transaction is written, or its partition is gone. The last one completes the transaction.
    pub fn marker_settled(
        &mut self,
        id: &TransactionalId,
        partition: &TopicPartition,
        now: Timestamp,
    ) -> Vec<TransactionEffect> {
        let Some(metadata) = self.ids.get_mut(id).filter(|metadata| metadata.state.is_preparing()) else {
            return Vec::new();
        };
        if !metadata.partitions.remove(partition) {
            return Vec::new();
        }
        metadata.updated_at = now;
        self.complete_if_done(id)
    }

    pub(super) fn complete_if_empty(
        &mut self,
        id: &TransactionalId,
        now: Timestamp,
    ) -> Vec<TransactionEffect> {
        if let Some(metadata) = self.ids.get_mut(id).filter(|metadata| metadata.partitions.is_empty()) {
            metadata.updated_at = now;
        }
        self.complete_if_done(id)
    }

    /// Stores the completion when no marker is missing.
    pub(super) fn complete_if_done(&mut self, id: &TransactionalId) -> Vec<TransactionEffect> {
        let Some(metadata) = self.ids.get(id).filter(|metadata| metadata.partitions.is_empty()) else {
            return Vec::new();
        };
        let Some(state) = metadata.completion() else { return Vec::new() };
        let target = Metadata { state, ..metadata.clone() };
        vec![self.store(id, target, Then::Completed)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TransactionError::{ConcurrentTransactions, InvalidTxnState};
    use TransactionState::*;

    #[test]
    fn every_state_by_decision() {
        type Rule = Result<Option<TransactionState>, TransactionError>;
        const TABLE: [(TransactionState, Rule, Rule); 8] = [
            // state          commit                       abort
            (Empty, Err(InvalidTxnState), Err(InvalidTxnState)),
            (Ongoing, Ok(Some(PrepareCommit)), Ok(Some(PrepareAbort))),
            (PrepareCommit, Err(ConcurrentTransactions), Err(InvalidTxnState)),
            (PrepareAbort, Err(InvalidTxnState), Err(ConcurrentTransactions)),
            (CompleteCommit, Ok(None), Err(InvalidTxnState)),
            (CompleteAbort, Err(InvalidTxnState), Ok(None)),
            (Dead, Err(InvalidTxnState), Err(InvalidTxnState)),
            (PrepareEpochFence, Err(InvalidTxnState), Err(InvalidTxnState)),
        ];
        for (state, commit, abort) in TABLE {
            assert_eq!(rule(state, true), commit, "{state:?} commit");
            assert_eq!(rule(state, false), abort, "{state:?} abort");
        }
    }
}
