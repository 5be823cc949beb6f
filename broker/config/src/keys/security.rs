//! Authorization, delegation tokens and stored passwords.

use crate::definition::{ConfigKey, class, int, long, password, string};
use crate::validator::Validator;

const NO_TOKENS: &str = "delegation tokens need a login, and no listener has one";

pub(super) const KEYS: &[ConfigKey] = &[
    string("authorizer.class.name", "", "The authorizer; empty allows everything to everyone.")
        .valid(Validator::NonNull)
        .low()
        .refused("there is no authorizer of that name"),
    class(
        "principal.builder.class",
        "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
        "A Java class that makes principals out of what a login shows.",
    )
    .per_broker()
    .refused("Java classes cannot be loaded"),
    string("security.providers", "", "Java classes that provide security algorithms.")
        .null()
        .low()
        .refused("Java classes cannot be loaded"),
    password(
        "delegation.token.secret.key",
        "",
        "The secret from which delegation tokens are derived; the same on all brokers.",
    )
    .null()
    .accepted(NO_TOKENS),
    password("delegation.token.master.key", "", "The older name of `delegation.token.secret.key`.")
        .null()
        .accepted(NO_TOKENS),
    long(
        "delegation.token.max.lifetime.ms",
        "604800000",
        "How long a delegation token can be renewed, in milliseconds.",
    )
    .at_least(1)
    .accepted(NO_TOKENS),
    long(
        "delegation.token.expiry.time.ms",
        "86400000",
        "How long a delegation token is good without being renewed, in milliseconds.",
    )
    .at_least(1)
    .accepted(NO_TOKENS),
    long(
        "delegation.token.expiry.check.interval.ms",
        "3600000",
        "How often delegation tokens are checked for expiry, in milliseconds.",
    )
    .at_least(1)
    .low()
    .accepted(NO_TOKENS),
    password("password.encoder.secret", "", "The secret with which passwords are encrypted in ZooKeeper.")
        .null(),
    password(
        "password.encoder.old.secret",
        "",
        "The secret before the present one; passwords are encrypted anew at start.",
    )
    .null(),
    string("password.encoder.keyfactory.algorithm", "", "How the encryption key is derived from the secret.")
        .refused_unless(
            "only PBKDF2 with SHA-1, SHA-256 or SHA-512 is there",
            &["PBKDF2WithHmacSHA1", "PBKDF2WithHmacSHA256", "PBKDF2WithHmacSHA512"],
        )
        .null()
        .low(),
    string("password.encoder.cipher.algorithm", "AES/CBC/PKCS5Padding", "The cipher of the passwords.")
        .refused("only AES in CBC mode is there")
        .low(),
    int("password.encoder.key.length", "128", "The length of the encryption key, in bits.").at_least(8).low(),
    int("password.encoder.iterations", "4096", "How many rounds derive the encryption key.")
        .at_least(1024)
        .low(),
];
