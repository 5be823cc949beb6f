//! DescribeLogDirs (35), versions 0 to 4 (`handleDescribeLogDirsRequest`). Version 2: flexible. 3: an error for the
//! whole. 4: sizes of the file system.

use std::collections::HashSet;

use gregor_log::{LogDirUsage, PartitionLog};
use gregor_model::{TopicName, TopicPartition};
use gregor_wire::convert::{text, topic_partition, wire_topic_name};
use indexmap::IndexMap;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};

use crate::broker::Broker;

/// Unknown, on the wire.
const UNKNOWN: i64 = -1;

/// Tells what each log directory holds: of the partitions asked for, or of all.
pub fn handle(broker: &Broker, request: &DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let wanted: Option<HashSet<TopicPartition>> = request.topics.as_ref().map(|topics| {
        let partitions = topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|partition| topic_partition(&topic.topic, *partition))
        });
        partitions.collect()
    });
    let results = broker.logs.usage().into_iter().map(|usage| describe(broker, &usage, wanted.as_ref()));
    DescribeLogDirsResponse::default().with_results(results.collect())
}

fn describe(
    broker: &Broker,
    usage: &LogDirUsage,
    wanted: Option<&HashSet<TopicPartition>>,
) -> DescribeLogDirsResult {
    let bytes = |bytes: Option<u64>| bytes.map_or(UNKNOWN, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    let result = DescribeLogDirsResult::default().with_log_dir(text(&usage.dir.to_string_lossy()));
    if usage.offline {
        return result
            .with_error_code(ResponseError::KafkaStorageError.code())
            .with_total_bytes(UNKNOWN)
            .with_usable_bytes(UNKNOWN);
    }
    let mut topics: IndexMap<TopicName, Vec<DescribeLogDirsPartition>> = IndexMap::new();
    for log in &usage.logs {
        let partition = log.topic_partition();
        if wanted.is_none_or(|wanted| wanted.contains(partition)) {
            topics.entry(partition.topic.clone()).or_default().push(describe_log(broker, log));
        }
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        DescribeLogDirsTopic::default().with_name(wire_topic_name(&name)).with_partitions(partitions)
    });
    result
        .with_topics(topics.collect())
        .with_total_bytes(bytes(usage.total_bytes))
        .with_usable_bytes(bytes(usage.usable_bytes))
}

/// How far a future replica is behind the current one, and the current one behind the high watermark; unknown of a log
/// whose role was not announced yet (`getLogEndOffsetLag`).
fn describe_log(broker: &Broker, log: &PartitionLog) -> DescribeLogDirsPartition {
    let end = log.log_end_offset();
    let lag = broker.replicas.log(log.topic_partition()).map_or(UNKNOWN, |current| {
        if log.is_future() { current.log_end_offset() - end } else { (current.high_watermark() - end).max(0) }
    });
    DescribeLogDirsPartition::default()
        .with_partition_index(log.topic_partition().partition)
        .with_partition_size(i64::try_from(log.size()).unwrap_or(i64::MAX))
        .with_offset_lag(lag)
        .with_is_future_key(log.is_future())
}
