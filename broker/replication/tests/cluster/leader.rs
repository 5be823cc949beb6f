//! A leader without a network: follower requests in the protocol's types, answered by its replica manager as a server would.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use gregor_log::{FetchIsolation, TimestampQuery};
use gregor_model::{
    BrokerEpoch, BrokerId, LeaderEpoch, Offset, Timestamp, TopicId, TopicName, TopicPartition,
};
use gregor_replication::{
    FetchError, FetchParams, FetchPartition, FetchRequester, FetchedPartition, LeaderEndpoint,
    LeaderUnreachable, ListOffsetsError, PartitionError, PartitionSummary, SessionPartition, SessionRequest,
};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_response::{EpochEndOffset, FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{
    self, FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse, list_offsets_response, offset_for_leader_epoch_response,
};
use kafka_protocol::protocol::StrBytes;

use super::World;

pub struct LeaderInProcess {
    pub world: Arc<World>,
    /// From follower to leader.
    pub link: (i32, i32),
}

pub fn partition_code(error: &PartitionError) -> i16 {
    let error = match error {
        PartitionError::Unknown(_) => ResponseError::UnknownTopicOrPartition,
        PartitionError::NotLeaderOrFollower(_) => ResponseError::NotLeaderOrFollower,
        PartitionError::FencedLeaderEpoch(_) => ResponseError::FencedLeaderEpoch,
        PartitionError::UnknownLeaderEpoch(_) => ResponseError::UnknownLeaderEpoch,
        PartitionError::UnknownTopicId(_) => ResponseError::UnknownTopicId,
        PartitionError::InconsistentTopicId(_) => ResponseError::InconsistentTopicId,
        PartitionError::Offline(_) => ResponseError::KafkaStorageError,
    };
    error.code()
}

fn fetch_code(error: &FetchError) -> i16 {
    match error {
        FetchError::Partition(error) => partition_code(error),
        FetchError::OffsetOutOfRange { .. } => ResponseError::OffsetOutOfRange.code(),
        FetchError::NotAReplica { .. } => ResponseError::UnknownLeaderEpoch.code(),
        FetchError::Read(_) => ResponseError::KafkaStorageError.code(),
    }
}

fn name(topic: &TopicName) -> messages::TopicName {
    messages::TopicName(StrBytes::from_string(topic.as_str().to_owned()))
}

fn session_request(world: &World, request: &FetchRequest, version: i16) -> SessionRequest {
    let by_topic_id = version >= 13;
    let partition = |topic: &messages::TopicName, id, index| {
        let topic_id = if by_topic_id { TopicId::from_wire(id) } else { None };
        let topic = match topic_id {
            Some(id) => world.name_of(id),
            None => Some(TopicName::new(topic)),
        };
        SessionPartition { topic_id, topic, partition: index }
    };
    let mut listed = Vec::new();
    for topic in &request.topics {
        for asked in &topic.partitions {
            let key = partition(&topic.topic, topic.topic_id, asked.partition);
            let wanted = FetchPartition {
                topic_id: key.topic_id,
                fetch_offset: Offset(asked.fetch_offset),
                log_start_offset: Offset::from_wire(asked.log_start_offset),
                max_bytes: asked.partition_max_bytes,
                current_leader_epoch: LeaderEpoch::from_wire(asked.current_leader_epoch),
                last_fetched_epoch: if version >= 12 {
                    LeaderEpoch::from_wire(asked.last_fetched_epoch)
                } else {
                    None
                },
            };
            listed.push((key, wanted));
        }
    }
    let forgotten = request.forgotten_topics_data.iter();
    let forgotten = forgotten.flat_map(|topic| {
        topic
            .partitions
            .iter()
            .map(|index| partition(&topic.topic, topic.topic_id, *index))
            .collect::<Vec<_>>()
    });
    SessionRequest {
        session_id: request.session_id,
        session_epoch: request.session_epoch,
        by_topic_id,
        from_follower: true,
        listed,
        forgotten: forgotten.collect(),
    }
}

fn summary(result: &Result<FetchedPartition, FetchError>) -> PartitionSummary {
    match result {
        Err(_) => PartitionSummary { is_error: true, ..PartitionSummary::default() },
        Ok(fetched) => PartitionSummary {
            has_records: !fetched.is_empty(),
            is_full: false,
            is_error: false,
            is_news: fetched.diverging_epoch.is_some() || fetched.preferred_read_replica.is_some(),
            high_watermark: Some(fetched.high_watermark),
            log_start_offset: Some(fetched.log_start_offset),
        },
    }
}

fn data(index: i32, result: Result<FetchedPartition, FetchError>) -> PartitionData {
    let data = PartitionData::default().with_partition_index(index);
    match result {
        Err(error) => data.with_error_code(fetch_code(&error)).with_high_watermark(-1),
        Ok(fetched) => {
            let diverging = fetched.diverging_epoch.map_or_else(EpochEndOffset::default, |end| {
                let end_offset = Offset::to_wire(end.end_offset);
                EpochEndOffset::default()
                    .with_epoch(LeaderEpoch::to_wire(end.epoch))
                    .with_end_offset(end_offset)
            });
            data.with_high_watermark(fetched.high_watermark.0)
                .with_log_start_offset(fetched.log_start_offset.0)
                .with_diverging_epoch(diverging)
                .with_records(fetched.records.map(|records| records.read_to_bytes().unwrap()))
        }
    }
}

#[async_trait]
impl LeaderEndpoint for LeaderInProcess {
    async fn fetch(&self, request: FetchRequest, version: i16) -> Result<FetchResponse, LeaderUnreachable> {
        let manager = self.world.reach(self.link)?;
        let session = session_request(&self.world, &request, version);
        let context = match manager.sessions().begin(session, |id| self.world.name_of(id), Timestamp::now()) {
            Ok(context) => context,
            Err(_) => {
                let code = ResponseError::FetchSessionIdNotFound.code();
                return Ok(FetchResponse::default().with_error_code(code));
            }
        };
        let (id, epoch) = if version >= 15 {
            (request.replica_state.replica_id.0, BrokerEpoch::from_wire(request.replica_state.replica_epoch))
        } else {
            (request.replica_id.0, None)
        };
        assert_eq!(id, self.link.0);
        let params = FetchParams {
            requester: FetchRequester::Follower { id: BrokerId(id), epoch },
            max_wait_ms: request.max_wait_ms,
            min_bytes: request.min_bytes,
            max_bytes: request.max_bytes,
            isolation: FetchIsolation::LogEnd,
            hard_max_bytes: false,
        };
        let keys: Vec<SessionPartition> = context.partitions().iter().map(|(key, _)| key.clone()).collect();
        let partitions = context.partitions().iter().map(|(key, wanted)| {
            (TopicPartition { topic: key.topic.clone().unwrap(), partition: key.partition }, *wanted)
        });
        let fetched = manager.fetch(params, partitions.collect()).await;
        self.world.reach(self.link)?; // the answer has to get through as well
        let results = keys.into_iter().zip(fetched).map(|(key, (_, result))| (key, result)).collect();
        let answer = context.finish(results, summary, Timestamp::now()).unwrap();
        let topics = answer.partitions.into_iter().map(|(key, result)| {
            FetchableTopicResponse::default()
                .with_topic(name(&key.topic.unwrap()))
                .with_topic_id(TopicId::to_wire(key.topic_id))
                .with_partitions(vec![data(key.partition, result)])
        });
        Ok(FetchResponse::default().with_session_id(answer.session_id).with_responses(topics.collect()))
    }

    async fn list_offsets(
        &self,
        request: ListOffsetsRequest,
        _version: i16,
    ) -> Result<ListOffsetsResponse, LeaderUnreachable> {
        let manager = self.world.reach(self.link)?;
        let mut response = ListOffsetsResponse::default();
        for topic in request.topics {
            let mut answer =
                list_offsets_response::ListOffsetsTopicResponse::default().with_name(topic.name.clone());
            for asked in topic.partitions {
                let partition = TopicPartition::new(topic.name.as_str(), asked.partition_index);
                let query = TimestampQuery::from_wire(asked.timestamp).unwrap();
                let epoch = LeaderEpoch::from_wire(asked.current_leader_epoch);
                let data = list_offsets_response::ListOffsetsPartitionResponse::default();
                let data = data.with_partition_index(asked.partition_index);
                let listed = manager.list_offset(&partition, query, None, epoch, true);
                answer.partitions.push(match listed {
                    Ok(listed) => data.with_offset(Offset::to_wire(listed.unwrap().offset)),
                    Err(ListOffsetsError::Partition(error)) => data.with_error_code(partition_code(&error)),
                    Err(error) => panic!("{error}"),
                });
            }
            response.topics.push(answer);
        }
        self.world.list_offsets_asked.fetch_add(1, Ordering::SeqCst);
        drop(self.world.list_offsets_gate.lock().await);
        Ok(response)
    }

    async fn offset_for_leader_epoch(
        &self,
        request: OffsetForLeaderEpochRequest,
        _version: i16,
    ) -> Result<OffsetForLeaderEpochResponse, LeaderUnreachable> {
        use offset_for_leader_epoch_response as response;
        let manager = self.world.reach(self.link)?;
        let mut answers = OffsetForLeaderEpochResponse::default();
        for topic in request.topics {
            let mut answer = response::OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone());
            for asked in topic.partitions {
                let partition = TopicPartition::new(topic.topic.as_str(), asked.partition);
                let current = LeaderEpoch::from_wire(asked.current_leader_epoch);
                let end = response::EpochEndOffset::default().with_partition(asked.partition);
                let end = match manager.offset_for_leader_epoch(
                    &partition,
                    current,
                    LeaderEpoch(asked.leader_epoch),
                ) {
                    Err(error) => end.with_error_code(partition_code(&error)),
                    Ok(found) => end
                        .with_leader_epoch(LeaderEpoch::to_wire(found.epoch))
                        .with_end_offset(Offset::to_wire(found.end_offset)),
                };
                answer.partitions.push(end);
            }
            answers.topics.push(answer);
        }
        Ok(answers)
    }
}
