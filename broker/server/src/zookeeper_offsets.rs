//! Offsets as OffsetCommit and OffsetFetch of version 0 keep them: in ZooKeeper, below `/consumers/<group>/offsets`.

use gregor_coordinator::group::request::{FetchedOffset, OffsetToCommit};
use gregor_model::{Offset, TopicPartition};
use gregor_zookeeper::store::Store;
use kafka_protocol::ResponseError;

/// The old consumers' offsets.
pub struct ZookeeperOffsets {
    store: Store,
    metadata_bytes_max: usize,
}

impl ZookeeperOffsets {
    /// In that ZooKeeper; `metadata_bytes_max` is `offset.metadata.max.bytes`.
    pub fn new(store: Store, metadata_bytes_max: usize) -> ZookeeperOffsets {
        ZookeeperOffsets { store, metadata_bytes_max }
    }

    /// Stores each offset; the metadata is only checked. Returns a code for each partition.
    pub async fn commit(&self, group: &str, offsets: Vec<OffsetToCommit>) -> Vec<(TopicPartition, i16)> {
        let mut results = Vec::with_capacity(offsets.len());
        for offset in offsets {
            let code = if offset.metadata.encode_utf16().count() > self.metadata_bytes_max {
                ResponseError::OffsetMetadataTooLarge.code()
            } else {
                match self.store.set_consumer_offset(group, &offset.partition, offset.offset).await {
                    Ok(()) => 0,
                    Err(error) => {
                        tracing::warn!(group, partition = %offset.partition, %error, "offset not stored in ZooKeeper");
                        ResponseError::UnknownServerError.code()
                    }
                }
            };
            results.push((offset.partition, code));
        }
        results
    }

    /// Reads each offset; one that is not there is UNKNOWN_TOPIC_OR_PARTITION, unlike in later versions.
    pub async fn fetch(&self, group: &str, partitions: Vec<TopicPartition>) -> Vec<(FetchedOffset, i16)> {
        let mut results = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let (offset, code): (Option<Offset>, i16) =
                match self.store.consumer_offset(group, &partition).await {
                    Ok(Some(offset)) => (Some(offset), 0),
                    Ok(None) => (None, ResponseError::UnknownTopicOrPartition.code()),
                    Err(error) => {
                        tracing::warn!(group, %partition, %error, "offset not read from ZooKeeper");
                        (None, ResponseError::UnknownServerError.code())
                    }
                };
            results.push((FetchedOffset { offset, ..FetchedOffset::none(partition) }, code));
        }
        results
    }
}
