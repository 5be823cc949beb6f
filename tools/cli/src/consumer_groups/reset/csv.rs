//! Offsets as CSV, written by `--export` and read by `--from-file`: `topic,partition,offset`, after the group where several
//! groups are reset (`CsvUtils`). Pure.

use std::collections::BTreeMap;

use gregor_model::TopicPartition;

/// Offsets of groups.
pub type Plan = BTreeMap<String, BTreeMap<TopicPartition, i64>>;

/// Why a file is no plan; says in which line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// A line with too few or too many columns.
    #[error("line {line}: expected {expected}, found {found} columns")]
    Columns {
        /// The line, from 1.
        line: usize,
        /// The columns there should be.
        expected: &'static str,
        /// How many there are.
        found: usize,
    },
    /// A column that is no number.
    #[error("line {line}: the {column} '{text}' is no number")]
    Number {
        /// The line, from 1.
        line: usize,
        /// Which column.
        column: &'static str,
        /// What is there.
        text: String,
    },
    /// A quotation mark that is not closed.
    #[error("line {line}: a quotation mark is not closed")]
    Quote {
        /// The line, from 1.
        line: usize,
    },
}

/// Strings longer than this are quoted without being looked at.
const UNQUOTED_MAX: usize = 24;

/// One record; with the group if it is given.
pub fn record(group: Option<&str>, partition: &TopicPartition, offset: i64) -> String {
    let group = group.map(|group| quoted(group) + ",").unwrap_or_default();
    format!("{group}{},{},{offset}\n", quoted(partition.topic.as_str()), partition.partition)
}

fn quoted(text: &str) -> String {
    if text.chars().count() > UNQUOTED_MAX || text.chars().any(|letter| letter <= ',') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Reads a file. With a `single_group` the lines may have no group.
pub fn read(text: &str, single_group: Option<&str>) -> Result<Plan, CsvError> {
    let mut plan = Plan::new();
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()).peekable();
    let columns = match lines.peek() {
        Some((number, first)) => fields(*number, first)?.len(),
        None => 0,
    };
    let group = single_group.filter(|_| columns == 3);
    for (line, content) in lines {
        let fields = fields(line, content)?;
        let number = |column: &'static str, text: &str| -> Result<i64, CsvError> {
            text.trim().parse().map_err(|_| CsvError::Number { line, column, text: text.to_owned() })
        };
        let (group, rest) = match (group, &fields[..]) {
            (Some(group), rest) => (group, rest),
            (None, [group, rest @ ..]) => (group.as_str(), rest),
            (None, []) => ("", &[][..]),
        };
        let [topic, partition, offset] = rest else {
            let expected = match single_group {
                Some(_) => "topic,partition,offset",
                None => "group,topic,partition,offset",
            };
            return Err(CsvError::Columns { line, expected, found: fields.len() });
        };
        let index = i32::try_from(number("partition", partition)?).map_err(|_| CsvError::Number {
            line,
            column: "partition",
            text: partition.clone(),
        })?;
        let offset = number("offset", offset)?;
        plan.entry(group.to_owned()).or_default().insert(TopicPartition::new(topic.as_str(), index), offset);
    }
    Ok(plan)
}

fn fields(line: usize, content: &str) -> Result<Vec<String>, CsvError> {
    let mut fields = vec![String::new()];
    let mut in_quotes = false;
    let mut letters = content.chars().peekable();
    while let Some(letter) = letters.next() {
        let Some(field) = fields.last_mut() else { break };
        match letter {
            '"' if in_quotes && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' if in_quotes || field.is_empty() => in_quotes = !in_quotes,
            ',' if !in_quotes => fields.push(String::new()),
            letter => field.push(letter),
        }
    }
    if in_quotes { Err(CsvError::Quote { line }) } else { Ok(fields) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(entries: &[(&str, &str, i32, i64)]) -> Plan {
        let mut plan = Plan::new();
        for (group, topic, partition, offset) in entries {
            let partition = TopicPartition::new(*topic, *partition);
            plan.entry((*group).to_owned()).or_default().insert(partition, *offset);
        }
        plan
    }

    #[test]
    fn files() {
        let one = plan(&[("g", "t", 0, 5), ("g", "t", 1, 7)]);
        for (text, group, expected) in [
            ("t,0,5\nt,1,7\n", Some("g"), Ok(one.clone())),
            ("g,t,0,5\n\n\"g\",\"t\",1,7\n", None, Ok(one.clone())),
            ("g,t,0,5\ng,t,1,7", Some("g"), Ok(one)),
            ("", Some("g"), Ok(Plan::new())),
            ("t,0\n", Some("g"), Err("line 1: expected topic,partition,offset, found 2 columns")),
            ("t,0,5\n", None, Err("line 1: expected group,topic,partition,offset, found 3 columns")),
            ("t,0,5\nt,x,7\n", Some("g"), Err("line 2: the partition 'x' is no number")),
            ("t,0,five\n", Some("g"), Err("line 1: the offset 'five' is no number")),
            ("t,9999999999,5\n", Some("g"), Err("line 1: the partition '9999999999' is no number")),
            ("\"t,0,5\n", Some("g"), Err("line 1: a quotation mark is not closed")),
        ] {
            let answer = read(text, group).map_err(|error| error.to_string());
            assert_eq!(answer, expected.map_err(str::to_owned), "{text:?}");
        }
    }

    #[test]
    fn records() {
        let partition = |topic: &str| TopicPartition::new(topic, 3);
        assert_eq!(record(None, &partition("t"), 5), "t,3,5\n");
        assert_eq!(record(Some("a group"), &partition("t"), 5), "\"a group\",t,3,5\n");
        let long = "a-topic-of-25-characters-x";
        assert_eq!(record(None, &partition(long), 5), format!("\"{long}\",3,5\n"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(group in "[ -~]{1,40}", topic in "[ -~]{1,40}", partition: i32, offset: i64) {
            let expected = plan(&[(&group, &topic, partition, offset)]);
            let text = record(Some(&group), &TopicPartition::new(topic.as_str(), partition), offset);
            prop_assert_eq!(read(&text, None), Ok(expected));
        }

        #[test]
        fn nothing_panics(text in ".{0,200}") {
            let _ = read(&text, Some("g"));
            let _ = read(&text, None);
        }
    }
}
