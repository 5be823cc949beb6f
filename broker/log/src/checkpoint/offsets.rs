//! `recovery-point-offset-checkpoint`, `log-start-offset-checkpoint`, `replication-offset-checkpoint` and
//! `cleaner-offset-checkpoint` (`OffsetCheckpointFile`): an offset per partition, in each log directory.

use std::collections::HashMap;

use gregor_model::{Offset, TopicPartition};

use super::text::{self, BadCheckpoint};

/// Up to where each log has been flushed.
pub const RECOVERY_POINT: &str = "recovery-point-offset-checkpoint";
/// Where logs start that do not start with their first segment.
pub const LOG_START: &str = "log-start-offset-checkpoint";
/// The high watermarks.
pub const HIGH_WATERMARK: &str = "replication-offset-checkpoint";

/// Parses the file. Negative offsets are refused.
///
/// # Errors
/// What Kafka does not read either.
pub fn parse(bytes: &[u8]) -> Result<HashMap<TopicPartition, Offset>, BadCheckpoint> {
    let entries = text::parse(bytes, |fields| match fields {
        [topic, partition, offset] => {
            let partition = partition.parse().ok().filter(|&p: &i32| p >= 0)?;
            Some((TopicPartition::new(*topic, partition), Offset::from_wire(offset.parse().ok()?)?))
        }
        _ => None,
    })?;
    Ok(entries.into_iter().collect())
}

/// The file of `entries`.
pub fn format(entries: &[(TopicPartition, Offset)]) -> Vec<u8> {
    text::format(entries.iter().map(|(tp, offset)| format!("{} {} {}", tp.topic, tp.partition, offset)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_kafka_writes() {
        assert_eq!(format(&[(TopicPartition::new("t-1", 0), Offset(17))]), b"0\n1\nt-1 0 17\n");
        assert_eq!(format(&[]), b"0\n0\n");
    }

    #[test]
    fn reads_what_kafka_reads() {
        #[track_caller]
        fn check(text: &str, expected: Option<&[(&str, i32, i64)]>) {
            let parsed = parse(text.as_bytes()).ok();
            let expected = expected.map(|rows| {
                rows.iter()
                    .map(|&(t, p, o)| (TopicPartition::new(t, p), Offset(o)))
                    .collect::<HashMap<_, _>>()
            });
            assert_eq!(parsed, expected, "{text:?}");
        }
        check("", Some(&[]));
        check("0\n", Some(&[]));
        check("0\n0\n", Some(&[]));
        check("0\n1\nt-1 0 17\n", Some(&[("t-1", 0, 17)]));
        check("0\n1\nt-1\t0  17", Some(&[("t-1", 0, 17)]));
        check("0\n2\na 0 1\nb 3 9\n", Some(&[("a", 0, 1), ("b", 3, 9)]));
        check("1\n0\n", None);
        check("0\n2\na 0 1\n", None);
        check("0\n0\na 0 1\n", None);
        check("0\n1\n a 0 1\n", None);
        check("0\n1\na 0\n", None);
        check("0\n1\na 0 x\n", None);
        check("0\n1\na 0 -5\n", None);
        check("0\n99999999999999999999\n", None);
    }
}
