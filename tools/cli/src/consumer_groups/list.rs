//! `--list`: which groups are wanted, and their table (`ConsumerGroupCommand.printGroupInfo`). Pure.

use serde_json::{Value, json};

use crate::admin::groups::GroupListing;
use crate::java_map::{DEFAULT_CAPACITY, sort_as_hash_map};

/// A filter that names what is no state or type; the text is what Kafka's tool prints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid {what} list '{list}'. Valid {what_all} are: {valid}")]
pub struct InvalidFilter {
    what: &'static str,
    what_all: &'static str,
    list: String,
    valid: String,
}

const STATES: [&str; 7] =
    ["PreparingRebalance", "CompletingRebalance", "Stable", "Dead", "Empty", "Assigning", "Reconciling"];
const TYPES: [&str; 2] = ["Consumer", "Classic"];

/// The states in a list by commas, as brokers know them.
pub fn states(list: &str) -> Result<Vec<String>, InvalidFilter> {
    known(list, &STATES, ("state", "states"))
}

/// The types in a list by commas, as brokers know them.
pub fn types(list: &str) -> Result<Vec<String>, InvalidFilter> {
    known(list, &TYPES, ("types", "types"))
}

fn known(
    list: &str,
    names: &[&'static str],
    (what, what_all): (&'static str, &'static str),
) -> Result<Vec<String>, InvalidFilter> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let find = |word: &str| names.iter().find(|name| name.eq_ignore_ascii_case(word.trim()));
    let found: Option<Vec<String>> =
        list.split(',').map(|word| find(word).map(ToString::to_string)).collect();
    found.ok_or_else(|| InvalidFilter { what, what_all, list: list.to_owned(), valid: names.join(", ") })
}

/// Puts groups in the order in which Kafka's tool shows them.
pub fn sort(groups: &mut [GroupListing]) {
    sort_as_hash_map(groups, DEFAULT_CAPACITY, |group| &group.id);
}

/// A line per group, with the columns asked for; without any, only ids.
pub fn table(groups: &[GroupListing], with_type: bool, with_state: bool) -> String {
    if !with_type && !with_state {
        return groups.iter().map(|group| format!("{}\n", group.id)).collect();
    }
    let width = groups.iter().map(|group| group.id.chars().count()).max().unwrap_or(0).max(15) + 10;
    let line = |id: &str, group_type: &str, state: &str| {
        let mut line = format!("{id:width$}");
        if with_type {
            line.push_str(&format!(" {group_type:20}"));
        }
        if with_state {
            line.push_str(&format!(" {state:20}"));
        }
        line + "\n"
    };
    let rows = groups.iter().map(|group| line(&group.id, &shown_type(group), shown_state(group)));
    line("GROUP", "TYPE", "STATE") + &rows.collect::<String>()
}

fn shown_type(group: &GroupListing) -> String {
    let known = TYPES.iter().find(|name| name.eq_ignore_ascii_case(&group.group_type));
    known.copied().unwrap_or("Unknown").to_owned()
}

fn shown_state(group: &GroupListing) -> &str {
    if group.state.is_empty() { "Unknown" } else { &group.state }
}

/// The same as JSON.
pub fn json_document(groups: &[GroupListing]) -> Value {
    let entry = |group: &GroupListing| json!({ "groupId": group.id, "type": shown_type(group), "state": shown_state(group) });
    json!({ "groups": groups.iter().map(entry).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters() {
        assert_eq!(states("stable, EMPTY"), Ok(vec!["Stable".to_owned(), "Empty".to_owned()]));
        assert_eq!(states(""), Ok(Vec::new()));
        assert_eq!(types("classic"), Ok(vec!["Classic".to_owned()]));
        assert_eq!(
            states("what").unwrap_err().to_string(),
            "Invalid state list 'what'. Valid states are: PreparingRebalance, CompletingRebalance, Stable, Dead, Empty, \
             Assigning, Reconciling"
        );
        let error = types("stable").unwrap_err().to_string();
        assert_eq!(error, "Invalid types list 'stable'. Valid types are: Consumer, Classic");
    }

    #[test]
    fn tables() {
        let group = |id: &str, state: &str| GroupListing {
            id: id.to_owned(),
            state: state.to_owned(),
            group_type: "classic".to_owned(),
        };
        let groups = [group("g", "Stable"), group("h", "")];
        assert_eq!(table(&groups, false, false), "g\nh\n");
        assert_eq!(
            table(&groups[..1], true, true),
            "GROUP                     TYPE                 STATE               \n\
             g                         Classic              Stable              \n"
        );
        assert!(table(&groups, false, true).ends_with("h                         Unknown             \n"));
        assert_eq!(json_document(&groups[..1])["groups"][0]["type"], "Classic");
    }
}
