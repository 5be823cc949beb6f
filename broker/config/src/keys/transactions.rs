//! Transactions (`TransactionStateManagerConfigs`, `TransactionLogConfigs`).

use crate::definition::{ConfigKey, boolean, int, short};

pub(super) const KEYS: &[ConfigKey] = &[
    int(
        "transactional.id.expiration.ms",
        "604800000",
        "After how long without use a transactional id is forgotten, in milliseconds.",
    )
    .at_least(1)
    .high(),
    int(
        "transaction.max.timeout.ms",
        "900000",
        "The longest transaction timeout a producer may ask for, in milliseconds.",
    )
    .at_least(1)
    .high(),
    int(
        "transaction.state.log.num.partitions",
        "50",
        "How many partitions the topic of transaction states gets; never change it later.",
    )
    .at_least(1)
    .high(),
    short(
        "transaction.state.log.replication.factor",
        "3",
        "How many replicas the topic of transaction states gets.",
    )
    .at_least(1)
    .high(),
    int(
        "transaction.state.log.min.isr",
        "2",
        "How many replicas of that topic must have a record before it counts.",
    )
    .at_least(1)
    .high(),
    int("transaction.state.log.segment.bytes", "104857600", "The segment size of that topic, in bytes.")
        .at_least(1)
        .high(),
    int(
        "transaction.state.log.load.buffer.size",
        "5242880",
        "How many bytes at a time transaction states are loaded with.",
    )
    .at_least(1)
    .high(),
    int(
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        "10000",
        "How often transactions are checked for their timeout, in milliseconds.",
    )
    .at_least(1)
    .low(),
    int(
        "transaction.remove.expired.transaction.cleanup.interval.ms",
        "3600000",
        "How often transactional ids are checked for expiry, in milliseconds.",
    )
    .at_least(1)
    .low(),
    boolean(
        "transaction.partition.verification.enable",
        "true",
        "Whether a transactional write is checked with the coordinator first.",
    )
    .low()
    .cluster_wide(),
];
