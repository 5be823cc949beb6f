//! AlterReplicaLogDirs (34), versions 0 to 2 (`handleAlterReplicaLogDirsRequest`): has logs move to other directories of
//! this broker. Version 2: flexible.

use std::path::PathBuf;
use std::sync::Arc;

use gregor_model::TopicName;
use gregor_replication::{MoveRefusal, PartitionError};
use gregor_wire::convert::{topic_partition, wire_topic_name};
use indexmap::IndexMap;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use kafka_protocol::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;

/// Begins the moves, which go on in the background. Of a partition named twice the last directory counts.
pub async fn handle(
    broker: &Arc<Broker>,
    request: AlterReplicaLogDirsRequest,
) -> AlterReplicaLogDirsResponse {
    let mut moves = IndexMap::new();
    for dir in &request.dirs {
        let path = PathBuf::from(dir.path.as_str());
        for topic in &dir.topics {
            for partition in &topic.partitions {
                moves.insert(topic_partition(&topic.name, *partition), path.clone());
            }
        }
    }
    let altered = broker.replicas.alter_replica_log_dirs(moves.into_iter().collect()).await;
    let mut results: IndexMap<TopicName, Vec<AlterReplicaLogDirPartitionResult>> = IndexMap::new();
    for (partition, result) in altered {
        let code = result.map_or_else(|refusal| code(&refusal), |()| 0);
        let answer = AlterReplicaLogDirPartitionResult::default()
            .with_partition_index(partition.partition)
            .with_error_code(code);
        results.entry(partition.topic).or_default().push(answer);
    }
    let results = results.into_iter().map(|(topic, partitions)| {
        AlterReplicaLogDirTopicResult::default()
            .with_topic_name(wire_topic_name(&topic))
            .with_partitions(partitions)
    });
    AlterReplicaLogDirsResponse::default().with_results(results.collect())
}

/// A partition that is not here (yet) has had a code of its own since before there was NOT_LEADER_OR_FOLLOWER.
fn code(refusal: &MoveRefusal) -> i16 {
    match refusal {
        MoveRefusal::Partition(PartitionError::NotLeaderOrFollower(_)) => {
            ResponseError::ReplicaNotAvailable.code()
        }
        MoveRefusal::Partition(error) => error.kafka_error().code(),
        MoveRefusal::Log(error) => error.kafka_error().code(),
    }
}
