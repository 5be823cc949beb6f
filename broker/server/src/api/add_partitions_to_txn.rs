//! AddPartitionsToTxn (24), versions 0 to 5 (`handleAddPartitionsToTxnRequest`).
//!
//! Up to version 3 a producer adds partitions to its transaction; since 4 brokers ask, for many transactions at once,
//! and may only want to know whether partitions are in (KIP-890).

use gregor_coordinator::transaction::AddPartitions;
use gregor_model::{ProducerEpoch, ProducerId, TopicPartition};
use gregor_wire::convert::{by_topic, topic_partition};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::request_context::RequestContext;

type Results = Vec<(TopicPartition, i16)>;

/// Adds or verifies partitions.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    if context.version < 4 {
        let transaction = AddPartitionsToTxnTransaction::default()
            .with_transactional_id(request.v3_and_below_transactional_id)
            .with_producer_id(request.v3_and_below_producer_id)
            .with_producer_epoch(request.v3_and_below_producer_epoch)
            .with_topics(request.v3_and_below_topics);
        let results = transact(broker, context.version, &transaction, true).await;
        return AddPartitionsToTxnResponse::default()
            .with_results_by_topic_v3_and_below(topic_results(results));
    }
    let mut answers = Vec::with_capacity(request.transactions.len());
    for transaction in &request.transactions {
        let results = transact(broker, context.version, transaction, false).await;
        answers.push(
            AddPartitionsToTxnResult::default()
                .with_transactional_id(transaction.transactional_id.clone())
                .with_topic_results(topic_results(results)),
        );
    }
    AddPartitionsToTxnResponse::default().with_results_by_transaction(answers)
}

async fn transact(
    broker: &Broker,
    version: i16,
    transaction: &AddPartitionsToTxnTransaction,
    from_client: bool,
) -> Results {
    let partitions = partitions(&transaction.topics);
    if let Some(refused) = precheck(broker, &partitions, from_client) {
        return refused;
    }
    let add = AddPartitions {
        id: transaction.transactional_id.as_str().into(),
        producer: (ProducerId(transaction.producer_id.0), ProducerEpoch(transaction.producer_epoch)),
        partitions: partitions.clone(),
    };
    let transactions = &broker.coordinators.transactions;
    let all = |code: i16| partitions.iter().cloned().map(|partition| (partition, code)).collect();
    if transaction.verify_only {
        return match transactions.verify(add).await {
            Ok(verified) => verified
                .into_iter()
                .map(|(partition, result)| {
                    (partition, result.err().map_or(0, |error| error.kafka_error().code()))
                })
                .collect(),
            Err(error) => all(error.kafka_error().code()),
        };
    }
    match transactions.add_partitions(add).await.map_err(|error| error.kafka_error()) {
        Ok(()) => all(0),
        Err(ResponseError::ProducerFenced) if version < 2 => all(ResponseError::InvalidProducerEpoch.code()),
        Err(error) => all(error.code()),
    }
}

/// Partitions that do not exist, or may not be added by a client, spoil the whole: the others are not attempted.
fn precheck(broker: &Broker, partitions: &[TopicPartition], from_client: bool) -> Option<Results> {
    let snapshot = broker.metadata.snapshot();
    let refusal = |partition: &TopicPartition| {
        if from_client && partition.topic.is_internal() {
            Some(ResponseError::TopicAuthorizationFailed.code())
        } else if !snapshot.contains(partition) {
            Some(ResponseError::UnknownTopicOrPartition.code())
        } else {
            None
        }
    };
    if partitions.iter().all(|partition| refusal(partition).is_none()) {
        return None;
    }
    let code = |partition| refusal(partition).unwrap_or(ResponseError::OperationNotAttempted.code());
    Some(partitions.iter().map(|partition| (partition.clone(), code(partition))).collect())
}

fn partitions(topics: &[AddPartitionsToTxnTopic]) -> Vec<TopicPartition> {
    let partitions = topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|index| topic_partition(&topic.name, *index)));
    partitions.collect()
}

fn topic_results(results: Results) -> Vec<AddPartitionsToTxnTopicResult> {
    let topics = by_topic(results).map(|(name, results)| {
        let partitions = results.into_iter().map(|(index, code)| {
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(index)
                .with_partition_error_code(code)
        });
        AddPartitionsToTxnTopicResult::default()
            .with_name(name)
            .with_results_by_partition(partitions.collect())
    });
    topics.collect()
}
