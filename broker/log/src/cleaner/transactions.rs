//! What one cleaning knows about transactions as it passes through a log (`CleanedTransactionMetadata`).
//!
//! Aborted transactions are told by the transaction indexes of the segments; the rest is seen on the way. A marker may go
//! once a pass met no batch of its transaction any more.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use gregor_model::{Offset, ProducerId};
use gregor_records::ControlRecordType;

use crate::transaction_index::AbortedTxn;

/// The state of a pass; carried from segment to segment and group to group.
#[derive(Debug, Default)]
pub(crate) struct CleanedTransactions {
    committed: HashSet<ProducerId>,
    aborted: HashMap<ProducerId, OngoingAbort>,
    /// Aborted transactions not reached yet, the one that starts first on top.
    ahead: BinaryHeap<Reverse<ByFirstOffset>>,
    /// Those whose marker stays, for the new segment's index.
    kept: Vec<AbortedTxn>,
}

#[derive(Debug)]
struct OngoingAbort {
    transaction: AbortedTxn,
    batch_seen: bool,
}

#[derive(Debug)]
struct ByFirstOffset(AbortedTxn);

impl ByFirstOffset {
    fn key(&self) -> (Offset, Offset) {
        (self.0.first_offset, self.0.last_offset)
    }
}

impl PartialEq for ByFirstOffset {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for ByFirstOffset {}

impl PartialOrd for ByFirstOffset {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByFirstOffset {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl CleanedTransactions {
    /// Tells of aborted transactions that the next segments may hold; one may be told of twice before its marker.
    pub(crate) fn add_aborted(&mut self, transactions: impl IntoIterator<Item = AbortedTxn>) {
        self.ahead.extend(transactions.into_iter().map(|transaction| Reverse(ByFirstOffset(transaction))));
    }

    /// A data batch is met. Returns whether its records are those of an aborted transaction.
    pub(crate) fn on_batch(
        &mut self,
        producer: Option<ProducerId>,
        transactional: bool,
        last_offset: Offset,
    ) -> bool {
        self.advance(last_offset);
        let Some(producer) = producer.filter(|_| transactional) else {
            return false;
        };
        match self.aborted.get_mut(&producer) {
            Some(ongoing) => {
                ongoing.batch_seen = true;
                true
            }
            None => {
                self.committed.insert(producer);
                false
            }
        }
    }

    /// A control batch is met; `kind` is `None` if it has been emptied. Returns whether it may go.
    pub(crate) fn on_control_batch(
        &mut self,
        producer: Option<ProducerId>,
        kind: Option<ControlRecordType>,
        last_offset: Offset,
    ) -> bool {
        self.advance(last_offset);
        match (kind, producer) {
            (None, _) => true,
            (Some(ControlRecordType::Abort), producer) => {
                match producer.and_then(|producer| self.aborted.remove(&producer)) {
                    Some(ongoing) if ongoing.batch_seen => {
                        self.kept.push(ongoing.transaction);
                        false
                    }
                    _ => true,
                }
            }
            (Some(ControlRecordType::Commit), producer) => {
                !producer.is_some_and(|producer| self.committed.remove(&producer))
            }
            (Some(ControlRecordType::Other(_)), _) => false,
        }
    }

    /// The aborted transactions whose markers stay, since the last call.
    pub(crate) fn take_kept(&mut self) -> Vec<AbortedTxn> {
        std::mem::take(&mut self.kept)
    }

    /// Enters the aborted transactions that have begun at or before `offset`.
    fn advance(&mut self, offset: Offset) {
        while self.ahead.peek().is_some_and(|Reverse(next)| next.0.first_offset <= offset) {
            let Some(Reverse(ByFirstOffset(transaction))) = self.ahead.pop() else { break };
            self.aborted
                .entry(transaction.producer_id)
                .or_insert(OngoingAbort { transaction, batch_seen: false });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Option<ProducerId> = Some(ProducerId(1));
    const Q: Option<ProducerId> = Some(ProducerId(2));
    const ABORT: Option<ControlRecordType> = Some(ControlRecordType::Abort);
    const COMMIT: Option<ControlRecordType> = Some(ControlRecordType::Commit);

    fn aborted(producer: Option<ProducerId>, first: i64, last: i64) -> AbortedTxn {
        AbortedTxn {
            producer_id: producer.unwrap(),
            first_offset: Offset(first),
            last_offset: Offset(last),
            last_stable_offset: Offset(last + 1),
        }
    }

    #[test]
    fn aborted_batches_are_told_from_committed_ones() {
        let mut transactions = CleanedTransactions::default();
        transactions.add_aborted([aborted(P, 5, 9), aborted(Q, 20, 30)]);
        assert!(!transactions.on_batch(P, true, Offset(4)));
        assert!(transactions.on_batch(P, true, Offset(6)));
        assert!(!transactions.on_batch(Q, true, Offset(7)));
        assert!(!transactions.on_batch(P, false, Offset(8)), "not transactional");
        assert!(!transactions.on_batch(None, false, Offset(8)));
        assert!(!transactions.on_control_batch(P, ABORT, Offset(9)), "batches were seen: stays");
        assert!(!transactions.on_batch(P, true, Offset(10)), "the next transaction");
        assert!(transactions.on_batch(Q, true, Offset(25)));
        assert_eq!(transactions.take_kept(), [aborted(P, 5, 9)]);
        assert_eq!(transactions.take_kept(), []);
    }

    #[test]
    fn markers_go_when_nothing_of_their_transaction_is_left() {
        let mut transactions = CleanedTransactions::default();
        transactions.add_aborted([aborted(P, 5, 9)]);
        assert!(transactions.on_control_batch(P, ABORT, Offset(9)));
        assert!(transactions.on_control_batch(P, ABORT, Offset(12)), "not in any index");
        assert!(transactions.on_control_batch(Q, COMMIT, Offset(13)));
        transactions.on_batch(Q, true, Offset(14));
        assert!(!transactions.on_control_batch(Q, COMMIT, Offset(15)));
        assert!(transactions.on_control_batch(Q, COMMIT, Offset(16)));
        assert!(transactions.on_control_batch(Q, None, Offset(17)), "emptied before");
        assert!(!transactions.on_control_batch(Q, Some(ControlRecordType::Other(7)), Offset(18)));
        assert_eq!(transactions.take_kept(), []);
    }

    #[test]
    fn a_transaction_told_of_twice_is_one() {
        let mut transactions = CleanedTransactions::default();
        transactions.add_aborted([aborted(P, 5, 29)]);
        assert!(transactions.on_batch(P, true, Offset(6)));
        transactions.add_aborted([aborted(P, 5, 29)]);
        assert!(transactions.on_batch(P, true, Offset(16)));
        assert!(!transactions.on_control_batch(P, ABORT, Offset(29)));
        assert!(!transactions.on_batch(P, true, Offset(30)));
        assert_eq!(transactions.take_kept(), [aborted(P, 5, 29)]);
    }
}
