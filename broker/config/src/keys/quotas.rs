//! Quotas and metrics (`QuotaConfigs`, `MetricConfigs`).

use crate::definition::{ConfigKey, boolean, class, int, list, long, string};

const NO_QUOTAS: &str = "quotas of clients are kept and not enforced";

pub(super) const KEYS: &[ConfigKey] = &[
    int("quota.window.num", "11", "How many samples client quotas and rates of connections keep.")
        .at_least(1)
        .low(),
    int("quota.window.size.seconds", "1", "How many seconds each of these samples spans.").at_least(1).low(),
    int("replication.quota.window.num", "11", "How many samples replication quotas keep.").at_least(1).low(),
    int("replication.quota.window.size.seconds", "1", "How many seconds each of these samples spans.")
        .at_least(1)
        .low(),
    int(
        "alter.log.dirs.replication.quota.window.num",
        "11",
        "How many samples the quota for moves between directories keeps.",
    )
    .at_least(1)
    .low(),
    int(
        "alter.log.dirs.replication.quota.window.size.seconds",
        "1",
        "How many seconds each of these samples spans.",
    )
    .at_least(1)
    .low(),
    int("controller.quota.window.num", "11", "How many samples the quota for topic changes keeps.")
        .at_least(1)
        .low()
        .accepted(NO_QUOTAS),
    int("controller.quota.window.size.seconds", "1", "How many seconds each of these samples spans.")
        .at_least(1)
        .low()
        .accepted(NO_QUOTAS),
    class("client.quota.callback.class", "", "A Java class that computes client quotas.")
        .null()
        .low()
        .refused("Java classes cannot be loaded"),
    list("metric.reporters", "", "Java classes that are told of every metric.")
        .low()
        .cluster_wide()
        .refused_unless("Java classes cannot be loaded", &["org.apache.kafka.common.metrics.JmxReporter"]),
    int("metrics.num.samples", "2", "How many samples a metric keeps.")
        .at_least(1)
        .low()
        .accepted("metrics are exposed over HTTP"),
    long("metrics.sample.window.ms", "30000", "How long each of these samples spans, in milliseconds.")
        .at_least(1)
        .low()
        .accepted("metrics are exposed over HTTP"),
    string("metrics.recording.level", "INFO", "Which metrics are recorded.")
        .low()
        .accepted("metrics are exposed over HTTP"),
    boolean("auto.include.jmx.reporter", "true", "Whether the JMX reporter runs without being named.")
        .low()
        .accepted("metrics are exposed over HTTP"),
    list("kafka.metrics.reporters", "", "Java classes that report the Yammer metrics.")
        .low()
        .refused("Java classes cannot be loaded"),
    int("kafka.metrics.polling.interval.secs", "10", "How often those reporters poll, in seconds.")
        .at_least(1)
        .low()
        .accepted("metrics are exposed over HTTP"),
    int("telemetry.max.bytes", "1048576", "The largest telemetry push of a client, in bytes.")
        .at_least(1)
        .low()
        .accepted("only KRaft has a use for it"),
];
