//! OffsetCommit (8), versions 0 to 9 (`handleOffsetCommitRequest`).
//!
//! Version 0 stores in ZooKeeper. 1: members, commit timestamps. 2 to 4: a retention time. 6: leader epochs. 7: static
//! members. 8: flexible. 9: members of consumer groups.

use gregor_coordinator::InstanceId;
use gregor_coordinator::group::GroupError;
use gregor_coordinator::group::request::{Claim, Commit, OffsetToCommit};
use gregor_model::{LeaderEpoch, Offset, Timestamp, TopicName, TopicPartition};
use gregor_wire::convert::by_topic;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::request_context::RequestContext;

/// Commits the offsets of partitions that exist.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let snapshot = broker.metadata.snapshot();
    let (mut known, mut results) = (Vec::new(), Vec::new());
    for topic in &request.topics {
        let name = TopicName::new(&topic.name);
        for committed in &topic.partitions {
            let partition = TopicPartition { topic: name.clone(), partition: committed.partition_index };
            match snapshot.contains(&partition) {
                true => known.push(offset(context.version, partition, committed)),
                false => results.push((partition, ResponseError::UnknownTopicOrPartition.code())),
            }
        }
    }
    if !known.is_empty() {
        let committed = match context.version {
            // In boxes of their own, all of which are small enough for the thread's own free lists.
            0 => Box::pin(broker.zookeeper_offsets.commit(request.group_id.as_str(), known)).await,
            version => match Box::pin(commit(broker, version, &request, known)).await {
                Ok(committed) => committed,
                Err(code) => refused(&request, |partition| snapshot.contains(partition), code),
            },
        };
        results.extend(committed);
    }
    OffsetCommitResponse::default().with_topics(answers(results))
}

/// # Errors
/// The code of all partitions alike.
async fn commit(
    broker: &Broker,
    version: i16,
    request: &OffsetCommitRequest,
    offsets: Vec<OffsetToCommit>,
) -> Result<Vec<(TopicPartition, i16)>, i16> {
    let commit = Commit {
        claim: Claim {
            group: request.group_id.as_str().into(),
            member: request.member_id.as_str().into(),
            instance: request.group_instance_id.as_deref().map(InstanceId::from),
            generation: request.generation_id_or_member_epoch,
        },
        producer: None,
        verification: None,
        member_epoch_known: version >= 9,
        retention_ms: (request.retention_time_ms != -1).then_some(request.retention_time_ms),
        offsets,
    };
    let committed =
        broker.coordinators.groups.commit(commit).await.map_err(|error| error.kafka_error().code())?;
    let code = |result: Result<(), GroupError>| result.err().map_or(0, |error| error.kafka_error().code());
    Ok(committed.into_iter().map(|(partition, result)| (partition, code(result))).collect())
}

/// All partitions that exist, with that code.
fn refused(
    request: &OffsetCommitRequest,
    exists: impl Fn(&TopicPartition) -> bool,
    code: i16,
) -> Vec<(TopicPartition, i16)> {
    let partitions = request.topics.iter().flat_map(|topic| {
        let name = TopicName::new(&topic.name);
        let partition = move |index| TopicPartition { topic: name.clone(), partition: index };
        topic.partitions.iter().map(move |committed| partition(committed.partition_index))
    });
    partitions.filter(exists).map(|partition| (partition, code)).collect()
}

fn offset(
    version: i16,
    partition: TopicPartition,
    committed: &OffsetCommitRequestPartition,
) -> OffsetToCommit {
    let committed_at = Some(Timestamp(committed.commit_timestamp)).filter(|at| version == 1 && at.0 != -1);
    OffsetToCommit {
        partition,
        offset: Offset(committed.committed_offset),
        leader_epoch: LeaderEpoch::from_wire(committed.committed_leader_epoch).filter(|_| version >= 6),
        metadata: committed.committed_metadata.as_deref().unwrap_or("").into(),
        committed_at,
    }
}

fn answers(results: Vec<(TopicPartition, i16)>) -> Vec<OffsetCommitResponseTopic> {
    let topics = by_topic(results).map(|(name, results)| {
        let partitions = results.into_iter().map(|(index, code)| {
            OffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(code)
        });
        OffsetCommitResponseTopic::default().with_name(name).with_partitions(partitions.collect())
    });
    topics.collect()
}
