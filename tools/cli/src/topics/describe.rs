//! What `--describe` prints (`TopicCommand.TopicDescription`, `PartitionDescription`, `DescribeOptions`). Pure.

use std::fmt::Write as _;

use gregor_model::TopicPartition;

use crate::admin::configs::ConfigEntry;
use crate::admin::reassignments::{Reassignment, Reassignments};
use crate::admin::topics::{PartitionDescription, TopicDescription};
use crate::command_line::Given;
use crate::java_map::{DEFAULT_CAPACITY, sort_as_hash_map};

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Partitions with fewer in-sync replicas than replicas.
    pub under_replicated: bool,
    /// Partitions without a living leader.
    pub unavailable: bool,
    /// Partitions below `min.insync.replicas`.
    pub under_min_isr: bool,
    /// Partitions exactly at it.
    pub at_min_isr: bool,
    /// Only topics with configs of their own, without partitions.
    pub overridden: bool,
}

impl Report {
    /// From the flags.
    pub fn of(given: &Given) -> Report {
        Report {
            under_replicated: given.has("under-replicated-partitions"),
            unavailable: given.has("unavailable-partitions"),
            under_min_isr: given.has("under-min-isr-partitions"),
            at_min_isr: given.has("at-min-isr-partitions"),
            overridden: given.has("topics-with-overrides"),
        }
    }

    fn is_filter(self) -> bool {
        self.under_replicated || self.unavailable || self.under_min_isr || self.at_min_isr
    }

    fn wants(
        self,
        partition: &PartitionDescription,
        reassignment: Option<&Reassignment>,
        facts: &Facts,
    ) -> bool {
        let led = partition.leader.is_some_and(|leader| facts.live_brokers.contains(&leader));
        !self.is_filter()
            || self.under_replicated && replication_factor(partition, reassignment) > partition.isr.len()
            || self.unavailable && !led
            || self.under_min_isr && (partition.leader.is_none() || partition.isr.len() < facts.min_isr)
            || self.at_min_isr && partition.isr.len() == facts.min_isr
    }
}

/// What is known beside the topic itself.
#[derive(Clone, Debug, Default)]
struct Facts<'a> {
    live_brokers: &'a [i32],
    min_isr: usize,
}

/// Prints one topic: a line for the topic, and one per partition.
pub fn describe(
    report: Report,
    topic: &TopicDescription,
    configs: &[ConfigEntry],
    reassignments: &Reassignments,
    live_brokers: &[i32],
) -> String {
    let min_isr = configs.iter().find(|entry| entry.name == "min.insync.replicas");
    let min_isr = min_isr.and_then(|entry| entry.value.as_ref()?.parse().ok()).unwrap_or(1);
    let facts = Facts { live_brokers, min_isr };
    let reassignment =
        |partition: i32| reassignments.get(&TopicPartition::new(topic.name.as_str(), partition));
    let mut text = String::new();
    let overridden = configs.iter().any(|entry| !entry.is_default);
    if !report.is_filter() && (!report.overridden || overridden) {
        let first = topic.partitions.first();
        let factor = first.map_or(0, |first| replication_factor(first, reassignment(first.partition)));
        text.push_str(&topic_line(topic, factor, configs));
    }
    if !report.overridden {
        for partition in &topic.partitions {
            let reassignment = reassignment(partition.partition);
            if report.wants(partition, reassignment, &facts) {
                text.push_str(&partition_line(&topic.name, partition, reassignment));
            }
        }
    }
    text
}

fn topic_line(topic: &TopicDescription, replication_factor: usize, configs: &[ConfigEntry]) -> String {
    let mut configs: Vec<&ConfigEntry> = configs.iter().collect();
    sort_as_hash_map(&mut configs, DEFAULT_CAPACITY, |entry| &entry.name);
    let shown = configs.iter().filter(|entry| !entry.is_default);
    let shown: Vec<String> =
        shown.map(|entry| format!("{}={}", entry.name, entry.value.as_deref().unwrap_or("null"))).collect();
    let id = topic.id.map(|id| format!("\tTopicId: {id}")).unwrap_or_default();
    format!(
        "Topic: {}{id}\tPartitionCount: {}\tReplicationFactor: {replication_factor}\tConfigs: {}\n",
        topic.name,
        topic.partitions.len(),
        shown.join(",")
    )
}

fn partition_line(
    topic: &str,
    partition: &PartitionDescription,
    reassignment: Option<&Reassignment>,
) -> String {
    let leader = partition.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string());
    let mut text = format!(
        "\tTopic: {topic}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}",
        partition.partition,
        join(&partition.replicas),
        join(&partition.isr)
    );
    if let Some(Reassignment { adding, removing, .. }) = reassignment {
        // Writing to a String cannot fail.
        let _ = write!(text, "\tAdding Replicas: {}\tRemoving Replicas: {}", join(adding), join(removing));
    }
    // Eligible leader replicas are KRaft's.
    text.push_str("\tElr: N/A\tLastKnownElr: N/A\n");
    text
}

/// The count of replicas, or the one that a reassignment under way leads to.
fn replication_factor(partition: &PartitionDescription, reassignment: Option<&Reassignment>) -> usize {
    let changing = |reassignment: &&Reassignment| {
        let is_changing = |id: &i32| reassignment.adding.contains(id) || reassignment.removing.contains(id);
        partition.replicas.iter().any(is_changing)
    };
    match reassignment.filter(changing) {
        Some(reassignment) => {
            reassignment.replicas.len() - reassignment.adding.len().min(reassignment.replicas.len())
        }
        None => partition.replicas.len(),
    }
}

fn join(ids: &[i32]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic() -> TopicDescription {
        let partition = |partition, leader, isr: &[i32]| PartitionDescription {
            partition,
            leader,
            replicas: vec![1, 2],
            isr: isr.to_vec(),
        };
        TopicDescription {
            name: "orders".to_owned(),
            id: None,
            partitions: vec![
                partition(0, Some(1), &[1, 2]),
                partition(1, None, &[2]),
                partition(2, Some(1), &[1]),
            ],
        }
    }

    fn configs() -> Vec<ConfigEntry> {
        let entry = |name: &str, value: &str, is_default| ConfigEntry {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            is_default,
            ..ConfigEntry::default()
        };
        vec![entry("min.insync.replicas", "2", true), entry("retention.ms", "5", false)]
    }

    #[track_caller]
    fn check(report: Report, expected: &[&str]) {
        let text = describe(report, &topic(), &configs(), &Reassignments::new(), &[1, 2]);
        let lines: Vec<String> = text.lines().map(|line| line.replace('\t', "|")).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn reports() {
        let head = "Topic: orders|PartitionCount: 3|ReplicationFactor: 2|Configs: retention.ms=5";
        let rows = [
            "|Topic: orders|Partition: 0|Leader: 1|Replicas: 1,2|Isr: 1,2|Elr: N/A|LastKnownElr: N/A",
            "|Topic: orders|Partition: 1|Leader: none|Replicas: 1,2|Isr: 2|Elr: N/A|LastKnownElr: N/A",
            "|Topic: orders|Partition: 2|Leader: 1|Replicas: 1,2|Isr: 1|Elr: N/A|LastKnownElr: N/A",
        ];
        let report = Report::default();
        check(report, &[head, rows[0], rows[1], rows[2]]);
        check(Report { overridden: true, ..report }, &[head]);
        check(Report { unavailable: true, ..report }, &[rows[1]]);
        check(Report { under_replicated: true, ..report }, &[rows[1], rows[2]]);
        check(Report { under_min_isr: true, ..report }, &[rows[1], rows[2]]);
        check(Report { at_min_isr: true, ..report }, &[rows[0]]);
    }

    #[test]
    fn a_reassignment_shows_where_it_leads() {
        let moving = Reassignment { replicas: vec![1, 2, 3], adding: vec![3], removing: vec![1] };
        let reassignments = Reassignments::from([(TopicPartition::new("orders", 0), moving)]);
        let text = describe(Report::default(), &topic(), &[], &reassignments, &[1, 2]);
        assert!(text.contains("ReplicationFactor: 2\tConfigs: \n"), "{text}");
        assert!(text.contains("Isr: 1,2\tAdding Replicas: 3\tRemoving Replicas: 1\tElr"), "{text}");
    }
}
