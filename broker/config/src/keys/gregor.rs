//! Keys of Gregor's own; Kafka passes them over as unknown, so that one `server.properties` serves both.

use crate::definition::{ConfigKey, string};

pub(super) const KEYS: &[ConfigKey] = &[string(
    "gregor.metrics.listener",
    "",
    "Where HTTP requests for `/metrics` (Prometheus), `/healthz` and `/readyz` are answered, as `host:port`; an empty host is every address. Off if unset.",
)
.null()];
