//! Why a client could not do what it was asked for, with the words and the exceptions of Kafka's Java client.

use gregor_model::{BrokerId, TopicName, TopicPartition};
use gregor_wire::client::ClientError;

use crate::error_code::ErrorCode;

/// A failure of a producer or consumer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A property that cannot be taken.
    #[error("{0}")]
    Config(String),
    /// A broker refused; with what it said of it, if anything.
    #[error("{}", .message.as_deref().unwrap_or(.code.message()))]
    Refused {
        /// Why.
        code: ErrorCode,
        /// The broker's words.
        message: Option<String>,
    },
    /// Time is up.
    #[error("{0}")]
    Timeout(String),
    /// A broker could not be reached, or went away before it answered.
    #[error("{0}")]
    Network(String),
    /// A record that fits no request.
    #[error("{0}")]
    RecordTooLarge(String),
    /// Records that cannot be made into a batch, or a batch that cannot be read.
    #[error("{0}")]
    Records(String),
    /// A partition was asked for that the topic does not have.
    #[error("Invalid partition given with record: {partition} is not in the range [0...{count}).")]
    NoSuchPartition {
        /// The partition asked for.
        partition: i32,
        /// How many there are.
        count: usize,
    },
    /// There is no offset to begin at, and `auto.offset.reset=none`.
    #[error("Undefined offset with no reset policy for partitions: [{0}]")]
    NoOffset(TopicPartition),
    /// An offset is gone, or was never there, and `auto.offset.reset=none`.
    #[error("Fetch position {offset} is out of range for partition {partition}")]
    OffsetOutOfRange {
        /// The partition.
        partition: TopicPartition,
        /// Where reading was to go on.
        offset: i64,
    },
    /// The client cannot go on: what it did before has failed.
    #[error("{0}")]
    Fatal(String),
    /// The client is closed.
    #[error("Cannot perform operation after the client has been closed")]
    Closed,
}

impl Error {
    /// A refusal, with the broker's words if it had any.
    pub fn refused(code: ErrorCode, message: Option<&str>) -> Error {
        Error::Refused { code, message: message.map(str::to_owned) }
    }

    /// Topics that may not be used.
    pub fn not_authorized(topic: &TopicName) -> Error {
        let message = format!("Not authorized to access topics: [{topic}]");
        Error::Refused { code: ErrorCode::TOPIC_AUTHORIZATION_FAILED, message: Some(message) }
    }

    /// Topics whose metadata did not come.
    pub fn no_metadata(topic: &TopicName, waited_ms: u128) -> Error {
        Error::Timeout(format!("Topic {topic} not present in metadata after {waited_ms} ms."))
    }

    /// A broker that is not in the metadata any more.
    pub fn unknown_broker(broker: BrokerId) -> Error {
        Error::Network(format!("broker {broker} is not in the cluster's metadata"))
    }

    /// The exception of Kafka's Java client.
    pub fn exception(&self) -> String {
        let common = |name: &str| format!("org.apache.kafka.common.{name}");
        match self {
            Error::Config(_) => common("config.ConfigException"),
            Error::Refused { code, .. } => code.exception(),
            Error::Timeout(_) => common("errors.TimeoutException"),
            Error::Network(_) => common("errors.NetworkException"),
            Error::RecordTooLarge(_) => common("errors.RecordTooLargeException"),
            Error::Records(_) | Error::Fatal(_) => common("KafkaException"),
            Error::NoSuchPartition { .. } | Error::Closed => common("KafkaException"),
            Error::NoOffset(_) => {
                "org.apache.kafka.clients.consumer.NoOffsetForPartitionException".to_owned()
            }
            Error::OffsetOutOfRange { .. } => {
                "org.apache.kafka.clients.consumer.OffsetOutOfRangeException".to_owned()
            }
        }
    }
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Error {
        Error::Network(error.to_string())
    }
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Error {
        Error::refused(code, None)
    }
}
