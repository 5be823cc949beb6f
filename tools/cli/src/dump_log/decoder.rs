//! How keys and values are shown (`Decoder`, and the parsers of `DumpLogSegments`). Pure.

use gregor_records::RecordRef;

use super::DumpError;
use crate::internal_topic::{DecodeError, decode_group, decode_transaction};

/// How one key or value is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plain {
    Text,
    Long,
    Integer,
    /// As hexadecimal digits.
    Bytes,
}

impl Plain {
    /// The decoder of a Java class of Kafka's; with what kafka-dump-log says of classes that have moved.
    pub(super) fn of_class(class: &str) -> Option<(Plain, Option<String>)> {
        let (package, name) = class.rsplit_once('.')?;
        let plain = match name {
            "StringDecoder" => Plain::Text,
            "LongDecoder" => Plain::Long,
            "IntegerDecoder" => Plain::Integer,
            "DefaultDecoder" => Plain::Bytes,
            _ => return None,
        };
        match package {
            "org.apache.kafka.tools.api" => Some((plain, None)),
            "kafka.serializer" => {
                let moved =
                    format!("{class} is deprecated. Please use org.apache.kafka.tools.api.{name} instead");
                Some((plain, Some(moved)))
            }
            _ => None,
        }
    }

    fn show(self, bytes: &[u8]) -> Result<String, DumpError> {
        let short = || DumpError::Message("java.nio.BufferUnderflowException".to_owned());
        Ok(match self {
            Plain::Text => String::from_utf8_lossy(bytes).into_owned(),
            Plain::Long => i64::from_be_bytes(*bytes.first_chunk().ok_or_else(short)?).to_string(),
            Plain::Integer => i32::from_be_bytes(*bytes.first_chunk().ok_or_else(short)?).to_string(),
            Plain::Bytes => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }
}

/// How records are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decoder {
    Plain { key: Plain, value: Plain },
    Offsets,
    Transactions,
}

impl Decoder {
    /// What is shown of a record's key and value.
    pub(super) fn show(self, record: &RecordRef<'_>) -> Result<(Option<String>, Option<String>), DumpError> {
        let offset = record.offset;
        match self {
            Decoder::Plain { key, value } => {
                let key = record.key.map(|bytes| key.show(bytes)).transpose()?;
                let value = record.value.map(|bytes| value.show(bytes)).transpose()?;
                Ok((key, value))
            }
            Decoder::Offsets => {
                let Some(key) = record.key else {
                    return Err(DumpError::Message(format!(
                        "Failed to decode message at offset {offset} using offset topic decoder (message had a missing \
                         key)"
                    )));
                };
                Ok(match decode_group(key, record.value) {
                    Ok((key, value)) => (Some(key), value),
                    Err(DecodeError::UnknownType(kind)) => {
                        (Some(format!("Unknown record type {kind} at offset {offset}, skipping.")), None)
                    }
                    Err(error) => (Some(format!("Error at offset {offset}, skipping. {error}")), None),
                })
            }
            Decoder::Transactions => {
                let shown = decode_transaction(record.key.unwrap_or_default(), record.value);
                let (key, value) = shown.map_err(DumpError::message)?;
                Ok((Some(key), value))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_what_they_show() {
        let of = |class: &str| Plain::of_class(class).map(|(plain, moved)| (plain, moved.is_some()));
        assert_eq!(of("org.apache.kafka.tools.api.LongDecoder"), Some((Plain::Long, false)));
        assert_eq!(of("kafka.serializer.StringDecoder"), Some((Plain::Text, true)));
        assert_eq!(of("com.example.StringDecoder"), None);
        assert_eq!(of("StringDecoder"), None);
        for (plain, bytes, expected) in [
            (Plain::Text, &b"caf\xc3\xa9\xff"[..], Some("café\u{fffd}")),
            (Plain::Long, &[0, 0, 0, 0, 0, 0, 1, 0, 9], Some("256")),
            (Plain::Long, &[1], None),
            (Plain::Integer, &[255, 255, 255, 255], Some("-1")),
            (Plain::Bytes, &[0, 171], Some("00ab")),
        ] {
            assert_eq!(plain.show(bytes).ok().as_deref(), expected, "{plain:?}");
        }
    }
}
