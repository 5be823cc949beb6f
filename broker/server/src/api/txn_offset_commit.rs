//! TxnOffsetCommit (28), versions 0 to 4 (`handleTxnOffsetCommitRequest`).
//!
//! Version 2: leader epochs. 3: flexible; members. 4: TRANSACTION_ABORTABLE. Before 2, clients do not retry
//! COORDINATOR_LOAD_IN_PROGRESS.

use gregor_coordinator::InstanceId;
use gregor_coordinator::group::request::{Claim, Commit, OffsetToCommit, VerifiedTransaction};
use gregor_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TopicPartition};
use gregor_wire::convert::{by_topic, topic_partition};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};

use crate::broker::Broker;
use crate::coordinators::{InternalTopic, TransactionalWriter, append_failure};
use crate::error_code::KafkaError;
use crate::request_context::RequestContext;

type Results = Vec<(TopicPartition, i16)>;

/// Commits offsets as part of a transaction.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let snapshot = broker.metadata.snapshot();
    let (mut known, mut results): (Vec<OffsetToCommit>, Results) = (Vec::new(), Vec::new());
    for topic in &request.topics {
        for committed in &topic.partitions {
            let partition = topic_partition(&topic.name, committed.partition_index);
            if !snapshot.contains(&partition) {
                results.push((partition, ResponseError::UnknownTopicOrPartition.code()));
                continue;
            }
            known.push(OffsetToCommit {
                partition,
                offset: Offset(committed.committed_offset),
                leader_epoch: LeaderEpoch::from_wire(committed.committed_leader_epoch)
                    .filter(|_| context.version >= 2),
                metadata: committed.committed_metadata.as_deref().unwrap_or("").into(),
                committed_at: None,
            });
        }
    }
    if !known.is_empty() {
        results.extend(commit(broker, context.version, &request, known).await);
    }
    TxnOffsetCommitResponse::default().with_topics(answers(results))
}

async fn commit(
    broker: &Broker,
    version: i16,
    request: &TxnOffsetCommitRequest,
    offsets: Vec<OffsetToCommit>,
) -> Results {
    let partitions: Vec<TopicPartition> = offsets.iter().map(|offset| offset.partition.clone()).collect();
    let told = |error: ResponseError| match error {
        ResponseError::CoordinatorLoadInProgress if version < 2 => {
            ResponseError::CoordinatorNotAvailable.code()
        }
        error => error.code(),
    };
    let all = |code: i16| partitions.iter().cloned().map(|partition| (partition, code)).collect();
    if request.group_id.is_empty() {
        return all(ResponseError::InvalidGroupId.code());
    }
    let verification = match verify(broker, version, request).await {
        Ok(verification) => verification,
        Err(error) => return all(told(error)),
    };
    let commit = Commit {
        claim: Claim {
            group: request.group_id.as_str().into(),
            member: request.member_id.as_str().into(),
            instance: request.group_instance_id.as_deref().map(InstanceId::from),
            generation: request.generation_id,
        },
        producer: Some((ProducerId(request.producer_id.0), ProducerEpoch(request.producer_epoch))),
        verification,
        member_epoch_known: false,
        retention_ms: None,
        offsets,
    };
    match broker.coordinators.groups.commit(commit).await {
        Ok(results) => results
            .into_iter()
            .map(|(partition, result)| (partition, result.err().map_or(0, |error| told(error.kafka_error()))))
            .collect(),
        Err(error) => all(told(error.kafka_error())),
    }
}

/// Makes sure that the group's partition of `__consumer_offsets` belongs to the transaction.
async fn verify(
    broker: &Broker,
    version: i16,
    request: &TxnOffsetCommitRequest,
) -> Result<Option<VerifiedTransaction>, ResponseError> {
    let coordinators = &broker.coordinators;
    let group = request.group_id.as_str().into();
    let partition =
        TopicPartition::new(InternalTopic::ConsumerOffsets.name(), coordinators.groups.partition_of(&group));
    let producer = (ProducerId(request.producer_id.0), ProducerEpoch(request.producer_epoch));
    let Some(guard) = coordinators.verification.begin(&broker.replicas, &partition, producer, 0) else {
        return Ok(None);
    };
    let writer = TransactionalWriter {
        id: request.transactional_id.as_str().to_owned(),
        producer,
        abortable_known: version >= 4,
    };
    match coordinators.verification.ask(&writer, std::slice::from_ref(&partition)).await.remove(&partition) {
        None => Ok(Some(VerifiedTransaction(guard.to_bits()))),
        Some(error) => Err(append_failure(error).of_commit().kafka_error()),
    }
}

fn answers(results: Results) -> Vec<TxnOffsetCommitResponseTopic> {
    let topics = by_topic(results).map(|(name, results)| {
        let partitions = results.into_iter().map(|(index, code)| {
            TxnOffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(code)
        });
        TxnOffsetCommitResponseTopic::default().with_name(name).with_partitions(partitions.collect())
    });
    topics.collect()
}
