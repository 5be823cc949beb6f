//! Tiered storage (`RemoteLogManagerConfig`): off in ZooKeeper mode, so all but the switch is without effect.

use crate::definition::{ConfigKey, boolean, double, int, long, string};
use crate::validator::Validator;

pub(super) const KEYS: &[ConfigKey] = &[
    boolean("remote.log.storage.system.enable", "false", "Whether tiered storage is on.").refused("Gregor has no tiered storage"),
    string("remote.log.storage.manager.class.name", "", "The Java class that stores segments remotely.").null().valid(Validator::NonEmpty).accepted("tiered storage is off"),
    string("remote.log.storage.manager.class.path", "", "Where that class is found.").null().accepted("tiered storage is off"),
    string("remote.log.storage.manager.impl.prefix", "rsm.config.", "The prefix of the keys that class is given.").valid(Validator::NonEmpty).accepted("tiered storage is off"),
    string("remote.log.metadata.manager.class.name", "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager", "The Java class that keeps the metadata of remote segments.").valid(Validator::NonEmpty).accepted("tiered storage is off"),
    string("remote.log.metadata.manager.class.path", "", "Where that class is found.").null().accepted("tiered storage is off"),
    string("remote.log.metadata.manager.impl.prefix", "rlmm.config.", "The prefix of the keys that class is given.").valid(Validator::NonEmpty).accepted("tiered storage is off"),
    string("remote.log.metadata.manager.listener.name", "", "The listener that class uses.").null().valid(Validator::NonEmpty).accepted("tiered storage is off"),
    int("remote.log.metadata.custom.metadata.max.bytes", "128", "The most bytes of own metadata a remote segment may have.").at_least(0).low().accepted("tiered storage is off"),
    long("remote.log.index.file.cache.total.size.bytes", "1073741824", "How many bytes of remote indexes are cached.").at_least(1).low().cluster_wide().accepted("tiered storage is off"),
    int("remote.log.manager.thread.pool.size", "10", "How many threads serve remote segments.").at_least(1).accepted("tiered storage is off"),
    int("remote.log.manager.copier.thread.pool.size", "-1", "How many threads copy segments away.").valid(Validator::MinusOneOrAtLeastOne).accepted("tiered storage is off"),
    int("remote.log.manager.expiration.thread.pool.size", "-1", "How many threads delete remote segments.").valid(Validator::MinusOneOrAtLeastOne).accepted("tiered storage is off"),
    long("remote.log.manager.task.interval.ms", "30000", "How often remote tasks run, in milliseconds.").at_least(1).low().accepted("tiered storage is off"),
    long("remote.log.manager.task.retry.backoff.ms", "500", "The first pause after a failed remote task, in milliseconds.").at_least(1).low().internal().accepted("tiered storage is off"),
    long("remote.log.manager.task.retry.backoff.max.ms", "30000", "The longest pause after a failed remote task, in milliseconds.").at_least(1).low().internal().accepted("tiered storage is off"),
    double("remote.log.manager.task.retry.jitter", "0.2", "How much chance is added to those pauses.").valid(Validator::BetweenFractions(0.0, 0.5)).low().internal().accepted("tiered storage is off"),
    long("remote.log.manager.copy.max.bytes.per.second", "9223372036854775807", "The most bytes per second copied away.").at_least(1).cluster_wide().accepted("tiered storage is off"),
    int("remote.log.manager.copy.quota.window.num", "11", "How many samples that quota keeps.").at_least(1).accepted("tiered storage is off"),
    int("remote.log.manager.copy.quota.window.size.seconds", "1", "How many seconds each of these samples spans.").at_least(1).accepted("tiered storage is off"),
    long("remote.log.manager.fetch.max.bytes.per.second", "9223372036854775807", "The most bytes per second read from remote segments.").at_least(1).cluster_wide().accepted("tiered storage is off"),
    int("remote.log.manager.fetch.quota.window.num", "11", "How many samples that quota keeps.").at_least(1).accepted("tiered storage is off"),
    int("remote.log.manager.fetch.quota.window.size.seconds", "1", "How many seconds each of these samples spans.").at_least(1).accepted("tiered storage is off"),
    int("remote.log.reader.threads", "10", "How many threads read remote segments.").at_least(1).accepted("tiered storage is off"),
    int("remote.log.reader.max.pending.tasks", "100", "How many remote reads may wait.").at_least(1).accepted("tiered storage is off"),
    int("remote.fetch.max.wait.ms", "500", "How long a fetch waits for remote data, in milliseconds.").at_least(1).cluster_wide().accepted("tiered storage is off"),
    long("log.local.retention.ms", "-2", "How long a tiered segment stays on local disk, in milliseconds; -2 is as long as the topic keeps records.").at_least(-2).cluster_wide().accepted("tiered storage is off"),
    long("log.local.retention.bytes", "-2", "How many bytes of a tiered partition stay on local disk; -2 is as many as the topic keeps.").at_least(-2).cluster_wide().accepted("tiered storage is off"),
];
