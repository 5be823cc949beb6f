//! What travels in the simulated network: the requests and answers of brokers, clients and ZooKeeper as values.

use gregor_controller_machine::{
    AlterPartitionError, AlterPartitionRequest, AlterPartitionTopError, AlterReassignmentsRequest,
    ControlRequest, ElectLeadersRequest, ReplicaAnswer,
};
use gregor_model::{BrokerEpoch, BrokerId, LeaderAndIsr, LeaderEpoch, Offset, TopicPartition};
use gregor_replication::fetcher::machine::LeaderRefusal;
use gregor_replication::fetcher::session::SessionRequest;
use gregor_replication::{EpochEnd, FetchSessionError};

use crate::log::{Batch, Payload};
use crate::zookeeper::{FromZookeeper, ToZookeeper};

/// Who sends and receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// The ensemble.
    Zookeeper,
    /// A broker.
    Broker(BrokerId),
    /// A client.
    Client(usize),
}

/// Names a request, so that its answer finds it.
pub type Correlation = u64;

/// What is asked.
#[derive(Clone, Debug)]
pub enum Request {
    /// LeaderAndIsr, UpdateMetadata or StopReplica of a controller.
    Control(BrokerId, ControlRequest),
    /// AlterPartition.
    AlterPartition(AlterPartitionRequest),
    /// ControlledShutdown.
    ControlledShutdown(BrokerId, Option<BrokerEpoch>),
    /// ElectLeaders.
    ElectLeaders(ElectLeadersRequest),
    /// AlterPartitionReassignments.
    AlterReassignments(AlterReassignmentsRequest),
    /// Fetch of a follower.
    Fetch {
        /// Who.
        follower: BrokerId,
        /// Its registration.
        epoch: Option<BrokerEpoch>,
        /// What.
        session: SessionRequest,
    },
    /// OffsetForLeaderEpoch: partition, the follower's term, the epoch asked about.
    Epochs(Vec<(TopicPartition, LeaderEpoch, LeaderEpoch)>),
    /// ListOffsets of a follower: the latest or the earliest, and its term.
    Offsets {
        /// The end, or else the start.
        latest: bool,
        /// Of these.
        partitions: Vec<(TopicPartition, LeaderEpoch)>,
    },
    /// Produce with acks=all.
    Produce(TopicPartition, Payload),
    /// DeleteRecords, below that offset.
    DeleteRecords(TopicPartition, Offset),
    /// Fetch of a consumer.
    Consume(TopicPartition, Offset),
    /// Metadata.
    Metadata,
}

/// What one partition's fetch brings.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The batches.
    pub batches: Vec<Batch>,
    /// As of the read.
    pub high_watermark: Offset,
    /// As of the read.
    pub log_start: Offset,
    /// Truncate first.
    pub diverging: Option<EpochEnd>,
}

/// A fetch's answer.
pub type FetchAnswer =
    Result<(i32, Vec<(TopicPartition, Result<Fetched, LeaderRefusal>)>), FetchSessionError>;

/// How a control request ended.
#[derive(Clone, Debug)]
pub enum ControlAnswer {
    /// An error for all of it.
    Refused,
    /// Applied, with what each partition of LeaderAndIsr or StopReplica got.
    Applied(Vec<(TopicPartition, ReplicaAnswer)>),
}

/// What a client is told of a produce request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Produced {
    /// Acknowledged, from this offset on, in this term.
    At(Offset, LeaderEpoch),
    /// OUT_OF_ORDER_SEQUENCE_NUMBER, in this term.
    OutOfOrder(LeaderEpoch),
    /// Not, or not known.
    Failed,
}

/// What a consumer gets.
#[derive(Clone, Debug)]
pub struct Consumed {
    /// Batches below the high watermark.
    pub batches: Vec<Batch>,
    /// Where the leader's log starts.
    pub log_start: Offset,
    /// The leader's log does not reach the offset asked for.
    pub out_of_range: bool,
    /// The term it was read in.
    pub epoch: LeaderEpoch,
}

/// What is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Nobody listens there.
    Refused,
    /// To a control request.
    Control(ControlAnswer),
    /// To AlterPartition.
    AlterPartition(Result<Vec<Result<LeaderAndIsr, AlterPartitionError>>, AlterPartitionTopError>),
    /// To ControlledShutdown: how many partitions are still led; `None` is an error.
    ControlledShutdown(Option<usize>),
    /// To the administrator's requests.
    Administered,
    /// To Fetch; `corrupt`: a bit flipped on the way.
    Fetch {
        /// What the leader said.
        answer: FetchAnswer,
        /// The checksums are wrong.
        corrupt: bool,
    },
    /// To OffsetForLeaderEpoch.
    Epochs(Vec<(TopicPartition, Result<EpochEnd, LeaderRefusal>)>),
    /// To ListOffsets.
    Offsets(Vec<(TopicPartition, Result<Offset, LeaderRefusal>)>),
    /// To Produce.
    Produced(Produced),
    /// To a consumer; `None`: not here.
    Consumed(Option<Consumed>),
    /// To Metadata: who leads, and who is the controller.
    Metadata(Vec<(TopicPartition, Option<BrokerId>)>, Option<BrokerId>),
}

/// One message.
#[derive(Clone, Debug)]
pub enum Message {
    /// A request.
    Request(Correlation, Request),
    /// An answer.
    Answer(Correlation, Answer),
    /// To ZooKeeper, on a connection.
    ToZookeeper(ToZookeeper),
    /// From ZooKeeper, on a connection.
    FromZookeeper(FromZookeeper),
}

impl Message {
    /// A number per kind, for the trace.
    pub fn kind(&self) -> u64 {
        match self {
            Message::Request(_, request) => match request {
                Request::Control(_, ControlRequest::LeaderAndIsr(_)) => 1,
                Request::Control(_, ControlRequest::UpdateMetadata(_)) => 2,
                Request::Control(_, ControlRequest::StopReplica(_)) => 3,
                Request::AlterPartition(_) => 4,
                Request::ControlledShutdown(..) => 5,
                Request::ElectLeaders(_) => 6,
                Request::AlterReassignments(_) => 7,
                Request::Fetch { session, .. } => 100 + session.listed.len() as u64,
                Request::Epochs(_) => 8,
                Request::Offsets { .. } => 9,
                Request::Produce(_, payload) => 1_000 + payload.says,
                Request::DeleteRecords(_, offset) => 30_000_000 + offset.0.unsigned_abs(),
                Request::Consume(_, offset) => 10_000_000 + offset.0.unsigned_abs(),
                Request::Metadata => 10,
            },
            Message::Answer(_, answer) => match answer {
                Answer::Produced(Produced::At(offset, _)) => 20_000_000 + offset.0.unsigned_abs(),
                Answer::Fetch { answer: Ok((_, partitions)), .. } => 200 + partitions.len() as u64,
                _ => 30,
            },
            Message::ToZookeeper(_) => 40,
            Message::FromZookeeper(_) => 50,
        }
    }
}
