//! Records of `__consumer_offsets` and `__transaction_state` as Kafka's tools show them, every version of them. Pure.
//!
//! The broker's own reading of them is in the coordinator's crate and keeps what coordinators need; here every field that
//! is stored is kept, in its order.

pub mod formatter;
pub mod json;
mod layout;
mod read;
mod transaction;

use json::Json;
use layout::Message;
pub use read::ReadError;
use read::{read, split_version};
pub use transaction::decode_transaction;

/// Why `--offsets-decoder` cannot show a record (`CoordinatorRecordSerde`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A key of a kind that 3.9 does not know.
    #[error("Unknown record type {0}")]
    UnknownType(i16),
    /// There are less than two bytes.
    #[error("Could not read version from {0}'s buffer.")]
    NoVersion(&'static str),
    /// The bytes do not fit the layout.
    #[error("Could not read record with version {version} from {part}'s buffer due to: {reason}.")]
    Unreadable {
        /// The version.
        version: i16,
        /// Key or value.
        part: &'static str,
        /// What is wrong.
        reason: ReadError,
    },
}

/// What a tool prints of a record: its key, and its value if there is anything to say of it.
pub type Shown = (String, Option<String>);

/// A record of `__consumer_offsets` for kafka-dump-log; without a value it is a deletion.
///
/// # Errors
/// What Kafka's decoder does not read either.
pub fn decode_group(key: &[u8], value: Option<&[u8]>) -> Result<Shown, DecodeError> {
    let (kind, rest) = split_version(key).ok_or(DecodeError::NoVersion("key"))?;
    let (key_layout, value_layout) = layout::of_group_topic(kind).ok_or(DecodeError::UnknownType(kind))?;
    let key = read_part("key", key_layout, kind, rest)?;
    let shown_key = Json::Object(vec![("type", Json::Text(kind.to_string())), ("data", key)]).to_string();
    let Some(value) = value else { return Ok((shown_key, Some("<DELETE>".to_owned()))) };
    let (version, rest) = split_version(value).ok_or(DecodeError::NoVersion("value"))?;
    let mut data = read_part("value", value_layout, version, rest)?;
    open_members(&mut data);
    let value = Json::Object(vec![("version", Json::Text(version.to_string())), ("data", data)]);
    Ok((shown_key, Some(value.to_string())))
}

fn read_part(part: &'static str, layout: &Message, version: i16, bytes: &[u8]) -> Result<Json, DecodeError> {
    read(layout, version, bytes).map_err(|reason| DecodeError::Unreadable { version, part, reason })
}

/// Members of consumer groups have their subscription and assignment shown instead of bytes.
fn open_members(group: &mut Json) {
    if group.field("protocolType") != Some(&Json::from("consumer")) {
        return;
    }
    let Some(Json::Array(members)) = group.field_mut(layout::MEMBERS) else { return };
    for member in members {
        open(member.field_mut(layout::SUBSCRIPTION), &layout::CONSUMER_SUBSCRIPTION);
        open(member.field_mut(layout::ASSIGNMENT), &layout::CONSUMER_ASSIGNMENT);
    }
}

/// Replaces bytes by the message in them; bytes that are none stay.
fn open(field: Option<&mut Json>, layout: &Message) {
    let Some(field) = field else { return };
    let Json::Bytes(bytes) = &*field else { return };
    let opened = split_version(bytes)
        .filter(|(version, _)| layout.versions.contains(version))
        .and_then(|(version, rest)| read(layout, version, rest).ok());
    if let Some(opened) = opened {
        *field = opened;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(text: &str) -> Vec<u8> {
        [&(text.len() as i16).to_be_bytes()[..], text.as_bytes()].concat()
    }

    #[test]
    fn offsets_of_every_version() {
        let key = [&[0, 1][..], &short("g"), &short("t"), &[0, 0, 0, 7]].concat();
        let shown_key = r#"{"type":"1","data":{"group":"g","topic":"t","partition":7}}"#;
        #[track_caller]
        fn check(key: &[u8], shown_key: &str, value: &[u8], expected: &str) {
            let shown = decode_group(key, Some(value));
            assert_eq!(shown, Ok((shown_key.to_owned(), Some(expected.to_owned()))));
        }
        let offset = 9_i64.to_be_bytes();
        let time = 100_i64.to_be_bytes();
        let v3 = [&[0, 3][..], &offset, &[0, 0, 0, 2], &short("m"), &time].concat();
        check(
            &key,
            shown_key,
            &v3,
            r#"{"version":"3","data":{"offset":9,"leaderEpoch":2,"metadata":"m","commitTimestamp":100}}"#,
        );
        let v1 = [&[0, 1][..], &offset, &short(""), &time, &time].concat();
        check(
            &key,
            shown_key,
            &v1,
            r#"{"version":"1","data":{"offset":9,"metadata":"","commitTimestamp":100,"expireTimestamp":100}}"#,
        );
        let v4 = [&[0, 4][..], &offset, &[255; 4], &[2, b'm'], &time, &[1, 9, 1, 0]].concat();
        check(
            &key,
            shown_key,
            &v4,
            r#"{"version":"4","data":{"offset":9,"leaderEpoch":-1,"metadata":"m","commitTimestamp":100}}"#,
        );
        assert_eq!(decode_group(&key, None), Ok((shown_key.to_owned(), Some("<DELETE>".to_owned()))));
    }

    #[test]
    fn what_cannot_be_read_is_told_as_by_kafka() {
        #[track_caller]
        fn check(key: &[u8], value: Option<&[u8]>, expected: &str) {
            assert_eq!(decode_group(key, value).unwrap_err().to_string(), expected);
        }
        check(&[0], None, "Could not read version from key's buffer.");
        check(&[0, 9], None, "Unknown record type 9");
        check(&[0, 2, 0], None, "Could not read record with version 2 from key's buffer due to: null.");
        check(
            &[0, 2, 0, 9, b'g'],
            None,
            "Could not read record with version 2 from key's buffer due to: \
             Error reading byte array of 9 byte(s): only 1 byte(s) available.",
        );
        check(
            &[0, 2, 255, 255],
            None,
            "Could not read record with version 2 from key's buffer due to: \
             non-nullable field group was serialized as null.",
        );
    }
}
