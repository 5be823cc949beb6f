//! Transactions that take too long are aborted; ids that nobody uses are forgotten.

use gregor_model::Timestamp;

use super::metadata::{Metadata, TransactionState};
use super::request::TransactionEffect;
use super::shard::{Then, TransactionShard};
use crate::TransactionalId;

impl TransactionShard {
    fn settled_ids(&self, matches: impl Fn(&Metadata) -> bool) -> Vec<TransactionalId> {
        let settled = self.ids.iter().filter(|(_, metadata)| metadata.pending.is_none() && matches(metadata));
        settled.map(|(id, _)| id.clone()).collect()
    }

    /// Aborts transactions past their timeout; to be called every
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
    pub fn abort_timed_out(&mut self, now: Timestamp) -> Vec<TransactionEffect> {
        let late = self.settled_ids(|metadata| {
            metadata.state == TransactionState::Ongoing
                && metadata.started_at.is_some_and(|start| start + i64::from(metadata.timeout_ms) < now)
        });
        late.iter().flat_map(|id| self.fence(id, None, now).unwrap_or_default()).collect()
    }

    /// Forgets ids that are idle for `transactional.id.expiration.ms`; to be called every
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`.
    pub fn forget_idle(&mut self, now: Timestamp) -> Vec<TransactionEffect> {
        let expiration_ms = self.config.id_expiration_ms;
        let idle = self.settled_ids(|metadata| {
            metadata.state.is_expirable() && now - metadata.updated_at >= expiration_ms
        });
        idle.iter()
            .filter_map(|id| {
                let metadata = self.ids.get(id)?;
                let target = Metadata { state: TransactionState::Dead, ..metadata.clone() };
                Some(self.store(id, target, Then::Forgotten))
            })
            .collect()
    }
}
