//! ListOffsets (2), versions 0 to 9: offsets by time (`handleListOffsetRequest`).
//!
//! Version 0 answers a list of segment starts; 1 one offset with its timestamp. 2: isolation level. 4: leader epochs both ways.
//! 5: OFFSET_NOT_AVAILABLE exists (before: LEADER_NOT_AVAILABLE). 6: flexible. Timestamps -3, -4 and -5 need 7, 8, 9.

use std::collections::HashSet;

use gregor_log::{FetchIsolation, TimestampQuery};
use gregor_model::{LeaderEpoch, Offset, Timestamp, TopicName, TopicPartition};
use gregor_replication::ListOffsetsError;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::request_context::RequestContext;

/// The replica id of consumers.
const CONSUMER: i32 = -1;
/// The replica id of tools that debug: any replica answers, up to its log end.
const DEBUGGER: i32 = -2;
/// The oldest special timestamp, and the only ones of version 0.
const EARLIEST: i64 = -2;

/// What holds for all partitions of a request.
struct Asker {
    version: i16,
    from_consumer: bool,
    leader_only: bool,
    isolation: Option<FetchIsolation>,
}

/// Asks the replica manager for each partition.
pub fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: &ListOffsetsRequest,
) -> ListOffsetsResponse {
    let from_consumer = request.replica_id.0 == CONSUMER;
    let asker = Asker {
        version: context.version,
        from_consumer,
        leader_only: request.replica_id.0 != DEBUGGER,
        isolation: from_consumer.then_some(match request.isolation_level {
            0 => FetchIsolation::HighWatermark,
            _ => FetchIsolation::TxnCommitted,
        }),
    };
    let duplicates = duplicates(request);
    let topics = request.topics.iter().map(|topic| {
        let name = TopicName::new(topic.name.as_str());
        let partitions = topic.partitions.iter().map(|asked| {
            let partition = TopicPartition::new(name.clone(), asked.partition_index);
            let answer = if asker.version == 0 {
                offsets_before(broker, &asker, &partition, asked)
            } else if duplicates.contains(&partition) {
                error(ResponseError::InvalidRequest)
            } else {
                offset_at(broker, &asker, &partition, asked)
            };
            answer.with_partition_index(asked.partition_index)
        });
        ListOffsetsTopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn duplicates(request: &ListOffsetsRequest) -> HashSet<TopicPartition> {
    let mut seen = HashSet::new();
    let mut duplicates = HashSet::new();
    for topic in &request.topics {
        let name = TopicName::new(topic.name.as_str());
        for partition in &topic.partitions {
            let partition = TopicPartition::new(name.clone(), partition.partition_index);
            if !seen.insert(partition.clone()) {
                duplicates.insert(partition);
            }
        }
    }
    duplicates
}

/// Version 0 (`handleListOffsetRequestV0`).
fn offsets_before(
    broker: &Broker,
    asker: &Asker,
    partition: &TopicPartition,
    asked: &ListOffsetsPartition,
) -> ListOffsetsPartitionResponse {
    if asked.timestamp < EARLIEST {
        return error(ResponseError::UnsupportedVersion);
    }
    let found = broker.replicas.legacy_offsets_before(
        partition,
        asked.timestamp,
        usize::try_from(asked.max_num_offsets).unwrap_or(0),
        asker.from_consumer,
        asker.leader_only,
        Timestamp::now(),
    );
    match found {
        Ok(offsets) => ListOffsetsPartitionResponse::default()
            .with_old_style_offsets(offsets.into_iter().map(|Offset(offset)| offset).collect()),
        Err(failure) => error(error_of_version(&failure, asker.version)),
    }
}

/// Version 1 and later (`handleListOffsetRequestV1AndAbove`).
fn offset_at(
    broker: &Broker,
    asker: &Asker,
    partition: &TopicPartition,
    asked: &ListOffsetsPartition,
) -> ListOffsetsPartitionResponse {
    let query = match TimestampQuery::from_wire(asked.timestamp) {
        Some(query) if asker.version >= version_of(query) => query,
        _ => return error(ResponseError::UnsupportedVersion),
    };
    let current = LeaderEpoch::from_wire(asked.current_leader_epoch);
    let found = broker.replicas.list_offset(partition, query, asker.isolation, current, asker.leader_only);
    match found {
        Ok(Some(found)) => ListOffsetsPartitionResponse::default()
            .with_timestamp(found.timestamp.map_or(-1, |Timestamp(ms)| ms))
            .with_offset(Offset::to_wire(found.offset))
            .with_leader_epoch(if asker.version >= 4 {
                LeaderEpoch::to_wire(found.leader_epoch)
            } else {
                -1
            }),
        Ok(None) => ListOffsetsPartitionResponse::default(),
        Err(failure) => error(error_of_version(&failure, asker.version)),
    }
}

/// The first version that knows the query.
fn version_of(query: TimestampQuery) -> i16 {
    match query {
        TimestampQuery::Earliest | TimestampQuery::Latest | TimestampQuery::At(_) => 1,
        TimestampQuery::MaxTimestamp => 7,
        TimestampQuery::EarliestLocal => 8,
        TimestampQuery::LatestTiered => 9,
    }
}

fn error_of_version(failure: &ListOffsetsError, version: i16) -> ResponseError {
    match failure.kafka_error() {
        ResponseError::OffsetNotAvailable if version < 5 => ResponseError::LeaderNotAvailable,
        error => error,
    }
}

fn error(error: ResponseError) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse::default().with_error_code(error.code())
}
