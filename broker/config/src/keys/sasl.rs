//! SASL (`SaslConfigs`, `BrokerSecurityConfigs`); each key may be set per listener.

use crate::definition::{ConfigKey, class, double, int, list, long, password, short, string};

const NO_SASL: &str = "no listener speaks SASL";

pub(super) const KEYS: &[ConfigKey] = &[
    list("sasl.enabled.mechanisms", "GSSAPI", "The SASL mechanisms offered to clients.")
        .per_broker()
        .accepted(NO_SASL),
    string("sasl.mechanism.inter.broker.protocol", "GSSAPI", "The SASL mechanism between brokers.")
        .per_broker()
        .accepted(NO_SASL),
    password("sasl.jaas.config", "", "The login of a listener and mechanism, in the syntax of JAAS files.")
        .null()
        .per_broker()
        .accepted(NO_SASL),
    int("sasl.server.max.receive.size", "524288", "The largest message of a client during login, in bytes.")
        .accepted(NO_SASL),
    long(
        "connections.max.reauth.ms",
        "0",
        "How long a login is good before the client must log in again, in milliseconds; 0 is for ever.",
    )
    .accepted(NO_SASL),
    class("sasl.server.callback.handler.class", "", "A Java class that checks logins.")
        .null()
        .refused("Java classes cannot be loaded"),
    class("sasl.client.callback.handler.class", "", "A Java class that supplies credentials.")
        .null()
        .refused("Java classes cannot be loaded"),
    class("sasl.login.class", "", "A Java class that performs logins.")
        .null()
        .refused("Java classes cannot be loaded"),
    class("sasl.login.callback.handler.class", "", "A Java class that supplies credentials for logins.")
        .null()
        .refused("Java classes cannot be loaded"),
    string("sasl.kerberos.service.name", "", "The Kerberos principal's name of the brokers.")
        .null()
        .per_broker()
        .accepted(NO_SASL),
    string("sasl.kerberos.kinit.cmd", "/usr/bin/kinit", "The path of `kinit`.")
        .per_broker()
        .accepted(NO_SASL),
    double(
        "sasl.kerberos.ticket.renew.window.factor",
        "0.8",
        "At what share of a ticket's life it is renewed.",
    )
    .per_broker()
    .accepted(NO_SASL),
    double("sasl.kerberos.ticket.renew.jitter", "0.05", "How much chance is added to that.")
        .per_broker()
        .accepted(NO_SASL),
    long(
        "sasl.kerberos.min.time.before.relogin",
        "60000",
        "The shortest time between two tries to renew, in milliseconds.",
    )
    .per_broker()
    .accepted(NO_SASL),
    list(
        "sasl.kerberos.principal.to.local.rules",
        "DEFAULT",
        "How a Kerberos principal becomes a user name.",
    )
    .per_broker()
    .accepted(NO_SASL),
    double("sasl.login.refresh.window.factor", "0.8", "At what share of a token's life it is refreshed.")
        .per_broker()
        .accepted(NO_SASL),
    double("sasl.login.refresh.window.jitter", "0.05", "How much chance is added to that.")
        .per_broker()
        .accepted(NO_SASL),
    short(
        "sasl.login.refresh.min.period.seconds",
        "60",
        "How long to wait at least before a token is refreshed, in seconds.",
    )
    .per_broker()
    .accepted(NO_SASL),
    short(
        "sasl.login.refresh.buffer.seconds",
        "300",
        "How long before its end a token is refreshed at the latest, in seconds.",
    )
    .per_broker()
    .accepted(NO_SASL),
    int(
        "sasl.login.connect.timeout.ms",
        "",
        "How long to wait for a connection to the token issuer, in milliseconds.",
    )
    .null()
    .low()
    .accepted(NO_SASL),
    int("sasl.login.read.timeout.ms", "", "How long to wait for the token issuer's answer, in milliseconds.")
        .null()
        .low()
        .accepted(NO_SASL),
    long(
        "sasl.login.retry.backoff.ms",
        "100",
        "The first pause between tries to reach the token issuer, in milliseconds.",
    )
    .low()
    .accepted(NO_SASL),
    long(
        "sasl.login.retry.backoff.max.ms",
        "10000",
        "The longest pause between tries to reach the token issuer, in milliseconds.",
    )
    .low()
    .accepted(NO_SASL),
    string("sasl.mechanism.controller.protocol", "GSSAPI", "The SASL mechanism towards KRaft controllers.")
        .high()
        .accepted("only KRaft has a use for it"),
    string("sasl.oauthbearer.scope.claim.name", "scope", "The claim of a token that holds its scope.")
        .low()
        .accepted(NO_SASL),
    string("sasl.oauthbearer.sub.claim.name", "sub", "The claim of a token that holds its subject.")
        .low()
        .accepted(NO_SASL),
    string("sasl.oauthbearer.token.endpoint.url", "", "Where tokens are asked for.").null().accepted(NO_SASL),
    string("sasl.oauthbearer.jwks.endpoint.url", "", "Where the keys that sign tokens are published.")
        .null()
        .accepted(NO_SASL),
    long(
        "sasl.oauthbearer.jwks.endpoint.refresh.ms",
        "3600000",
        "How often those keys are read again, in milliseconds.",
    )
    .low()
    .accepted(NO_SASL),
    long(
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms",
        "100",
        "The first pause between tries to read them, in milliseconds.",
    )
    .low()
    .accepted(NO_SASL),
    long(
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
        "10000",
        "The longest pause between tries to read them, in milliseconds.",
    )
    .low()
    .accepted(NO_SASL),
    int("sasl.oauthbearer.clock.skew.seconds", "30", "How far the issuer's clock may be off, in seconds.")
        .low()
        .accepted(NO_SASL),
    list("sasl.oauthbearer.expected.audience", "", "Which audiences a token must name one of.")
        .null()
        .low()
        .accepted(NO_SASL),
    string("sasl.oauthbearer.expected.issuer", "", "Which issuer a token must name.")
        .null()
        .low()
        .accepted(NO_SASL),
];
