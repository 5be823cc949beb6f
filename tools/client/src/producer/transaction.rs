//! Transactions of a producer (`TransactionManager`): which partitions belong to the open one, and how it ends.

use std::collections::HashSet;
use std::time::Instant;

use gregor_model::{ProducerEpoch, ProducerId, TopicPartition};
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::{AddPartitionsToTxnRequest, EndTxnRequest, TopicName as WireTopicName};
use kafka_protocol::protocol::StrBytes;

use super::identity::{transaction_coordinator, wire_id};
use crate::cluster::Cluster;
use crate::config::ProducerConfig;
use crate::error::Error;
use crate::error_code::ErrorCode;

/// Clients speak AddPartitionsToTxn up to here; what is newer is for brokers.
const ADD_PARTITIONS_VERSION_MAX: i16 = 3;

/// The state of the transaction.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    pub(super) open: bool,
    partitions: HashSet<TopicPartition>,
    failure: Option<Error>,
}

impl Transaction {
    /// Begins one.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        if self.open {
            return Err(Error::Fatal("A transaction is already in progress".to_owned()));
        }
        *self = Transaction { open: true, ..Transaction::default() };
        Ok(())
    }

    /// Whether a partition is in the transaction already.
    pub(super) fn contains(&self, partition: &TopicPartition) -> bool {
        self.partitions.contains(partition)
    }

    pub(super) fn add(&mut self, partition: TopicPartition) {
        self.partitions.insert(partition);
    }

    /// A record of the transaction could not be written: it can only be aborted.
    pub(super) fn note_failure(&mut self, error: &Error) {
        if self.open {
            self.failure.get_or_insert_with(|| error.clone());
        }
    }

    /// Why it cannot be committed.
    pub(super) fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// Ends it. True if brokers know of it.
    pub(super) fn end(&mut self) -> bool {
        let known = !self.partitions.is_empty();
        *self = Transaction::default();
        known
    }
}

/// Adds a partition to the transaction that is open.
pub(super) async fn add_partition(
    cluster: &Cluster,
    config: &ProducerConfig,
    (producer_id, epoch): (ProducerId, ProducerEpoch),
    partition: &TopicPartition,
) -> Result<(), Error> {
    let Some(id) = config.transactional_id.as_deref() else { return Ok(()) };
    let topic = WireTopicName(StrBytes::from_string(partition.topic.as_str().to_owned()));
    let topic =
        AddPartitionsToTxnTopic::default().with_name(topic).with_partitions(vec![partition.partition]);
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(wire_id(id))
        .with_v3_and_below_producer_id(producer_id.0.into())
        .with_v3_and_below_producer_epoch(epoch.0)
        .with_v3_and_below_topics(vec![topic]);
    repeat(config, async || {
        let peer = transaction_coordinator(cluster, id).await?;
        let version = peer.version::<AddPartitionsToTxnRequest>()?.min(ADD_PARTITIONS_VERSION_MAX);
        let answer = peer.connection().send(request.clone(), version).await?;
        let mut rows =
            answer.results_by_topic_v3_and_below.iter().flat_map(|topic| &topic.results_by_partition);
        let code = rows.find_map(|row| ErrorCode::from_wire(row.partition_error_code));
        code.map_or(Ok(()), |code| Err(code.into()))
    })
    .await
}

/// Commits or aborts.
pub(super) async fn end(
    cluster: &Cluster,
    config: &ProducerConfig,
    (producer_id, epoch): (ProducerId, ProducerEpoch),
    commit: bool,
) -> Result<(), Error> {
    let Some(id) = config.transactional_id.as_deref() else { return Ok(()) };
    let request = EndTxnRequest::default()
        .with_transactional_id(wire_id(id))
        .with_producer_id(producer_id.0.into())
        .with_producer_epoch(epoch.0)
        .with_committed(commit);
    repeat(config, async || {
        let peer = transaction_coordinator(cluster, id).await?;
        let answer = peer.call(|_| request.clone()).await?;
        Ok(ErrorCode::check(answer.error_code)?)
    })
    .await
}

/// Tries a request of a transaction again as long as it may succeed, up to `max.block.ms`.
async fn repeat(config: &ProducerConfig, attempt: impl AsyncFn() -> Result<(), Error>) -> Result<(), Error> {
    let deadline = Instant::now() + config.max_block;
    let mut backoff = std::time::Duration::from_millis(20).min(config.common.retry_backoff);
    loop {
        let error = match attempt().await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let again = match &error {
            Error::Network(_) => true,
            // The markers of the transaction before are still being written: soon over.
            Error::Refused { code, .. } => code.is_retriable() || *code == ErrorCode::CONCURRENT_TRANSACTIONS,
            _ => false,
        };
        if !again || Instant::now() + backoff >= deadline {
            return Err(error);
        }
        tokio::time::sleep(backoff).await;
        backoff = config.common.retry_backoff;
    }
}
