//! Changes of configurations that neither cluster makes.

use super::configs::{APPEND, BROKER, Changes, DELETE, SET, SUBTRACT, TOPIC, change, replace};
use super::pair::Pair;

const OF_A_TOPIC: &[Changes<'static>] = &[
    &[("retention.ms", SET, Some("-2"))],
    &[("retention.ms", SET, Some("x"))],
    &[("retention.ms", SET, Some(""))],
    &[("retention.ms", SET, None)],
    &[("retention.ms", SET, None), ("segment.ms", APPEND, None), ("flush.ms", DELETE, None)],
    &[("retention.ms", SET, Some("1")), ("retention.ms", DELETE, None)],
    &[("no.such.key", SET, Some("1"))],
    &[("no.such.key", DELETE, None)],
    &[("no.such.key", APPEND, Some("1"))],
    &[("no.such.key", SUBTRACT, Some("1"))],
    &[("retention.ms", APPEND, Some("1"))],
    &[("retention.ms", SUBTRACT, Some("1"))],
    &[("retention.ms", 4, Some("1"))],
    &[("retention.ms", -1, Some("1"))],
    &[("cleanup.policy", SET, Some("shred"))],
    &[("cleanup.policy", SET, Some("compact,shred"))],
    &[("cleanup.policy", APPEND, Some("shred"))],
    &[("min.cleanable.dirty.ratio", SET, Some("1.5"))],
    &[("min.cleanable.dirty.ratio", SET, Some("-0.5"))],
    &[("compression.type", SET, Some("rar"))],
    &[("compression.gzip.level", SET, Some("0"))],
    &[("compression.zstd.level", SET, Some("23"))],
    &[("message.format.version", SET, Some("9.9"))],
    &[("message.format.version", SET, Some("2.8"))],
    &[("segment.bytes", SET, Some("13"))],
    &[("segment.bytes", SET, Some("99999999999"))],
    &[("preallocate", SET, Some("yes"))],
    &[("min.compaction.lag.ms", SET, Some("9")), ("max.compaction.lag.ms", SET, Some("8"))],
    &[("remote.storage.enable", SET, Some("true"))],
    &[("remote.log.copy.disable", SET, Some("true"))],
    &[("remote.log.delete.on.disable", SET, Some("true"))],
    &[("local.retention.ms", SET, Some("-3"))],
    &[("local.retention.ms", SET, Some("900000000"))],
    &[("local.retention.bytes", SET, Some("5"))],
    &[("leader.replication.throttled.replicas", SET, Some("a:b"))],
    &[("leader.replication.throttled.replicas", APPEND, Some("*"))],
    &[("log.retention.ms", SET, Some("1"))],
    &[],
];

/// The broker's name, or none for all of them.
const OF_BROKERS: &[(&str, Changes<'static>)] = &[
    ("0", &[("log.dirs", SET, Some("/tmp"))]),
    ("0", &[("log.dirs", SET, Some("/tmp")), ("broker.id", SET, Some("5"))]),
    ("0", &[("log.dirs", DELETE, None)]),
    ("", &[("zookeeper.connect", SET, Some("x:1"))]),
    ("0", &[("num.io.threads", SET, Some("0"))]),
    ("0", &[("num.io.threads", SET, Some("1"))]),
    ("0", &[("num.io.threads", SET, Some("9"))]),
    ("", &[("num.io.threads", SET, Some("100"))]),
    ("0", &[("num.network.threads", SET, Some("100"))]),
    ("0", &[("num.replica.fetchers", SET, Some("5"))]),
    ("0", &[("background.threads", SET, Some("21"))]),
    ("0", &[("num.recovery.threads.per.data.dir", SET, Some("3"))]),
    ("0", &[("log.cleaner.threads", SET, Some("3"))]),
    ("0", &[("log.cleaner.threads", SET, Some("0"))]),
    ("0", &[("log.cleaner.dedupe.buffer.size", SET, Some("1000"))]),
    ("0", &[("ssl.keystore.location", SET, Some("/a"))]),
    ("", &[("ssl.keystore.location", SET, Some("/a"))]),
    ("", &[("listener.name.plaintext.ssl.keystore.location", SET, Some("/a"))]),
    ("0", &[("listener.name.plaintext.ssl.keystore.password", SET, Some("hush"))]),
    ("", &[("listener.name.plaintext.ssl.keystore.password", SET, Some("hush"))]),
    ("", &[("sasl.jaas.config", SET, Some("hush"))]),
    ("", &[("listeners", SET, Some("PLAINTEXT://:1"))]),
    ("0", &[("listeners", SET, Some("EXTERNAL://:1"))]),
    ("0", &[("advertised.listeners", SET, Some("OTHER://a:1"))]),
    ("0", &[("listener.security.protocol.map", SET, Some("PLAINTEXT:SSL"))]),
    ("0", &[("log.retention.ms", SET, Some("0"))]),
    ("0", &[("log.retention.ms", SET, Some("-2"))]),
    ("0", &[("log.retention.ms", SET, Some("abc"))]),
    ("0", &[("log.retention.ms", SET, None)]),
    ("0", &[("log.retention.ms", APPEND, Some("1"))]),
    ("0", &[("log.retention.hours", SET, Some("1"))]),
    ("0", &[("log.roll.ms", SET, Some("0"))]),
    ("0", &[("log.cleanup.policy", APPEND, Some("compact"))]),
    ("0", &[("log.cleanup.policy", SUBTRACT, Some("delete"))]),
    ("0", &[("log.cleanup.policy", SET, Some("x"))]),
    ("0", &[("max.connections.per.ip", SET, Some("0"))]),
    ("0", &[("max.connections.per.ip.overrides", SET, Some("nonsense"))]),
    ("0", &[("max.connections.per.ip.overrides", SET, Some("127.0.0.1:5"))]),
    ("0", &[("max.connections", SET, Some("-1"))]),
    ("0", &[("listener.name.plaintext.max.connections", SET, Some("-1"))]),
    ("0", &[("listener.name.plaintext.num.network.threads", SET, Some("50"))]),
    ("0", &[("message.max.bytes", SET, Some("-5"))]),
    ("0", &[("min.insync.replicas", SET, Some("0"))]),
    ("0", &[("compression.type", SET, Some("rar"))]),
    ("0", &[("log.message.timestamp.type", SET, Some("Now"))]),
    ("0", &[("metric.reporters", SET, Some("no.such.Class"))]),
    ("0", &[("leader.replication.throttled.rate", SET, Some("-1"))]),
    ("0", &[("producer.id.expiration.ms", SET, Some("0"))]),
    ("0", &[("sasl.enabled.mechanisms", SET, Some("PLAIN"))]),
    ("0", &[("remote.log.index.file.cache.total.size.bytes", SET, Some("0"))]),
    ("0", &[("log.local.retention.ms", SET, Some("999999999999"))]),
    ("0", &[("log.local.retention.bytes", SET, Some("-3"))]),
    ("0", &[("plugin.any", APPEND, Some("1"))]),
    ("1", &[("log.retention.ms", SET, Some("5"))]),
    ("x", &[("log.retention.ms", SET, Some("5"))]),
    ("0", &[("log.retention.ms", 9, Some("5"))]),
    ("0", &[]),
];

/// Asks for each, incrementally and as a replacement, only to be checked.
pub async fn compare(pair: &mut Pair) {
    let topics = OF_A_TOPIC.iter().map(|changes| (TOPIC, "orders", *changes));
    let brokers = OF_BROKERS.iter().map(|(name, changes)| (BROKER, *name, *changes));
    for (number, (kind, name, changes)) in topics.chain(brokers).enumerate() {
        let request = change(kind, name, changes).with_validate_only(true);
        let question = format!("IncrementalAlterConfigs refused {number} {name:?} {changes:?}");
        pair.ask(&question, 1, &request).await;
        let configs: Vec<(&str, Option<&str>)> =
            changes.iter().map(|(key, _, value)| (*key, *value)).collect();
        let request = replace(kind, name, &configs).with_validate_only(true);
        pair.ask(&format!("AlterConfigs refused {number} {name:?} {configs:?}"), 2, &request).await;
    }
    resources(pair).await;
}

/// Resources that are none, or come twice.
async fn resources(pair: &mut Pair) {
    for (kind, name) in [
        (TOPIC, "nowhere"),
        (TOPIC, ""),
        (TOPIC, "bad/name"),
        (0, "x"),
        (3, "0"),
        (16, "metrics"),
        (32, "group"),
    ] {
        let changes = [("retention.ms", SET, Some("5"))];
        pair.ask(&format!("IncrementalAlterConfigs of {kind} {name:?}"), 1, &change(kind, name, &changes))
            .await;
        pair.ask(
            &format!("AlterConfigs of {kind} {name:?}"),
            2,
            &replace(kind, name, &[("retention.ms", Some("5"))]),
        )
        .await;
    }
    let mut twice = change(TOPIC, "orders", &[("flush.ms", SET, Some("5"))]);
    twice.resources.extend(change(TOPIC, "orders", &[("flush.ms", SET, Some("6"))]).resources);
    twice.resources.extend(change(TOPIC, "nowhere", &[("flush.ms", SET, Some("6"))]).resources);
    pair.ask("IncrementalAlterConfigs of a topic twice", 1, &twice).await;
    // AlterConfigs of a topic twice is not asked: Kafka never answers.
}
