//! The records of `__consumer_offsets` and `__transaction_state`, one file per record: key, value, versions, encode
//! and decode. They are not part of the wire protocol, and Apache Kafka 3.9 must read what we write.

pub mod consumer_group;
mod consumer_member;
pub mod consumer_protocol;
pub mod group;
pub mod offset;
mod primitive;
pub mod transaction;

/// Why a record of an internal topic cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The bytes end before the record does.
    #[error("the record ends {missing} bytes too early, in field {field}")]
    Truncated {
        /// The field being read.
        field: &'static str,
        /// How many bytes are missing at least.
        missing: usize,
    },
    /// A length is negative where null is not allowed, or larger than the rest of the record.
    #[error("field {field} claims a length of {length}")]
    Length {
        /// The field being read.
        field: &'static str,
        /// The length claimed.
        length: i64,
    },
    /// A string is not UTF-8.
    #[error("field {0} is not UTF-8")]
    NotUtf8(&'static str),
    /// The version of the key or value is one that 3.9 does not know either.
    #[error("unknown {what} version {version}")]
    Version {
        /// Which part.
        what: &'static str,
        /// The version found.
        version: i16,
    },
    /// A field holds a value that has no meaning.
    #[error("field {field} holds {value}")]
    Value {
        /// The field.
        field: &'static str,
        /// The value found.
        value: i64,
    },
}
