//! WriteTxnMarkers (27), versions 0 and 1 (`handleWriteTxnMarkersRequest`): a transaction coordinator ends transactions
//! in the partitions led here. Version 1: flexible.

use gregor_log::AppendOrigin;
use gregor_model::{Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition};
use gregor_records::EndTransactionMarker;
use gregor_replication::{PartitionRecords, ProduceParams, RequiredAcks};
use gregor_wire::convert::{by_topic, topic_partition};
use indexmap::IndexMap;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::write_txn_markers_request::WritableTxnMarker;
use kafka_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use kafka_protocol::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};

use crate::broker::Broker;
use crate::coordinators::InternalTopic;
use crate::error_code::KafkaError;

type Results = Vec<(TopicPartition, i16)>;

/// Appends each marker, and answers when all are replicated.
pub async fn handle(broker: &Broker, request: WriteTxnMarkersRequest) -> WriteTxnMarkersResponse {
    // Several markers of one producer are answered in one entry.
    let mut by_producer: IndexMap<i64, Results> = IndexMap::new();
    let appended =
        futures::future::join_all(request.markers.iter().map(|marker| append(broker, marker))).await;
    for (marker, results) in request.markers.iter().zip(appended) {
        by_producer.entry(marker.producer_id.0).or_default().extend(results);
    }
    let markers = by_producer.into_iter().map(|(producer, results)| {
        WritableTxnMarkerResult::default().with_producer_id(producer.into()).with_topics(answers(results))
    });
    WriteTxnMarkersResponse::default().with_markers(markers.collect())
}

async fn append(broker: &Broker, marker: &WritableTxnMarker) -> Results {
    let partitions = marker
        .topics
        .iter()
        .flat_map(|topic| topic.partition_indexes.iter().map(|index| topic_partition(&topic.name, *index)));
    let (producer, epoch) = (ProducerId(marker.producer_id.0), ProducerEpoch(marker.producer_epoch));
    let end = EndTransactionMarker {
        commit: marker.transaction_result,
        coordinator_epoch: marker.coordinator_epoch,
    };
    let batch = match end.batch(Offset::ZERO, None, producer, epoch, Timestamp::now()) {
        Ok(batch) => bytes::Bytes::from(batch),
        Err(error) => {
            tracing::error!(%error, "a transaction marker could not be built");
            return partitions
                .map(|partition| (partition, ResponseError::UnknownServerError.code()))
                .collect();
        }
    };
    let records = partitions.map(|partition| PartitionRecords {
        partition,
        records: batch.clone(),
        verification: None,
    });
    let params = ProduceParams {
        acks: RequiredAcks::All,
        timeout_ms: broker.coordinators.request_timeout_ms(),
        origin: AppendOrigin::Coordinator,
        internal_topics_allowed: true,
    };
    let mut results = Vec::new();
    for (partition, appended) in broker.replicas.produce(params, records.collect()).await {
        let code = match &appended {
            Ok(_) => 0,
            Err(error) => error.kafka_error().code(),
        };
        if InternalTopic::of(&partition.topic) == Some(InternalTopic::ConsumerOffsets)
            && let Some(at) = appended.ok().and_then(|info| info.first_offset)
        {
            let groups = &broker.coordinators.groups;
            groups.complete_transaction(partition.partition, producer, marker.transaction_result, at).await;
        }
        // A partition that is not here is for the coordinator to look for elsewhere.
        let code = match ResponseError::try_from_code(code) {
            Some(ResponseError::NotLeaderOrFollower) if broker.replicas.log(&partition).is_err() => {
                ResponseError::UnknownTopicOrPartition.code()
            }
            _ => code,
        };
        results.push((partition, code));
    }
    results
}

fn answers(results: Results) -> Vec<WritableTxnMarkerTopicResult> {
    let topics = by_topic(results).map(|(name, results)| {
        let partitions = results.into_iter().map(|(index, code)| {
            WritableTxnMarkerPartitionResult::default().with_partition_index(index).with_error_code(code)
        });
        WritableTxnMarkerTopicResult::default().with_name(name).with_partitions(partitions.collect())
    });
    topics.collect()
}
