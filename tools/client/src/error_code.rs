//! The error codes that data clients meet: names, the exceptions of Kafka's Java client that stand for them, and what those
//! say, because tools print both (`Errors`). Pure.

use kafka_protocol::ResponseError;

/// A code of the protocol that is not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub i16);

macro_rules! codes {
    ($($name:ident = $code:literal;)*) => {
        #[allow(missing_docs, reason = "they are Kafka's names")]
        impl ErrorCode {
            $(pub const $name: ErrorCode = ErrorCode($code);)*
        }
    };
}

codes! {
    OFFSET_OUT_OF_RANGE = 1;
    CORRUPT_MESSAGE = 2;
    UNKNOWN_TOPIC_OR_PARTITION = 3;
    LEADER_NOT_AVAILABLE = 5;
    MESSAGE_TOO_LARGE = 10;
    COORDINATOR_LOAD_IN_PROGRESS = 14;
    COORDINATOR_NOT_AVAILABLE = 15;
    NOT_COORDINATOR = 16;
    RECORD_LIST_TOO_LARGE = 18;
    ILLEGAL_GENERATION = 22;
    UNKNOWN_MEMBER_ID = 25;
    REBALANCE_IN_PROGRESS = 27;
    TOPIC_AUTHORIZATION_FAILED = 29;
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43;
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45;
    DUPLICATE_SEQUENCE_NUMBER = 46;
    INVALID_PRODUCER_EPOCH = 47;
    INVALID_PRODUCER_ID_MAPPING = 49;
    CONCURRENT_TRANSACTIONS = 51;
    UNKNOWN_PRODUCER_ID = 59;
    MEMBER_ID_REQUIRED = 79;
    FENCED_INSTANCE_ID = 82;
    PRODUCER_FENCED = 90;
    UNKNOWN_TOPIC_ID = 100;
    INCONSISTENT_TOPIC_ID = 103;
}

/// Code, exception without its ending, message.
const KNOWN: &[(i16, &str, &str)] = &[
    (
        1,
        "OffsetOutOfRange",
        "The requested offset is not within the range of offsets maintained by the server.",
    ),
    (
        2,
        "CorruptRecord",
        "This message has failed its CRC checksum, exceeds the valid size, has a null key for a compacted topic, or is \
         otherwise corrupt.",
    ),
    (3, "UnknownTopicOrPartition", "This server does not host this topic-partition."),
    (
        5,
        "LeaderNotAvailable",
        "There is no leader for this topic-partition as we are in the middle of a leadership election.",
    ),
    (
        6,
        "NotLeaderOrFollower",
        "For requests intended only for the leader, this error indicates that the broker is not the current leader. For \
         requests intended for any replica, this error indicates that the broker is not a replica of the topic \
         partition.",
    ),
    (7, "Timeout", "The request timed out."),
    (
        10,
        "RecordTooLarge",
        "The request included a message larger than the max message size the server will accept.",
    ),
    (13, "Network", "The server disconnected before a response was received."),
    (14, "CoordinatorLoadInProgress", "The coordinator is loading and hence can't process requests."),
    (15, "CoordinatorNotAvailable", "The coordinator is not available."),
    (16, "NotCoordinator", "This is not the correct coordinator."),
    (17, "InvalidTopic", "The request attempted to perform an operation on an invalid topic."),
    (
        18,
        "RecordBatchTooLarge",
        "The request included message batch larger than the configured segment size on the server.",
    ),
    (19, "NotEnoughReplicas", "Messages are rejected since there are fewer in-sync replicas than required."),
    (
        20,
        "NotEnoughReplicasAfterAppend",
        "Messages are written to the log, but to fewer in-sync replicas than required.",
    ),
    (21, "InvalidRequiredAcks", "Produce request specified an invalid value for required acks."),
    (22, "IllegalGeneration", "Specified group generation id is not valid."),
    (
        23,
        "InconsistentGroupProtocol",
        "The group member's supported protocols are incompatible with those of existing members or first group member \
         tried to join with empty protocol type or empty protocol list.",
    ),
    (24, "InvalidGroupId", "The configured groupId is invalid."),
    (25, "UnknownMemberId", "The coordinator is not aware of this member."),
    (
        26,
        "InvalidSessionTimeout",
        "The session timeout is not within the range allowed by the broker (as configured by \
         group.min.session.timeout.ms and group.max.session.timeout.ms).",
    ),
    (27, "RebalanceInProgress", "The group is rebalancing, so a rejoin is needed."),
    (29, "TopicAuthorization", "Topic authorization failed."),
    (30, "GroupAuthorization", "Group authorization failed."),
    (31, "ClusterAuthorization", "Cluster authorization failed."),
    (32, "InvalidTimestamp", "The timestamp of the message is out of acceptable range."),
    (35, "UnsupportedVersion", "The version of API is not supported."),
    (
        43,
        "UnsupportedForMessageFormat",
        "The message format version on the broker does not support the request.",
    ),
    (45, "OutOfOrderSequence", "The broker received an out of order sequence number."),
    (46, "DuplicateSequence", "The broker received a duplicate sequence number."),
    (47, "InvalidProducerEpoch", "Producer attempted to produce with an old epoch."),
    (48, "InvalidTxnState", "The producer attempted a transactional operation in an invalid state."),
    (
        49,
        "InvalidPidMapping",
        "The producer attempted to use a producer id which is not currently assigned to its transactional id.",
    ),
    (
        50,
        "InvalidTxnTimeout",
        "The transaction timeout is larger than the maximum value allowed by the broker (as configured by \
         transaction.max.timeout.ms).",
    ),
    (
        51,
        "ConcurrentTransactions",
        "The producer attempted to update a transaction while another concurrent operation on the same transaction was \
         ongoing.",
    ),
    (53, "TransactionalIdAuthorization", "Transactional Id authorization failed."),
    (56, "KafkaStorage", "Disk error when trying to access log file on the disk."),
    (74, "FencedLeaderEpoch", "The leader epoch in the request is older than the epoch on the broker."),
    (75, "UnknownLeaderEpoch", "The leader epoch in the request is newer than the epoch on the broker."),
    (
        76,
        "UnsupportedCompressionType",
        "The requesting client does not support the compression type of given partition.",
    ),
    (81, "GroupMaxSizeReached", "The consumer group has reached its max size."),
    (
        82,
        "FencedInstanceId",
        "The broker rejected this static consumer since another consumer with the same group.instance.id has registered \
         with a different member.id.",
    ),
    (87, "InvalidRecord", "This record has failed the validation on broker and hence will be rejected."),
    (
        90,
        "ProducerFenced",
        "There is a newer producer with the same transactionalId which fences the current one.",
    ),
    (100, "UnknownTopicId", "This server does not host this topic ID."),
    (103, "InconsistentTopicId", "The log's topic ID did not match the topic ID in the request."),
];

impl ErrorCode {
    /// `None` for 0, which is no error.
    pub fn from_wire(code: i16) -> Option<ErrorCode> {
        (code != 0).then_some(ErrorCode(code))
    }

    /// `Err` for all codes but 0.
    ///
    /// # Errors
    /// The code.
    pub fn check(code: i16) -> Result<(), ErrorCode> {
        ErrorCode::from_wire(code).map_or(Ok(()), Err)
    }

    /// The class of Kafka's Java client.
    pub fn exception(self) -> String {
        let name =
            KNOWN.iter().find(|(code, ..)| *code == self.0).map_or("UnknownServer", |(_, name, _)| name);
        format!("org.apache.kafka.common.errors.{name}Exception")
    }

    /// What Kafka's Java client says for the code when the broker said nothing.
    pub fn message(self) -> &'static str {
        KNOWN.iter().find(|(code, ..)| *code == self.0).map_or(
            "The server experienced an unexpected error when processing the request.",
            |(.., text)| text,
        )
    }

    /// Whether the same request may succeed later.
    pub fn is_retriable(self) -> bool {
        ResponseError::try_from_code(self.0).is_some_and(|error| error.is_retriable())
    }

    /// Whether it may have come from metadata that are out of date.
    pub fn is_stale_metadata(self) -> bool {
        matches!(self.0, 3 | 5 | 6 | 9 | 56 | 72 | 74 | 75 | 100 | 103)
    }

    /// Whether another broker may be the coordinator by now.
    pub fn is_coordinator_moved(self) -> bool {
        matches!(self, ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::NOT_COORDINATOR)
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.message())
    }
}

impl std::error::Error for ErrorCode {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_javas_names_and_texts() {
        for (code, exception, retriable) in [
            (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "UnknownTopicOrPartition", true),
            (ErrorCode(6), "NotLeaderOrFollower", true),
            (ErrorCode::MESSAGE_TOO_LARGE, "RecordTooLarge", false),
            (ErrorCode(19), "NotEnoughReplicas", true),
            (ErrorCode(12345), "UnknownServer", false),
        ] {
            assert_eq!(code.exception(), format!("org.apache.kafka.common.errors.{exception}Exception"));
            assert_eq!(code.is_retriable(), retriable, "{code:?}");
        }
        assert!(KNOWN.is_sorted_by_key(|(code, ..)| *code));
        assert_eq!(ErrorCode::check(0), Ok(()));
    }
}
