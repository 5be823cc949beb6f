//! OffsetDelete (47), version 0 (`handleOffsetDeleteRequest`).

use gregor_model::TopicPartition;
use gregor_wire::convert::{by_topic, topic_partition};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;

/// Forgets committed offsets of topics that the group does not subscribe to.
pub async fn handle(broker: &Broker, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let snapshot = broker.metadata.snapshot();
    let (mut known, mut results) = (Vec::new(), Vec::new());
    for topic in &request.topics {
        for partition in &topic.partitions {
            let partition = topic_partition(&topic.name, partition.partition_index);
            match snapshot.contains(&partition) {
                true => known.push(partition),
                false => results.push((partition, ResponseError::UnknownTopicOrPartition.code())),
            }
        }
    }
    match broker.coordinators.groups.delete_offsets(request.group_id.as_str().into(), known).await {
        Err(error) => OffsetDeleteResponse::default().with_error_code(error.kafka_error().code()),
        Ok(deleted) => {
            results.extend(deleted.into_iter().map(|(partition, result)| {
                (partition, result.err().map_or(0, |error| error.kafka_error().code()))
            }));
            OffsetDeleteResponse::default().with_topics(answers(results))
        }
    }
}

fn answers(results: Vec<(TopicPartition, i16)>) -> Vec<OffsetDeleteResponseTopic> {
    let topics = by_topic(results).map(|(name, results)| {
        let partitions = results.into_iter().map(|(index, code)| {
            OffsetDeleteResponsePartition::default().with_partition_index(index).with_error_code(code)
        });
        OffsetDeleteResponseTopic::default().with_name(name).with_partitions(partitions.collect())
    });
    topics.collect()
}
