//! Records of `__transaction_state` for kafka-dump-log (`TransactionLog.formatRecordKeyAndValue`). Pure.

use super::Shown;
use super::json::Json;
use super::layout::{TRANSACTION_LOG_KEY, TRANSACTION_LOG_VALUE};
use super::read::{ReadError, read, split_version};
use crate::java_map::sort_as_scala_set;

/// Why `--transaction-log-decoder` ends with an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// The bytes do not fit.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    /// A value of a newer version.
    #[error("Unknown version {0} from the transaction log message value")]
    Version(i16),
    /// A state that does not exist.
    #[error("Unknown transaction state id {0} from the transaction status message")]
    Status(i64),
}

/// A record of `__transaction_state`; without a value it is a deletion.
///
/// # Errors
/// What ends Kafka's tool, too.
pub fn decode_transaction(key: &[u8], value: Option<&[u8]>) -> Result<Shown, TransactionError> {
    let (version, rest) = split_version(key).ok_or(ReadError::Underflow)?;
    if !TRANSACTION_LOG_KEY.versions.contains(&version) {
        return Ok((format!("unknown::version={version}"), None));
    }
    let key = read(&TRANSACTION_LOG_KEY, version, rest)?;
    let id = match key.field("transactionalId") {
        Some(Json::Text(id)) => id.as_str(),
        _ => "",
    };
    let key = format!("transaction_metadata::transactionalId={id}");
    let Some(value) = value else { return Ok((key, Some("<DELETE>".to_owned()))) };
    let (version, rest) = split_version(value).ok_or(ReadError::Underflow)?;
    if !TRANSACTION_LOG_VALUE.versions.contains(&version) {
        return Err(TransactionError::Version(version));
    }
    let value = read(&TRANSACTION_LOG_VALUE, version, rest)?;
    let number = |name: &str| match value.field(name) {
        Some(Json::Number(number)) => *number,
        _ => -1,
    };
    let status = number("transactionStatus");
    let state = state_name(status).ok_or(TransactionError::Status(status))?;
    // Kafka reads no partitions of a transaction that has not begun.
    let partitions = if state == "Empty" { Vec::new() } else { partitions_of(&value) };
    Ok((
        key,
        Some(format!(
            "producerId:{},producerEpoch:{},state={state},partitions=[{}],txnLastUpdateTimestamp={},txnTimeoutMs={}",
            number("producerId"),
            number("producerEpoch"),
            partitions.join(","),
            number("transactionLastUpdateTimestampMs"),
            number("transactionTimeoutMs"),
        )),
    ))
}

fn state_name(status: i64) -> Option<&'static str> {
    let names = [
        "Empty",
        "Ongoing",
        "PrepareCommit",
        "PrepareAbort",
        "CompleteCommit",
        "CompleteAbort",
        "Dead",
        "PrepareEpochFence",
    ];
    names.get(usize::try_from(status).ok()?).copied()
}

/// The partitions in the order in which Kafka's set gives them.
fn partitions_of(value: &Json) -> Vec<String> {
    let mut partitions = Vec::new();
    if let Some(Json::Array(topics)) = value.field("transactionPartitions") {
        for topic in topics {
            let (Some(Json::Text(name)), Some(Json::Array(ids))) =
                (topic.field("topic"), topic.field("partitionIds"))
            else {
                continue;
            };
            partitions.extend(ids.iter().filter_map(|id| match id {
                Json::Number(id) => Some((name.as_str(), *id as i32)),
                _ => None,
            }));
        }
    }
    sort_as_scala_set(&mut partitions);
    partitions.into_iter().map(|(topic, partition)| format!("{topic}-{partition}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = &[0, 0, 0, 1, b'x'];

    fn value(status: u8, partitions: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0];
        bytes.extend(4000_i64.to_be_bytes());
        bytes.extend(3_i16.to_be_bytes());
        bytes.extend(60_000_i32.to_be_bytes());
        bytes.push(status);
        bytes.extend(partitions);
        bytes.extend(17_i64.to_be_bytes());
        bytes.extend((-1_i64).to_be_bytes());
        bytes
    }

    #[test]
    fn shown_as_by_kafka() {
        #[track_caller]
        fn check(key: &[u8], value: Option<&[u8]>, expected: (&str, Option<&str>)) {
            let expected = (expected.0.to_owned(), expected.1.map(str::to_owned));
            assert_eq!(decode_transaction(key, value), Ok(expected));
        }
        let shown_key = "transaction_metadata::transactionalId=x";
        check(KEY, None, (shown_key, Some("<DELETE>")));
        check(&[0, 9], None, ("unknown::version=9", None));
        let one = [0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 0];
        check(
            KEY,
            Some(&value(1, &one)),
            (
                shown_key,
                Some(
                    "producerId:4000,producerEpoch:3,state=Ongoing,partitions=[t-0],txnLastUpdateTimestamp=17,\
                     txnTimeoutMs=60000",
                ),
            ),
        );
        check(
            KEY,
            Some(&value(4, &[255; 4])),
            (
                shown_key,
                Some(
                    "producerId:4000,producerEpoch:3,state=CompleteCommit,partitions=[],txnLastUpdateTimestamp=17,\
                     txnTimeoutMs=60000",
                ),
            ),
        );
        assert_eq!(decode_transaction(KEY, Some(&[0, 5])), Err(TransactionError::Version(5)));
        assert_eq!(decode_transaction(KEY, Some(&value(77, &one))), Err(TransactionError::Status(77)));
    }
}
