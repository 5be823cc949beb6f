//! The formatters of kafka-console-consumer for internal topics (`ApiMessageFormatter` and its kinds). Pure.

use super::json::Json;
use super::layout::{
    GROUP_METADATA_KEY, GROUP_METADATA_VALUE, Message, OFFSET_COMMIT_KEY, OFFSET_COMMIT_VALUE,
    TRANSACTION_LOG_KEY, TRANSACTION_LOG_VALUE,
};
use super::read::{ReadError, read, split_version};

/// Which records are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InternalFormatter {
    /// `OffsetsMessageFormatter`: committed offsets.
    Offsets,
    /// `GroupMetadataMessageFormatter`: groups.
    GroupMetadata,
    /// `TransactionLogMessageFormatter`.
    TransactionLog,
}

impl InternalFormatter {
    /// The JSON of a record, or `None` for a record of the other kind in the topic.
    ///
    /// # Errors
    /// Bytes that do not fit their version.
    pub fn format(self, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Option<Json>, ReadError> {
        let key = match key {
            None => Json::Null,
            Some(key) => {
                let (version, rest) = split_version(key).ok_or(ReadError::Underflow)?;
                let Some(data) = self.key(version, rest)? else { return Ok(None) };
                versioned(version, data)
            }
        };
        let value = match value {
            None => Json::Null,
            Some(value) => {
                let (version, rest) = split_version(value).ok_or(ReadError::Underflow)?;
                versioned(version, read_or_unknown(self.value_layout(), version, rest)?)
            }
        };
        Ok(Some(Json::Object(vec![("key", key), ("value", value)])))
    }

    /// `None` for the kind of record that is not asked for.
    fn key(self, version: i16, rest: &[u8]) -> Result<Option<Json>, ReadError> {
        let layouts: &[(&Message, bool)] = match self {
            InternalFormatter::Offsets => &[(&OFFSET_COMMIT_KEY, true), (&GROUP_METADATA_KEY, false)],
            InternalFormatter::GroupMetadata => &[(&OFFSET_COMMIT_KEY, false), (&GROUP_METADATA_KEY, true)],
            InternalFormatter::TransactionLog => &[(&TRANSACTION_LOG_KEY, true)],
        };
        match layouts.iter().find(|(layout, _)| layout.versions.contains(&version)) {
            None => Ok(Some(unknown())),
            Some((layout, wanted)) => Ok(Some(read(layout, version, rest)?).filter(|_| *wanted)),
        }
    }

    fn value_layout(self) -> &'static Message {
        match self {
            InternalFormatter::Offsets => &OFFSET_COMMIT_VALUE,
            InternalFormatter::GroupMetadata => &GROUP_METADATA_VALUE,
            InternalFormatter::TransactionLog => &TRANSACTION_LOG_VALUE,
        }
    }
}

fn read_or_unknown(layout: &Message, version: i16, rest: &[u8]) -> Result<Json, ReadError> {
    if layout.versions.contains(&version) { read(layout, version, rest) } else { Ok(unknown()) }
}

fn unknown() -> Json {
    Json::from("unknown")
}

fn versioned(version: i16, data: Json) -> Json {
    Json::Object(vec![("version", Json::Number(i64::from(version))), ("data", data)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shows_its_own_records() {
        let group: &[u8] = &[0, 2, 0, 1, b'g'];
        let offset: &[u8] = &[0, 1, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 0];
        #[track_caller]
        fn check(
            formatter: InternalFormatter,
            key: Option<&[u8]>,
            value: Option<&[u8]>,
            expected: Option<&str>,
        ) {
            let shown = formatter.format(key, value).map(|json| json.map(|json| json.to_string()));
            assert_eq!(shown, Ok(expected.map(str::to_owned)));
        }
        check(InternalFormatter::Offsets, Some(group), None, None);
        check(InternalFormatter::GroupMetadata, Some(offset), None, None);
        check(
            InternalFormatter::GroupMetadata,
            Some(group),
            None,
            Some(r#"{"key":{"version":2,"data":{"group":"g"}},"value":null}"#),
        );
        check(
            InternalFormatter::Offsets,
            Some(offset),
            Some(&[0, 99]),
            Some(
                r#"{"key":{"version":1,"data":{"group":"g","topic":"t","partition":0}},"value":{"version":99,"data":"unknown"}}"#,
            ),
        );
        check(InternalFormatter::TransactionLog, None, None, Some(r#"{"key":null,"value":null}"#));
        assert!(InternalFormatter::Offsets.format(Some(&[0]), None).is_err());
    }
}
