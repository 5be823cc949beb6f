//! `--reset-offsets`: sets, or only shows, where groups without members go on reading.

mod csv;
mod scenario;
mod time;

use std::collections::BTreeMap;
use std::path::Path;

use gregor_model::TopicPartition;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Failure, topics};
use crate::admin::Admin;
use crate::admin::offsets::{OffsetSpec, UNKNOWN_OFFSET};
use crate::command_line::Given;
use crate::java_map::{DEFAULT_CAPACITY, sort_as_hash_map, sort_partitions_as_hash_map};
use crate::report;
use crate::table::fixed;
use csv::Plan;
use scenario::Scenario;
pub use scenario::{NothingToShift, ScenarioError};

type Offsets = BTreeMap<TopicPartition, i64>;

/// A group's new offsets.
#[derive(Clone, Debug, Default)]
struct Outcome {
    group: String,
    /// In the order in which the partitions were named, which decides about the order in which they are shown.
    named: Vec<TopicPartition>,
    offsets: Offsets,
}

/// Resets the offsets of `groups` as the flags say, and prints them.
pub async fn run(admin: &mut Admin, given: &Given, groups: Vec<String>) -> Result<(), Failure> {
    let scenario = Scenario::of(given, Timestamp::now()).map_err(Failure::Scenario)?;
    let plan = match &scenario {
        Scenario::FromFile(path) => Some(load(path, given.value("group").ok().flatten())?),
        _ => None,
    };
    let mut groups = groups;
    groups.sort();
    groups.dedup();
    sort_as_hash_map(&mut groups, DEFAULT_CAPACITY, |group| group);
    let mut results: Vec<Outcome> = Vec::new();
    for group in groups {
        let mut named = Vec::new();
        let state = admin.describe_consumer_group(&group).await.map_err(Failure::Nested)?.state;
        let offsets = if ["Empty", "Dead"].contains(&state.as_str()) {
            named = partitions(admin, given, &group).await?;
            let offsets = match &plan {
                Some(plan) => planned(admin, plan, &group).await?,
                None => prepare(admin, &scenario, &group, &named).await?,
            };
            if given.has("execute") {
                admin.set_committed_offsets(&group, &offsets).await.map_err(Failure::Nested)?;
            }
            offsets
        } else {
            report::remark_on_stdout(format!(
                "\nError: Assignments can only be reset if the group '{group}' is inactive, but the current state is {state}."
            ));
            Offsets::new()
        };
        results.push(Outcome { group, named, offsets });
    }
    print(given, &results);
    Ok(())
}

fn print(given: &Given, results: &[Outcome]) {
    if given.has("json") {
        println!("{}", document(results));
    } else if given.has("export") {
        println!("{}", exported(results, given.values("group").len() == 1));
    } else {
        print!("{}", table(results));
    }
}

fn load(path: &str, single_group: Option<&str>) -> Result<Plan, Failure> {
    let text = std::fs::read_to_string(Path::new(path))
        .map_err(|source| Failure::File { path: path.to_owned(), source })?;
    csv::read(&text, single_group)
        .map_err(|error| Failure::Plan { path: path.to_owned(), reason: error.to_string() })
}

/// The partitions that the flags name.
async fn partitions(admin: &mut Admin, given: &Given, group: &str) -> Result<Vec<TopicPartition>, Failure> {
    if given.has("all-topics") {
        return Ok(admin.committed_offsets(group).await.map_err(Failure::Nested)?.into_keys().collect());
    }
    let named = topics::read(&given.values("topic"))?;
    let mut partitions = named.partitions;
    let mut whole = named.whole;
    sort_as_hash_map(&mut whole, DEFAULT_CAPACITY, |topic| topic);
    for topic in &whole {
        partitions.extend(admin.partitions_of(topic).await.map_err(Failure::Nested)?);
    }
    Ok(partitions)
}

async fn planned(admin: &mut Admin, plan: &Plan, group: &str) -> Result<Offsets, Failure> {
    match plan.get(group) {
        Some(offsets) => checked(admin, offsets.clone()).await,
        None => {
            report::remark_on_stdout(format!("\nError: No reset plan for group {group} found"));
            Ok(Offsets::new())
        }
    }
}

async fn prepare(
    admin: &mut Admin,
    scenario: &Scenario,
    group: &str,
    partitions: &[TopicPartition],
) -> Result<Offsets, Failure> {
    let committed = |offsets: Result<Offsets, _>| offsets.map_err(Failure::Nested);
    match scenario {
        Scenario::ToEarliest => offsets_at(admin, partitions, OffsetSpec::Earliest).await,
        Scenario::ToLatest | Scenario::FromFile(_) => offsets_at(admin, partitions, OffsetSpec::Latest).await,
        Scenario::ToOffset(offset) => {
            let wanted = partitions.iter().map(|partition| (partition.clone(), *offset));
            checked(admin, wanted.collect()).await
        }
        Scenario::ShiftBy(shift) => {
            let committed = committed(admin.committed_offsets(group).await)?;
            checked(admin, scenario::shifted(partitions, &committed, *shift)?).await
        }
        Scenario::ToCurrent => {
            let committed = committed(admin.committed_offsets(group).await)?;
            let uncommitted: Vec<TopicPartition> =
                partitions.iter().filter(|partition| !committed.contains_key(*partition)).cloned().collect();
            let mut offsets = offsets_at(admin, &uncommitted, OffsetSpec::Latest).await?;
            let wanted = |(partition, _): &(TopicPartition, i64)| partitions.contains(partition);
            offsets.extend(committed.into_iter().filter(wanted));
            Ok(offsets)
        }
        Scenario::ToTime(timestamp) => offsets_at_time(admin, partitions, *timestamp).await,
    }
}

/// Fails if one partition's offset cannot be had.
async fn offsets_at(
    admin: &mut Admin,
    partitions: &[TopicPartition],
    spec: OffsetSpec,
) -> Result<Offsets, Failure> {
    let found = admin.list_offsets(partitions, spec).await.map_err(Failure::Nested)?;
    found.into_iter().map(|(partition, offset)| Ok((partition, offset.map_err(Failure::Nested)?))).collect()
}

/// The first offset at or after a time; the end of partitions that have none.
async fn offsets_at_time(
    admin: &mut Admin,
    partitions: &[TopicPartition],
    timestamp: i64,
) -> Result<Offsets, Failure> {
    let mut offsets = offsets_at(admin, partitions, OffsetSpec::At(timestamp)).await?;
    let mut without: Vec<TopicPartition> = Vec::new();
    offsets.retain(|partition, offset| {
        if *offset == UNKNOWN_OFFSET {
            without.push(partition.clone());
        }
        *offset != UNKNOWN_OFFSET
    });
    sort_partitions_as_hash_map(&mut without, |partition| partition);
    for TopicPartition { topic, partition } in &without {
        println!(
            "\nWarn: Partition {partition} from topic {topic} is empty. Falling back to latest known offset."
        );
    }
    offsets.extend(offsets_at(admin, &without, OffsetSpec::Latest).await?);
    Ok(offsets)
}

/// Offsets brought within their partitions.
async fn checked(admin: &mut Admin, wanted: Offsets) -> Result<Offsets, Failure> {
    let partitions: Vec<TopicPartition> = wanted.keys().cloned().collect();
    let starts = offsets_at(admin, &partitions, OffsetSpec::Earliest).await?;
    let ends = offsets_at(admin, &partitions, OffsetSpec::Latest).await?;
    let mut checked = Offsets::new();
    for (partition, offset) in wanted {
        let start = starts.get(&partition).copied().unwrap_or(i64::MIN);
        let end = ends.get(&partition).copied().unwrap_or(i64::MAX);
        let (offset, warning) = scenario::within(&partition, offset, start, end);
        if let Some(warning) = warning {
            eprintln!("{warning}");
        }
        checked.insert(partition, offset);
    }
    Ok(checked)
}

fn in_order(Outcome { named, offsets, .. }: &Outcome) -> Vec<(&TopicPartition, i64)> {
    let not_named = offsets.keys().filter(|partition| !named.contains(partition));
    let all = named.iter().chain(not_named);
    let mut entries: Vec<(&TopicPartition, i64)> =
        all.filter_map(|partition| Some((partition, *offsets.get(partition)?))).collect();
    sort_partitions_as_hash_map(&mut entries, |(partition, _)| partition);
    entries
}

/// The table. Kafka's tool prints all rows in one line, which nobody can read; ours has a line for each.
fn table(results: &[Outcome]) -> String {
    let line = |cells: [&str; 4]| {
        let [group, topic, partition, offset] = cells;
        format!("\n{}", fixed(&[(group, 30), (topic, 30), (partition, 10), (offset, 15)]))
    };
    let mut text =
        if results.is_empty() { String::new() } else { line(["GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"]) };
    for outcome in results {
        for (TopicPartition { topic, partition }, offset) in in_order(outcome) {
            text.push_str(&line([
                &outcome.group,
                topic.as_str(),
                &partition.to_string(),
                &offset.to_string(),
            ]));
        }
    }
    text + "\n"
}

fn exported(results: &[Outcome], is_single_group: bool) -> String {
    let records = results.iter().flat_map(|outcome| {
        let group = (!is_single_group).then_some(outcome.group.as_str());
        in_order(outcome).into_iter().map(move |(partition, offset)| csv::record(group, partition, offset))
    });
    records.collect()
}

fn document(results: &[Outcome]) -> Value {
    let group = |Outcome { group, offsets, .. }: &Outcome| {
        let offsets = offsets.iter().map(|(partition, offset)| {
            json!({ "topic": partition.topic.as_str(), "partition": partition.partition, "newOffset": offset })
        });
        json!({ "groupId": group, "offsets": offsets.collect::<Vec<_>>() })
    };
    json!({ "groups": results.iter().map(group).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output() {
        let offsets = Offsets::from([(TopicPartition::new("t", 0), 5)]);
        let results = [Outcome { group: "g".to_owned(), named: Vec::new(), offsets }];
        assert_eq!(
            table(&results),
            format!(
                "\n{:30} {:30} {:10} {:15}\n{:30} {:30} {:10} {:15}\n",
                "GROUP", "TOPIC", "PARTITION", "NEW-OFFSET", "g", "t", "0", "5"
            )
        );
        assert_eq!(exported(&results, true), "t,0,5\n");
        assert_eq!(exported(&results, false), "g,t,0,5\n");
        assert_eq!(document(&results)["groups"][0]["offsets"][0]["newOffset"], 5);
    }
}
