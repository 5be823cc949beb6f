//! `--delete` and `--delete-offsets`: what is said of each group or partition (`ConsumerGroupCommand`).

use gregor_model::TopicPartition;

use super::{Failure, topics};
use crate::admin::leaders::PerPartition;
use crate::admin::{Admin, AdminError};
use crate::command_line::Given;
use crate::java_map::{DEFAULT_CAPACITY, sort_as_hash_map};
use crate::report;
use crate::table::fixed;

const NESTED: &str = "java.util.concurrent.ExecutionException: ";

/// Deletes groups.
pub async fn groups(admin: &mut Admin, mut groups: Vec<String>) -> Result<(), Failure> {
    groups.sort();
    groups.dedup();
    sort_as_hash_map(&mut groups, DEFAULT_CAPACITY, |group| group);
    let (mut deleted, mut failed) = (Vec::new(), Vec::new());
    for group in groups {
        match admin.delete_consumer_group(&group).await {
            Ok(()) => deleted.push(group),
            Err(error) => failed.push((group, error)),
        }
    }
    if failed.is_empty() {
        println!("{}", all_deleted(&deleted));
    } else {
        report::remark_on_stdout(some_failed(&deleted, &failed));
    }
    Ok(())
}

fn all_deleted(groups: &[String]) -> String {
    format!("Deletion of requested consumer groups ('{}') was successful.", groups.join(", "))
}

fn some_failed(deleted: &[String], failed: &[(String, AdminError)]) -> String {
    let mut text = "\nError: Deletion of some consumer groups failed:".to_owned();
    for (group, error) in failed {
        text.push_str(&format!("\n* Group '{group}' could not be deleted due to: {NESTED}{}", error.java()));
    }
    if !deleted.is_empty() {
        let list = deleted.join("'");
        text.push_str(&format!("\n\nThese consumer groups were deleted successfully: '{list}', '"));
    }
    text
}

/// Deletes what a group has committed for topics.
pub async fn offsets(admin: &mut Admin, given: &Given) -> Result<(), Failure> {
    let group = given.value("group")?.unwrap_or_default();
    let names = given.values("topic");
    let named = topics::read(&names)?;
    let mut outcomes: PerPartition<()> = PerPartition::new();
    let mut partitions = named.partitions;
    for topic in &named.whole {
        match admin.partitions_of(topic).await {
            Ok(found) => partitions.extend(found),
            // Kafka's tool has no partition to name either.
            Err(error) => {
                outcomes.insert(TopicPartition::new(topic.as_str(), -1), Err(error));
            }
        }
    }
    let whole = match admin.delete_committed_offsets(group, &partitions).await {
        Ok(found) => {
            let first = found.values().find_map(|outcome| outcome.as_ref().err().and_then(AdminError::code));
            outcomes.extend(found);
            first.map_or(Ok(()), |code| Err(AdminError::refused(code, None)))
        }
        Err(error) => {
            let code = error.code().unwrap_or(-1);
            outcomes.extend(partitions.into_iter().map(|one| (one, Err(AdminError::refused(code, None)))));
            Err(error)
        }
    };
    match whole {
        Ok(()) => {
            let topics = names.join(", ");
            println!("Request succeed for deleting offsets with topic {topics} group {group}");
        }
        Err(error) => report::remark_on_stdout(format!("\nError: {}", whole_failure(group, &error))),
    }
    print!("{}", table(&outcomes));
    Ok(())
}

fn whole_failure(group: &str, error: &AdminError) -> String {
    match error.code() {
        Some(24) => format!("'{group}' is not valid."),
        Some(69) => format!("'{group}' does not exist."),
        Some(30) => format!("Access to '{group}' is not authorized."),
        Some(68) => {
            format!("Deleting offsets of a consumer group '{group}' is forbidden if the group is not empty.")
        }
        Some(86 | 29 | 3) => "Encounter some partition level error, see the follow-up details:".to_owned(),
        _ => format!("Encounter some unknown error: {error}"),
    }
}

/// The table. Kafka's tool prints all rows in one line, which nobody can read; ours has a line for each.
fn table(outcomes: &PerPartition<()>) -> String {
    let line = |topic: &str, partition: &str, status: &str| {
        format!("\n{}", fixed(&[(topic, 30), (partition, 15), (status, 15)]))
    };
    let mut rows: Vec<_> = outcomes.iter().collect();
    rows.sort_by_key(|(TopicPartition { topic, partition }, _)| format!("{topic}{partition}"));
    let mut text = line("TOPIC", "PARTITION", "STATUS");
    for (TopicPartition { topic, partition }, outcome) in rows {
        let partition = if *partition < 0 { "Not Provided".to_owned() } else { partition.to_string() };
        let status = match outcome {
            Ok(()) => "Successful".to_owned(),
            Err(error) => format!("Error: :{}", error.java()),
        };
        text.push_str(&line(topic.as_str(), &partition, &status));
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_deleted_or_not() {
        let deleted = ["a".to_owned(), "b".to_owned()];
        assert_eq!(all_deleted(&deleted), "Deletion of requested consumer groups ('a, b') was successful.");
        let failed = [("c".to_owned(), AdminError::refused(68, None))];
        assert_eq!(
            some_failed(&deleted, &failed),
            "\nError: Deletion of some consumer groups failed:\n* Group 'c' could not be deleted due to: \
             java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.GroupNotEmptyException: The group \
             is not empty.\n\nThese consumer groups were deleted successfully: 'a'b', '"
        );
    }

    #[test]
    fn offsets_deleted_or_not() {
        let outcomes = PerPartition::from([
            (TopicPartition::new("t", 0), Ok(())),
            (TopicPartition::new("u", -1), Err(AdminError::refused(3, None))),
        ]);
        let text = table(&outcomes);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2], format!("{:30} {:15} {:15}", "t", "0", "Successful"));
        assert!(
            lines[3].starts_with(&format!("{:30} {:15} Error: :org.apache", "u", "Not Provided")),
            "{text}"
        );
        let missing = whole_failure("g", &AdminError::refused(69, None));
        assert_eq!(missing, "'g' does not exist.");
    }
}
