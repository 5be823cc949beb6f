//! TLS (`SslConfigs`); each key may be set per listener.

use crate::definition::{ConfigKey, boolean, class, list, password, string};

const NO_TLS: &str = "no listener speaks TLS";

pub(super) const KEYS: &[ConfigKey] = &[
    string("ssl.keystore.location", "", "The file with this broker's key and certificate.")
        .null()
        .per_broker()
        .accepted(NO_TLS),
    password("ssl.keystore.password", "", "The password of the key store.")
        .null()
        .per_broker()
        .accepted(NO_TLS),
    string("ssl.keystore.type", "JKS", "The format of the key store: JKS, PKCS12 or PEM.")
        .per_broker()
        .accepted(NO_TLS),
    password("ssl.keystore.key", "", "The private key itself, in PEM.").null().per_broker().accepted(NO_TLS),
    password("ssl.keystore.certificate.chain", "", "The certificate chain itself, in PEM.")
        .null()
        .per_broker()
        .accepted(NO_TLS),
    password("ssl.key.password", "", "The password of the private key.").null().per_broker().accepted(NO_TLS),
    string("ssl.truststore.location", "", "The file with the authorities trusted to sign certificates.")
        .null()
        .per_broker()
        .accepted(NO_TLS),
    password("ssl.truststore.password", "", "The password of the trust store.")
        .null()
        .per_broker()
        .accepted(NO_TLS),
    string("ssl.truststore.type", "JKS", "The format of the trust store: JKS, PKCS12 or PEM.")
        .per_broker()
        .accepted(NO_TLS),
    password("ssl.truststore.certificates", "", "The trusted certificates themselves, in PEM.")
        .null()
        .per_broker()
        .accepted(NO_TLS),
    string("ssl.protocol", "TLSv1.3", "The TLS version to prefer.").per_broker().accepted(NO_TLS),
    list("ssl.enabled.protocols", "TLSv1.2,TLSv1.3", "The TLS versions to allow.")
        .per_broker()
        .accepted(NO_TLS),
    list("ssl.cipher.suites", "", "The cipher suites to allow; those of the library if empty.")
        .per_broker()
        .accepted(NO_TLS),
    string("ssl.client.auth", "none", "Whether clients must, may or need not show a certificate.")
        .one_of(&["required", "requested", "none"])
        .per_broker()
        .accepted(NO_TLS),
    string(
        "ssl.endpoint.identification.algorithm",
        "https",
        "`https` checks the host name in a server's certificate, an empty text does not.",
    )
    .low()
    .per_broker()
    .accepted(NO_TLS),
    string(
        "ssl.principal.mapping.rules",
        "DEFAULT",
        "How a certificate's distinguished name becomes a user name.",
    )
    .low()
    .accepted(NO_TLS),
    boolean("ssl.allow.dn.changes", "false", "Whether a new certificate may name another subject.")
        .low()
        .accepted(NO_TLS),
    boolean("ssl.allow.san.changes", "false", "Whether a new certificate may name other hosts.")
        .low()
        .accepted(NO_TLS),
    string("ssl.provider", "", "The Java security provider for TLS.")
        .null()
        .per_broker()
        .accepted("the TLS library is built in"),
    string("ssl.keymanager.algorithm", "SunX509", "The Java algorithm of the key manager.")
        .per_broker()
        .accepted("the TLS library is built in"),
    string("ssl.trustmanager.algorithm", "PKIX", "The Java algorithm of the trust manager.")
        .per_broker()
        .accepted("the TLS library is built in"),
    string("ssl.secure.random.implementation", "", "The Java source of random numbers for TLS.")
        .null()
        .low()
        .per_broker()
        .accepted("the TLS library is built in"),
    class("ssl.engine.factory.class", "", "A Java class that makes TLS engines.")
        .null()
        .low()
        .per_broker()
        .refused("Java classes cannot be loaded"),
];
