//! KRaft and share groups: checked, then without effect, as in a Kafka broker in ZooKeeper mode (`KRaftConfigs`).

use crate::definition::{ConfigKey, boolean, int, list, long, short, string};

pub(super) const KEYS: &[ConfigKey] = &[
    list("process.roles", "", "The roles of a KRaft server; empty is ZooKeeper mode.")
        .one_of(&["broker", "controller"])
        .high()
        .refused("Gregor has ZooKeeper mode only"),
    string("controller.listener.names", "", "The listeners of KRaft controllers.")
        .null()
        .high()
        .accepted("only KRaft has a use for it"),
    list("controller.quorum.voters", "", "The voters of a KRaft quorum.")
        .high()
        .accepted("only KRaft has a use for it"),
    list("controller.quorum.bootstrap.servers", "", "Where a KRaft quorum is found.")
        .high()
        .accepted("only KRaft has a use for it"),
    int(
        "controller.quorum.election.timeout.ms",
        "1000",
        "When a KRaft voter calls an election, in milliseconds.",
    )
    .high()
    .accepted("only KRaft has a use for it"),
    int(
        "controller.quorum.election.backoff.max.ms",
        "1000",
        "The longest pause between KRaft elections, in milliseconds.",
    )
    .high()
    .accepted("only KRaft has a use for it"),
    int(
        "controller.quorum.fetch.timeout.ms",
        "2000",
        "When a KRaft voter without fetches steps down or stands for election, in milliseconds.",
    )
    .high()
    .accepted("only KRaft has a use for it"),
    int(
        "controller.quorum.request.timeout.ms",
        "2000",
        "How long KRaft servers wait for an answer, in milliseconds.",
    )
    .accepted("only KRaft has a use for it"),
    int(
        "controller.quorum.retry.backoff.ms",
        "20",
        "The pause between tries of KRaft requests, in milliseconds.",
    )
    .low()
    .accepted("only KRaft has a use for it"),
    int(
        "controller.quorum.append.linger.ms",
        "25",
        "How long a KRaft leader gathers records, in milliseconds.",
    )
    .accepted("only KRaft has a use for it"),
    string("metadata.log.dir", "", "The directory of the KRaft metadata log.")
        .null()
        .high()
        .accepted("only KRaft has a use for it"),
    long(
        "metadata.log.max.record.bytes.between.snapshots",
        "20971520",
        "After how many bytes a KRaft snapshot is taken.",
    )
    .at_least(1)
    .high()
    .accepted("only KRaft has a use for it"),
    long(
        "metadata.log.max.snapshot.interval.ms",
        "3600000",
        "After how long a KRaft snapshot is taken, in milliseconds.",
    )
    .at_least(0)
    .high()
    .accepted("only KRaft has a use for it"),
    int("metadata.log.segment.bytes", "1073741824", "The segment size of the KRaft metadata log, in bytes.")
        .at_least(12)
        .high()
        .accepted("only KRaft has a use for it"),
    int(
        "metadata.log.segment.min.bytes",
        "8388608",
        "The smallest segment size of the KRaft metadata log, in bytes.",
    )
    .at_least(12)
    .high()
    .internal()
    .accepted("only KRaft has a use for it"),
    long(
        "metadata.log.segment.ms",
        "604800000",
        "After how long a segment of the KRaft metadata log is rolled, in milliseconds.",
    )
    .high()
    .accepted("only KRaft has a use for it"),
    int("metadata.max.idle.interval.ms", "500", "How often an idle KRaft leader writes, in milliseconds.")
        .at_least(0)
        .low()
        .accepted("only KRaft has a use for it"),
    long("metadata.max.retention.bytes", "104857600", "How large the KRaft metadata log may grow, in bytes.")
        .high()
        .accepted("only KRaft has a use for it"),
    long(
        "metadata.max.retention.ms",
        "604800000",
        "How long the KRaft metadata log is kept, in milliseconds.",
    )
    .high()
    .accepted("only KRaft has a use for it"),
    int(
        "broker.heartbeat.interval.ms",
        "2000",
        "How often a KRaft broker tells the controller that it lives, in milliseconds.",
    )
    .accepted("only KRaft has a use for it"),
    int(
        "broker.session.timeout.ms",
        "9000",
        "After how long without that a KRaft broker is fenced, in milliseconds.",
    )
    .accepted("only KRaft has a use for it"),
    int(
        "initial.broker.registration.timeout.ms",
        "60000",
        "How long a KRaft broker tries to register, in milliseconds.",
    )
    .accepted("only KRaft has a use for it"),
    boolean("eligible.leader.replicas.enable", "false", "Whether KRaft keeps eligible leader replicas.")
        .high()
        .accepted("only KRaft has a use for it"),
    boolean("group.share.enable", "false", "Whether share groups are offered.")
        .internal()
        .accepted("only KRaft has a use for it"),
    int("group.share.delivery.count.limit", "5", "How often a share group delivers a record.")
        .between(2, 10)
        .accepted("only KRaft has a use for it"),
    int(
        "group.share.heartbeat.interval.ms",
        "5000",
        "The heartbeat interval of share group members, in milliseconds.",
    )
    .at_least(1)
    .accepted("only KRaft has a use for it"),
    int("group.share.min.heartbeat.interval.ms", "5000", "The shortest of those intervals, in milliseconds.")
        .at_least(1)
        .accepted("only KRaft has a use for it"),
    int("group.share.max.heartbeat.interval.ms", "15000", "The longest of those intervals, in milliseconds.")
        .at_least(1)
        .accepted("only KRaft has a use for it"),
    int(
        "group.share.session.timeout.ms",
        "45000",
        "The session timeout of share group members, in milliseconds.",
    )
    .at_least(1)
    .accepted("only KRaft has a use for it"),
    int("group.share.min.session.timeout.ms", "45000", "The shortest of those timeouts, in milliseconds.")
        .at_least(1)
        .accepted("only KRaft has a use for it"),
    int("group.share.max.session.timeout.ms", "60000", "The longest of those timeouts, in milliseconds.")
        .at_least(1)
        .accepted("only KRaft has a use for it"),
    short("group.share.max.groups", "10", "The most share groups.")
        .between(1, 100)
        .accepted("only KRaft has a use for it"),
    short("group.share.max.size", "200", "The most members of a share group.")
        .between(10, 1000)
        .accepted("only KRaft has a use for it"),
    int("group.share.partition.max.record.locks", "200", "The most records locked per share partition.")
        .between(100, 10000)
        .accepted("only KRaft has a use for it"),
    int(
        "group.share.record.lock.duration.ms",
        "30000",
        "How long a record stays locked for a share consumer, in milliseconds.",
    )
    .between(1000, 60000)
    .accepted("only KRaft has a use for it"),
    int("group.share.min.record.lock.duration.ms", "15000", "The shortest of those locks, in milliseconds.")
        .between(1000, 30000)
        .accepted("only KRaft has a use for it"),
    int("group.share.max.record.lock.duration.ms", "60000", "The longest of those locks, in milliseconds.")
        .between(30000, 3600000)
        .accepted("only KRaft has a use for it"),
];
