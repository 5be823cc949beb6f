//! The coordinators' errors as Kafka's codes, and the codes of appends as the coordinators know them.

use gregor_coordinator::group::{AppendFailure, GroupError};
use gregor_coordinator::transaction::TransactionError;
use kafka_protocol::ResponseError;

use crate::error_code::{KafkaError, TRANSACTION_ABORTABLE};

// Those of KIP-848, which the protocol crate has no names for.
const FENCED_MEMBER_EPOCH: ResponseError = ResponseError::Unknown(110);
const UNRELEASED_INSTANCE_ID: ResponseError = ResponseError::Unknown(111);
const UNSUPPORTED_ASSIGNOR: ResponseError = ResponseError::Unknown(112);
const STALE_MEMBER_EPOCH: ResponseError = ResponseError::Unknown(113);

impl KafkaError for GroupError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            GroupError::InvalidGroupId => ResponseError::InvalidGroupId,
            GroupError::CoordinatorNotAvailable => ResponseError::CoordinatorNotAvailable,
            GroupError::CoordinatorLoadInProgress => ResponseError::CoordinatorLoadInProgress,
            GroupError::NotCoordinator => ResponseError::NotCoordinator,
            GroupError::UnknownMemberId => ResponseError::UnknownMemberId,
            GroupError::FencedInstanceId => ResponseError::FencedInstanceId,
            GroupError::IllegalGeneration => ResponseError::IllegalGeneration,
            GroupError::InconsistentGroupProtocol => ResponseError::InconsistentGroupProtocol,
            GroupError::RebalanceInProgress => ResponseError::RebalanceInProgress,
            GroupError::InvalidSessionTimeout => ResponseError::InvalidSessionTimeout,
            GroupError::GroupMaxSizeReached => ResponseError::GroupMaxSizeReached,
            GroupError::MemberIdRequired => ResponseError::MemberIdRequired,
            GroupError::OffsetMetadataTooLarge => ResponseError::OffsetMetadataTooLarge,
            GroupError::InvalidCommitOffsetSize => ResponseError::InvalidCommitOffsetSize,
            GroupError::UnstableOffsetCommit => ResponseError::UnstableOffsetCommit,
            GroupError::NonEmptyGroup => ResponseError::NonEmptyGroup,
            GroupError::GroupIdNotFound => ResponseError::GroupIdNotFound,
            GroupError::GroupSubscribedToTopic => ResponseError::GroupSubscribedToTopic,
            GroupError::RequestTimedOut => ResponseError::RequestTimedOut,
            GroupError::InvalidProducerEpoch => ResponseError::InvalidProducerEpoch,
            GroupError::InvalidTxnState => ResponseError::InvalidTxnState,
            GroupError::TransactionAbortable => TRANSACTION_ABORTABLE,
            GroupError::InvalidProducerIdMapping => ResponseError::InvalidProducerIdMapping,
            GroupError::ConcurrentTransactions => ResponseError::ConcurrentTransactions,
            GroupError::InvalidRequest => ResponseError::InvalidRequest,
            GroupError::UnsupportedVersion => ResponseError::UnsupportedVersion,
            GroupError::FencedMemberEpoch => FENCED_MEMBER_EPOCH,
            GroupError::UnreleasedInstanceId => UNRELEASED_INSTANCE_ID,
            GroupError::UnsupportedAssignor => UNSUPPORTED_ASSIGNOR,
            GroupError::StaleMemberEpoch => STALE_MEMBER_EPOCH,
            GroupError::UnknownServerError => ResponseError::UnknownServerError,
        }
    }
}

impl KafkaError for TransactionError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            TransactionError::InvalidRequest => ResponseError::InvalidRequest,
            TransactionError::InvalidTransactionTimeout => ResponseError::InvalidTransactionTimeout,
            TransactionError::CoordinatorLoadInProgress => ResponseError::CoordinatorLoadInProgress,
            TransactionError::CoordinatorNotAvailable => ResponseError::CoordinatorNotAvailable,
            TransactionError::NotCoordinator => ResponseError::NotCoordinator,
            TransactionError::ConcurrentTransactions => ResponseError::ConcurrentTransactions,
            TransactionError::ProducerFenced => ResponseError::ProducerFenced,
            TransactionError::InvalidProducerIdMapping => ResponseError::InvalidProducerIdMapping,
            TransactionError::InvalidTxnState => ResponseError::InvalidTxnState,
            TransactionError::TransactionAbortable => TRANSACTION_ABORTABLE,
            TransactionError::TransactionalIdNotFound => ResponseError::TransactionalIdNotFound,
            TransactionError::UnknownServerError => ResponseError::UnknownServerError,
        }
    }
}

/// What a coordinator makes of a code that an append or a verification gave.
pub(crate) fn append_failure(error: ResponseError) -> AppendFailure {
    match error {
        ResponseError::UnknownTopicOrPartition => AppendFailure::UnknownTopicOrPartition,
        ResponseError::NotEnoughReplicas => AppendFailure::NotEnoughReplicas,
        ResponseError::NotEnoughReplicasAfterAppend => AppendFailure::NotEnoughReplicasAfterAppend,
        ResponseError::NotLeaderOrFollower => AppendFailure::NotLeaderOrFollower,
        ResponseError::KafkaStorageError => AppendFailure::KafkaStorageError,
        ResponseError::RequestTimedOut => AppendFailure::RequestTimedOut,
        ResponseError::MessageTooLarge => AppendFailure::MessageTooLarge,
        ResponseError::RecordListTooLarge => AppendFailure::RecordListTooLarge,
        ResponseError::InvalidFetchSize => AppendFailure::InvalidFetchSize,
        ResponseError::NetworkException => AppendFailure::NetworkException,
        ResponseError::CoordinatorLoadInProgress => AppendFailure::CoordinatorLoadInProgress,
        ResponseError::CoordinatorNotAvailable => AppendFailure::CoordinatorNotAvailable,
        ResponseError::NotCoordinator => AppendFailure::NotCoordinator,
        ResponseError::ConcurrentTransactions => AppendFailure::ConcurrentTransactions,
        ResponseError::InvalidProducerEpoch => AppendFailure::InvalidProducerEpoch,
        ResponseError::InvalidProducerIdMapping => AppendFailure::InvalidProducerIdMapping,
        ResponseError::InvalidTxnState => AppendFailure::InvalidTxnState,
        TRANSACTION_ABORTABLE => AppendFailure::TransactionAbortable,
        _ => AppendFailure::Other,
    }
}
