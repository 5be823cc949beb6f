//! The tables of `gregor transactions`, and the same as JSON. Pure.

use std::collections::BTreeMap;

use gregor_model::TopicPartition;
use serde_json::{Value, json};

use super::hanging::OpenTransaction;
use crate::admin::producers::ProducerState;
use crate::admin::transactions::{TransactionDescription, TransactionListing};
use crate::java_map::sort_partitions_as_hash_map;
use crate::table::padded;

const NONE: &str = "None";

/// `list`.
pub fn listings(listings: &BTreeMap<i32, Vec<TransactionListing>>) -> String {
    let rows: Vec<Vec<String>> = rows_of(listings)
        .map(|(broker, listing)| {
            let producer_id = listing.producer_id.to_string();
            vec![listing.transactional_id.clone(), broker.to_string(), producer_id, listing.state.clone()]
        })
        .collect();
    padded(&["TransactionalId", "Coordinator", "ProducerId", "TransactionState"], &rows)
}

/// `list --json`.
pub fn listings_json(listings: &BTreeMap<i32, Vec<TransactionListing>>) -> Value {
    let entry = |(broker, listing): (i32, &TransactionListing)| {
        json!({
            "transactionalId": listing.transactional_id,
            "coordinator": broker,
            "producerId": listing.producer_id,
            "transactionState": listing.state,
        })
    };
    json!({ "transactions": rows_of(listings).map(entry).collect::<Vec<_>>() })
}

fn rows_of(
    listings: &BTreeMap<i32, Vec<TransactionListing>>,
) -> impl Iterator<Item = (i32, &TransactionListing)> {
    listings.iter().flat_map(|(broker, listings)| listings.iter().map(|listing| (*broker, listing)))
}

/// `describe`.
pub fn description(id: &str, transaction: &TransactionDescription, now_ms: i64) -> String {
    let optional = |value: Option<i64>| value.map_or(NONE.to_owned(), |value| value.to_string());
    let mut partitions: Vec<&TopicPartition> = transaction.partitions.iter().collect();
    sort_partitions_as_hash_map(&mut partitions, |partition| partition);
    let row = vec![
        transaction.coordinator.to_string(),
        id.to_owned(),
        transaction.producer_id.to_string(),
        transaction.producer_epoch.to_string(),
        transaction.state.clone(),
        transaction.timeout_ms.to_string(),
        optional(transaction.start_time_ms),
        optional(transaction.start_time_ms.map(|start| now_ms.saturating_sub(start))),
        partitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
    ];
    let header = [
        "CoordinatorId",
        "TransactionalId",
        "ProducerId",
        "ProducerEpoch",
        "TransactionState",
        "TransactionTimeoutMs",
        "CurrentTransactionStartTimeMs",
        "TransactionDurationMs",
        "TopicPartitions",
    ];
    padded(&header, &[row])
}

/// `describe --json`.
pub fn description_json(id: &str, transaction: &TransactionDescription, now_ms: i64) -> Value {
    json!({
        "coordinatorId": transaction.coordinator,
        "transactionalId": id,
        "producerId": transaction.producer_id,
        "producerEpoch": transaction.producer_epoch,
        "transactionState": transaction.state,
        "transactionTimeoutMs": transaction.timeout_ms,
        "currentTransactionStartTimeMs": transaction.start_time_ms,
        "transactionDurationMs": transaction.start_time_ms.map(|start| now_ms.saturating_sub(start)),
        "topicPartitions": transaction.partitions.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// `describe-producers`.
pub fn producers(states: &[ProducerState]) -> String {
    let rows: Vec<Vec<String>> = states
        .iter()
        .map(|state| {
            vec![
                state.id.to_string(),
                state.epoch.to_string(),
                state.coordinator_epoch.unwrap_or(-1).to_string(),
                state.last_sequence.to_string(),
                state.last_timestamp.to_string(),
                state.transaction_start_offset.map_or(NONE.to_owned(), |offset| offset.to_string()),
            ]
        })
        .collect();
    let header = [
        "ProducerId",
        "ProducerEpoch",
        "LatestCoordinatorEpoch",
        "LastSequence",
        "LastTimestamp",
        "CurrentTransactionStartOffset",
    ];
    padded(&header, &rows)
}

/// `describe-producers --json`.
pub fn producers_json(states: &[ProducerState]) -> Value {
    json!({ "producers": states.iter().map(producer_json).collect::<Vec<_>>() })
}

fn producer_json(state: &ProducerState) -> Value {
    json!({
        "producerId": state.id,
        "producerEpoch": state.epoch,
        "latestCoordinatorEpoch": state.coordinator_epoch,
        "lastSequence": state.last_sequence,
        "lastTimestamp": state.last_timestamp,
        "currentTransactionStartOffset": state.transaction_start_offset,
    })
}

/// `find-hanging`.
pub fn hanging(transactions: &[OpenTransaction], now_ms: i64) -> String {
    let rows: Vec<Vec<String>> = transactions
        .iter()
        .map(|open| {
            vec![
                open.partition.topic.to_string(),
                open.partition.partition.to_string(),
                open.producer.id.to_string(),
                open.producer.epoch.to_string(),
                open.producer.coordinator_epoch.unwrap_or(-1).to_string(),
                open.producer.transaction_start_offset.unwrap_or(-1).to_string(),
                open.producer.last_timestamp.to_string(),
                (open.age_ms(now_ms) / 60_000).to_string(),
            ]
        })
        .collect();
    let header = [
        "Topic",
        "Partition",
        "ProducerId",
        "ProducerEpoch",
        "CoordinatorEpoch",
        "StartOffset",
        "LastTimestamp",
        "Duration(min)",
    ];
    padded(&header, &rows)
}

/// `find-hanging --json`.
pub fn hanging_json(transactions: &[OpenTransaction], now_ms: i64) -> Value {
    let entry = |open: &OpenTransaction| {
        json!({
            "topic": open.partition.topic.as_str(),
            "partition": open.partition.partition,
            "producer": producer_json(&open.producer),
            "durationMinutes": open.age_ms(now_ms) / 60_000,
        })
    };
    json!({ "hangingTransactions": transactions.iter().map(entry).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(table: &str, expected: [&str; 2]) {
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        let expected: Vec<Vec<&str>> =
            expected.iter().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines, expected);
    }

    const PRODUCER: ProducerState = ProducerState {
        id: 7,
        epoch: 1,
        coordinator_epoch: None,
        last_sequence: 3,
        last_timestamp: 60_000,
        transaction_start_offset: Some(5),
    };

    #[test]
    fn tables() {
        let listing = TransactionListing {
            transactional_id: "x".to_owned(),
            producer_id: 7,
            state: "Ongoing".to_owned(),
        };
        check(
            &listings(&BTreeMap::from([(1, vec![listing])])),
            ["TransactionalId Coordinator ProducerId TransactionState", "x 1 7 Ongoing"],
        );
        let transaction = TransactionDescription {
            coordinator: 1,
            producer_id: 7,
            producer_epoch: 2,
            state: "Ongoing".to_owned(),
            timeout_ms: 60_000,
            start_time_ms: Some(100),
            partitions: vec![TopicPartition::new("t", 0)],
        };
        let header = "CoordinatorId TransactionalId ProducerId ProducerEpoch TransactionState TransactionTimeoutMs \
                      CurrentTransactionStartTimeMs TransactionDurationMs TopicPartitions";
        check(&description("x", &transaction, 150), [header, "1 x 7 2 Ongoing 60000 100 50 t-0"]);
        let idle = TransactionDescription { start_time_ms: None, partitions: Vec::new(), ..transaction };
        check(&description("x", &idle, 150), [header, "1 x 7 2 Ongoing 60000 None None"]);
        assert_eq!(description_json("x", &idle, 150)["transactionDurationMs"], Value::Null);
    }

    #[test]
    fn tables_of_producers() {
        let header = "ProducerId ProducerEpoch LatestCoordinatorEpoch LastSequence LastTimestamp \
                      CurrentTransactionStartOffset";
        check(&producers(&[PRODUCER]), [header, "7 1 -1 3 60000 5"]);
        let open = OpenTransaction { partition: TopicPartition::new("t", 0), producer: PRODUCER };
        let header = "Topic Partition ProducerId ProducerEpoch CoordinatorEpoch StartOffset LastTimestamp Duration(min)";
        check(&hanging(std::slice::from_ref(&open), 180_000), [header, "t 0 7 1 -1 5 60000 2"]);
        assert_eq!(hanging_json(&[open], 180_000)["hangingTransactions"][0]["durationMinutes"], 2);
    }
}
