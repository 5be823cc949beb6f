//! ElectLeaders (43), versions 0 to 2 (`handleElectLeaders`). Version 1: unclean elections. 2: flexible.

use std::collections::HashMap;
use std::time::Duration;

use gregor_controller_machine::{ElectLeadersError, ElectLeadersRequest as Asked, ElectionType};
use gregor_model::{BrokerId, TopicName, TopicPartition};
use gregor_wire::convert::{text, topic_partition, wire_topic_name};
use indexmap::IndexMap;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use kafka_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};
use tokio::time::Instant;

use crate::broker::Broker;
use crate::error_code::KafkaError;

/// No error, or one with the reason if Kafka gives one.
type Results = Vec<(TopicPartition, Option<(ResponseError, Option<String>)>)>;

/// Elects leaders, and waits until this broker's metadata shows them.
pub async fn handle(broker: &Broker, request: ElectLeadersRequest) -> ElectLeadersResponse {
    let election = match request.election_type {
        0 => Some(ElectionType::Preferred),
        1 => Some(ElectionType::Unclean),
        _ => None,
    };
    let partitions: Option<Vec<TopicPartition>> = request.topic_partitions.map(|topics| {
        let partitions = topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|partition| topic_partition(&topic.topic, *partition))
        });
        partitions.collect()
    });
    let Some(election) = election else {
        // What becomes of any exception that has no code of its own.
        let error = ResponseError::UnknownServerError;
        return refuse(partitions.unwrap_or_default(), error).with_error_code(error.code());
    };
    let asked = partitions.clone();
    match broker.controller.elect_leaders(Asked { election, partitions }).await {
        Ok(elected) => {
            let results = wait(broker, elected, request.timeout_ms).await;
            ElectLeadersResponse::default().with_replica_election_results(by_topic(results))
        }
        // Kafka tells it of each partition, and nothing of the whole.
        Err(_) => refuse(asked.unwrap_or_else(|| all_partitions(broker)), ResponseError::NotController),
    }
}

fn refuse(partitions: Vec<TopicPartition>, error: ResponseError) -> ElectLeadersResponse {
    let refused = partitions.into_iter().map(|partition| (partition, Some((error, None))));
    ElectLeadersResponse::default().with_replica_election_results(by_topic(refused.collect()))
}

/// Every partition that this broker knows of.
fn all_partitions(broker: &Broker) -> Vec<TopicPartition> {
    let snapshot = broker.metadata.snapshot();
    let partitions = |name: &TopicName| {
        let topic = snapshot.topic(name.as_str())?;
        let name = name.clone();
        Some(topic.partitions.keys().map(move |partition| TopicPartition::new(name.as_str(), *partition)))
    };
    snapshot.topic_names().filter_map(partitions).flatten().collect()
}

/// Waits until the metadata cache shows the elected leaders (`DelayedElectLeader`).
async fn wait(
    broker: &Broker,
    elected: Vec<(TopicPartition, Result<BrokerId, ElectLeadersError>)>,
    timeout_ms: i32,
) -> Results {
    let mut waiting: HashMap<TopicPartition, BrokerId> = elected
        .iter()
        .filter_map(|(partition, result)| Some((partition.clone(), *result.as_ref().ok()?)))
        .collect();
    let deadline = Instant::now() + Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
    let mut updates = broker.metadata.updates();
    loop {
        updates.mark_unchanged();
        let snapshot = broker.metadata.snapshot();
        waiting.retain(|partition, leader| {
            let known = snapshot.partition(partition.topic.as_str(), partition.partition);
            known.and_then(|known| known.leader) != Some(*leader)
        });
        if waiting.is_empty()
            || !matches!(tokio::time::timeout_at(deadline, updates.changed()).await, Ok(Ok(())))
        {
            break;
        }
    }
    let results = elected.into_iter().map(|(partition, result)| {
        let error = match result {
            Err(error) => Some((error.kafka_error(), Some(error.to_string()))),
            Ok(_) if waiting.contains_key(&partition) => Some((ResponseError::RequestTimedOut, None)),
            Ok(_) => None,
        };
        (partition, error)
    });
    results.collect()
}

fn by_topic(results: Results) -> Vec<ReplicaElectionResult> {
    let mut topics: IndexMap<_, Vec<_>> = IndexMap::new();
    for (partition, error) in results {
        let mut result = PartitionResult::default().with_partition_id(partition.partition);
        if let Some((error, message)) = error {
            let message = message.map(|message| text(&message));
            result = result.with_error_code(error.code()).with_error_message(message);
        }
        topics.entry(partition.topic).or_default().push(result);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        ReplicaElectionResult::default().with_topic(wire_topic_name(&name)).with_partition_result(partitions)
    });
    topics.collect()
}
