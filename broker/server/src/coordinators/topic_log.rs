//! A coordinator's topic on this broker: appended to as by a producer with acks=all, read from its local log.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gregor_coordinator::group::AppendFailure;
use gregor_coordinator::group::request::VerifiedTransaction;
use gregor_coordinator::runtime::{LoadError, TopicAppend, TopicLog};
use gregor_log::{AppendOrigin, FetchIsolation, PartitionLog, VerificationGuard};
use gregor_model::{Offset, TopicPartition};
use gregor_replication::{PartitionRecords, ProduceParams, ReplicaManager, RequiredAcks};
use gregor_zookeeper::store::Store;

use super::InternalTopic;
use super::error_code::append_failure;
use crate::error_code::KafkaError;

/// How long a partition that is to be loaded waits for ZooKeeper, which may be away just then.
const COUNT_DEADLINE: Duration = Duration::from_secs(5);

/// How a coordinator reads and writes its topic.
#[derive(Clone, Copy, Debug)]
pub(super) struct TopicSettings {
    /// How long an append waits for its replicas unless it says otherwise, in ms.
    pub(super) timeout_ms: i32,
    /// What acknowledged appends wait for.
    pub(super) acks: RequiredAcks,
    /// How much is read at a time while loading, in bytes.
    pub(super) load_bytes: usize,
}

/// One internal topic.
pub(super) struct ReplicatedTopic {
    topic: InternalTopic,
    replicas: Arc<ReplicaManager>,
    settings: TopicSettings,
    store: Store,
}

impl ReplicatedTopic {
    pub(super) fn new(
        topic: InternalTopic,
        replicas: Arc<ReplicaManager>,
        settings: TopicSettings,
        store: Store,
    ) -> ReplicatedTopic {
        ReplicatedTopic { topic, replicas, settings, store }
    }

    fn partition(&self, partition: i32) -> TopicPartition {
        TopicPartition::new(self.topic.name(), partition)
    }

    fn log(&self, partition: i32) -> Result<Arc<PartitionLog>, LoadError> {
        let log = self.replicas.log(&self.partition(partition));
        log.map_err(|error| LoadError::Unavailable(error.to_string()))
    }
}

#[async_trait]
impl TopicLog for ReplicatedTopic {
    async fn append(&self, partition: i32, append: TopicAppend) -> Result<Offset, AppendFailure> {
        let params = ProduceParams {
            acks: if append.acknowledged { self.settings.acks } else { RequiredAcks::None },
            timeout_ms: append.timeout_ms.unwrap_or(self.settings.timeout_ms),
            origin: AppendOrigin::Coordinator,
            internal_topics_allowed: true,
        };
        let records = PartitionRecords {
            partition: self.partition(partition),
            records: append.batch,
            verification: append
                .verification
                .map(|VerifiedTransaction(bits)| VerificationGuard::from_bits(bits)),
        };
        let (_, appended) =
            self.replicas.produce(params, vec![records]).await.pop().ok_or(AppendFailure::Other)?;
        let info = appended.map_err(|error| append_failure(error.kafka_error()))?;
        info.first_offset.ok_or(AppendFailure::Other)
    }

    fn range(&self, partition: i32) -> Result<Range<Offset>, LoadError> {
        let log = self.log(partition)?;
        Ok(log.log_start_offset()..log.log_end_offset())
    }

    async fn partition_count(&self) -> Option<i32> {
        let asked = self.topic.stored_partitions(&self.store);
        match tokio::time::timeout(COUNT_DEADLINE, asked).await {
            Ok(Ok(count)) => count,
            Ok(Err(error)) => {
                tracing::warn!(topic = self.topic.name(), %error, "cannot tell how many partitions there are");
                None
            }
            Err(_) => {
                tracing::warn!(
                    topic = self.topic.name(),
                    "ZooKeeper does not tell how many partitions there are"
                );
                None
            }
        }
    }

    fn read(&self, partition: i32, from: Offset) -> Result<Bytes, LoadError> {
        let data = self
            .log(partition)?
            .read(from, self.settings.load_bytes, FetchIsolation::LogEnd, true)
            .map_err(|error| LoadError::Unavailable(error.to_string()))?;
        Ok(data.records.map(|records| records.read_to_bytes()).transpose()?.unwrap_or_default())
    }

    async fn replicated(&self, partition: i32, end: Offset) -> Result<(), LoadError> {
        let replicated = self.replicas.wait_until_replicated(&self.partition(partition), end).await;
        replicated.map_err(|error| LoadError::Unavailable(error.to_string()))
    }
}
