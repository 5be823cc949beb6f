//! Why an administrative call failed, in the words of Kafka's admin client: the tools print them.

use gregor_wire::client::ClientError;
use kafka_protocol::messages::ApiKey;

use super::exception::exception;

/// The package of the exceptions in [`exception`].
const PACKAGE: &str = "org.apache.kafka.common.errors";

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// No broker could be reached within the API timeout.
    #[error("Timed out waiting for a node assignment. Call: {call}")]
    NoNode {
        /// Kafka's name of the call.
        call: &'static str,
        /// The last attempt's failure.
        source: Option<ClientError>,
    },
    /// A broker that is not in the cluster.
    #[error("Broker {0} is not in the cluster, or not alive")]
    NoSuchBroker(i32),
    /// The brokers do not have this API.
    #[error("The node does not support {}", api_name(*.0))]
    Unsupported(ApiKey),
    /// A broker refused.
    #[error("{message}")]
    Refused {
        /// The protocol's error code.
        code: i16,
        /// The broker's message, or the code's usual one.
        message: String,
    },
    /// A bootstrap address, or a client property, that cannot be used.
    #[error("Failed to create new KafkaAdminClient: {0}")]
    Configuration(String),
    /// An answer that lacks what was asked for.
    #[error("The broker's answer to {0} lacks what was asked for")]
    Incomplete(&'static str),
}

impl AdminError {
    /// Ok for code 0, else the refusal.
    pub fn check(code: i16, message: Option<&str>) -> Result<(), AdminError> {
        match code {
            0 => Ok(()),
            code => Err(AdminError::refused(code, message)),
        }
    }

    /// The refusal with a code, and the broker's words or the usual ones.
    pub fn refused(code: i16, message: Option<&str>) -> AdminError {
        let message = message.unwrap_or(exception(code).message).to_owned();
        AdminError::Refused { code, message }
    }

    /// The protocol's error code, if a broker refused.
    pub fn code(&self) -> Option<i16> {
        match self {
            AdminError::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// As Java prints the exception: class and message. Tools that print a failed future's message print this.
    pub fn java(&self) -> String {
        let class = match self {
            AdminError::Refused { code, .. } => exception(*code).class,
            AdminError::NoNode { .. } | AdminError::NoSuchBroker(_) => exception(7).class,
            AdminError::Unsupported(_) => exception(35).class,
            AdminError::Configuration(_) => return format!("org.apache.kafka.common.KafkaException: {self}"),
            AdminError::Incomplete(_) => exception(-1).class,
        };
        format!("{PACKAGE}.{class}: {self}")
    }
}

/// The full name of a code's exception.
pub fn java_class(code: i16) -> String {
    format!("{PACKAGE}.{}", exception(code).class)
}

/// Kafka's name of an API, as in messages: `LIST_OFFSETS`.
pub fn api_name(key: ApiKey) -> String {
    let mut name = String::new();
    for letter in format!("{key:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_the_broker_said() {
        assert!(AdminError::check(0, None).is_ok());
        let said = AdminError::check(36, Some("Topic 'a' already exists.")).unwrap_err();
        assert_eq!(said.to_string(), "Topic 'a' already exists.");
        let java = "org.apache.kafka.common.errors.TopicExistsException: Topic 'a' already exists.";
        assert_eq!(said.java(), java);
        assert_eq!(AdminError::refused(41, None).to_string(), exception(41).message);
    }

    #[test]
    fn api_names_are_kafkas() {
        for (key, expected) in [
            (ApiKey::ListOffsets, "LIST_OFFSETS"),
            (ApiKey::DescribeUserScramCredentials, "DESCRIBE_USER_SCRAM_CREDENTIALS"),
            (ApiKey::Fetch, "FETCH"),
        ] {
            assert_eq!(api_name(key), expected);
        }
    }
}
