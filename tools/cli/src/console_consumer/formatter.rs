//! How records are printed (`DefaultMessageFormatter` and the formatters of internal topics).

use std::io::{self, Write};

use gregor_config::Properties;
use gregor_records::{RecordRef, TimestampType};

use crate::internal_topic::formatter::InternalFormatter;

/// Why a record cannot be printed.
#[derive(Debug, thiserror::Error)]
pub(super) enum FormatError {
    /// Its bytes are not what they are to be read as.
    #[error("{0}")]
    Unreadable(String),
    /// Nobody reads what is printed.
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// How bytes are read before they are printed (Java's deserializers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deserializer {
    Text,
    /// Kafka prints the identity of a Java array; these are hexadecimal digits.
    Bytes,
    Short,
    Integer,
    Long,
    Float,
    Double,
    Uuid,
    Boolean,
}

impl Deserializer {
    fn of_class(class: &str) -> Option<Deserializer> {
        Some(match class.strip_prefix("org.apache.kafka.common.serialization.")? {
            "StringDeserializer" => Deserializer::Text,
            "ByteArrayDeserializer" | "BytesDeserializer" | "ByteBufferDeserializer" => Deserializer::Bytes,
            "ShortDeserializer" => Deserializer::Short,
            "IntegerDeserializer" => Deserializer::Integer,
            "LongDeserializer" => Deserializer::Long,
            "FloatDeserializer" => Deserializer::Float,
            "DoubleDeserializer" => Deserializer::Double,
            "UUIDDeserializer" => Deserializer::Uuid,
            "BooleanDeserializer" => Deserializer::Boolean,
            _ => return None,
        })
    }

    fn read(self, bytes: &[u8]) -> Result<String, FormatError> {
        let sized = |name: &str, size: usize| {
            FormatError::Unreadable(format!("Size of data received by {name} is not {size}"))
        };
        Ok(match self {
            Deserializer::Text => String::from_utf8_lossy(bytes).into_owned(),
            Deserializer::Bytes => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            Deserializer::Short => {
                i16::from_be_bytes(bytes.try_into().map_err(|_| sized("ShortDeserializer", 2))?).to_string()
            }
            Deserializer::Integer => {
                i32::from_be_bytes(bytes.try_into().map_err(|_| sized("IntegerDeserializer", 4))?).to_string()
            }
            Deserializer::Long => {
                i64::from_be_bytes(bytes.try_into().map_err(|_| sized("LongDeserializer", 8))?).to_string()
            }
            Deserializer::Float => java_float(f64::from(f32::from_be_bytes(
                bytes.try_into().map_err(|_| sized("Deserializer", 4))?,
            ))),
            Deserializer::Double => {
                java_float(f64::from_be_bytes(bytes.try_into().map_err(|_| sized("Deserializer", 8))?))
            }
            Deserializer::Uuid => String::from_utf8_lossy(bytes).into_owned(),
            Deserializer::Boolean => match bytes {
                [0] => "false".to_owned(),
                [1] => "true".to_owned(),
                _ => return Err(sized("BooleanDeserializer", 1)),
            },
        })
    }
}

/// A number with a fraction, as Java prints those that need no exponent.
fn java_float(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e7 { format!("{value:.1}") } else { value.to_string() }
}

/// Prints records.
#[derive(Debug)]
pub(super) enum Formatter {
    Plain(Box<PlainFormatter>),
    Internal(InternalFormatter),
    Nothing,
}

impl Formatter {
    /// The formatter of a Java class of Kafka's; with what is said of classes that have moved.
    pub(super) fn of_class(
        class: &str,
        properties: &Properties,
    ) -> Result<(Formatter, Option<String>), String> {
        const PACKAGE: &str = "org.apache.kafka.tools.consumer.";
        let moved = |name: &str| {
            format!(
                "WARNING: {class} is deprecated and will be removed in the next major release. Please use {PACKAGE}{name} \
                 instead"
            )
        };
        let (name, notice) = match class {
            "kafka.tools.DefaultMessageFormatter"
            | "kafka.tools.LoggingMessageFormatter"
            | "kafka.tools.NoOpMessageFormatter" => {
                let name = class.rsplit('.').next().unwrap_or_default();
                (name, Some(moved(name)))
            }
            "kafka.coordinator.transaction.TransactionLog$TransactionLogMessageFormatter"
            | "kafka.coordinator.group.GroupMetadataManager$OffsetsMessageFormatter"
            | "kafka.coordinator.group.GroupMetadataManager$GroupMetadataMessageFormatter" => {
                let name = class.rsplit('$').next().unwrap_or_default();
                (name, Some(moved(name)))
            }
            class => (class.strip_prefix(PACKAGE).ok_or_else(|| class.to_owned())?, None),
        };
        let formatter = match name {
            "DefaultMessageFormatter" | "LoggingMessageFormatter" => {
                Formatter::Plain(Box::new(PlainFormatter::new(properties)))
            }
            "NoOpMessageFormatter" => Formatter::Nothing,
            "OffsetsMessageFormatter" => Formatter::Internal(InternalFormatter::Offsets),
            "GroupMetadataMessageFormatter" => Formatter::Internal(InternalFormatter::GroupMetadata),
            "TransactionLogMessageFormatter" => Formatter::Internal(InternalFormatter::TransactionLog),
            _ => return Err(class.to_owned()),
        };
        Ok((formatter, notice))
    }

    /// Prints one record.
    pub(super) fn write(
        &self,
        partition: i32,
        record: &RecordRef<'_>,
        kind: Option<TimestampType>,
        out: &mut impl Write,
    ) -> Result<(), FormatError> {
        match self {
            Formatter::Nothing => Ok(()),
            Formatter::Plain(plain) => plain.write(partition, record, kind, out),
            Formatter::Internal(internal) => {
                let shown = internal.format(record.key, record.value);
                if let Some(json) = shown.map_err(|error| FormatError::Unreadable(error.to_string()))? {
                    // Without a line's end, as Kafka does it.
                    write!(out, "{json}")?;
                }
                Ok(())
            }
        }
    }
}

/// Prints what the properties ask for.
#[derive(Debug)]
pub(super) struct PlainFormatter {
    timestamp: bool,
    partition: bool,
    offset: bool,
    headers: bool,
    key: bool,
    value: bool,
    key_separator: String,
    line_separator: String,
    headers_separator: String,
    null_literal: String,
    key_deserializer: Option<Deserializer>,
    value_deserializer: Option<Deserializer>,
    headers_deserializer: Option<Deserializer>,
}

impl PlainFormatter {
    fn new(properties: &Properties) -> PlainFormatter {
        let flag = |key: &str, default: bool| {
            properties.get(key).map_or(default, |value| value.trim().eq_ignore_ascii_case("true"))
        };
        let text = |key: &str, default: &str| properties.get(key).unwrap_or(default).to_owned();
        let deserializer = |key: &str| {
            let class = properties.get(key)?;
            let known = Deserializer::of_class(class);
            if known.is_none() {
                // Kafka goes on without it, too.
                eprintln!("Unable to instantiate a deserializer from {class}");
            }
            known
        };
        PlainFormatter {
            timestamp: flag("print.timestamp", false),
            partition: flag("print.partition", false),
            offset: flag("print.offset", false),
            headers: flag("print.headers", false),
            key: flag("print.key", false),
            value: flag("print.value", true),
            key_separator: text("key.separator", "\t"),
            line_separator: text("line.separator", "\n"),
            headers_separator: text("headers.separator", ","),
            null_literal: text("null.literal", "null"),
            key_deserializer: deserializer("key.deserializer"),
            value_deserializer: deserializer("value.deserializer"),
            headers_deserializer: deserializer("headers.deserializer"),
        }
    }

    fn write(
        &self,
        partition: i32,
        record: &RecordRef<'_>,
        kind: Option<TimestampType>,
        out: &mut impl Write,
    ) -> Result<(), FormatError> {
        let after_headers = self.key || self.value;
        let after_offset = self.headers || after_headers;
        let after_partition = self.offset || after_offset;
        if self.timestamp {
            match kind {
                Some(kind) => {
                    write!(
                        out,
                        "{}:{}",
                        kind.as_str(),
                        record.timestamp.map_or(-1, |timestamp| timestamp.0)
                    )?;
                }
                None => write!(out, "NO_TIMESTAMP")?,
            }
            self.separate(self.partition || after_partition, out)?;
        }
        if self.partition {
            write!(out, "Partition:{partition}")?;
            self.separate(after_partition, out)?;
        }
        if self.offset {
            write!(out, "Offset:{}", record.offset)?;
            self.separate(after_offset, out)?;
        }
        if self.headers {
            self.write_headers(record, out)?;
            self.separate(after_headers, out)?;
        }
        if self.key {
            self.write_bytes(record.key, self.key_deserializer, out)?;
            self.separate(self.value, out)?;
        }
        if self.value {
            self.write_bytes(record.value, self.value_deserializer, out)?;
            out.write_all(self.line_separator.as_bytes())?;
        }
        Ok(())
    }

    fn write_headers(&self, record: &RecordRef<'_>, out: &mut impl Write) -> Result<(), FormatError> {
        if record.headers.is_empty() {
            return Ok(write!(out, "NO_HEADERS")?);
        }
        for (at, (key, value)) in record.headers.iter().enumerate() {
            if at > 0 {
                out.write_all(self.headers_separator.as_bytes())?;
            }
            out.write_all(key)?;
            out.write_all(b":")?;
            self.write_bytes(value, self.headers_deserializer, out)?;
        }
        Ok(())
    }

    fn separate(&self, columns: bool, out: &mut impl Write) -> io::Result<()> {
        out.write_all(if columns { self.key_separator.as_bytes() } else { self.line_separator.as_bytes() })
    }

    fn write_bytes(
        &self,
        bytes: Option<&[u8]>,
        deserializer: Option<Deserializer>,
        out: &mut impl Write,
    ) -> Result<(), FormatError> {
        let bytes = bytes.unwrap_or(self.null_literal.as_bytes());
        match deserializer {
            None => Ok(out.write_all(bytes)?),
            Some(deserializer) => Ok(out.write_all(deserializer.read(bytes)?.as_bytes())?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gregor_model::{Offset, Timestamp};
    use gregor_records::{BatchBuilder, BatchOptions, BatchRef, Limits};

    #[track_caller]
    fn check(
        properties: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
        expected: &str,
    ) {
        let mut builder = BatchBuilder::new(BatchOptions::default()).unwrap();
        builder.append(Offset(7), Some(Timestamp(100)), key, value, headers).unwrap();
        let bytes = builder.finish().unwrap();
        let batch = BatchRef::first(&bytes).unwrap();
        let mut records = batch.records(Limits::for_batch(&batch)).unwrap();
        let record = records.next_record().unwrap().unwrap();
        let properties = Properties::parse(properties.as_bytes()).unwrap();
        let class = "org.apache.kafka.tools.consumer.DefaultMessageFormatter";
        let (formatter, _) = Formatter::of_class(class, &properties).unwrap();
        let mut out = Vec::new();
        let shown = match formatter.write(3, &record, Some(TimestampType::CreateTime), &mut out) {
            Ok(()) => String::from_utf8(out).unwrap(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{properties:?}");
    }

    #[test]
    fn columns_are_those_of_kafka() {
        let (key, value) = (Some(&b"k"[..]), Some(&b"v"[..]));
        let headers: &[(&[u8], Option<&[u8]>)] = &[(b"h", Some(b"1")), (b"g", None)];
        let all = "print.timestamp=true\nprint.partition=true\nprint.offset=true\nprint.headers=true\nprint.key=true";
        check("", key, value, &[], "v\n");
        check("", key, None, &[], "null\n");
        check(all, key, value, headers, "CreateTime:100\tPartition:3\tOffset:7\th:1,g:null\tk\tv\n");
        check(all, None, value, &[], "CreateTime:100\tPartition:3\tOffset:7\tNO_HEADERS\tnull\tv\n");
        check("print.key=true\nprint.value=false", key, value, &[], "k\n");
        check("print.value=false", key, value, &[], "");
        check("print.key=true\nkey.separator=--\nline.separator=|\nnull.literal=N", None, None, &[], "N--N|");
        let long = "value.deserializer=org.apache.kafka.common.serialization.LongDeserializer";
        check(long, None, Some(&[0, 0, 0, 0, 0, 0, 0, 9]), &[], "9\n");
        check(long, None, value, &[], "Size of data received by LongDeserializer is not 8");
    }

    #[test]
    fn classes_are_known() {
        let none = Properties::new();
        let of = |class: &str| Formatter::of_class(class, &none).map(|(_, notice)| notice.is_some());
        assert_eq!(of("kafka.tools.DefaultMessageFormatter"), Ok(true));
        assert_eq!(of("org.apache.kafka.tools.consumer.NoOpMessageFormatter"), Ok(false));
        assert_eq!(of("kafka.coordinator.group.GroupMetadataManager$OffsetsMessageFormatter"), Ok(true));
        assert!(of("com.example.Formatter").is_err());
        assert!(of("org.apache.kafka.tools.consumer.OtherFormatter").is_err());
    }
}
