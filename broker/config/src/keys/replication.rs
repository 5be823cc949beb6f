//! Replication and the controller (`ReplicationConfigs`).

use crate::definition::{ConfigKey, boolean, int, long, string};
use crate::validator::Validator;

pub(super) const KEYS: &[ConfigKey] = &[
    int("default.replication.factor", "1", "How many replicas a topic gets when nobody says."),
    string("inter.broker.protocol.version", "3.9-IV0", "The release whose formats this broker uses towards other brokers; raised last in an upgrade.").valid(Validator::KafkaVersion),
    string("security.inter.broker.protocol", "PLAINTEXT", "The security protocol between brokers; exclusive with `inter.broker.listener.name`.").one_of(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]),
    long("replica.lag.time.max.ms", "30000", "After how long a follower that has not caught up leaves the ISR, in milliseconds.").high(),
    int("replica.socket.timeout.ms", "30000", "How long a follower waits for an answer to a fetch, in milliseconds.").high().accepted("`controller.socket.timeout.ms` holds for fetches, too"),
    int("replica.socket.receive.buffer.bytes", "65536", "The receive buffer of followers' sockets, in bytes.").high().accepted("the kernel sizes the buffers of connections"),
    int("replica.fetch.max.bytes", "1048576", "The most bytes a follower asks for per partition; a first batch larger than this is still sent whole.").at_least(0),
    int("replica.fetch.response.max.bytes", "10485760", "The most bytes a follower asks for per fetch.").at_least(0),
    int("replica.fetch.wait.max.ms", "500", "How long a follower's fetch may wait for data, in milliseconds.").high(),
    int("replica.fetch.min.bytes", "1", "How many bytes a follower's fetch waits for.").high(),
    int("replica.fetch.backoff.ms", "1000", "How long a partition pauses after a failed fetch, in milliseconds.").at_least(0),
    long("replica.high.watermark.checkpoint.interval.ms", "5000", "How often high watermarks are written to disk, in milliseconds.").high(),
    string("replica.selector.class", "", "Which Java class picks the replica a consumer reads from.").null().refused_unless("Java classes cannot be loaded", &["org.apache.kafka.common.replica.LeaderSelector", "org.apache.kafka.common.replica.RackAwareReplicaSelector"]),
    int("num.replica.fetchers", "1", "How many fetchers run per leader broker.").high().cluster_wide(),
    int("num.replica.alter.log.dirs.threads", "", "How many threads move replicas between directories; one per directory if unset.").null().high(),
    int("fetch.purgatory.purge.interval.requests", "1000", "After how many finished requests the fetch purgatory is swept.").accepted("finished requests leave the purgatory at once"),
    int("producer.purgatory.purge.interval.requests", "1000", "After how many finished requests the produce purgatory is swept.").accepted("finished requests leave the purgatory at once"),
    int("delete.records.purgatory.purge.interval.requests", "1", "After how many finished requests the delete-records purgatory is swept.").accepted("finished requests leave the purgatory at once"),
    int("controller.socket.timeout.ms", "30000", "How long the controller waits for an answer of a broker, in milliseconds."),
    boolean("auto.leader.rebalance.enable", "true", "Whether leadership goes back to the preferred replicas by itself.").high(),
    int("leader.imbalance.per.broker.percentage", "10", "What share of a broker's partitions may be led elsewhere before that happens, in percent.").high(),
    long("leader.imbalance.check.interval.seconds", "300", "How often the balance of leaders is checked, in seconds.").at_least(1).high(),
    boolean("unclean.leader.election.enable", "false", "Whether a replica outside the ISR may become leader when no other is left, at the price of losing records.").high().cluster_wide(),
    long("unclean.leader.election.interval.ms", "300000", "How often a KRaft controller looks for such elections, in milliseconds.").at_least(1).internal().accepted("only KRaft has a use for it"),
];
