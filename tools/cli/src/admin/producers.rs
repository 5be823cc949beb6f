//! Producers of partitions (DescribeProducers), and the end of a transaction that hangs (WriteTxnMarkers).

use gregor_model::TopicPartition;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::{ApiKey, DescribeProducersRequest, ProducerId, WriteTxnMarkersRequest};

use super::leaders::{PerPartition, by_topic};
use super::{Admin, AdminError, Target, topic_name};

const NOT_LEADER_OR_FOLLOWER: i16 = 6;

/// A producer as a replica knows it (`ProducerState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerState {
    /// Its id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i32,
    /// The epoch of the coordinator that wrote its last marker, if one did.
    pub coordinator_epoch: Option<i32>,
    /// The sequence number of its last record.
    pub last_sequence: i32,
    /// When it wrote last, in milliseconds since 1970.
    pub last_timestamp: i64,
    /// Where its open transaction began, if one is open.
    pub transaction_start_offset: Option<i64>,
}

/// A transaction on a partition, as an administrator aborts it (`AbortTransactionSpec`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbortSpec {
    /// Where.
    pub partition: TopicPartition,
    /// Whose.
    pub producer_id: i64,
    /// Whose, in which epoch.
    pub producer_epoch: i16,
    /// At least the epoch of the last marker's coordinator.
    pub coordinator_epoch: i32,
}

impl Admin {
    /// The producers of partitions, as their leaders know them, or as the replica on `broker` does.
    pub async fn describe_producers(
        &mut self,
        partitions: Vec<TopicPartition>,
        broker: Option<i32>,
    ) -> Result<PerPartition<Vec<ProducerState>>, AdminError> {
        if let Some(broker) = broker {
            let mut found = self.describe_producers_at(broker, partitions).await?;
            for (partition, states) in &mut found {
                if matches!(states, Err(AdminError::Refused { code: NOT_LEADER_OR_FOLLOWER, .. })) {
                    let message = format!(
                        "Failed to describe active producers for partition {partition} on brokerId {broker}"
                    );
                    *states = Err(AdminError::refused(NOT_LEADER_OR_FOLLOWER, Some(&message)));
                }
            }
            return Ok(found);
        }
        let questions = partitions.into_iter().map(|partition| (partition, ())).collect();
        self.ask_leaders(
            questions,
            async |admin: &mut Admin, leader, questions: Vec<(TopicPartition, ())>| {
                let partitions = questions.into_iter().map(|(partition, ())| partition).collect();
                admin.describe_producers_at(leader, partitions).await
            },
        )
        .await
    }

    async fn describe_producers_at(
        &mut self,
        broker: i32,
        partitions: Vec<TopicPartition>,
    ) -> Result<PerPartition<Vec<ProducerState>>, AdminError> {
        let topics = by_topic(partitions.into_iter().map(|partition| (partition, ())));
        let topics = topics.into_iter().map(|(topic, partitions)| {
            TopicRequest::default()
                .with_name(topic_name(topic.as_str()))
                .with_partition_indexes(partitions.into_iter().map(|(partition, ())| partition).collect())
        });
        let request = DescribeProducersRequest::default().with_topics(topics.collect());
        let build = |_| request.clone();
        let target = Target::Broker(broker);
        let answer = self.call("describeProducers", ApiKey::DescribeProducers, target, build, |_| 0).await?;
        let mut found = PerPartition::new();
        for topic in &answer.topics {
            for partition in &topic.partitions {
                let key = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                let states = partition.active_producers.iter().map(|state| ProducerState {
                    id: state.producer_id.0,
                    epoch: state.producer_epoch,
                    coordinator_epoch: Some(state.coordinator_epoch).filter(|epoch| *epoch >= 0),
                    last_sequence: state.last_sequence,
                    last_timestamp: state.last_timestamp,
                    transaction_start_offset: Some(state.current_txn_start_offset)
                        .filter(|offset| *offset >= 0),
                });
                let outcome = AdminError::check(partition.error_code, partition.error_message.as_deref());
                found.insert(key, outcome.map(|()| states.collect()));
            }
        }
        Ok(found)
    }

    /// Has the partition's leader write an abort marker.
    pub async fn abort_transaction(&mut self, spec: &AbortSpec) -> Result<(), AdminError> {
        let questions = vec![(spec.partition.clone(), spec.clone())];
        let mut outcomes = self
            .ask_leaders(
                questions,
                async |admin: &mut Admin, leader, questions: Vec<(TopicPartition, AbortSpec)>| {
                    admin.write_abort_markers(leader, &questions).await
                },
            )
            .await?;
        outcomes.remove(&spec.partition).unwrap_or(Err(AdminError::Incomplete("WRITE_TXN_MARKERS")))
    }

    async fn write_abort_markers(
        &mut self,
        leader: i32,
        specs: &[(TopicPartition, AbortSpec)],
    ) -> Result<PerPartition<()>, AdminError> {
        let markers = specs.iter().map(|(TopicPartition { topic, partition }, spec)| {
            let topic = WritableTxnMarkerTopic::default()
                .with_name(topic_name(topic.as_str()))
                .with_partition_indexes(vec![*partition]);
            WritableTxnMarker::default()
                .with_producer_id(ProducerId(spec.producer_id))
                .with_producer_epoch(spec.producer_epoch)
                .with_coordinator_epoch(spec.coordinator_epoch)
                .with_transaction_result(false)
                .with_topics(vec![topic])
        });
        let request = WriteTxnMarkersRequest::default().with_markers(markers.collect());
        let build = |_| request.clone();
        let target = Target::Broker(leader);
        let answer = self.call("abortTransaction", ApiKey::WriteTxnMarkers, target, build, |_| 0).await?;
        let mut outcomes = PerPartition::new();
        for topic in answer.markers.iter().flat_map(|marker| &marker.topics) {
            for partition in &topic.partitions {
                let key = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                outcomes.insert(key, AdminError::check(partition.error_code, None));
            }
        }
        Ok(outcomes)
    }
}
