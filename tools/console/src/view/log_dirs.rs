//! What lies in the brokers' log directories (DescribeLogDirs).

use std::collections::HashMap;

use futures::future::join_all;
use kafka_protocol::messages::DescribeLogDirsRequest;
use kafka_protocol::messages::describe_log_dirs_response::DescribeLogDirsResult;
use kafka_protocol::protocol::VersionRange;
use serde::Serialize;

use crate::cluster::{Broker, Cluster};

/// Topic, partition and broker of a replica.
pub(crate) type Replica = (String, i32, i32);

/// One log directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogDir {
    path: String,
    /// Why it is offline.
    error: Option<String>,
    replicas: usize,
    /// Of all replicas in it.
    bytes: i64,
    /// The volume's size, where the broker tells it.
    total_bytes: Option<i64>,
    usable_bytes: Option<i64>,
}

/// The directories of one broker; none if it does not tell.
pub(crate) async fn of_broker(cluster: &Cluster, broker: &Broker) -> Vec<LogDir> {
    results(cluster, broker).await.iter().map(log_dir).collect()
}

/// The size of every replica in bytes, as far as brokers tell. Replicas that are on their way into another directory count
/// where they are.
pub(crate) async fn sizes(cluster: &Cluster, brokers: &[Broker]) -> HashMap<Replica, i64> {
    let all =
        join_all(brokers.iter().map(|broker| async move { (broker.id, results(cluster, broker).await) }))
            .await;
    let mut sizes = HashMap::new();
    for (broker, results) in &all {
        for topic in results.iter().flat_map(|result| &result.topics) {
            for partition in topic.partitions.iter().filter(|partition| !partition.is_future_key) {
                sizes.insert(
                    (topic.name.to_string(), partition.partition_index, *broker),
                    partition.partition_size,
                );
            }
        }
    }
    sizes
}

async fn results(cluster: &Cluster, broker: &Broker) -> Vec<DescribeLogDirsResult> {
    let request = DescribeLogDirsRequest::default().with_topics(None);
    match cluster.ask(broker, request, VersionRange { min: 1, max: 4 }).await {
        Ok(answer) => answer.results,
        // The view goes on without sizes.
        Err(_) => Vec::new(),
    }
}

fn log_dir(result: &DescribeLogDirsResult) -> LogDir {
    const KAFKA_STORAGE_ERROR: i16 = 56;
    let partitions = || result.topics.iter().flat_map(|topic| &topic.partitions);
    let known = |bytes: i64| (bytes >= 0).then_some(bytes);
    LogDir {
        path: result.log_dir.to_string(),
        error: match result.error_code {
            0 => None,
            KAFKA_STORAGE_ERROR => Some("offline".to_owned()),
            code => Some(format!("error code {code}")),
        },
        replicas: partitions().count(),
        bytes: partitions().map(|partition| partition.partition_size.max(0)).fold(0, i64::saturating_add),
        total_bytes: known(result.total_bytes),
        usable_bytes: known(result.usable_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::TopicName;
    use kafka_protocol::messages::describe_log_dirs_response::{
        DescribeLogDirsPartition, DescribeLogDirsTopic,
    };
    use kafka_protocol::protocol::StrBytes;

    #[test]
    fn a_directory_adds_its_replicas_up() {
        let sized = |size| DescribeLogDirsPartition::default().with_partition_size(size);
        let topic = DescribeLogDirsTopic::default()
            .with_name(TopicName(StrBytes::from_static_str("t")))
            .with_partitions(vec![sized(10), sized(32)]);
        let result = DescribeLogDirsResult::default()
            .with_log_dir(StrBytes::from_static_str("/data"))
            .with_topics(vec![topic])
            .with_total_bytes(-1)
            .with_usable_bytes(7);
        let expected = LogDir {
            path: "/data".to_owned(),
            error: None,
            replicas: 2,
            bytes: 42,
            total_bytes: None,
            usable_bytes: Some(7),
        };
        assert_eq!(log_dir(&result), expected);
        assert_eq!(log_dir(&result.with_error_code(56)).error.as_deref(), Some("offline"));
    }
}
