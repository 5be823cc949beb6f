//! The one place where our errors become Kafka's codes (`Errors.forException`): an exhaustive match for each type.

use gregor_controller_machine::{ElectLeadersError, PlacementError};
use gregor_controller_service::admin::ConfigWriteError;
use gregor_log::{AppendError, DeleteRecordsError, LogError, ReadError, StorageError};
use gregor_records::validate::ValidationError;
use gregor_replication::fetch_session::FetchSessionError;
use gregor_replication::{
    DeleteRecordsFailure, FetchError, ListOffsetsError, PartitionError, ProduceError, Unreplicated,
};
use kafka_protocol::ResponseError;

use crate::config_admin::{AlterConfigsError, DescribeError};
use crate::quota_admin::QuotaError;
use crate::scram_admin::ScramError;
use crate::topic_admin::{CreateTopicError, DeleteTopicError, GrowError};

/// TRANSACTION_ABORTABLE, which the protocol crate has no name for.
pub const TRANSACTION_ABORTABLE: ResponseError = ResponseError::Unknown(120);

/// What goes with a code in answers that have a message but nothing of their own to say (`Errors.message`). Tools print it.
pub fn usual_message(error: ResponseError) -> &'static str {
    match error {
        ResponseError::UnknownTopicOrPartition => "This server does not host this topic-partition.",
        ResponseError::RequestTimedOut => "The request timed out.",
        ResponseError::CoordinatorNotAvailable => "The coordinator is not available.",
        ResponseError::NotController => "This is not the correct controller for this cluster.",
        ResponseError::InvalidRequest => {
            "This most likely occurs because of a request being malformed by the client library or the message was sent \
             to an incompatible broker. See the broker logs for more details."
        }
        _ => "The server experienced an unexpected error when processing the request.",
    }
}

/// An error that clients are told as one of Kafka's codes.
pub trait KafkaError {
    /// The code.
    fn kafka_error(&self) -> ResponseError;
}

impl KafkaError for StorageError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            StorageError::Io { .. } | StorageError::Offline { .. } | StorageError::Closed(_) => {
                ResponseError::KafkaStorageError
            }
        }
    }
}

impl KafkaError for ValidationError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            ValidationError::InvalidRecord(_) | ValidationError::InvalidRecords { .. } => {
                ResponseError::InvalidRecord
            }
            ValidationError::InvalidTimestamps { .. } => ResponseError::InvalidTimestamp,
            ValidationError::Corrupt(_) => ResponseError::CorruptMessage,
            ValidationError::TooLarge { .. } => ResponseError::MessageTooLarge,
            ValidationError::UnknownCodec(_) | ValidationError::Build(_) => ResponseError::UnknownServerError,
        }
    }
}

impl KafkaError for AppendError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            AppendError::Invalid(error) => error.kafka_error(),
            AppendError::Corrupt(_) => ResponseError::CorruptMessage,
            AppendError::RecordListTooLarge { .. } => ResponseError::RecordListTooLarge,
            AppendError::InvalidProducerEpoch { .. } => ResponseError::InvalidProducerEpoch,
            AppendError::OutOfOrderSequence { .. } => ResponseError::OutOfOrderSequenceNumber,
            AppendError::InvalidTxnState { .. } => ResponseError::InvalidTxnState,
            AppendError::TransactionCoordinatorFenced { .. } => ResponseError::TransactionCoordinatorFenced,
            // What only followers meet: no client is ever told.
            AppendError::UnexpectedOffset { .. }
            | AppendError::OffsetsOutOfOrder(_)
            | AppendError::MissingLeaderEpoch(_) => ResponseError::UnknownServerError,
            AppendError::Storage(error) => error.kafka_error(),
        }
    }
}

impl KafkaError for ReadError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            ReadError::OutOfRange { .. } => ResponseError::OffsetOutOfRange,
            ReadError::Corrupt { .. } => ResponseError::CorruptMessage,
            ReadError::Storage(error) => error.kafka_error(),
        }
    }
}

impl KafkaError for DeleteRecordsError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            DeleteRecordsError::Policy(_) => ResponseError::PolicyViolation,
            DeleteRecordsError::OutOfRange { .. } => ResponseError::OffsetOutOfRange,
            DeleteRecordsError::Storage(error) => error.kafka_error(),
        }
    }
}

impl KafkaError for LogError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            LogError::InconsistentTopicId { .. } => ResponseError::InconsistentTopicId,
            LogError::MayBeOffline(_) => ResponseError::KafkaStorageError,
            LogError::NoSuchDir(_) => ResponseError::LogDirNotFound,
            LogError::NoSuchLog(_) => ResponseError::UnknownTopicOrPartition,
            LogError::NameTooLong(_) => ResponseError::InvalidTopicException,
            LogError::Storage(error) => error.kafka_error(),
        }
    }
}

impl KafkaError for PartitionError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            PartitionError::Unknown(_) => ResponseError::UnknownTopicOrPartition,
            PartitionError::NotLeaderOrFollower(_) => ResponseError::NotLeaderOrFollower,
            PartitionError::FencedLeaderEpoch(_) => ResponseError::FencedLeaderEpoch,
            PartitionError::UnknownLeaderEpoch(_) => ResponseError::UnknownLeaderEpoch,
            PartitionError::UnknownTopicId(_) => ResponseError::UnknownTopicId,
            PartitionError::InconsistentTopicId(_) => ResponseError::InconsistentTopicId,
            PartitionError::Offline(_) => ResponseError::KafkaStorageError,
        }
    }
}

impl KafkaError for ProduceError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            ProduceError::Partition(error) => error.kafka_error(),
            ProduceError::InternalTopic(_) => ResponseError::InvalidTopicException,
            ProduceError::InvalidRequiredAcks => ResponseError::InvalidRequiredAcks,
            ProduceError::NotEnoughReplicas { .. } => ResponseError::NotEnoughReplicas,
            ProduceError::AfterAppend { cause, .. } => cause.kafka_error(),
            ProduceError::Append(error) => error.kafka_error(),
        }
    }
}

impl KafkaError for Unreplicated {
    fn kafka_error(&self) -> ResponseError {
        match self {
            Unreplicated::NotEnoughReplicas => ResponseError::NotEnoughReplicasAfterAppend,
            Unreplicated::TimedOut => ResponseError::RequestTimedOut,
            Unreplicated::Partition(error) => error.kafka_error(),
        }
    }
}

impl KafkaError for FetchError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            FetchError::Partition(error) => error.kafka_error(),
            FetchError::OffsetOutOfRange { .. } => ResponseError::OffsetOutOfRange,
            FetchError::NotAReplica { with_epoch: true, .. } => ResponseError::UnknownLeaderEpoch,
            FetchError::NotAReplica { with_epoch: false, .. } => ResponseError::NotLeaderOrFollower,
            FetchError::Read(error) => error.kafka_error(),
        }
    }
}

impl KafkaError for ListOffsetsError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            ListOffsetsError::Partition(error) => error.kafka_error(),
            ListOffsetsError::NotAvailable(_) => ResponseError::OffsetNotAvailable,
            ListOffsetsError::UnsupportedTimestamp(_) => ResponseError::UnsupportedVersion,
            ListOffsetsError::Read(error) => error.kafka_error(),
        }
    }
}

impl KafkaError for DeleteRecordsFailure {
    fn kafka_error(&self) -> ResponseError {
        match self {
            DeleteRecordsFailure::Partition(error) => error.kafka_error(),
            DeleteRecordsFailure::InternalTopic(_) => ResponseError::InvalidTopicException,
            DeleteRecordsFailure::Refused(error) => error.kafka_error(),
            DeleteRecordsFailure::TimedOut { .. } => ResponseError::RequestTimedOut,
        }
    }
}

impl KafkaError for PlacementError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            PlacementError::InvalidPartitions => ResponseError::InvalidPartitions,
            PlacementError::ReplicationFactorBelowOne | PlacementError::ReplicationFactorTooLarge { .. } => {
                ResponseError::InvalidReplicationFactor
            }
            PlacementError::MixedRacks => ResponseError::UnknownServerError,
        }
    }
}

impl KafkaError for CreateTopicError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            CreateTopicError::Exists(_) | CreateTopicError::MarkedForDeletion(_) => {
                ResponseError::TopicAlreadyExists
            }
            CreateTopicError::NullConfigs(_) | CreateTopicError::Config(_) => ResponseError::InvalidConfig,
            CreateTopicError::CountsAndAssignments => ResponseError::InvalidRequest,
            CreateTopicError::TooManyPartitions { .. } => ResponseError::InvalidPartitions,
            CreateTopicError::Placement(error) => error.kafka_error(),
            CreateTopicError::Name(_) | CreateTopicError::Collides { .. } => {
                ResponseError::InvalidTopicException
            }
            CreateTopicError::UnequalReplicas
            | CreateTopicError::DuplicateReplica(_)
            | CreateTopicError::PartitionGaps => ResponseError::InvalidReplicaAssignment,
            CreateTopicError::ZooKeeper(_) => ResponseError::UnknownServerError,
        }
    }
}

impl KafkaError for DeleteTopicError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            DeleteTopicError::Unknown(_) => ResponseError::UnknownTopicOrPartition,
            DeleteTopicError::ZooKeeper(_) => ResponseError::UnknownServerError,
        }
    }
}

impl KafkaError for FetchSessionError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            FetchSessionError::IdNotFound(_) => ResponseError::FetchSessionIdNotFound,
            FetchSessionError::InvalidEpoch { .. } => ResponseError::InvalidFetchSessionEpoch,
            FetchSessionError::TopicIds(_) => ResponseError::FetchSessionTopicIdError,
        }
    }
}

impl KafkaError for GrowError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            GrowError::QueuedForDeletion => ResponseError::InvalidTopicException,
            GrowError::BeingReassigned(_) => ResponseError::ReassignmentInProgress,
            GrowError::Unknown(_) => ResponseError::UnknownTopicOrPartition,
            GrowError::Fewer { .. } | GrowError::AsMany(_) => ResponseError::InvalidPartitions,
            GrowError::Assignment(_) => ResponseError::InvalidReplicaAssignment,
            GrowError::Placement(error) => error.kafka_error(),
            GrowError::ZooKeeper(_) => ResponseError::UnknownServerError,
        }
    }
}

impl KafkaError for ElectLeadersError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            ElectLeadersError::UnknownTopicOrPartition => ResponseError::UnknownTopicOrPartition,
            ElectLeadersError::TopicBeingDeleted => ResponseError::InvalidTopicException,
            ElectLeadersError::NotNeeded => ResponseError::ElectionNotNeeded,
            ElectLeadersError::PreferredLeaderNotAvailable(_) => ResponseError::PreferredLeaderNotAvailable,
            ElectLeadersError::EligibleLeadersNotAvailable(_) => ResponseError::EligibleLeadersNotAvailable,
        }
    }
}

impl KafkaError for ConfigWriteError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            ConfigWriteError::NoController => ResponseError::StaleControllerEpoch,
            ConfigWriteError::ZooKeeper(_) => ResponseError::UnknownServerError,
        }
    }
}

impl KafkaError for QuotaError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            QuotaError::Invalid(_) => ResponseError::InvalidRequest,
            QuotaError::UnsupportedType(_) => ResponseError::UnsupportedVersion,
            QuotaError::UnknownMatch(_) | QuotaError::Stored { .. } | QuotaError::ZooKeeper(_) => {
                ResponseError::UnknownServerError
            }
            QuotaError::Write(error) => error.kafka_error(),
        }
    }
}

impl KafkaError for ScramError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            ScramError::EmptyUser | ScramError::TooFewIterations | ScramError::TooManyIterations => {
                ResponseError::UnacceptableCredential
            }
            ScramError::UnknownMechanism => ResponseError::UnsupportedSaslMechanism,
            ScramError::AlteredTwice | ScramError::AskedTwice(_) => ResponseError::DuplicateResource,
            ScramError::EmptyUserAsked | ScramError::NothingToDelete | ScramError::NoCredential(_) => {
                ResponseError::ResourceNotFound
            }
            ScramError::Stored(_) | ScramError::ZooKeeper(_) => ResponseError::UnknownServerError,
            ScramError::Write(error) => error.kafka_error(),
        }
    }
}

impl KafkaError for DescribeError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            DescribeError::Invalid(_) => ResponseError::InvalidRequest,
            DescribeError::TopicName(_) => ResponseError::InvalidTopicException,
            DescribeError::UnknownTopic => ResponseError::UnknownTopicOrPartition,
            DescribeError::ZooKeeper(_) | DescribeError::Stored(_) => ResponseError::UnknownServerError,
        }
    }
}

impl KafkaError for AlterConfigsError {
    fn kafka_error(&self) -> ResponseError {
        match self {
            AlterConfigsError::Invalid(_) | AlterConfigsError::Broker(_) => ResponseError::InvalidRequest,
            AlterConfigsError::Config(_) => ResponseError::InvalidConfig,
            AlterConfigsError::UnknownTopic(_) => ResponseError::UnknownTopicOrPartition,
            AlterConfigsError::UnknownOperation(_) | AlterConfigsError::ZooKeeper(_) => {
                ResponseError::UnknownServerError
            }
            AlterConfigsError::Write(error) => error.kafka_error(),
        }
    }
}
