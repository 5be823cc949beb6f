//! DescribeTransactions (65), version 0 (`handleDescribeTransactionsRequest`).

use gregor_coordinator::transaction::DescribedTransaction;
use gregor_wire::convert::wire_topic_name;
use indexmap::IndexMap;
use kafka_protocol::messages::describe_transactions_response::{TopicData, TransactionState};
use kafka_protocol::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::broker::Broker;
use crate::error_code::KafkaError;

/// Describes each transactional id.
pub async fn handle(broker: &Broker, request: DescribeTransactionsRequest) -> DescribeTransactionsResponse {
    let mut states = Vec::with_capacity(request.transactional_ids.len());
    for id in request.transactional_ids {
        let state = match broker.coordinators.transactions.describe(id.as_str().into()).await {
            Ok(described) => describe(described),
            Err(error) => TransactionState::default().with_error_code(error.kafka_error().code()),
        };
        states.push(state.with_transactional_id(id));
    }
    DescribeTransactionsResponse::default().with_transaction_states(states)
}

fn describe(described: DescribedTransaction) -> TransactionState {
    let mut topics: IndexMap<_, Vec<i32>> = IndexMap::new();
    for partition in described.partitions {
        topics.entry(partition.topic).or_default().push(partition.partition);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        TopicData::default().with_topic(wire_topic_name(&name)).with_partitions(partitions)
    });
    TransactionState::default()
        .with_transaction_state(StrBytes::from_static_str(described.state.name()))
        .with_transaction_timeout_ms(described.timeout_ms)
        .with_transaction_start_time_ms(described.started_at.map_or(-1, |started| started.0))
        .with_producer_id(described.producer.0.0.into())
        .with_producer_epoch(described.producer.1.0)
        .with_topics(topics.collect())
}
