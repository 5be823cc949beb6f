//! Listeners, sockets and connections (`SocketServerConfigs`).

use crate::definition::{ConfigKey, int, long, string};

pub(super) const KEYS: &[ConfigKey] = &[
    string(
        "listeners",
        "PLAINTEXT://:9092",
        "The addresses to listen on, as `NAME://host:port,...`; an empty host is every address.",
    )
    .high()
    .per_broker(),
    string(
        "advertised.listeners",
        "",
        "The addresses told to clients and brokers where they differ from `listeners`.",
    )
    .null()
    .high()
    .per_broker(),
    string(
        "listener.security.protocol.map",
        "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
        "Which security protocol each listener name stands for.",
    )
    .low()
    .per_broker(),
    string(
        "inter.broker.listener.name",
        "",
        "The listener that brokers use among themselves; exclusive with `security.inter.broker.protocol`.",
    )
    .null(),
    string("control.plane.listener.name", "", "A listener of its own for the controller's requests.")
        .null()
        .high(),
    string("early.start.listeners", "", "Listeners that open before the authorizer is ready.")
        .null()
        .high()
        .accepted("listeners open together, when the broker is ready"),
    int("num.network.threads", "3", "How many threads serve the sockets of each listener.")
        .at_least(1)
        .high()
        .cluster_wide()
        .accepted("tasks share one pool as large as the machine"),
    int(
        "queued.max.requests",
        "500",
        "How many requests may wait for a handler before sockets are no longer read.",
    )
    .at_least(1)
    .high()
    .accepted("a connection is not read while its request is handled, which bounds the queue"),
    long(
        "queued.max.request.bytes",
        "-1",
        "How many bytes of requests may wait before sockets are no longer read; -1 is no limit.",
    )
    .accepted("each connection reads at most one buffer ahead of the request it has in hand"),
    int(
        "socket.send.buffer.bytes",
        "102400",
        "The send buffer of accepted sockets in bytes; -1 leaves it to the operating system.",
    )
    .high(),
    int(
        "socket.receive.buffer.bytes",
        "102400",
        "The receive buffer of accepted sockets in bytes; -1 leaves it to the operating system.",
    )
    .high(),
    int("socket.request.max.bytes", "104857600", "The largest request taken, in bytes.").at_least(1).high(),
    int("socket.listen.backlog.size", "50", "How many connections may wait to be accepted.").at_least(1),
    long(
        "socket.connection.setup.timeout.ms",
        "10000",
        "How long to wait for a connection to another broker at first, in milliseconds.",
    ),
    long(
        "socket.connection.setup.timeout.max.ms",
        "30000",
        "How far that wait grows with each failure, in milliseconds.",
    )
    .accepted("the wait does not grow"),
    int("max.connections", "2147483647", "The most connections at a time; also settable per listener.")
        .at_least(0)
        .cluster_wide(),
    int("max.connections.per.ip", "2147483647", "The most connections from one address.")
        .at_least(0)
        .cluster_wide(),
    string(
        "max.connections.per.ip.overrides",
        "",
        "Other limits for single addresses or host names, as `host:count,...`.",
    )
    .cluster_wide(),
    int(
        "max.connection.creation.rate",
        "2147483647",
        "The most new connections per second; also settable per listener.",
    )
    .at_least(0)
    .cluster_wide(),
    long(
        "connections.max.idle.ms",
        "600000",
        "After how long without traffic a connection is closed, in milliseconds; negative is never.",
    ),
    int(
        "connection.failed.authentication.delay.ms",
        "100",
        "How long a failed login is held before its connection closes, in milliseconds.",
    )
    .at_least(0)
    .low()
    .accepted("no listener has a login that could fail"),
];
