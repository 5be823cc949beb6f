//! `--describe --offsets`: a row per partition with what is committed, where it ends and the lag
//! (`ConsumerGroupCommand.collectGroupsOffsets`, `printOffsets`). Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use gregor_model::TopicPartition;
use serde_json::{Value, json};

use crate::admin::groups::{GroupDescription, Member};
use crate::java_map::sort_partitions_as_hash_map;
use crate::table::fixed;

/// What is shown where there is nothing.
const MISSING: &str = "-";

/// A partition of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    partition: TopicPartition,
    committed: Option<i64>,
    end: Option<i64>,
    /// Who reads it.
    consumer: Option<Consumer>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Consumer {
    id: String,
    host: String,
    client_id: String,
}

impl Row {
    fn lag(&self) -> Option<i64> {
        Some(self.end? - self.committed?)
    }
}

/// Every partition of a group: those with an offset, and those assigned.
pub fn partitions(
    group: &GroupDescription,
    committed: &BTreeMap<TopicPartition, i64>,
) -> BTreeSet<TopicPartition> {
    let assigned = group.members.iter().flat_map(|member| &member.assignment);
    committed.keys().chain(assigned).cloned().collect()
}

/// The rows of a group: by member, those with most partitions first, then what nobody reads.
pub fn rows(
    group: &GroupDescription,
    committed: &BTreeMap<TopicPartition, i64>,
    ends: &BTreeMap<TopicPartition, i64>,
) -> Vec<Row> {
    let row = |partition: TopicPartition, consumer: Option<Consumer>| Row {
        committed: committed.get(&partition).copied(),
        end: ends.get(&partition).copied(),
        partition,
        consumer,
    };
    let mut readers: Vec<&Member> =
        group.members.iter().filter(|member| !member.assignment.is_empty()).collect();
    readers.sort_by_key(|member| Reverse(member.assignment.len()));
    let mut rows = Vec::new();
    for member in &readers {
        let consumer = Consumer {
            id: member.id.clone(),
            host: member.host.clone(),
            client_id: member.client_id.clone(),
        };
        rows.extend(in_order(&member.assignment).into_iter().map(|one| row(one, Some(consumer.clone()))));
    }
    let is_read = |partition: &TopicPartition| {
        readers.iter().any(|member| member.assignment.binary_search(partition).is_ok())
    };
    let unread: Vec<TopicPartition> =
        committed.keys().filter(|partition| !is_read(partition)).cloned().collect();
    rows.extend(in_order(&unread).into_iter().map(|one| row(one, None)));
    rows
}

/// Sorted by partition, then as a map gives them back.
fn in_order(partitions: &[TopicPartition]) -> Vec<TopicPartition> {
    let mut sorted = partitions.to_vec();
    sort_partitions_as_hash_map(&mut sorted, |partition| partition);
    sorted.sort_by_key(|partition| partition.partition);
    sort_partitions_as_hash_map(&mut sorted, |partition| partition);
    sorted
}

/// The table: every row starts with a line break.
pub fn table(group: &str, rows: &[Row]) -> String {
    let consumer = |row: &Row, part: fn(&Consumer) -> &String| {
        row.consumer.as_ref().map_or(MISSING, |consumer| part(consumer)).to_owned()
    };
    let number = |number: Option<i64>| number.map_or(MISSING.to_owned(), |number| number.to_string());
    let cells = rows.iter().map(|row| {
        [
            group.to_owned(),
            row.partition.topic.to_string(),
            row.partition.partition.to_string(),
            number(row.committed),
            number(row.end),
            number(row.lag()),
            consumer(row, |consumer| &consumer.id),
            consumer(row, |consumer| &consumer.host),
            consumer(row, |consumer| &consumer.client_id),
        ]
    });
    let header = [
        "GROUP",
        "TOPIC",
        "PARTITION",
        "CURRENT-OFFSET",
        "LOG-END-OFFSET",
        "LAG",
        "CONSUMER-ID",
        "HOST",
        "CLIENT-ID",
    ];
    let all: Vec<[String; 9]> = std::iter::once(header.map(str::to_owned)).chain(cells).collect();
    let widest = |column: usize| {
        let below = all.iter().skip(1).map(|row: &[String; 9]| row[column].chars().count());
        below.max().unwrap_or(0).max(15)
    };
    let widths = [widest(0), widest(1), 10, 15, 15, 15, widest(6), widest(7), 0];
    let line = |row: &[String; 9]| {
        let cells: Vec<(&str, usize)> = row.iter().map(String::as_str).zip(widths).collect();
        format!("\n{}", fixed(&cells))
    };
    all.iter().map(line).collect()
}

/// The same as JSON.
pub fn json_rows(rows: &[Row]) -> Value {
    let entry = |row: &Row| {
        json!({
            "topic": row.partition.topic.as_str(),
            "partition": row.partition.partition,
            "currentOffset": row.committed,
            "logEndOffset": row.end,
            "lag": row.lag(),
            "consumerId": row.consumer.as_ref().map(|consumer| &consumer.id),
            "host": row.consumer.as_ref().map(|consumer| &consumer.host),
            "clientId": row.consumer.as_ref().map(|consumer| &consumer.client_id),
        })
    };
    Value::Array(rows.iter().map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> GroupDescription {
        let member = |id: &str, partitions: &[i32]| Member {
            id: id.to_owned(),
            client_id: "c".to_owned(),
            host: "/127.0.0.1".to_owned(),
            assignment: partitions.iter().map(|partition| TopicPartition::new("t", *partition)).collect(),
            ..Member::default()
        };
        GroupDescription {
            id: "g".to_owned(),
            state: "Stable".to_owned(),
            assignor: "range".to_owned(),
            coordinator: 0,
            members: vec![member("idle", &[]), member("one", &[2]), member("two", &[0, 1])],
        }
    }

    fn offsets(list: &[(&str, i32, i64)]) -> BTreeMap<TopicPartition, i64> {
        list.iter()
            .map(|(topic, partition, offset)| (TopicPartition::new(*topic, *partition), *offset))
            .collect()
    }

    #[test]
    fn rows_are_by_member_then_what_nobody_reads() {
        let committed = offsets(&[("t", 0, 5), ("u", 0, 1)]);
        let ends = offsets(&[("t", 0, 9), ("t", 1, 0), ("t", 2, 3)]);
        let rows = rows(&group(), &committed, &ends);
        let seen: Vec<_> = rows
            .iter()
            .map(|row| {
                let consumer = row.consumer.as_ref().map_or("-", |consumer| &consumer.id);
                (row.partition.to_string(), row.lag(), consumer)
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("t-1".to_owned(), None, "two"),
                ("t-0".to_owned(), Some(4), "two"),
                ("t-2".to_owned(), None, "one"),
                ("u-0".to_owned(), None, "-"),
            ]
        );
        assert_eq!(partitions(&group(), &committed).len(), 4);
        assert_eq!(json_rows(&rows)[1]["lag"], 4);
        assert_eq!(
            table("g", &rows).lines().nth(3).unwrap(),
            "g               t               0          5               9               4               two             \
             /127.0.0.1      c"
        );
    }
}
