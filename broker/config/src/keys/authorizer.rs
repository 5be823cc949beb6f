//! Keys the authorizer reads from `server.properties`; they are in no table of Kafka's broker.

use crate::definition::{ConfigKey, boolean, int, string};

pub(super) const KEYS: &[ConfigKey] = &[
    string("super.users", "", "Principals that may do everything, as `User:a;User:b`."),
    boolean(
        "allow.everyone.if.no.acl.found",
        "false",
        "Whether a resource without any ACL is open to everyone.",
    ),
    string("authorizer.zookeeper.url", "", "Another ZooKeeper for the ACLs.").null(),
    int(
        "authorizer.zookeeper.connection.timeout.ms",
        "0",
        "How long to wait for its first connection, in milliseconds.",
    )
    .null(),
    int(
        "authorizer.zookeeper.session.timeout.ms",
        "0",
        "The session timeout of that ZooKeeper, in milliseconds.",
    )
    .null(),
    int(
        "authorizer.zookeeper.max.in.flight.requests",
        "0",
        "How many requests to it may be unanswered at a time.",
    )
    .null(),
];
