//! Compaction (`CleanerConfig`).

use crate::definition::{ConfigKey, boolean, double, int, long};
use crate::validator::Validator;

pub(super) const KEYS: &[ConfigKey] = &[
    boolean("log.cleaner.enable", "true", "Whether topics with the compact policy are compacted."),
    int("log.cleaner.threads", "1", "How many partitions are compacted at a time.")
        .at_least(0)
        .cluster_wide(),
    double(
        "log.cleaner.io.max.bytes.per.second",
        "1.7976931348623157E308",
        "The most bytes per second that compaction reads and writes.",
    )
    .cluster_wide(),
    long(
        "log.cleaner.dedupe.buffer.size",
        "134217728",
        "The memory for the offset maps of all cleaner threads, in bytes.",
    )
    .cluster_wide(),
    int(
        "log.cleaner.io.buffer.size",
        "524288",
        "The memory for the read and write buffers of all cleaner threads, in bytes.",
    )
    .at_least(0)
    .cluster_wide(),
    double("log.cleaner.io.buffer.load.factor", "0.9", "How full an offset map may get.").cluster_wide(),
    long(
        "log.cleaner.backoff.ms",
        "15000",
        "How long the cleaner sleeps when nothing is to be compacted, in milliseconds.",
    )
    .at_least(0)
    .cluster_wide(),
    double(
        "log.cleaner.min.cleanable.ratio",
        "0.5",
        "How much of a log must be dirty before it is compacted.",
    )
    .valid(Validator::BetweenFractions(0.0, 1.0))
    .cluster_wide(),
    long(
        "log.cleaner.delete.retention.ms",
        "86400000",
        "How long tombstones stay after compaction, in milliseconds.",
    )
    .at_least(0)
    .cluster_wide(),
    long(
        "log.cleaner.min.compaction.lag.ms",
        "0",
        "How long a record stays uncompacted at least, in milliseconds.",
    )
    .at_least(0)
    .cluster_wide(),
    long(
        "log.cleaner.max.compaction.lag.ms",
        "9223372036854775807",
        "How long a record stays uncompacted at most, in milliseconds.",
    )
    .at_least(1)
    .cluster_wide(),
];
