//! Which transactions hang: open on a partition for longer than any may be, and not known to a coordinator as open there
//! (`FindHangingTransactionsCommand`). Pure.

use std::collections::HashMap;

use gregor_model::TopicPartition;

use crate::admin::producers::ProducerState;
use crate::admin::transactions::TransactionDescription;

/// A transaction that is open on a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTransaction {
    /// Where.
    pub partition: TopicPartition,
    /// Whose.
    pub producer: ProducerState,
}

impl OpenTransaction {
    /// For how long its producer has been silent.
    pub fn age_ms(&self, now_ms: i64) -> i64 {
        now_ms.saturating_sub(self.producer.last_timestamp)
    }
}

/// The producer of a partition as an open transaction, if one is open for longer than `max_ms`.
pub fn candidate(
    partition: &TopicPartition,
    producer: ProducerState,
    now_ms: i64,
    max_ms: i64,
) -> Option<OpenTransaction> {
    let open = OpenTransaction { partition: partition.clone(), producer };
    (producer.transaction_start_offset.is_some() && open.age_ms(now_ms) > max_ms).then_some(open)
}

/// Those whose coordinator does not know them, or knows them and not on that partition.
pub fn hanging(
    candidates: Vec<OpenTransaction>,
    transactional_ids: &HashMap<i64, String>,
    descriptions: &HashMap<String, TransactionDescription>,
) -> Vec<OpenTransaction> {
    let is_expected = |open: &OpenTransaction| {
        let description = transactional_ids.get(&open.producer.id).and_then(|id| descriptions.get(id));
        description.is_some_and(|description| description.partitions.contains(&open.partition))
    };
    candidates.into_iter().filter(|open| !is_expected(open)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCER: ProducerState = ProducerState {
        id: 7,
        epoch: 0,
        coordinator_epoch: None,
        last_sequence: 0,
        last_timestamp: 1_000,
        transaction_start_offset: Some(5),
    };

    #[test]
    fn candidates_are_old_and_open() {
        let partition = TopicPartition::new("t", 0);
        let closed = ProducerState { transaction_start_offset: None, ..PRODUCER };
        for (producer, now_ms, expected) in
            [(PRODUCER, 1_100, false), (PRODUCER, 1_101, true), (closed, 9_999, false)]
        {
            assert_eq!(candidate(&partition, producer, now_ms, 100).is_some(), expected);
        }
    }

    #[test]
    fn what_a_coordinator_still_handles_does_not_hang() {
        let open = |partition| OpenTransaction {
            partition: TopicPartition::new("t", partition),
            producer: PRODUCER,
        };
        let description = TransactionDescription {
            coordinator: 0,
            producer_id: 7,
            producer_epoch: 0,
            state: "Ongoing".to_owned(),
            timeout_ms: 1,
            start_time_ms: None,
            partitions: vec![TopicPartition::new("t", 0)],
        };
        let both = vec![open(0), open(1)];
        let ids = HashMap::from([(7, "x".to_owned())]);
        let descriptions = HashMap::from([("x".to_owned(), description)]);
        assert_eq!(hanging(both.clone(), &ids, &descriptions), [open(1)]);
        assert_eq!(hanging(both.clone(), &ids, &HashMap::new()), both);
        assert_eq!(hanging(both.clone(), &HashMap::new(), &descriptions), both);
    }
}
