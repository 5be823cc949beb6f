//! OffsetForLeaderEpoch (23), versions 0 to 4: where a leader epoch ends (`handleOffsetForLeaderEpochRequest`).
//!
//! Version 1 answers with the epoch found; 2 brings the client's current epoch, which is checked; 4 is flexible.

use gregor_model::{LeaderEpoch, Offset, TopicName, TopicPartition};
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;

/// Asks the replica manager for each partition.
pub fn handle(broker: &Broker, request: &OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.iter().map(|topic| {
        let name = TopicName::new(topic.topic.as_str());
        OffsetForLeaderTopicResult::default()
            .with_topic(topic.topic.clone())
            .with_partitions(topic.partitions.iter().map(|asked| answer(broker, &name, asked)).collect())
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}

fn answer(broker: &Broker, topic: &TopicName, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let partition = TopicPartition::new(topic.clone(), asked.partition);
    let current = LeaderEpoch::from_wire(asked.current_leader_epoch);
    let answer =
        EpochEndOffset::default().with_partition(asked.partition).with_leader_epoch(-1).with_end_offset(-1);
    match broker.replicas.offset_for_leader_epoch(&partition, current, LeaderEpoch(asked.leader_epoch)) {
        // -1 is no epoch, and ends nowhere.
        Ok(_) if asked.leader_epoch < 0 => answer,
        Ok(end) => answer
            .with_leader_epoch(LeaderEpoch::to_wire(end.epoch))
            .with_end_offset(Offset::to_wire(end.end_offset)),
        Err(error) => answer.with_error_code(error.kafka_error().code()),
    }
}
