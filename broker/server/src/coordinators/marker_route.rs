//! The way of transaction markers to partition leaders: WriteTxnMarkers over the inter-broker listener.

use std::sync::Arc;

use async_trait::async_trait;
use gregor_coordinator::runtime::MarkerRoute;
use gregor_coordinator::transaction::{MarkerAnswer, MarkerTarget, Markers, WriteMarkers};
use gregor_model::{BrokerId, TopicName, TopicPartition};
use gregor_wire::convert::{topic_partition, wire_topic_name};
use indexmap::IndexMap;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::{ApiKey, WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use kafka_protocol::protocol::VersionRange;

use super::peers::{Peers, Unreachable};
use crate::metadata_cache::MetadataCache;

/// Leaders as the metadata cache knows them.
pub(super) struct ReplicaMarkerRoute {
    metadata: Arc<MetadataCache>,
    peers: Arc<Peers>,
}

impl ReplicaMarkerRoute {
    pub(super) fn new(metadata: Arc<MetadataCache>, peers: Arc<Peers>) -> ReplicaMarkerRoute {
        ReplicaMarkerRoute { metadata, peers }
    }

    async fn send(
        &self,
        broker: BrokerId,
        request: WriteTxnMarkersRequest,
    ) -> Result<WriteTxnMarkersResponse, Unreachable> {
        let peer = self.peers.peer(broker).await?;
        let ours = VersionRange { min: 0, max: 1 };
        let version = peer.versions.latest_common(ApiKey::WriteTxnMarkers, ours)?;
        Ok(peer.connection.send(request, version).await?)
    }
}

#[async_trait]
impl MarkerRoute for ReplicaMarkerRoute {
    fn target(&self, partition: &TopicPartition) -> MarkerTarget {
        let snapshot = self.metadata.snapshot();
        match snapshot.partition(partition.topic.as_str(), partition.partition) {
            // Before the first UpdateMetadata nothing is known, and nothing may be taken for deleted.
            None if snapshot.topic_count() == 0 => MarkerTarget::Unknown,
            None => MarkerTarget::Deleted,
            Some(known) => match known.leader.filter(|leader| snapshot.is_alive(*leader)) {
                Some(leader) => MarkerTarget::Leader(leader),
                None => MarkerTarget::Unknown,
            },
        }
    }

    async fn write(&self, broker: BrokerId, markers: &WriteMarkers) -> Option<Vec<Vec<MarkerAnswer>>> {
        let wire = markers.markers.iter().map(|(_, epoch, markers)| to_wire(*epoch, markers));
        let request = WriteTxnMarkersRequest::default().with_markers(wire.collect());
        match self.send(broker, request).await {
            Ok(response) => {
                let answered = |(_, _, markers): &(i32, i32, Markers)| answers(markers, &response);
                Some(markers.markers.iter().map(answered).collect())
            }
            Err(error) => {
                tracing::debug!(%broker, %error, "markers could not be sent");
                None
            }
        }
    }
}

fn to_wire(coordinator_epoch: i32, markers: &Markers) -> WritableTxnMarker {
    let mut topics: IndexMap<&TopicName, Vec<i32>> = IndexMap::new();
    for partition in &markers.partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        WritableTxnMarkerTopic::default().with_name(wire_topic_name(name)).with_partition_indexes(partitions)
    });
    WritableTxnMarker::default()
        .with_producer_id(markers.producer.0.0.into())
        .with_producer_epoch(markers.producer.1.0)
        .with_transaction_result(markers.commit)
        .with_coordinator_epoch(coordinator_epoch)
        .with_topics(topics.collect())
}

/// What became of each partition; answers are found by producer id, which a response names once.
fn answers(markers: &Markers, response: &WriteTxnMarkersResponse) -> Vec<MarkerAnswer> {
    let of_producer = response.markers.iter().filter(|marker| marker.producer_id.0 == markers.producer.0.0);
    let codes: Vec<(TopicPartition, i16)> = of_producer
        .flat_map(|marker| &marker.topics)
        .flat_map(|topic| {
            topic.partitions.iter().map(|partition| {
                (topic_partition(&topic.name, partition.partition_index), partition.error_code)
            })
        })
        .collect();
    let answer_of = |partition: &TopicPartition| {
        let code = codes.iter().find(|(answered, _)| answered == partition).map(|(_, code)| *code);
        code.map_or(MarkerAnswer::Retry, answer)
    };
    markers.partitions.iter().map(answer_of).collect()
}

/// `TransactionMarkerRequestCompletionHandler`: what a code means for the marker.
fn answer(code: i16) -> MarkerAnswer {
    match ResponseError::try_from_code(code) {
        None => MarkerAnswer::Settled,
        Some(ResponseError::UnsupportedForMessageFormat | ResponseError::UnsupportedVersion) => {
            MarkerAnswer::Settled
        }
        Some(ResponseError::InvalidProducerEpoch | ResponseError::TransactionCoordinatorFenced) => {
            MarkerAnswer::Fenced
        }
        Some(_) => MarkerAnswer::Retry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        #[track_caller]
        fn check(error: ResponseError, expected: MarkerAnswer) {
            assert_eq!(answer(error.code()), expected, "{error}");
        }
        assert_eq!(answer(0), MarkerAnswer::Settled);
        check(ResponseError::UnsupportedForMessageFormat, MarkerAnswer::Settled);
        check(ResponseError::TransactionCoordinatorFenced, MarkerAnswer::Fenced);
        check(ResponseError::InvalidProducerEpoch, MarkerAnswer::Fenced);
        check(ResponseError::NotLeaderOrFollower, MarkerAnswer::Retry);
        check(ResponseError::UnknownTopicOrPartition, MarkerAnswer::Retry);
        check(ResponseError::NotEnoughReplicas, MarkerAnswer::Retry);
    }
}
