//! What travels between clients and brokers, and between brokers, as values.

use std::rc::Rc;

use gregor_coordinator::group::GroupError;
use gregor_coordinator::group::request::{
    Claim, Commit, CommitResults, FetchedOffset, Join, Joined, Leaver, Sync, Synced,
};
use gregor_coordinator::transaction::{
    AddPartitions, EndTransaction, InitProducer, MarkerAnswer, TransactionError, Verified, WriteMarkers,
};
use gregor_coordinator::{GroupId, TransactionalId};
use gregor_log::CompletedTxn;
use gregor_model::{BrokerId, ProducerEpoch, ProducerId, TopicPartition};

use super::log::{Author, Batch, Part, Value};

/// Who sends and receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// A broker.
    Broker(BrokerId),
    /// A client.
    Client(usize),
}

/// Names a request, so that its answer finds it.
pub type Correlation = u64;

/// A producer, as it says.
pub type Producer = (ProducerId, ProducerEpoch);

/// What is asked.
#[derive(Clone, Debug)]
pub enum Request {
    /// FindCoordinator and Metadata: who leads the partition.
    Leader(Part),
    /// JoinGroup.
    Join(Box<Join>),
    /// SyncGroup.
    Sync(Sync),
    /// Heartbeat.
    Heartbeat(Claim),
    /// LeaveGroup.
    Leave(GroupId, Leaver),
    /// OffsetCommit.
    Commit(Commit),
    /// TxnOffsetCommit.
    TxnCommit(TransactionalId, Commit),
    /// OffsetFetch with `RequireStable`.
    FetchOffsets(GroupId, Vec<TopicPartition>),
    /// InitProducerId.
    Init(InitProducer),
    /// AddPartitionsToTxn and AddOffsetsToTxn.
    Add(AddPartitions),
    /// EndTxn.
    End(EndTransaction),
    /// Produce.
    Produce(Part, TransactionalId, Author, Vec<Value>),
    /// AddPartitionsToTxn between brokers: only a question.
    Verify(AddPartitions),
    /// WriteTxnMarkers.
    WriteMarkers(WriteMarkers),
    /// Fetch of a read_committed consumer.
    Read(Part, i64),
}

/// How Produce ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProduceError {
    /// To be sent again, perhaps to another leader.
    Retriable,
    /// The transaction must be aborted.
    Abortable,
}

/// What a consumer gets.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Batches below the last stable offset.
    pub batches: Vec<Rc<Batch>>,
    /// Transactions among them that were aborted.
    pub aborted: Vec<CompletedTxn>,
}

/// What is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Nobody listens there.
    Refused,
    /// To `Leader`.
    Leader(Option<BrokerId>),
    /// To JoinGroup.
    Joined(Joined),
    /// To SyncGroup.
    Synced(Synced),
    /// To Heartbeat and LeaveGroup.
    Member(Result<(), GroupError>),
    /// To OffsetCommit and TxnOffsetCommit.
    Committed(Result<CommitResults, GroupError>),
    /// To OffsetFetch.
    Offsets(Result<Vec<FetchedOffset>, GroupError>),
    /// To InitProducerId.
    Init(Result<Producer, TransactionError>),
    /// To AddPartitionsToTxn, AddOffsetsToTxn and EndTxn.
    Done(Result<(), TransactionError>),
    /// To Produce.
    Produced(Result<(), ProduceError>),
    /// To the question between brokers.
    Verified(Result<Verified, TransactionError>),
    /// To WriteTxnMarkers.
    Markers(Vec<Vec<MarkerAnswer>>),
    /// To Fetch; `None`: not here.
    Read(Option<Fetched>),
}

/// One message.
#[derive(Clone, Debug)]
pub enum Message {
    /// A request.
    Request(Correlation, Request),
    /// An answer.
    Answer(Correlation, Answer),
}

impl Message {
    /// A number per kind, for the trace.
    pub fn kind(&self) -> u64 {
        match self {
            Message::Request(_, request) => match request {
                Request::Leader(part) => 1_000 + part.number(),
                Request::Join(_) => 2,
                Request::Sync(_) => 3,
                Request::Heartbeat(claim) => 4 + claim.generation.unsigned_abs() as u64 * 1_000,
                Request::Leave(..) => 5,
                Request::Commit(_) => 6,
                Request::TxnCommit(..) => 7,
                Request::FetchOffsets(..) => 8,
                Request::Init(_) => 9,
                Request::Add(_) => 10,
                Request::End(end) => 11 + u64::from(end.commit),
                Request::Produce(part, ..) => 2_000 + part.number(),
                Request::Verify(_) => 13,
                Request::WriteMarkers(_) => 14,
                Request::Read(_, from) => 10_000 + from.unsigned_abs(),
            },
            Message::Answer(_, answer) => match answer {
                Answer::Refused => 20,
                Answer::Leader(leader) => 21 + leader.map_or(0, |leader| u64::from(leader.0.unsigned_abs())),
                Answer::Joined(joined) => 1_000_000 + joined.generation.unsigned_abs() as u64,
                Answer::Synced(synced) => 40 + u64::from(synced.error.is_some()),
                Answer::Member(result) => 42 + u64::from(result.is_err()),
                Answer::Committed(_) => 44,
                Answer::Offsets(_) => 45,
                Answer::Init(Ok((id, epoch))) => {
                    2_000_000 + id.0.unsigned_abs() * 100 + epoch.0.unsigned_abs() as u64
                }
                Answer::Init(Err(_)) => 46,
                Answer::Done(result) => 47 + u64::from(result.is_err()),
                Answer::Produced(result) => 49 + u64::from(result.is_err()),
                Answer::Verified(_) => 51,
                Answer::Markers(_) => 52,
                Answer::Read(Some(read)) => 100 + read.batches.len() as u64,
                Answer::Read(None) => 53,
            },
        }
    }
}
