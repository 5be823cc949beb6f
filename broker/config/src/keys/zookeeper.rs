//! ZooKeeper (`ZkConfigs`).

use crate::definition::{ConfigKey, boolean, int, list, password, string};

const NO_TLS: &str = "ZooKeeper is spoken to without TLS";

pub(super) const KEYS: &[ConfigKey] = &[
    string("zookeeper.connect", "", "The ZooKeeper servers as `host:port,host:port`, with an optional path behind them under which all nodes live.").null().high(),
    int("zookeeper.session.timeout.ms", "18000", "How long ZooKeeper waits without a word from this broker before its registration goes, in milliseconds.").high(),
    int("zookeeper.connection.timeout.ms", "", "How long to wait for the first connection to ZooKeeper, in milliseconds; the session timeout if unset.").null().high(),
    boolean("zookeeper.set.acl", "false", "Whether nodes are created with access control lists.").high(),
    int("zookeeper.max.in.flight.requests", "10", "How many requests to ZooKeeper may be unanswered at a time.").at_least(1).high(),
    boolean("zookeeper.ssl.client.enable", "false", "Whether to speak TLS to ZooKeeper.").refused(NO_TLS),
    string("zookeeper.clientCnxnSocket", "", "The Java class of the client socket; TLS to ZooKeeper asks for the Netty one.").null().refused_unless("Java classes cannot be loaded", &["org.apache.zookeeper.ClientCnxnSocketNetty", "org.apache.zookeeper.ClientCnxnSocketNIO"]),
    string("zookeeper.ssl.keystore.location", "", "The file with the key and certificate shown to ZooKeeper.").null().accepted(NO_TLS),
    password("zookeeper.ssl.keystore.password", "", "The password of that key store.").null().accepted(NO_TLS),
    string("zookeeper.ssl.keystore.type", "", "The format of that key store; taken from the file name's ending if unset.").null().accepted(NO_TLS),
    string("zookeeper.ssl.truststore.location", "", "The file with the authorities trusted to sign ZooKeeper's certificates.").null().accepted(NO_TLS),
    password("zookeeper.ssl.truststore.password", "", "The password of that trust store.").null().accepted(NO_TLS),
    string("zookeeper.ssl.truststore.type", "", "The format of that trust store; taken from the file name's ending if unset.").null().accepted(NO_TLS),
    string("zookeeper.ssl.protocol", "TLSv1.2", "The TLS version to offer ZooKeeper.").low().accepted(NO_TLS),
    list("zookeeper.ssl.enabled.protocols", "", "The TLS versions to allow towards ZooKeeper.").null().low().accepted(NO_TLS),
    list("zookeeper.ssl.cipher.suites", "", "The cipher suites to allow towards ZooKeeper.").null().low().accepted(NO_TLS),
    string("zookeeper.ssl.endpoint.identification.algorithm", "HTTPS", "`https` checks the host name in ZooKeeper's certificate, an empty text does not.").low().accepted(NO_TLS),
    boolean("zookeeper.ssl.crl.enable", "false", "Whether revocation lists are consulted for ZooKeeper's certificates.").low().accepted(NO_TLS),
    boolean("zookeeper.ssl.ocsp.enable", "false", "Whether OCSP is consulted for ZooKeeper's certificates.").low().accepted(NO_TLS),
    boolean("zookeeper.metadata.migration.enable", "false", "Whether this broker takes part in a migration to KRaft.").high().refused("Gregor has ZooKeeper mode only"),
    int("zookeeper.metadata.migration.min.batch.size", "200", "The batch size of a migration to KRaft.").at_least(1).internal().accepted("only KRaft has a use for it"),
];
