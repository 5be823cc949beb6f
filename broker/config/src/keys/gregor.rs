//! Keys of Gregor's own; Kafka passes them over as unknown, so that one `server.properties` serves both.

use crate::definition::{ConfigKey, int, string};

pub(super) const KEYS: &[ConfigKey] = &[
    string(
        "gregor.metrics.listener",
        "",
        "Where HTTP requests for `/metrics` (Prometheus), `/healthz` and `/readyz` are answered, as `host:port`; an empty host is every address. Off if unset.",
    )
    .null(),
    int(
        "gregor.controller.refusal.timeout.ms",
        "1000",
        "How long a broker that was connected to must refuse connections until it counts as gone and is replaced, as leader or as controller, without waiting for the end of its ZooKeeper session, in milliseconds. Leaders only as long as fewer brokers refuse than answer. 0 to wait for ZooKeeper as Kafka does.",
    )
    .at_least(0),
];
