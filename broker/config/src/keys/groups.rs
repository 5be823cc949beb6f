//! Consumer groups and their offsets (`GroupCoordinatorConfig`).

use crate::definition::{ConfigKey, boolean, int, list, long, short, string};
use crate::validator::Validator;

pub(super) const KEYS: &[ConfigKey] = &[
    int("group.min.session.timeout.ms", "6000", "The shortest session timeout a group member may ask for, in milliseconds."),
    int("group.max.session.timeout.ms", "1800000", "The longest session timeout a group member may ask for, in milliseconds."),
    int("group.initial.rebalance.delay.ms", "3000", "How long an empty group waits for more members before its first rebalance, in milliseconds."),
    int("group.max.size", "2147483647", "The most members of a group.").at_least(1),
    list("group.coordinator.rebalance.protocols", "classic", "Which rebalance protocols are offered; ZooKeeper mode has the classic one.").one_of(&["consumer", "classic", "share", "unknown"]),
    int("group.coordinator.threads", "1", "How many threads the newer group coordinator has.").at_least(1).accepted("ZooKeeper mode has the classic coordinator"),
    int("group.coordinator.append.linger.ms", "10", "How long the newer group coordinator gathers records before it writes, in milliseconds.").at_least(0).accepted("ZooKeeper mode has the classic coordinator"),
    boolean("group.coordinator.new.enable", "false", "Whether the newer group coordinator is used.").internal().accepted("ZooKeeper mode has the classic coordinator"),
    int("group.consumer.session.timeout.ms", "45000", "The session timeout of members of the newer consumer protocol, in milliseconds.").at_least(1),
    int("group.consumer.min.session.timeout.ms", "45000", "The shortest of those session timeouts, in milliseconds.").at_least(1).accepted("groups have no configurations of their own beside ZooKeeper"),
    int("group.consumer.max.session.timeout.ms", "60000", "The longest of those session timeouts, in milliseconds.").at_least(1).accepted("groups have no configurations of their own beside ZooKeeper"),
    int("group.consumer.heartbeat.interval.ms", "5000", "The heartbeat interval of the newer consumer protocol, in milliseconds.").at_least(1),
    int("group.consumer.min.heartbeat.interval.ms", "5000", "The shortest of those intervals, in milliseconds.").at_least(1).accepted("groups have no configurations of their own beside ZooKeeper"),
    int("group.consumer.max.heartbeat.interval.ms", "15000", "The longest of those intervals, in milliseconds.").at_least(1).accepted("groups have no configurations of their own beside ZooKeeper"),
    int("group.consumer.max.size", "2147483647", "The most members of a group of the newer consumer protocol.").at_least(1),
    list("group.consumer.assignors", "org.apache.kafka.coordinator.group.assignor.UniformAssignor,org.apache.kafka.coordinator.group.assignor.RangeAssignor", "Who assigns partitions in the newer consumer protocol, by Kafka's class names; the first is the default.").one_of(&["org.apache.kafka.coordinator.group.assignor.UniformAssignor", "org.apache.kafka.coordinator.group.assignor.RangeAssignor"]),
    string("group.consumer.migration.policy", "disabled", "Which conversions between classic and newer groups are allowed.").valid(Validator::OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"])).internal(),
    int("offset.metadata.max.bytes", "4096", "The longest text a client may keep with a committed offset, in bytes.").high(),
    int("offsets.load.buffer.size", "5242880", "How many bytes at a time committed offsets are loaded with.").at_least(1).high(),
    short("offsets.topic.replication.factor", "3", "How many replicas the topic of committed offsets gets.").at_least(1).high(),
    int("offsets.topic.num.partitions", "50", "How many partitions the topic of committed offsets gets; never change it later.").at_least(1).high(),
    int("offsets.topic.segment.bytes", "104857600", "The segment size of the topic of committed offsets, in bytes.").at_least(1).high(),
    int("offsets.topic.compression.codec", "0", "The codec of the topic of committed offsets: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.").high(),
    int("offsets.retention.minutes", "10080", "How many minutes committed offsets outlive an empty group.").at_least(1).high(),
    long("offsets.retention.check.interval.ms", "600000", "How often committed offsets are checked for that, in milliseconds.").at_least(1).high(),
    int("offsets.commit.timeout.ms", "5000", "How long a commit waits for its replicas, in milliseconds.").at_least(1).high(),
    short("offsets.commit.required.acks", "-1", "How many replicas a commit waits for; -1 is the whole ISR. Deprecated.").high(),
];
