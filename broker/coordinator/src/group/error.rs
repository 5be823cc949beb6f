//! What a group request can be answered with, and how a failed append of a group's records becomes such an answer.

use thiserror::Error;

/// Why a group request was refused; each has the Kafka error code of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[allow(missing_docs)] // each variant is the Kafka error code of the same name
pub enum GroupError {
    #[error("the group id is empty")]
    InvalidGroupId,
    #[error("the coordinator is not available")]
    CoordinatorNotAvailable,
    #[error("the coordinator is loading the group")]
    CoordinatorLoadInProgress,
    #[error("this broker does not coordinate the group")]
    NotCoordinator,
    #[error("the group does not know the member")]
    UnknownMemberId,
    #[error("another member has taken the instance id over")]
    FencedInstanceId,
    #[error("the generation is not the group's")]
    IllegalGeneration,
    #[error("no protocol in common with the group")]
    InconsistentGroupProtocol,
    #[error("the group is rebalancing")]
    RebalanceInProgress,
    #[error("the session timeout is out of bounds")]
    InvalidSessionTimeout,
    #[error("the group is full")]
    GroupMaxSizeReached,
    #[error("join again with the member id given")]
    MemberIdRequired,
    #[error("the offset's metadata is too large")]
    OffsetMetadataTooLarge,
    #[error("the commit does not fit a batch")]
    InvalidCommitOffsetSize,
    #[error("a commit for the partition is not decided yet")]
    UnstableOffsetCommit,
    #[error("the group has members")]
    NonEmptyGroup,
    #[error("there is no such group")]
    GroupIdNotFound,
    #[error("the group subscribes to the topic")]
    GroupSubscribedToTopic,
    #[error("the append took too long")]
    RequestTimedOut,
    #[error("the producer's epoch is stale")]
    InvalidProducerEpoch,
    #[error("the transaction is not in a state to write")]
    InvalidTxnState,
    #[error("the transaction must be aborted")]
    TransactionAbortable,
    #[error("the producer id is not the transactional id's")]
    InvalidProducerIdMapping,
    #[error("another request for the transactional id is under way")]
    ConcurrentTransactions,
    #[error("the request is invalid")]
    InvalidRequest,
    #[error("the request's version is too old for the group's protocol")]
    UnsupportedVersion,
    #[error("the member must rejoin with epoch 0")]
    FencedMemberEpoch,
    #[error("another member holds the instance id")]
    UnreleasedInstanceId,
    #[error("the assignor is not supported")]
    UnsupportedAssignor,
    #[error("the member's epoch is not the present one")]
    StaleMemberEpoch,
    #[error("an unexpected error on the server")]
    UnknownServerError,
}

/// Why records could not be appended to an internal topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // each variant is the Kafka error code of the same name
pub enum AppendFailure {
    UnknownTopicOrPartition,
    NotEnoughReplicas,
    NotEnoughReplicasAfterAppend,
    NotLeaderOrFollower,
    KafkaStorageError,
    RequestTimedOut,
    MessageTooLarge,
    RecordListTooLarge,
    InvalidFetchSize,
    NetworkException,
    CoordinatorLoadInProgress,
    CoordinatorNotAvailable,
    NotCoordinator,
    ConcurrentTransactions,
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    InvalidTxnState,
    TransactionAbortable,
    Other,
}

/// Where records are whose append failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// In the log, but not on enough replicas in time.
    InLog,
    /// Nowhere.
    NotInLog,
    /// This broker cannot know: the partition is about to move.
    Unknown,
}

impl AppendFailure {
    /// Whether the records may still come to be committed.
    pub(super) fn fate(self) -> Fate {
        match self {
            Self::RequestTimedOut | Self::NotEnoughReplicasAfterAppend => Fate::InLog,
            Self::NotLeaderOrFollower | Self::KafkaStorageError | Self::UnknownTopicOrPartition => {
                Fate::Unknown
            }
            _ => Fate::NotInLog,
        }
    }

    /// The answer to those who wait for a consumer group's records (`handleOperationException`).
    pub fn of_consumer_group(self) -> GroupError {
        match self {
            Self::RequestTimedOut => GroupError::CoordinatorNotAvailable,
            failure => failure.of_group(),
        }
    }

    /// The answer to those who wait for a group's record (`GroupMetadataManager.storeGroup`).
    pub fn of_group(self) -> GroupError {
        match self {
            Self::UnknownTopicOrPartition | Self::NotEnoughReplicas | Self::NotEnoughReplicasAfterAppend => {
                GroupError::CoordinatorNotAvailable
            }
            Self::NotLeaderOrFollower | Self::KafkaStorageError => GroupError::NotCoordinator,
            Self::RequestTimedOut => GroupError::RebalanceInProgress,
            _ => GroupError::UnknownServerError,
        }
    }

    /// The answer to a commit (`GroupMetadataManager.maybeConvertOffsetCommitError`).
    pub fn of_commit(self) -> GroupError {
        match self {
            Self::UnknownTopicOrPartition
            | Self::NotEnoughReplicas
            | Self::NotEnoughReplicasAfterAppend
            | Self::CoordinatorNotAvailable => GroupError::CoordinatorNotAvailable,
            Self::NotLeaderOrFollower | Self::KafkaStorageError | Self::NotCoordinator => {
                GroupError::NotCoordinator
            }
            Self::MessageTooLarge | Self::RecordListTooLarge | Self::InvalidFetchSize => {
                GroupError::InvalidCommitOffsetSize
            }
            Self::NetworkException | Self::CoordinatorLoadInProgress => GroupError::CoordinatorLoadInProgress,
            Self::ConcurrentTransactions => GroupError::ConcurrentTransactions,
            Self::RequestTimedOut => GroupError::RequestTimedOut,
            Self::InvalidProducerEpoch => GroupError::InvalidProducerEpoch,
            Self::InvalidTxnState => GroupError::InvalidTxnState,
            Self::InvalidProducerIdMapping => GroupError::InvalidProducerIdMapping,
            Self::TransactionAbortable => GroupError::TransactionAbortable,
            Self::Other => GroupError::UnknownServerError,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AppendFailure::*;

    #[test]
    fn what_each_failed_append_is_answered_with() {
        const TABLE: [(AppendFailure, GroupError, GroupError); 19] = [
            //                              a group's record                     a commit
            (
                UnknownTopicOrPartition,
                GroupError::CoordinatorNotAvailable,
                GroupError::CoordinatorNotAvailable,
            ),
            (NotEnoughReplicas, GroupError::CoordinatorNotAvailable, GroupError::CoordinatorNotAvailable),
            (
                NotEnoughReplicasAfterAppend,
                GroupError::CoordinatorNotAvailable,
                GroupError::CoordinatorNotAvailable,
            ),
            (NotLeaderOrFollower, GroupError::NotCoordinator, GroupError::NotCoordinator),
            (KafkaStorageError, GroupError::NotCoordinator, GroupError::NotCoordinator),
            (RequestTimedOut, GroupError::RebalanceInProgress, GroupError::RequestTimedOut),
            (MessageTooLarge, GroupError::UnknownServerError, GroupError::InvalidCommitOffsetSize),
            (RecordListTooLarge, GroupError::UnknownServerError, GroupError::InvalidCommitOffsetSize),
            (InvalidFetchSize, GroupError::UnknownServerError, GroupError::InvalidCommitOffsetSize),
            // What verification says, which only commits ask for.
            (NetworkException, GroupError::UnknownServerError, GroupError::CoordinatorLoadInProgress),
            (
                CoordinatorLoadInProgress,
                GroupError::UnknownServerError,
                GroupError::CoordinatorLoadInProgress,
            ),
            (CoordinatorNotAvailable, GroupError::UnknownServerError, GroupError::CoordinatorNotAvailable),
            (NotCoordinator, GroupError::UnknownServerError, GroupError::NotCoordinator),
            (ConcurrentTransactions, GroupError::UnknownServerError, GroupError::ConcurrentTransactions),
            (InvalidProducerEpoch, GroupError::UnknownServerError, GroupError::InvalidProducerEpoch),
            (InvalidProducerIdMapping, GroupError::UnknownServerError, GroupError::InvalidProducerIdMapping),
            (InvalidTxnState, GroupError::UnknownServerError, GroupError::InvalidTxnState),
            (TransactionAbortable, GroupError::UnknownServerError, GroupError::TransactionAbortable),
            (Other, GroupError::UnknownServerError, GroupError::UnknownServerError),
        ];
        for (failure, group, commit) in TABLE {
            assert_eq!((failure.of_group(), failure.of_commit()), (group, commit), "{failure:?}");
        }
    }
}
