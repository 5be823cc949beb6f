//! `--describe --members`: a row per member (`ConsumerGroupCommand.printMembers`). Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::admin::groups::{GroupDescription, Member};

/// The table. It is there even for a group without members; widths follow the members only if `is_shown`.
pub fn table(group: &GroupDescription, is_shown: bool, verbose: bool) -> String {
    let members = &group.members;
    let widest = |minimum: usize, cell: fn(&Member) -> &str| {
        let cells = members.iter().filter(|_| is_shown).map(|member| cell(member).chars().count());
        cells.max().unwrap_or(0).max(minimum)
    };
    let instance = |member: &Member| member.instance_id.clone().unwrap_or_default();
    let with_instance = is_shown && members.iter().any(|member| !instance(member).is_empty());
    let group_width = if is_shown { group.id.chars().count().max(15) } else { 15 };
    let widths = [
        group_width,
        widest(15, |member| &member.id),
        widest(17, |member| member.instance_id.as_deref().unwrap_or_default()),
        widest(15, |member| &member.host),
        widest(15, |member| &member.client_id),
        15,
    ];
    let line = |cells: [&str; 6], assignment: &str| {
        let mut line = String::new();
        for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
            if index != 2 || with_instance {
                line.push_str(&format!("{cell:width$} "));
            }
        }
        line + assignment + "\n"
    };
    let header = ["GROUP", "CONSUMER-ID", "GROUP-INSTANCE-ID", "HOST", "CLIENT-ID", "#PARTITIONS"];
    let mut text = format!("\n{}", line(header, if verbose { "ASSIGNMENT" } else { "" }));
    for member in members {
        let count = member.assignment.len().to_string();
        let instance = instance(member);
        let cells = [&group.id, &member.id, &instance, &member.host, &member.client_id, &count];
        let assignment = if verbose { assignment(member) } else { String::new() };
        text.push_str(&line(cells.map(String::as_str), &assignment));
    }
    text
}

/// The partitions of each topic in parentheses, without the topics' names, as Kafka's tool has it.
fn assignment(member: &Member) -> String {
    let mut topics: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for partition in &member.assignment {
        topics.entry(partition.topic.as_str()).or_default().push(partition.partition.to_string());
    }
    let mut lists: Vec<String> = topics
        .into_values()
        .map(|mut partitions| {
            partitions.sort();
            format!("({})", partitions.join(","))
        })
        .collect();
    lists.sort();
    if lists.is_empty() { "-".to_owned() } else { lists.join(", ") }
}

/// The same as JSON.
pub fn json_members(group: &GroupDescription) -> Value {
    let entry = |member: &Member| {
        let partitions = member
            .assignment
            .iter()
            .map(|one| json!({ "topic": one.topic.as_str(), "partition": one.partition }));
        json!({
            "consumerId": member.id,
            "groupInstanceId": member.instance_id,
            "host": member.host,
            "clientId": member.client_id,
            "assignment": partitions.collect::<Vec<_>>(),
        })
    };
    Value::Array(group.members.iter().map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gregor_model::TopicPartition;

    fn group(members: Vec<Member>) -> GroupDescription {
        GroupDescription {
            id: "g".to_owned(),
            state: "Stable".to_owned(),
            assignor: "range".to_owned(),
            coordinator: 0,
            members,
        }
    }

    fn member(instance_id: Option<&str>) -> Member {
        Member {
            id: "m".to_owned(),
            instance_id: instance_id.map(str::to_owned),
            client_id: "c".to_owned(),
            host: "/h".to_owned(),
            assignment: [("u", 2), ("t", 10), ("t", 9)]
                .map(|(topic, partition)| TopicPartition::new(topic, partition))
                .to_vec(),
        }
    }

    #[test]
    fn tables() {
        let header = "GROUP           CONSUMER-ID     HOST            CLIENT-ID       #PARTITIONS     ";
        let row = "g               m               /h              c               3               ";
        assert_eq!(table(&group(Vec::new()), false, false), format!("\n{header}\n"));
        assert_eq!(table(&group(vec![member(None)]), true, false), format!("\n{header}\n{row}\n"));
        assert_eq!(
            table(&group(vec![member(None)]), true, true),
            format!("\n{header}ASSIGNMENT\n{row}(10,9), (2)\n")
        );
        let with_instance = table(&group(vec![member(Some("i"))]), true, false);
        assert!(with_instance.contains("m               i                 /h"), "{with_instance}");
        assert_eq!(json_members(&group(vec![member(None)]))[0]["assignment"][0]["partition"], 2);
    }
}
