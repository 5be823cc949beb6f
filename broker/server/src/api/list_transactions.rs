//! ListTransactions (66), versions 0 and 1 (`handleListTransactionsRequest`). Version 1: only those that run for long.

use std::collections::HashSet;

use gregor_coordinator::transaction::{ListedTransaction, TransactionState as State};
use gregor_model::Timestamp;
use gregor_wire::convert::text;
use kafka_protocol::messages::list_transactions_response::TransactionState;
use kafka_protocol::messages::{ListTransactionsRequest, ListTransactionsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::broker::Broker;
use crate::error_code::KafkaError;

/// Lists the transactional ids that this broker coordinates.
pub async fn handle(broker: &Broker, request: ListTransactionsRequest) -> ListTransactionsResponse {
    let listed = match broker.coordinators.transactions.list().await {
        Ok(listed) => listed,
        Err(error) => return ListTransactionsResponse::default().with_error_code(error.kafka_error().code()),
    };
    let states: HashSet<State> =
        request.state_filters.iter().filter_map(|name| State::of_name(name)).collect();
    let now = Timestamp::now();
    let wanted = |transaction: &ListedTransaction| {
        let started_at = transaction.started_at.map_or(-1, |started| started.0);
        let ids = &request.producer_id_filters;
        (request.state_filters.is_empty() || states.contains(&transaction.state))
            && (ids.is_empty() || ids.iter().any(|id| id.0 == transaction.producer_id.0))
            && (request.duration_filter < 0 || now.0 - started_at > request.duration_filter)
    };
    let found = listed.iter().filter(|transaction| wanted(transaction)).map(|transaction| {
        TransactionState::default()
            .with_transactional_id(text(transaction.id.as_str()).into())
            .with_producer_id(transaction.producer_id.0.into())
            .with_transaction_state(StrBytes::from_static_str(transaction.state.name()))
    });
    let unknown = request.state_filters.iter().filter(|name| State::of_name(name).is_none()).cloned();
    ListTransactionsResponse::default()
        .with_unknown_state_filters(unknown.collect())
        .with_transaction_states(found.collect())
}
