//! Log directories: what is in them (DescribeLogDirs).

use gregor_model::TopicPartition;
use kafka_protocol::messages::{ApiKey, DescribeLogDirsRequest};

use super::{Admin, AdminError, Target};

/// A log directory (`LogDirDescription`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDir {
    /// Its path on the broker.
    pub path: String,
    /// The protocol's code if it is offline, else 0.
    pub error_code: i16,
    /// The replicas in it, in the broker's order.
    pub replicas: Vec<ReplicaInfo>,
}

/// A replica in a log directory (`ReplicaInfo`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaInfo {
    /// Which.
    pub partition: TopicPartition,
    /// Its size in bytes.
    pub size: i64,
    /// How far it is behind: the HW for a replica, the replica for its future one.
    pub offset_lag: i64,
    /// Whether it is on its way here from another directory of the same broker.
    pub is_future: bool,
}

impl Admin {
    /// The log directories of a broker.
    pub async fn describe_log_dirs(&mut self, broker: i32) -> Result<Vec<LogDir>, AdminError> {
        let build = |_| DescribeLogDirsRequest::default().with_topics(None);
        let target = Target::Broker(broker);
        let answer = self.call("describeLogDirs", ApiKey::DescribeLogDirs, target, build, |_| 0).await?;
        AdminError::check(answer.error_code, None)?;
        let dirs = answer.results.iter().map(|dir| {
            let replicas = dir.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|replica| ReplicaInfo {
                    partition: TopicPartition::new(topic.name.as_str(), replica.partition_index),
                    size: replica.partition_size,
                    offset_lag: replica.offset_lag,
                    is_future: replica.is_future_key,
                })
            });
            LogDir { path: dir.log_dir.to_string(), error_code: dir.error_code, replicas: replicas.collect() }
        });
        Ok(dirs.collect())
    }
}
