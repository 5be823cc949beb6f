//! The tables of all keys, one file per group. A key more is a row more; facts are those of Kafka 3.9's `ConfigDef`.

mod authorizer;
mod cleaner;
mod gregor;
mod groups;
mod identity;
mod kraft;
mod log;
mod quotas;
mod remote;
mod replication;
mod sasl;
mod security;
mod sockets;
mod tls;
mod topic;
mod transactions;
mod zookeeper;

use std::sync::LazyLock;

use crate::definition::Table;

static BROKER: LazyLock<Table> = LazyLock::new(|| {
    Table::new(&[
        identity::KEYS,
        zookeeper::KEYS,
        sockets::KEYS,
        log::KEYS,
        cleaner::KEYS,
        replication::KEYS,
        groups::KEYS,
        transactions::KEYS,
        quotas::KEYS,
        tls::KEYS,
        sasl::KEYS,
        security::KEYS,
        kraft::KEYS,
        remote::KEYS,
    ])
});

static TOPIC: LazyLock<Table> = LazyLock::new(|| Table::new(&[topic::KEYS]));

static AUTHORIZER: LazyLock<Table> = LazyLock::new(|| Table::new(&[authorizer::KEYS]));

static GREGOR: LazyLock<Table> = LazyLock::new(|| Table::new(&[gregor::KEYS]));

/// Every key of a broker (`KafkaConfig.configDef`).
pub fn broker_table() -> &'static Table {
    &BROKER
}

/// Every key of a topic (`LogConfig.configDefCopy`).
pub fn topic_table() -> &'static Table {
    &TOPIC
}

/// Keys in `server.properties` that only the authorizer reads; DescribeConfigs shows them only when set.
pub fn authorizer_table() -> &'static Table {
    &AUTHORIZER
}

/// Keys in `server.properties` that Kafka does not have.
pub fn gregor_table() -> &'static Table {
    &GREGOR
}
