//! The lines that verifiable tools print, with Kafka's names. Times are milliseconds since 1970.

use gregor_client::Error;
use gregor_model::{Offset, Timestamp, TopicPartition};
use serde::Serialize;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Event {
    timestamp: i64,
    name: &'static str,
    #[serde(flatten)]
    what: What,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum What {
    Startup {},
    Shutdown {},
    Sent {
        key: Option<String>,
        value: String,
        offset: i64,
        topic: String,
        partition: i32,
    },
    NotSent {
        key: Option<String>,
        value: String,
        topic: String,
        exception: String,
        message: String,
    },
    ToolData {
        sent: u64,
        acked: u64,
        target_throughput: i64,
        avg_throughput: f64,
    },
    Assigned {
        partitions: Vec<Partition>,
    },
    Revoked {
        partitions: Vec<Partition>,
    },
    Consumed {
        count: u64,
        partitions: Vec<Summary>,
    },
    Record {
        key: Option<String>,
        value: Option<String>,
        topic: String,
        partition: i32,
        offset: i64,
    },
    Committed {
        offsets: Vec<CommittedOffset>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        success: bool,
    },
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Partition {
    topic: String,
    partition: i32,
}

/// What was read of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) count: u64,
    #[serde(rename = "minOffset")]
    pub(super) min_offset: i64,
    #[serde(rename = "maxOffset")]
    pub(super) max_offset: i64,
}

/// What was committed of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct CommittedOffset {
    topic: String,
    partition: i32,
    offset: i64,
}

impl What {
    fn name(&self) -> &'static str {
        match self {
            What::Startup {} => "startup_complete",
            What::Shutdown {} => "shutdown_complete",
            What::Sent { .. } => "producer_send_success",
            What::NotSent { .. } => "producer_send_error",
            What::ToolData { .. } => "tool_data",
            What::Assigned { .. } => "partitions_assigned",
            What::Revoked { .. } => "partitions_revoked",
            What::Consumed { .. } => "records_consumed",
            What::Record { .. } => "record_data",
            What::Committed { .. } => "offsets_committed",
        }
    }

    /// A record that was not sent.
    pub(super) fn not_sent(key: Option<String>, value: String, topic: &str, error: &Error) -> What {
        let exception = format!("class {}", error.exception());
        What::NotSent { key, value, topic: topic.to_owned(), exception, message: error.to_string() }
    }

    /// The outcome of a commit.
    pub(super) fn committed(offsets: &[(TopicPartition, Offset)], outcome: &Result<(), Error>) -> What {
        let row = |(partition, offset): &(TopicPartition, Offset)| CommittedOffset {
            topic: partition.topic.to_string(),
            partition: partition.partition,
            offset: offset.0,
        };
        let error = outcome.as_ref().err().map(ToString::to_string);
        What::Committed { offsets: offsets.iter().map(row).collect(), success: error.is_none(), error }
    }
}

/// Partitions as they are printed.
pub(super) fn partitions(partitions: &[TopicPartition]) -> Vec<Partition> {
    let one = |one: &TopicPartition| Partition { topic: one.topic.to_string(), partition: one.partition };
    partitions.iter().map(one).collect()
}

/// The line of what happens now.
pub(super) fn line(what: What, now: Timestamp) -> String {
    let event = Event { timestamp: now.0, name: what.name(), what };
    // Its keys are text and its numbers finite: it can be written.
    serde_json::to_string(&event).unwrap_or_default()
}

/// Prints what happens now.
pub(super) fn print(what: What) {
    println!("{}", line(what, Timestamp::now()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_kafka() {
        #[track_caller]
        fn check(what: What, expected: &str) {
            assert_eq!(line(what, Timestamp(5)), expected);
        }
        check(What::Startup {}, r#"{"timestamp":5,"name":"startup_complete"}"#);
        check(
            What::Sent { key: None, value: "0".to_owned(), topic: "t".to_owned(), partition: 1, offset: 2 },
            r#"{"timestamp":5,"name":"producer_send_success","key":null,"value":"0","offset":2,"topic":"t","partition":1}"#,
        );
        check(
            What::ToolData { sent: 3, acked: 3, target_throughput: -1, avg_throughput: 1.5 },
            r#"{"timestamp":5,"name":"tool_data","sent":3,"acked":3,"target_throughput":-1,"avg_throughput":1.5}"#,
        );
        let partition = TopicPartition::new("t", 0);
        check(
            What::Assigned { partitions: partitions(std::slice::from_ref(&partition)) },
            r#"{"timestamp":5,"name":"partitions_assigned","partitions":[{"topic":"t","partition":0}]}"#,
        );
        let offsets = [(partition, Offset(7))];
        check(
            What::committed(&offsets, &Ok(())),
            r#"{"timestamp":5,"name":"offsets_committed","offsets":[{"topic":"t","partition":0,"offset":7}],"success":true}"#,
        );
        check(
            What::committed(&[], &Err(Error::Timeout("late".to_owned()))),
            r#"{"timestamp":5,"name":"offsets_committed","offsets":[],"error":"late","success":false}"#,
        );
    }
}
