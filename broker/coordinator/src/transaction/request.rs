//! What producers and administrators ask of a transaction, and what they are told, free of wire versions.

use bytes::Bytes;
use gregor_model::{ProducerEpoch, ProducerId, Timestamp, TopicPartition};

use super::{TransactionError, TransactionState};
use crate::TransactionalId;
use crate::group::request::{AppendId, RequestId};

/// InitProducerId with a transactional id.
#[derive(Clone, Debug)]
pub struct InitProducer {
    /// The transactional id.
    pub id: TransactionalId,
    /// `transaction.timeout.ms` of the producer.
    pub timeout_ms: i32,
    /// What the producer has now, when it asks for the next epoch (KIP-360).
    pub current: Option<(ProducerId, ProducerEpoch)>,
}

/// AddPartitionsToTxn and AddOffsetsToTxn.
#[derive(Clone, Debug)]
pub struct AddPartitions {
    /// The transactional id.
    pub id: TransactionalId,
    /// Who asks.
    pub producer: (ProducerId, ProducerEpoch),
    /// What the transaction is to write.
    pub partitions: Vec<TopicPartition>,
}

/// The broker-to-broker question whether partitions are in a transaction (KIP-890).
pub type VerifyPartitions = AddPartitions;

/// EndTxn.
#[derive(Clone, Debug)]
pub struct EndTransaction {
    /// The transactional id.
    pub id: TransactionalId,
    /// Who asks.
    pub producer: (ProducerId, ProducerEpoch),
    /// Commit, or abort.
    pub commit: bool,
}

/// An answer that had to wait, or could have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionReply {
    /// To InitProducerId.
    Init(Result<(ProducerId, ProducerEpoch), TransactionError>),
    /// To AddPartitionsToTxn, AddOffsetsToTxn and EndTxn.
    Done(Result<(), TransactionError>),
}

/// One record for the id's partition of `__transaction_state`, appended with acks=all as a batch of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionRecord {
    /// The key.
    pub key: Bytes,
    /// The value; none is a tombstone.
    pub value: Option<Bytes>,
    /// How long the append may take, in ms.
    pub timeout_ms: i32,
}

/// The markers that end one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Markers {
    /// The transactional id.
    pub id: TransactionalId,
    /// Whose markers.
    pub producer: (ProducerId, ProducerEpoch),
    /// COMMIT, or ABORT.
    pub commit: bool,
    /// Where they go.
    pub partitions: Vec<TopicPartition>,
}

/// What the shell is to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionEffect {
    /// Answer the request.
    Reply(RequestId, TransactionReply),
    /// Append the record, and say how it went with `appended`.
    Append(AppendId, TransactionRecord),
    /// Bring these markers to the partitions' leaders, and report each with `marker_settled`.
    SendMarkers(Markers),
}

/// A transaction as ListTransactions tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTransaction {
    /// The transactional id.
    pub id: TransactionalId,
    /// The producer id in use.
    pub producer_id: ProducerId,
    /// The state.
    pub state: TransactionState,
    /// When the last transaction began.
    pub started_at: Option<Timestamp>,
}

/// A transaction as DescribeTransactions tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedTransaction {
    /// The state.
    pub state: TransactionState,
    /// Its timeout, in ms.
    pub timeout_ms: i32,
    /// When the last transaction began.
    pub started_at: Option<Timestamp>,
    /// The producer in use; an epoch of -1 when none was given out yet.
    pub producer: (ProducerId, ProducerEpoch),
    /// The partitions in the transaction.
    pub partitions: Vec<TopicPartition>,
}
