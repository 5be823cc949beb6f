//! What this broker knows of the cluster (`ZkMetadataCache`): brokers, topics, leaders, the controller.
//!
//! Filled only by UpdateMetadata requests of the controller; read by everyone through immutable snapshots. Updates are
//! serialised by the caller (the control lock of the server); readers never wait. `answer` turns a snapshot into the
//! Metadata response of each version. A watch channel counts the updates, for those who wait for a topic to appear.

mod answer;
mod snapshot;
mod update;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwap;
use gregor_model::TopicPartition;
use kafka_protocol::messages::UpdateMetadataRequest;
use tokio::sync::watch;

pub use answer::{TopicMetadataOptions, topic_error, topic_metadata};
pub use snapshot::{AliveBroker, MetadataSnapshot, PartitionMetadata, TopicMetadata};
pub use update::InvalidUpdateMetadata;

/// The cache: one immutable snapshot, replaced as a whole.
pub struct MetadataCache {
    snapshot: ArcSwap<MetadataSnapshot>,
    updates: watch::Sender<u64>,
}

impl MetadataCache {
    /// A cache that knows nothing yet.
    pub fn new() -> MetadataCache {
        MetadataCache {
            snapshot: ArcSwap::from_pointee(MetadataSnapshot::default()),
            updates: watch::Sender::new(0),
        }
    }

    /// What is known now. One request should take one snapshot and answer from it alone.
    pub fn snapshot(&self) -> Arc<MetadataSnapshot> {
        self.snapshot.load_full()
    }

    /// Takes over what the controller says (`updateMetadata`) and answers which partitions it deleted. Callers
    /// serialise their calls: an update starts from the snapshot before it.
    pub fn update(
        &self,
        request: &UpdateMetadataRequest,
        version: i16,
    ) -> Result<Vec<TopicPartition>, InvalidUpdateMetadata> {
        let (next, deleted) = self.snapshot.load().updated(request, version)?;
        self.snapshot.store(Arc::new(next));
        self.updates.send_modify(|count| *count += 1);
        Ok(deleted)
    }

    /// Changes whenever the cache was updated.
    pub fn updates(&self) -> watch::Receiver<u64> {
        self.updates.subscribe()
    }
}

impl Default for MetadataCache {
    fn default() -> MetadataCache {
        MetadataCache::new()
    }
}
