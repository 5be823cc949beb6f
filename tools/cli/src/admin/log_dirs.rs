//! Log directories: what is in them (DescribeLogDirs), and where replicas are to go (AlterReplicaLogDirs).

use std::collections::BTreeMap;

use gregor_model::TopicPartition;
use kafka_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use kafka_protocol::messages::{AlterReplicaLogDirsRequest, ApiKey, DescribeLogDirsRequest};

use super::leaders::{PerPartition, by_topic};
use super::{Admin, AdminError, Target, text, topic_name};

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

    /// Tells a broker in which of its directories replicas belong.
    pub async fn alter_replica_log_dirs(
        &mut self,
        broker: i32,
        moves: &[(TopicPartition, String)],
    ) -> Result<PerPartition<()>, AdminError> {
        let mut dirs: BTreeMap<&str, Vec<(TopicPartition, ())>> = BTreeMap::new();
        for (partition, dir) in moves {
            dirs.entry(dir).or_default().push((partition.clone(), ()));
        }
        let dirs = dirs.into_iter().map(|(dir, partitions)| {
            let topics = by_topic(partitions).into_iter().map(|(topic, partitions)| {
                AlterReplicaLogDirTopic::default()
                    .with_name(topic_name(topic.as_str()))
                    .with_partitions(partitions.into_iter().map(|(partition, ())| partition).collect())
            });
            AlterReplicaLogDir::default().with_path(text(dir)).with_topics(topics.collect())
        });
        let request = AlterReplicaLogDirsRequest::default().with_dirs(dirs.collect());
        let build = |_| request.clone();
        let target = Target::Broker(broker);
        let answer =
            self.call("alterReplicaLogDirs", ApiKey::AlterReplicaLogDirs, target, build, |_| 0).await?;
        let mut outcomes = PerPartition::new();
        for topic in &answer.results {
            for partition in &topic.partitions {
                let key = TopicPartition::new(topic.topic_name.as_str(), partition.partition_index);
                outcomes.insert(key, AdminError::check(partition.error_code, None));
            }
        }
        Ok(outcomes)
    }
}
