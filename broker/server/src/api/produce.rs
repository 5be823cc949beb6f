//! Produce (0), versions 0 to 11 (`handleProduceRequest`).
//!
//! 0 and 1: message sets of the old formats. 2: log append time in the answer. 3: v2 batches only, one per partition; transactional
//! id. 5: log start offset. 7: zstd. 8: errors per record. 9: flexible. 10: the current leader with
//! NOT_LEADER_OR_FOLLOWER. acks=0 is never answered; when it failed, the connection closes, which is how such a
//! producer learns that it must look for another leader.

use bytes::Bytes;
use gregor_log::{AppendError, AppendInfo, AppendOrigin};
use gregor_model::{BrokerId, LeaderEpoch, Offset, Timestamp, TopicName, TopicPartition};
use gregor_records::validate::ValidationError;
use gregor_records::{BatchError, BatchRef, Codec, Magic, batches};
use gregor_replication::{PartitionRecords, ProduceError, ProduceParams, RequiredAcks};
use indexmap::IndexMap;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use kafka_protocol::protocol::StrBytes;

use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::leader_hint::LeaderHints;
use crate::request_context::RequestContext;

/// The client id under which Kafka's own tools may write to internal topics (`AdminUtils.ADMIN_CLIENT_ID`).
pub const ADMIN_CLIENT_ID: &str = "__admin_client";

/// What to do about a produce request.
#[derive(Debug)]
pub enum ProduceAnswer {
    /// Send it.
    Reply(ProduceResponse),
    /// acks=0, and all is well.
    Nothing,
    /// acks=0, and something failed.
    Close,
}

/// What became of one partition.
type Appended = Result<AppendInfo, Refusal>;

/// Why a partition's records were refused.
#[derive(Debug)]
enum Refusal {
    Unchecked(ResponseError),
    /// The whole request is refused, with a message.
    Unreadable(String),
    Produce(ProduceError),
}

/// Appends, and waits for what `acks` asks for.
pub async fn handle(broker: &Broker, context: &RequestContext, request: ProduceRequest) -> ProduceAnswer {
    let acks = request.acks;
    let results = produce(broker, context, request).await;
    if acks == 0 {
        return match results.iter().find_map(|(partition, result)| Some((partition, result.as_ref().err()?)))
        {
            None => ProduceAnswer::Nothing,
            Some((partition, refusal)) => {
                tracing::info!(
                    topic = partition.topic.as_str(),
                    partition = partition.partition,
                    client = context.client_id.as_str(),
                    error = ?refusal.error(),
                    "closing the connection: a produce request with acks=0 failed"
                );
                ProduceAnswer::Close
            }
        };
    }
    ProduceAnswer::Reply(response(broker, context, results))
}

async fn produce(
    broker: &Broker,
    context: &RequestContext,
    request: ProduceRequest,
) -> Vec<(TopicPartition, Appended)> {
    if let Some(reason) = unreadable(&request) {
        let refused = |partition| (partition, Err(Refusal::Unreadable(reason.clone())));
        return partitions_of(&request).map(refused).collect();
    }
    let snapshot = broker.metadata.snapshot();
    let mut accepted = Vec::new();
    let mut results = Vec::new();
    for topic in request.topic_data {
        let name = TopicName::new(topic.name.as_str());
        for data in topic.partition_data {
            let partition = TopicPartition::new(name.clone(), data.index);
            let records = data.records.unwrap_or_default();
            let checked = if snapshot.contains(&partition) {
                check_records(context.version, &records)
            } else {
                Err(ResponseError::UnknownTopicOrPartition)
            };
            match checked {
                Ok(()) => accepted.push(PartitionRecords { partition, records, verification: None }),
                Err(error) => results.push((partition, Err(Refusal::Unchecked(error)))),
            }
        }
    }
    if accepted.is_empty() {
        return results;
    }
    if request.transactional_id.is_none() && accepted.iter().any(|entry| is_transactional(&entry.records)) {
        let error = ResponseError::TransactionalIdAuthorizationFailed;
        results
            .extend(accepted.into_iter().map(|records| (records.partition, Err(Refusal::Unchecked(error)))));
        return results;
    }
    let Some(acks) = RequiredAcks::from_wire(request.acks) else {
        results.extend(
            accepted
                .into_iter()
                .map(|records| (records.partition, Err(Refusal::Produce(ProduceError::InvalidRequiredAcks)))),
        );
        return results;
    };
    let params = ProduceParams {
        acks,
        timeout_ms: request.timeout_ms,
        origin: AppendOrigin::Client,
        internal_topics_allowed: context.client_id.as_str() == ADMIN_CLIENT_ID,
    };
    let accepted = match &request.transactional_id {
        None => accepted,
        Some(id) => match verify(broker, context.version, id.as_str(), accepted).await {
            Ok((verified, refused)) => {
                results.extend(refused);
                verified
            }
            Err(refused) => {
                results.extend(refused);
                return results;
            }
        },
    };
    let appended = broker.replicas.produce(params, accepted).await;
    results.extend(
        appended.into_iter().map(|(partition, result)| (partition, result.map_err(Refusal::Produce))),
    );
    results
}

fn partitions_of(request: &ProduceRequest) -> impl Iterator<Item = TopicPartition> + '_ {
    request.topic_data.iter().flat_map(|topic| {
        let name = TopicName::new(topic.name.as_str());
        topic.partition_data.iter().map(move |data| TopicPartition::new(name.clone(), data.index))
    })
}

/// Why no batch of the request can be looked at: one that has no readable header refuses them all
/// (`RequestUtils.hasTransactionalRecords` walks into it before anything else).
fn unreadable(request: &ProduceRequest) -> Option<String> {
    let records = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    records.filter_map(|data| data.records.as_ref()).find_map(|records| match BatchRef::first(records) {
        Err(BatchError::Corrupt(reason)) => Some(reason),
        _ => None,
    })
}

/// Whether the records belong to a transaction.
fn is_transactional(records: &Bytes) -> bool {
    batches(records).next().is_some_and(|batch| batch.is_ok_and(|batch| batch.header().is_transactional()))
}

type Refused = Vec<(TopicPartition, Appended)>;

/// Has the transaction's coordinator asked where a transaction would start (KIP-890). An error refuses everything.
async fn verify(
    broker: &Broker,
    version: i16,
    id: &str,
    accepted: Vec<PartitionRecords>,
) -> Result<(Vec<PartitionRecords>, Refused), Refused> {
    let partitions: Vec<TopicPartition> = accepted.iter().map(|records| records.partition.clone()).collect();
    let verification = &broker.coordinators.verification;
    match verification.verify_records(&broker.replicas, id, version >= 11, accepted).await {
        Ok((verified, refused)) => {
            let refused =
                refused.into_iter().map(|(partition, error)| (partition, Err(Refusal::Unchecked(error))));
            Ok((verified, refused.collect()))
        }
        Err(error) => {
            let refused = partitions.into_iter().map(|partition| (partition, Err(Refusal::Unchecked(error))));
            Err(refused.collect())
        }
    }
}

/// The rules of the request's version (`ProduceRequest.validateRecords`): since 3, one v2 batch; zstd since 7.
fn check_records(version: i16, records: &Bytes) -> Result<(), ResponseError> {
    if version < 3 {
        return Ok(());
    }
    let mut batches = batches(records);
    let first = match batches.next() {
        Some(Ok(first)) => first,
        Some(Err(BatchError::Corrupt(_))) => return Err(ResponseError::CorruptMessage),
        Some(Err(BatchError::Torn { .. })) | None => return Err(ResponseError::InvalidRecord),
    };
    if first.header().magic != Magic::V2 {
        return Err(ResponseError::InvalidRecord);
    }
    if version < 7 && first.header().codec() == Some(Codec::Zstd) {
        return Err(ResponseError::UnsupportedCompressionType);
    }
    match batches.next() {
        None => Ok(()),
        Some(_) => Err(ResponseError::InvalidRecord),
    }
}

fn response(
    broker: &Broker,
    context: &RequestContext,
    results: Vec<(TopicPartition, Appended)>,
) -> ProduceResponse {
    let mut hints = LeaderHints::new(broker, &context.listener);
    let mut topics: IndexMap<TopicName, Vec<PartitionProduceResponse>> = IndexMap::new();
    for (partition, result) in results {
        let mut answer = match &result {
            Ok(info) => success(info),
            Err(refusal) => failure(broker, context.version, &partition, refusal),
        };
        if context.version >= 10 && answer.error_code == ResponseError::NotLeaderOrFollower.code() {
            let leader = hints.current_leader(&partition);
            answer.current_leader = LeaderIdAndEpoch::default()
                .with_leader_id(BrokerId::to_wire(leader.id).into())
                .with_leader_epoch(LeaderEpoch::to_wire(leader.epoch));
        }
        answer.index = partition.partition;
        topics.entry(partition.topic).or_default().push(answer);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        TopicProduceResponse::default()
            .with_name(StrBytes::from_string(name.as_str().to_owned()).into())
            .with_partition_responses(partitions)
    });
    let nodes = hints.into_nodes().into_iter().map(|(id, node)| {
        NodeEndpoint::default()
            .with_node_id(id.0.into())
            .with_host(StrBytes::from_string(node.host))
            .with_port(node.port)
            .with_rack(node.rack.map(StrBytes::from_string))
    });
    ProduceResponse::default().with_responses(topics.collect()).with_node_endpoints(nodes.collect())
}

fn success(info: &AppendInfo) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_base_offset(Offset::to_wire(info.first_offset))
        .with_log_append_time_ms(info.log_append_time.map_or(-1, |Timestamp(ms)| ms))
        .with_log_start_offset(info.log_start_offset.0)
}

fn failure(
    broker: &Broker,
    version: i16,
    partition: &TopicPartition,
    refusal: &Refusal,
) -> PartitionProduceResponse {
    let nothing_written = || {
        PartitionProduceResponse::default()
            .with_base_offset(-1)
            .with_log_append_time_ms(-1)
            .with_log_start_offset(-1)
    };
    let mut answer = match refusal {
        Refusal::Produce(ProduceError::AfterAppend { info, .. }) => success(info),
        Refusal::Produce(error) if tells_log_start(error) => {
            let log = broker.replicas.log(partition).ok();
            let start = log.map_or(-1, |log| log.log_start_offset().0);
            nothing_written().with_log_start_offset(start)
        }
        _ => nothing_written(),
    };
    answer.error_code = refusal.error().code();
    if version < 8 {
        return answer;
    }
    if let Refusal::Unreadable(reason) = refusal {
        answer.error_message = Some(StrBytes::from_string(reason.clone()));
    }
    if let Refusal::Produce(ProduceError::Append(error)) = refusal
        && let AppendError::Invalid(invalid) = error.as_ref()
        && !invalid.record_errors().is_empty()
    {
        answer.error_message = Some(StrBytes::from_string(invalid.to_string()));
        answer.record_errors = invalid
            .record_errors()
            .iter()
            .map(|record| {
                BatchIndexAndErrorMessage::default()
                    .with_batch_index(record.batch_index)
                    .with_batch_index_error_message(Some(StrBytes::from_string(record.message.clone())))
            })
            .collect();
    }
    answer
}

/// Kafka forgets where the log starts for the failures it expects (`ReplicaManager.appendToLocalLog`).
fn tells_log_start(error: &ProduceError) -> bool {
    match error {
        ProduceError::Append(error) => match error.as_ref() {
            AppendError::Invalid(invalid) => {
                !matches!(invalid, ValidationError::Corrupt(_) | ValidationError::TooLarge { .. })
            }
            AppendError::Corrupt(_) | AppendError::RecordListTooLarge { .. } | AppendError::Storage(_) => {
                false
            }
            _ => true,
        },
        ProduceError::NotEnoughReplicas { .. } => true,
        ProduceError::Partition(_)
        | ProduceError::InternalTopic(_)
        | ProduceError::InvalidRequiredAcks
        | ProduceError::AfterAppend { .. } => false,
    }
}

impl Refusal {
    fn error(&self) -> ResponseError {
        match self {
            Refusal::Unchecked(error) => *error,
            Refusal::Unreadable(_) => ResponseError::CorruptMessage,
            Refusal::Produce(error) => error.kafka_error(),
        }
    }
}

#[cfg(test)]
mod tests {
    use gregor_records::{BatchBuilder, BatchOptions, Compression};

    use super::*;

    #[test]
    fn records_of_each_version() {
        let batch = |codec: Codec| -> Bytes {
            let options = BatchOptions { compression: Compression::of(codec), ..BatchOptions::default() };
            let mut builder = BatchBuilder::new(options).expect("valid options");
            builder.append(Offset(0), Some(Timestamp(1)), None, Some(b"v"), &[]).expect("fits");
            builder.finish().expect("a batch").into()
        };
        let plain = batch(Codec::None);
        let zstd = batch(Codec::Zstd);
        let two: Bytes = [plain.as_ref(), plain.as_ref()].concat().into();
        let cut = plain.slice(..plain.len() - 1);
        let mut bad_size = plain.to_vec();
        bad_size[8..12].copy_from_slice(&1i32.to_be_bytes());

        #[track_caller]
        fn check(version: i16, records: &Bytes, expected: Result<(), ResponseError>) {
            assert_eq!(check_records(version, records), expected);
        }
        check(2, &two, Ok(()));
        check(3, &plain, Ok(()));
        check(3, &two, Err(ResponseError::InvalidRecord));
        check(3, &Bytes::new(), Err(ResponseError::InvalidRecord));
        check(3, &cut, Err(ResponseError::InvalidRecord));
        check(3, &bad_size.into(), Err(ResponseError::CorruptMessage));
        check(6, &zstd, Err(ResponseError::UnsupportedCompressionType));
        check(7, &zstd, Ok(()));
    }
}
