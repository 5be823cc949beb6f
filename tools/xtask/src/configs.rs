//! The list of every configuration key with what Gregor does with it, written from the tables that the broker itself reads.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use gregor_config::dynamic::DYNAMIC_ONLY;
use gregor_config::{ConfigKey, Scope, Treatment, authorizer_table, broker_table, gregor_table, topic_table};

use crate::tidy::Complaint;

/// Where the list is kept.
const PATH: &str = "broker/config/CONFIGS.md";

const INTRODUCTION: &str = "\
# Configuration keys

Every key of Apache Kafka 3.9's brokers (ZooKeeper mode) and topics, and what Gregor does with it:

- **honoured**: it has the meaning it has in Kafka. *Dynamically*: a change by `gregor configs` is in force at once, for one
  broker, or for one broker and for all as the cluster's default.
- **accepted**: checked as Kafka checks it and shown by DescribeConfigs, but without effect here, for the reason given; the
  broker says so when it starts with a value other than the default.
- **refused**: a broker with another value than the default (or those named) does not start, for the reason given.

This list is written by `cargo xtask configs` from the tables that the broker reads.
";

/// Writes the list.
pub fn write(root: &Path) -> Result<Vec<Complaint>> {
    fs::write(root.join(PATH), text()).with_context(|| format!("writing {PATH}"))?;
    Ok(Vec::new())
}

/// Complains about a list that is not what the tables say.
pub fn check(root: &Path) -> Vec<Complaint> {
    let is_current = fs::read_to_string(root.join(PATH)).is_ok_and(|kept| kept == text());
    let what = "is not what the tables say: run `cargo xtask configs`".to_owned();
    if is_current { Vec::new() } else { vec![Complaint { path: PATH.to_owned(), line: 1, what }] }
}

fn text() -> String {
    let mut text = INTRODUCTION.to_owned();
    section(&mut text, "Brokers", broker_table().iter(), honoured_broker);
    let only_dynamic = DYNAMIC_ONLY.iter();
    section(&mut text, "Brokers, as dynamic configuration only", only_dynamic, honoured_broker);
    section(&mut text, "Topics", topic_table().iter(), |_| "honoured dynamically");
    section(
        &mut text,
        "The authorizer, in `server.properties`",
        authorizer_table().iter(),
        |_| "accepted: there is no authorizer",
    );
    section(&mut text, "Gregor's own, which Kafka passes over", gregor_table().iter(), honoured_broker);
    text
}

fn section<'a>(
    text: &mut String,
    title: &str,
    keys: impl Iterator<Item = &'a ConfigKey>,
    honoured: impl Fn(&ConfigKey) -> &'static str,
) {
    let rows: Vec<String> = keys.map(|key| row(key, &honoured)).collect();
    // Writing to a text cannot fail.
    let _ = writeln!(text, "\n## {title} ({})\n\n| key | default | here |\n| --- | --- | --- |", rows.len());
    text.push_str(&rows.concat());
}

fn row(key: &ConfigKey, honoured: impl Fn(&ConfigKey) -> &'static str) -> String {
    let default = match key.default {
        None => "none".to_owned(),
        Some("") => "empty".to_owned(),
        Some(default) => format!("`{default}`"),
    };
    let here = match key.treatment {
        Treatment::Honoured => honoured(key).to_owned(),
        Treatment::Accepted(reason) => format!("accepted: {reason}"),
        Treatment::Refused { reason, unless: [] } => format!("refused: {reason}"),
        Treatment::Refused { reason, unless } => {
            format!("refused but for `{}`: {reason}", unless.join("`, `"))
        }
    };
    format!("| `{}` | {default} | {here} |\n", key.name)
}

fn honoured_broker(key: &ConfigKey) -> &'static str {
    match key.scope {
        Scope::ReadOnly => "honoured",
        Scope::PerBroker => "honoured dynamically, per broker",
        Scope::ClusterWide => "honoured dynamically",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_current() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        assert_eq!(check(&root), []);
    }

    #[test]
    fn a_row_says_what_becomes_of_a_key() {
        let row_of = |name: &str| {
            let key = broker_table().get(name).expect("a key");
            row(key, honoured_broker)
        };
        for (name, expected) in [
            ("broker.id", "| `broker.id` | `-1` | honoured |\n"),
            ("min.insync.replicas", "| `min.insync.replicas` | `1` | honoured dynamically |\n"),
            (
                "create.topic.policy.class.name",
                "| `create.topic.policy.class.name` | none | refused: Java classes cannot be loaded |\n",
            ),
        ] {
            assert_eq!(row_of(name), expected);
        }
    }
}
