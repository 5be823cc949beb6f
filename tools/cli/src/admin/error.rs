//! Why an administrative call failed, in the words of Kafka's admin client: the tools print them.

use gregor_wire::client::ClientError;
use kafka_protocol::messages::ApiKey;

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
    /// The brokers do not have this API.
    #[error("The node does not support {0}")]
    Unsupported(&'static str),
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
        if code == 0 {
            return Ok(());
        }
        let message = message.map_or_else(|| default_message(code), str::to_owned);
        Err(AdminError::Refused { code, message })
    }
}

/// Kafka's name of an API, as in messages.
pub fn api_name(key: ApiKey) -> &'static str {
    match key {
        ApiKey::Metadata => "METADATA",
        ApiKey::CreateTopics => "CREATE_TOPICS",
        ApiKey::DeleteTopics => "DELETE_TOPICS",
        ApiKey::CreatePartitions => "CREATE_PARTITIONS",
        ApiKey::DescribeConfigs => "DESCRIBE_CONFIGS",
        ApiKey::ListPartitionReassignments => "LIST_PARTITION_REASSIGNMENTS",
        _ => "this request",
    }
}

/// What the client says for a code that came without a message (`Errors`).
fn default_message(code: i16) -> String {
    let text = match code {
        3 => "This server does not host this topic-partition.",
        5 => "There is no leader for this topic-partition as we are in the middle of a leadership election.",
        7 => "The request timed out.",
        17 => "The request attempted to perform an operation on an invalid topic.",
        29 => "Topic authorization failed.",
        31 => "Cluster authorization failed.",
        35 => "The version of API is not supported.",
        36 => "Topic with this name already exists.",
        37 => "Number of partitions is below 1.",
        38 => "Replication factor is below 1 or larger than the number of available brokers.",
        39 => "Replica assignment is invalid.",
        40 => "Configuration is invalid.",
        41 => "This is not the correct controller for this cluster.",
        44 => "Request parameters do not satisfy the configured policy.",
        60 => "A partition reassignment is in progress.",
        73 => "Topic deletion is disabled.",
        89 => "The throttling quota has been exceeded.",
        100 => "This server does not host this topic ID.",
        _ => "The server experienced an unexpected error when processing the request.",
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_the_broker_said() {
        assert!(AdminError::check(0, None).is_ok());
        let said = AdminError::check(36, Some("Topic 'a' already exists.")).unwrap_err();
        assert_eq!(said.to_string(), "Topic 'a' already exists.");
        assert_eq!(AdminError::check(41, None).unwrap_err().to_string(), default_message(41));
    }
}
