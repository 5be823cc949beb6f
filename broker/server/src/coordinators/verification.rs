//! Verification of transactional writes (KIP-890, `AddPartitionsToTxnManager`): before a transaction starts in a
//! partition led here, its coordinator must say that the partition belongs to it. Otherwise a late write could start
//! a transaction that nobody ever ends.

use std::collections::HashMap;
use std::sync::Arc;

use gregor_coordinator::partition_of;
use gregor_log::VerificationGuard;
use gregor_model::{BrokerId, ProducerEpoch, ProducerId, Timestamp, TopicName, TopicPartition};
use gregor_records::batches;
use gregor_replication::{PartitionRecords, ReplicaManager};
use gregor_wire::convert::{text, topic_partition, wire_topic_name};
use indexmap::IndexMap;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, ApiKey};
use kafka_protocol::protocol::VersionRange;

use super::InternalTopic;
use super::peers::{Peers, Unreachable};
use crate::error_code::TRANSACTION_ABORTABLE;
use crate::metadata_cache::MetadataCache;

/// Who writes in a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionalWriter {
    /// `transactional.id`.
    pub id: String,
    /// The producer.
    pub producer: (ProducerId, ProducerEpoch),
    /// Whether the client knows TRANSACTION_ABORTABLE (Produce 11, TxnOffsetCommit 4); others are told
    /// INVALID_TXN_STATE.
    pub abortable_known: bool,
}

/// Asks the coordinators of transactions led elsewhere, or here.
pub struct Verification {
    partitions: i32,
    metadata: Arc<MetadataCache>,
    peers: Arc<Peers>,
}

type Answers = HashMap<TopicPartition, ResponseError>;

impl Verification {
    pub(super) fn new(partitions: i32, metadata: Arc<MetadataCache>, peers: Arc<Peers>) -> Verification {
        Verification { partitions, metadata, peers }
    }

    /// Begins to verify one partition; `None` when nothing is to be verified there: the transaction is open already,
    /// verification is off, or the partition is not led here (which the append will find).
    pub fn begin(
        &self,
        replicas: &ReplicaManager,
        partition: &TopicPartition,
        (producer, epoch): (ProducerId, ProducerEpoch),
        sequence: i32,
    ) -> Option<VerificationGuard> {
        let (log, _) = replicas.leader_log(partition).ok()?;
        log.start_transaction_verification(producer, sequence, epoch, Timestamp::now())
    }

    /// Asks the coordinator about the partitions. Returns what is wrong with those that may not be written.
    pub async fn ask(&self, writer: &TransactionalWriter, partitions: &[TopicPartition]) -> Answers {
        let all =
            |error: ResponseError| partitions.iter().cloned().map(|partition| (partition, error)).collect();
        let Some(coordinator) = self.coordinator(&writer.id) else {
            return all(ResponseError::CoordinatorNotAvailable);
        };
        match self.send(coordinator, writer, partitions).await {
            Ok(Some(response)) => answers(&response, writer, partitions),
            // A broker that does not know the question: as before there was one.
            Ok(None) => Answers::new(),
            Err(error) => {
                tracing::debug!(%coordinator, %error, "a transaction could not be verified");
                all(ResponseError::NetworkException)
            }
        }
    }

    fn coordinator(&self, id: &str) -> Option<BrokerId> {
        let snapshot = self.metadata.snapshot();
        let partition = partition_of(id, self.partitions);
        let leader = snapshot.partition(InternalTopic::TransactionState.name(), partition)?.leader?;
        snapshot.is_alive(leader).then_some(leader)
    }

    async fn send(
        &self,
        coordinator: BrokerId,
        writer: &TransactionalWriter,
        partitions: &[TopicPartition],
    ) -> Result<Option<AddPartitionsToTxnResponse>, Unreachable> {
        let peer = self.peers.peer(coordinator).await?;
        let ours = VersionRange { min: 4, max: 5 };
        let Ok(version) = peer.versions.latest_common(ApiKey::AddPartitionsToTxn, ours) else {
            return Ok(None);
        };
        Ok(Some(peer.connection.send(question(writer, partitions), version).await?))
    }

    /// Verifies the transactional batches of a produce request. Returns the records that may be appended, with their
    /// proof, and the partitions that may not, each with its error.
    ///
    /// # Errors
    /// The batches are of more than one producer, which spoils the whole request.
    pub async fn verify_records(
        &self,
        replicas: &ReplicaManager,
        id: &str,
        abortable_known: bool,
        mut records: Vec<PartitionRecords>,
    ) -> Result<(Vec<PartitionRecords>, Vec<(TopicPartition, ResponseError)>), ResponseError> {
        let mut writer = None;
        let mut asked = Vec::new();
        for entry in &mut records {
            let Some((producer, sequence)) = transactional_producer(entry) else { continue };
            if *writer.get_or_insert(producer) != producer {
                return Err(ResponseError::InvalidProducerIdMapping);
            }
            entry.verification = self.begin(replicas, &entry.partition, producer, sequence);
            if entry.verification.is_some() {
                asked.push(entry.partition.clone());
            }
        }
        let Some(producer) = writer.filter(|_| !asked.is_empty()) else { return Ok((records, Vec::new())) };
        let writer = TransactionalWriter { id: id.to_owned(), producer, abortable_known };
        let refused = self.ask(&writer, &asked).await;
        records.retain(|entry| !refused.contains_key(&entry.partition));
        let refused = refused.into_iter().map(|(partition, error)| (partition, for_producer(error)));
        Ok((records, refused.collect()))
    }
}

/// Whose transaction the records belong to, and their first sequence.
fn transactional_producer(entry: &PartitionRecords) -> Option<((ProducerId, ProducerEpoch), i32)> {
    let batch = batches(&entry.records).next()?.ok()?;
    let header = batch.header();
    if !header.is_transactional() {
        return None;
    }
    let sequence = header.base_sequence.map_or(-1, |sequence| sequence.0);
    Some(((header.producer_id?, header.producer_epoch), sequence))
}

/// What producers are told of failures that pass (`ReplicaManager.handleProduceAppend`): every client retries this one.
fn for_producer(error: ResponseError) -> ResponseError {
    match error {
        ResponseError::NetworkException
        | ResponseError::ConcurrentTransactions
        | ResponseError::CoordinatorLoadInProgress
        | ResponseError::CoordinatorNotAvailable
        | ResponseError::NotCoordinator => ResponseError::NotEnoughReplicas,
        error => error,
    }
}

fn question(writer: &TransactionalWriter, partitions: &[TopicPartition]) -> AddPartitionsToTxnRequest {
    let mut topics: IndexMap<&TopicName, Vec<i32>> = IndexMap::new();
    for partition in partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        AddPartitionsToTxnTopic::default().with_name(wire_topic_name(name)).with_partitions(partitions)
    });
    let transaction = AddPartitionsToTxnTransaction::default()
        .with_transactional_id(text(&writer.id).into())
        .with_producer_id(writer.producer.0.0.into())
        .with_producer_epoch(writer.producer.1.0)
        .with_verify_only(true)
        .with_topics(topics.collect());
    AddPartitionsToTxnRequest::default().with_transactions(vec![transaction])
}

fn answers(
    response: &AddPartitionsToTxnResponse,
    writer: &TransactionalWriter,
    partitions: &[TopicPartition],
) -> Answers {
    if let Some(error) = ResponseError::try_from_code(response.error_code) {
        let error = match error {
            ResponseError::ClusterAuthorizationFailed => ResponseError::InvalidTxnState,
            error => error,
        };
        return partitions.iter().cloned().map(|partition| (partition, error)).collect();
    }
    let results = response.results_by_transaction.iter().flat_map(|result| &result.topic_results);
    let results = results.flat_map(|topic| {
        topic
            .results_by_partition
            .iter()
            .map(|result| (topic_partition(&topic.name, result.partition_index), result.partition_error_code))
    });
    let told = |error| match error {
        ResponseError::ProducerFenced => ResponseError::InvalidProducerEpoch,
        TRANSACTION_ABORTABLE if !writer.abortable_known => ResponseError::InvalidTxnState,
        error => error,
    };
    results
        .filter_map(|(partition, code)| Some((partition, told(ResponseError::try_from_code(code)?))))
        .collect()
}
