//! How messages that Kafka generates from tables are laid out: fields, their versions and types. Pure data.

/// One message.
#[derive(Debug)]
pub struct Message {
    /// The versions that 3.9 reads.
    pub versions: std::ops::RangeInclusive<i16>,
    /// The first version with compact lengths and tagged fields.
    pub flexible_from: i16,
    /// Its fields, in order.
    pub fields: &'static [Field],
}

/// One field.
#[derive(Debug)]
pub struct Field {
    /// Its name, as in JSON.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// The versions that have it.
    pub versions: std::ops::RangeInclusive<i16>,
    /// Its tag, if it stands among the tagged fields. Such a field is nullable, and null if it is not there.
    pub tag: Option<u32>,
}

/// The type of a field.
#[derive(Debug)]
pub enum Kind {
    Int8,
    Int16,
    Int32,
    Int64,
    Text,
    NullableText,
    Bytes,
    NullableBytes,
    Uuid,
    Array(&'static Kind),
    NullableArray(&'static Kind),
    Struct(&'static [Field]),
}

/// No version is flexible.
pub const NEVER: i16 = i16::MAX;

const fn since(from: i16, name: &'static str, kind: Kind) -> Field {
    Field { name, kind, versions: from..=i16::MAX, tag: None }
}

const fn always(name: &'static str, kind: Kind) -> Field {
    since(0, name, kind)
}

const fn message(
    versions: std::ops::RangeInclusive<i16>,
    flexible_from: i16,
    fields: &'static [Field],
) -> Message {
    Message { versions, flexible_from, fields }
}

const fn key(version: i16, fields: &'static [Field]) -> Message {
    message(version..=version, NEVER, fields)
}

const fn value(fields: &'static [Field]) -> Message {
    message(0..=0, 0, fields)
}

const PARTITIONS: Kind = Kind::Array(&Kind::Int32);

pub const OFFSET_COMMIT_KEY: Message = message(
    0..=1,
    NEVER,
    &[always("group", Kind::Text), always("topic", Kind::Text), always("partition", Kind::Int32)],
);

pub const OFFSET_COMMIT_VALUE: Message = message(
    0..=4,
    4,
    &[
        always("offset", Kind::Int64),
        since(3, "leaderEpoch", Kind::Int32),
        always("metadata", Kind::Text),
        always("commitTimestamp", Kind::Int64),
        Field { name: "expireTimestamp", kind: Kind::Int64, versions: 1..=1, tag: None },
    ],
);

pub const GROUP_METADATA_KEY: Message = key(2, &[always("group", Kind::Text)]);

pub const GROUP_METADATA_VALUE: Message = message(
    0..=4,
    4,
    &[
        always("protocolType", Kind::Text),
        always("generation", Kind::Int32),
        always("protocol", Kind::NullableText),
        always("leader", Kind::NullableText),
        since(2, "currentStateTimestamp", Kind::Int64),
        always(
            MEMBERS,
            Kind::Array(&Kind::Struct(&[
                always("memberId", Kind::Text),
                since(3, "groupInstanceId", Kind::NullableText),
                always("clientId", Kind::Text),
                always("clientHost", Kind::Text),
                since(1, "rebalanceTimeout", Kind::Int32),
                always("sessionTimeout", Kind::Int32),
                always(SUBSCRIPTION, Kind::Bytes),
                always(ASSIGNMENT, Kind::Bytes),
            ])),
        ),
    ],
);

/// The members of a group.
pub const MEMBERS: &str = "members";
/// What a member asks for; laid out by [`CONSUMER_SUBSCRIPTION`] in groups of consumers.
pub const SUBSCRIPTION: &str = "subscription";
/// What it was given; laid out by [`CONSUMER_ASSIGNMENT`] in groups of consumers.
pub const ASSIGNMENT: &str = "assignment";

const TOPIC_PARTITIONS: Kind =
    Kind::Array(&Kind::Struct(&[always("topic", Kind::Text), always("partitions", PARTITIONS)]));

pub const CONSUMER_SUBSCRIPTION: Message = message(
    0..=3,
    NEVER,
    &[
        always("topics", Kind::Array(&Kind::Text)),
        always("userData", Kind::NullableBytes),
        since(1, "ownedPartitions", TOPIC_PARTITIONS),
        since(2, "generationId", Kind::Int32),
        since(3, "rackId", Kind::NullableText),
    ],
);

pub const CONSUMER_ASSIGNMENT: Message = message(
    0..=3,
    NEVER,
    &[always("assignedPartitions", TOPIC_PARTITIONS), always("userData", Kind::NullableBytes)],
);

const GROUP_ID: Field = always("groupId", Kind::Text);
const MEMBER_ID: Field = always("memberId", Kind::Text);
const TOPIC_ID_PARTITIONS: Kind =
    Kind::Array(&Kind::Struct(&[always("topicId", Kind::Uuid), always("partitions", PARTITIONS)]));

pub const CONSUMER_GROUP_METADATA_KEY: Message = key(3, &[GROUP_ID]);
pub const CONSUMER_GROUP_METADATA_VALUE: Message = value(&[always("epoch", Kind::Int32)]);

pub const CONSUMER_GROUP_PARTITION_METADATA_KEY: Message = key(4, &[GROUP_ID]);
pub const CONSUMER_GROUP_PARTITION_METADATA_VALUE: Message = value(&[always(
    "topics",
    Kind::Array(&Kind::Struct(&[
        always("topicId", Kind::Uuid),
        always("topicName", Kind::Text),
        always("numPartitions", Kind::Int32),
        always(
            "partitionMetadata",
            Kind::Array(&Kind::Struct(&[
                always("partition", Kind::Int32),
                always("racks", Kind::Array(&Kind::Text)),
            ])),
        ),
    ])),
)]);

pub const CONSUMER_GROUP_MEMBER_METADATA_KEY: Message = key(5, &[GROUP_ID, MEMBER_ID]);
pub const CONSUMER_GROUP_MEMBER_METADATA_VALUE: Message = value(&[
    always("instanceId", Kind::NullableText),
    always("rackId", Kind::NullableText),
    always("clientId", Kind::Text),
    always("clientHost", Kind::Text),
    always("subscribedTopicNames", Kind::Array(&Kind::Text)),
    always("subscribedTopicRegex", Kind::NullableText),
    always("rebalanceTimeoutMs", Kind::Int32),
    always("serverAssignor", Kind::NullableText),
    Field {
        name: "classicMemberMetadata",
        kind: Kind::Struct(&[
            always("sessionTimeoutMs", Kind::Int32),
            always(
                "supportedProtocols",
                Kind::Array(&Kind::Struct(&[always("name", Kind::Text), always("metadata", Kind::Bytes)])),
            ),
        ]),
        versions: 0..=i16::MAX,
        tag: Some(0),
    },
]);

pub const CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA_KEY: Message = key(6, &[GROUP_ID]);
pub const CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA_VALUE: Message =
    value(&[always("assignmentEpoch", Kind::Int32)]);

pub const CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER_KEY: Message = key(7, &[GROUP_ID, MEMBER_ID]);
pub const CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER_VALUE: Message =
    value(&[always("topicPartitions", TOPIC_ID_PARTITIONS)]);

pub const CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT_KEY: Message = key(8, &[GROUP_ID, MEMBER_ID]);
pub const CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT_VALUE: Message = value(&[
    always("memberEpoch", Kind::Int32),
    always("previousMemberEpoch", Kind::Int32),
    always("state", Kind::Int8),
    always("assignedPartitions", TOPIC_ID_PARTITIONS),
    always("partitionsPendingRevocation", TOPIC_ID_PARTITIONS),
]);

pub const TRANSACTION_LOG_KEY: Message = key(0, &[always("transactionalId", Kind::Text)]);
pub const TRANSACTION_LOG_VALUE: Message = message(
    0..=1,
    1,
    &[
        always("producerId", Kind::Int64),
        always("producerEpoch", Kind::Int16),
        always("transactionTimeoutMs", Kind::Int32),
        always("transactionStatus", Kind::Int8),
        always(
            "transactionPartitions",
            Kind::NullableArray(&Kind::Struct(&[
                always("topic", Kind::Text),
                always("partitionIds", PARTITIONS),
            ])),
        ),
        always("transactionLastUpdateTimestampMs", Kind::Int64),
        always("transactionStartTimestampMs", Kind::Int64),
    ],
);

/// Key and value of the records of `__consumer_offsets`, by the key's version (`CoordinatorRecordSerde`).
pub fn of_group_topic(key_version: i16) -> Option<(&'static Message, &'static Message)> {
    Some(match key_version {
        0 | 1 => (&OFFSET_COMMIT_KEY, &OFFSET_COMMIT_VALUE),
        2 => (&GROUP_METADATA_KEY, &GROUP_METADATA_VALUE),
        3 => (&CONSUMER_GROUP_METADATA_KEY, &CONSUMER_GROUP_METADATA_VALUE),
        4 => (&CONSUMER_GROUP_PARTITION_METADATA_KEY, &CONSUMER_GROUP_PARTITION_METADATA_VALUE),
        5 => (&CONSUMER_GROUP_MEMBER_METADATA_KEY, &CONSUMER_GROUP_MEMBER_METADATA_VALUE),
        6 => {
            (&CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA_KEY, &CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA_VALUE)
        }
        7 => (&CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER_KEY, &CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER_VALUE),
        8 => (&CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT_KEY, &CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT_VALUE),
        _ => return None,
    })
}
