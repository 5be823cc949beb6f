//! The fetch response: offsets and errors encoded, records as regions of files.

use bytes::Bytes;
use gregor_log::FileSlice;
use gregor_model::{BrokerId, LeaderEpoch, Offset, TopicId, TopicName, TopicPartition};
use gregor_network::Answer;
use gregor_records::Codec;
use gregor_replication::fetch_session::{PartitionSummary, SessionPartition};
use gregor_replication::{FetchError, FetchPartition, FetchedPartition};
use gregor_wire::convert::text;
use gregor_wire::{FileRegion, FileRegions};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::FetchResponse;
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};

use super::down_conversion;
use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::leader_hint::LeaderHints;
use crate::request_context::RequestContext;

/// What became of one partition.
#[derive(Debug)]
pub enum Answered {
    /// It was read.
    Read {
        /// What was found.
        fetched: FetchedPartition,
        /// What was asked for.
        wanted: FetchPartition,
    },
    /// It could not be read.
    Failed(FetchError),
    /// It was not tried: the metadata does not know it.
    Unknown(ResponseError),
}

impl Answered {
    /// What the fetch session wants to know of it.
    pub fn summary(&self) -> PartitionSummary {
        match self {
            Answered::Read { fetched, wanted } => PartitionSummary {
                has_records: !fetched.is_empty(),
                is_full: usize::try_from(wanted.max_bytes).is_ok_and(|max| fetched.len() >= max),
                is_error: false,
                is_news: fetched.diverging_epoch.is_some() || fetched.preferred_read_replica.is_some(),
                high_watermark: Some(fetched.high_watermark),
                log_start_offset: Some(fetched.log_start_offset),
            },
            Answered::Failed(_) | Answered::Unknown(_) => {
                PartitionSummary { is_error: true, ..PartitionSummary::default() }
            }
        }
    }
}

/// Puts a response together, partition by partition.
pub struct ResponseBuilder<'a> {
    broker: &'a Broker,
    context: &'a RequestContext,
    hints: LeaderHints<'a>,
    regions: FileRegions,
    topics: Vec<FetchableTopicResponse>,
}

impl<'a> ResponseBuilder<'a> {
    /// An empty response.
    pub fn new(broker: &'a Broker, context: &'a RequestContext) -> ResponseBuilder<'a> {
        ResponseBuilder {
            broker,
            context,
            hints: LeaderHints::new(broker, &context.listener),
            regions: FileRegions::new(),
            topics: Vec::new(),
        }
    }

    /// Adds a partition; neighbours of one topic share its entry.
    pub async fn add(&mut self, partition: &SessionPartition, answered: &Answered) {
        let mut data = match answered {
            Answered::Unknown(error) => failure(*error),
            Answered::Failed(error) => self.read_failure(partition, error),
            Answered::Read { fetched, wanted } => self.success(partition, fetched, wanted.fetch_offset).await,
        };
        data.partition_index = partition.partition;
        self.topic(partition).partitions.push(data);
    }

    /// The answer, within that session.
    pub fn finish(self, session_id: i32) -> Answer {
        let nodes = self.hints.into_nodes().into_iter().map(|(id, node)| {
            NodeEndpoint::default()
                .with_node_id(id.0.into())
                .with_host(text(&node.host))
                .with_port(node.port)
                .with_rack(node.rack.as_deref().map(text))
        });
        let response = FetchResponse::default()
            .with_session_id(session_id)
            .with_node_endpoints(nodes.collect())
            .with_responses(self.topics);
        Answer::reply_with_files(response, self.regions)
    }

    fn topic(&mut self, partition: &SessionPartition) -> &mut FetchableTopicResponse {
        let id = TopicId::to_wire(partition.topic_id);
        let name = partition.topic.as_ref().map_or("", TopicName::as_str);
        let last = self.topics.last();
        if last.is_none_or(|last| last.topic_id != id || last.topic.as_str() != name) {
            let topic = FetchableTopicResponse::default().with_topic(text(name).into()).with_topic_id(id);
            self.topics.push(topic);
        }
        let last = self.topics.len() - 1;
        &mut self.topics[last]
    }

    fn read_failure(&mut self, partition: &SessionPartition, error: &FetchError) -> PartitionData {
        let version = self.context.version;
        let error = match error.kafka_error() {
            // Clients of these versions do not know the error, and would not look for another leader.
            ResponseError::KafkaStorageError if version <= 5 => ResponseError::NotLeaderOrFollower,
            error => error,
        };
        let mut data = failure(error).with_aborted_transactions(None);
        let moved = matches!(error, ResponseError::NotLeaderOrFollower | ResponseError::FencedLeaderEpoch);
        if let Some(topic) = partition.topic.as_ref().filter(|_| version >= 16 && moved) {
            let leader = self.hints.current_leader(&TopicPartition::new(topic.clone(), partition.partition));
            data.current_leader = LeaderIdAndEpoch::default()
                .with_leader_id(BrokerId::to_wire(leader.id).into())
                .with_leader_epoch(LeaderEpoch::to_wire(leader.epoch));
        }
        data
    }

    async fn success(
        &mut self,
        partition: &SessionPartition,
        fetched: &FetchedPartition,
        fetch_offset: Offset,
    ) -> PartitionData {
        let version = self.context.version;
        let records = match self.records(partition, fetched, fetch_offset).await {
            Ok(records) => records,
            Err(error) => return failure(error),
        };
        let mut data = PartitionData::default()
            .with_high_watermark(fetched.high_watermark.0)
            .with_last_stable_offset(fetched.last_stable_offset.0)
            .with_log_start_offset(fetched.log_start_offset.0)
            .with_aborted_transactions(aborted_transactions(fetched))
            .with_records(Some(records));
        if let Some(diverging) = fetched.diverging_epoch.filter(|_| version >= 12) {
            data.diverging_epoch = EpochEndOffset::default()
                .with_epoch(LeaderEpoch::to_wire(diverging.epoch))
                .with_end_offset(Offset::to_wire(diverging.end_offset));
        }
        if version >= 11 {
            data.preferred_read_replica = BrokerId::to_wire(fetched.preferred_read_replica).into();
        }
        data
    }

    /// The records as they go into the response: a handle on a file's region, or converted for an old consumer.
    async fn records(
        &mut self,
        partition: &SessionPartition,
        fetched: &FetchedPartition,
        fetch_offset: Offset,
    ) -> Result<Bytes, ResponseError> {
        let version = self.context.version;
        let Some(slice) = fetched.records.as_ref() else { return Ok(Bytes::new()) };
        if let Some(topic) = partition.topic.as_ref().filter(|_| version < 10) {
            let config = self.broker.logs.topic_config(topic);
            if config.compression.is_some_and(|compression| compression.codec() == Codec::Zstd) {
                return Err(ResponseError::UnsupportedCompressionType);
            }
            if version <= 3 {
                let converted = down_conversion::convert(&config, version, fetch_offset, slice).await?;
                return self.regions.add_made(converted).map_err(|_| ResponseError::KafkaStorageError);
            }
        }
        self.regions.add(region(slice)).map_err(|error| {
            tracing::error!(topic = ?partition.topic, partition = partition.partition, %error, "cannot read records");
            ResponseError::KafkaStorageError
        })
    }
}

fn region(slice: &FileSlice) -> FileRegion {
    FileRegion { file: slice.file.clone(), position: slice.position, len: slice.len }
}

fn aborted_transactions(fetched: &FetchedPartition) -> Option<Vec<AbortedTransaction>> {
    let aborted = fetched.aborted.as_ref()?.iter().map(|aborted| {
        AbortedTransaction::default()
            .with_producer_id(aborted.producer_id.0.into())
            .with_first_offset(aborted.first_offset.0)
    });
    Some(aborted.collect())
}

/// A partition about which there is only an error to tell (`FetchResponse.partitionResponse`).
fn failure(error: ResponseError) -> PartitionData {
    PartitionData::default()
        .with_error_code(error.code())
        .with_high_watermark(-1)
        .with_records(Some(Bytes::new()))
}
