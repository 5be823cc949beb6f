//! What Kafka's clients call an error code (`Errors`): the exception's class, and what it says when the broker sent no words
//! of its own. Scripts look for these, so they are part of the tools' output. Pure.

/// A code's exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The class, without its package.
    pub class: &'static str,
    /// The message for a code that came without one.
    pub message: &'static str,
}

/// What codes that are not in the table become.
const UNKNOWN: Exception = Exception {
    class: "UnknownServerException",
    message: "The server experienced an unexpected error when processing the request.",
};

/// The exception for a code.
pub fn exception(code: i16) -> Exception {
    let found = TABLE.iter().find(|(known, _, _)| *known == code);
    found.map_or(UNKNOWN, |&(_, class, message)| Exception { class, message })
}

/// Codes that answers to the tools' requests can hold.
const TABLE: &[(i16, &str, &str)] = &[
    (
        1,
        "OffsetOutOfRangeException",
        "The requested offset is not within the range of offsets maintained by the server.",
    ),
    (
        2,
        "CorruptRecordException",
        "This message has failed its CRC checksum, exceeds the valid size, has a null key for a compacted topic, or is otherwise corrupt.",
    ),
    (3, "UnknownTopicOrPartitionException", "This server does not host this topic-partition."),
    (
        5,
        "LeaderNotAvailableException",
        "There is no leader for this topic-partition as we are in the middle of a leadership election.",
    ),
    (
        6,
        "NotLeaderOrFollowerException",
        "For requests intended only for the leader, this error indicates that the broker is not the current leader. For requests intended for any replica, this error indicates that the broker is not a replica of the topic partition.",
    ),
    (7, "TimeoutException", "The request timed out."),
    (8, "BrokerNotAvailableException", "The broker is not available."),
    (
        9,
        "ReplicaNotAvailableException",
        "The replica is not available for the requested topic-partition. Produce/Fetch requests and other requests intended only for the leader or follower return NOT_LEADER_OR_FOLLOWER if the broker is not a replica of the topic-partition.",
    ),
    (
        10,
        "RecordTooLargeException",
        "The request included a message larger than the max message size the server will accept.",
    ),
    (12, "OffsetMetadataTooLarge", "The metadata field of the offset request was too large."),
    (13, "NetworkException", "The server disconnected before a response was received."),
    (
        14,
        "CoordinatorLoadInProgressException",
        "The coordinator is loading and hence can't process requests.",
    ),
    (15, "CoordinatorNotAvailableException", "The coordinator is not available."),
    (16, "NotCoordinatorException", "This is not the correct coordinator."),
    (17, "InvalidTopicException", "The request attempted to perform an operation on an invalid topic."),
    (
        19,
        "NotEnoughReplicasException",
        "Messages are rejected since there are fewer in-sync replicas than required.",
    ),
    (
        20,
        "NotEnoughReplicasAfterAppendException",
        "Messages are written to the log, but to fewer in-sync replicas than required.",
    ),
    (24, "InvalidGroupIdException", "The configured groupId is invalid."),
    (25, "UnknownMemberIdException", "The coordinator is not aware of this member."),
    (29, "TopicAuthorizationException", "Topic authorization failed."),
    (30, "GroupAuthorizationException", "Group authorization failed."),
    (31, "ClusterAuthorizationException", "Cluster authorization failed."),
    (32, "InvalidTimestampException", "The timestamp of the message is out of acceptable range."),
    (33, "UnsupportedSaslMechanismException", "The broker does not support the requested SASL mechanism."),
    (35, "UnsupportedVersionException", "The version of API is not supported."),
    (36, "TopicExistsException", "Topic with this name already exists."),
    (37, "InvalidPartitionsException", "Number of partitions is below 1."),
    (
        38,
        "InvalidReplicationFactorException",
        "Replication factor is below 1 or larger than the number of available brokers.",
    ),
    (39, "InvalidReplicaAssignmentException", "Replica assignment is invalid."),
    (40, "InvalidConfigurationException", "Configuration is invalid."),
    (41, "NotControllerException", "This is not the correct controller for this cluster."),
    (
        42,
        "InvalidRequestException",
        "This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details.",
    ),
    (
        43,
        "UnsupportedForMessageFormatException",
        "The message format version on the broker does not support the request.",
    ),
    (44, "PolicyViolationException", "Request parameters do not satisfy the configured policy."),
    (47, "InvalidProducerEpochException", "Producer attempted to produce with an old epoch."),
    (48, "InvalidTxnStateException", "The producer attempted a transactional operation in an invalid state."),
    (
        49,
        "InvalidPidMappingException",
        "The producer attempted to use a producer id which is not currently assigned to its transactional id.",
    ),
    (
        50,
        "InvalidTxnTimeoutException",
        "The transaction timeout is larger than the maximum value allowed by the broker (as configured by transaction.max.timeout.ms).",
    ),
    (
        51,
        "ConcurrentTransactionsException",
        "The producer attempted to update a transaction while another concurrent operation on the same transaction was ongoing.",
    ),
    (
        52,
        "TransactionCoordinatorFencedException",
        "Indicates that the transaction coordinator sending a WriteTxnMarker is no longer the current coordinator for a given producer.",
    ),
    (53, "TransactionalIdAuthorizationException", "Transactional Id authorization failed."),
    (54, "SecurityDisabledException", "Security features are disabled."),
    (
        55,
        "OperationNotAttemptedException",
        "The broker did not attempt to execute this operation. This may happen for batched RPCs where some operations in the batch failed, causing the broker to respond without trying the rest.",
    ),
    (56, "KafkaStorageException", "Disk error when trying to access log file on the disk."),
    (57, "LogDirNotFoundException", "The user-specified log directory is not found in the broker config."),
    (58, "SaslAuthenticationException", "SASL Authentication failed."),
    (60, "ReassignmentInProgressException", "A partition reassignment is in progress."),
    (61, "DelegationTokenDisabledException", "Delegation Token feature is not enabled."),
    (62, "DelegationTokenNotFoundException", "Delegation Token is not found on server."),
    (63, "DelegationTokenOwnerMismatchException", "Specified Principal is not valid Owner/Renewer."),
    (
        64,
        "UnsupportedByAuthenticationException",
        "Delegation Token requests are not allowed on PLAINTEXT/1-way SSL channels and on delegation token authenticated channels.",
    ),
    (65, "DelegationTokenAuthorizationException", "Delegation Token authorization failed."),
    (66, "DelegationTokenExpiredException", "Delegation Token is expired."),
    (67, "InvalidPrincipalTypeException", "Supplied principalType is not supported."),
    (68, "GroupNotEmptyException", "The group is not empty."),
    (69, "GroupIdNotFoundException", "The group id does not exist."),
    (
        72,
        "ListenerNotFoundException",
        "There is no listener on the leader broker that matches the listener on which metadata request was processed.",
    ),
    (73, "TopicDeletionDisabledException", "Topic deletion is disabled."),
    (
        74,
        "FencedLeaderEpochException",
        "The leader epoch in the request is older than the epoch on the broker.",
    ),
    (
        75,
        "UnknownLeaderEpochException",
        "The leader epoch in the request is newer than the epoch on the broker.",
    ),
    (
        76,
        "UnsupportedCompressionTypeException",
        "The requesting client does not support the compression type of given partition.",
    ),
    (
        78,
        "OffsetNotAvailableException",
        "The leader high watermark has not caught up from a recent leader election so the offsets cannot be guaranteed to be monotonically increasing.",
    ),
    (80, "PreferredLeaderNotAvailableException", "The preferred leader was not available."),
    (
        82,
        "FencedInstanceIdException",
        "The broker rejected this static consumer since another consumer with the same group.instance.id has registered with a different member.id.",
    ),
    (83, "EligibleLeadersNotAvailableException", "Eligible topic partition leaders are not available."),
    (84, "ElectionNotNeededException", "Leader election not needed for topic partition."),
    (85, "NoReassignmentInProgressException", "No partition reassignment is in progress."),
    (
        86,
        "GroupSubscribedToTopicException",
        "Deleting offsets of a topic is forbidden while the consumer group is actively subscribed to it.",
    ),
    (88, "UnstableOffsetCommitException", "There are unstable offsets that need to be cleared."),
    (89, "ThrottlingQuotaExceededException", "The throttling quota has been exceeded."),
    (
        90,
        "ProducerFencedException",
        "There is a newer producer with the same transactionalId which fences the current one.",
    ),
    (91, "ResourceNotFoundException", "A request illegally referred to a resource that does not exist."),
    (92, "DuplicateResourceException", "A request illegally referred to the same resource twice."),
    (
        93,
        "UnacceptableCredentialException",
        "Requested credential would not meet criteria for acceptability.",
    ),
    (95, "InvalidUpdateVersionException", "The given update version was invalid."),
    (
        96,
        "FeatureUpdateFailedException",
        "Unable to update finalized features due to an unexpected server error.",
    ),
    (100, "UnknownTopicIdException", "This server does not host this topic ID."),
    (102, "BrokerIdNotRegisteredException", "The given broker ID was not registered."),
    (
        104,
        "InconsistentClusterIdException",
        "The clusterId in the request does not match that found on the server.",
    ),
    (105, "TransactionalIdNotFoundException", "The transactionalId could not be found."),
    (114, "MismatchedEndpointTypeException", "The request was sent to an endpoint of the wrong type."),
    (116, "UnknownControllerIdException", "This controller ID is not known."),
    (
        120,
        "TransactionAbortableException",
        "The server encountered an error with the transaction. The client can abort the transaction to continue using this transactional ID.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_exception() {
        assert!(TABLE.is_sorted_by_key(|(code, _, _)| code));
        for (code, class) in [
            (3, "UnknownTopicOrPartitionException"),
            (7, "TimeoutException"),
            (69, "GroupIdNotFoundException"),
            (-1, "UnknownServerException"),
            (9999, "UnknownServerException"),
        ] {
            assert_eq!(exception(code).class, class, "{code}");
        }
    }
}
