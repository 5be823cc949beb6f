//! Why a configuration is refused: always one line that names the key.

use std::path::PathBuf;

/// A value that its key does not take; the text is the one of Kafka's `ConfigException`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid value {value} for configuration {name}: {reason}")]
pub struct InvalidValue {
    /// The key.
    pub name: String,
    /// The value, or `[hidden]`.
    pub value: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Why the broker does not start with this configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is not in Java's properties syntax.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where it is known.
        reason: String,
    },
    /// An override that is not `key=value`.
    #[error("--override {0:?} is not key=value")]
    MalformedOverride(String),
    /// The layers cannot be put together.
    #[error("configuration layers: {0}")]
    Layers(#[from] config::ConfigError),
    /// A value of the wrong type or out of range.
    #[error(transparent)]
    InvalidValue(#[from] InvalidValue),
    /// A key without which no broker can start.
    #[error("Missing required configuration \"{0}\" which has no default value.")]
    Missing(&'static str),
    /// A key that Gregor cannot honour.
    #[error("configuration {name}={value} cannot be honoured: {reason}")]
    Refused {
        /// The key.
        name: String,
        /// Its value.
        value: String,
        /// Why.
        reason: &'static str,
    },
    /// Keys that do not fit together; the text is Kafka's where Kafka has the same check.
    #[error("{0}")]
    Conflict(String),
}

impl ConfigError {
    pub(crate) fn conflict(text: impl Into<String>) -> ConfigError {
        ConfigError::Conflict(text.into())
    }
}
