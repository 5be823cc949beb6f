//! What an administrator wants changed of one resource's keys, and what is stored after it (`AlterConfigOp`,
//! `ConfigAdminManager.prepareIncrementalConfigs`). Pure.

use std::collections::HashSet;

use gregor_config::{Properties, Table, ValueType, dynamic};

use super::AlterConfigsError;

/// What to do with a key (`AlterConfigOp.OpType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlterOperation {
    /// 0.
    Set,
    /// 1.
    Delete,
    /// 2: add to a list.
    Append,
    /// 3: take from a list.
    Subtract,
    /// No operation of 3.9.
    Unknown(i8),
}

impl AlterOperation {
    /// The operation with that id.
    pub fn from_wire(id: i8) -> AlterOperation {
        match id {
            0 => AlterOperation::Set,
            1 => AlterOperation::Delete,
            2 => AlterOperation::Append,
            3 => AlterOperation::Subtract,
            other => AlterOperation::Unknown(other),
        }
    }
}

/// One key's change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    /// The key.
    pub name: String,
    /// What to do.
    pub operation: AlterOperation,
    /// The value; only deletions need none.
    pub value: Option<String>,
}

/// Changes of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// AlterConfigs: what is not named is removed; every change is a `Set`.
    Replace(Vec<ConfigChange>),
    /// IncrementalAlterConfigs: what is not named stays.
    Change(Vec<ConfigChange>),
}

impl Alteration {
    /// The keys named.
    pub fn changes(&self) -> &[ConfigChange] {
        match self {
            Alteration::Replace(changes) | Alteration::Change(changes) => changes,
        }
    }

    /// Each key once, and a value for all but deletions.
    pub(super) fn check(&self) -> Result<(), AlterConfigsError> {
        let changes = self.changes();
        let mut seen = HashSet::new();
        if !changes.iter().all(|change| seen.insert(change.name.as_str())) {
            return Err(AlterConfigsError::Invalid("Error due to duplicate config keys".to_owned()));
        }
        let nulls: Vec<&str> = changes
            .iter()
            .filter(|change| change.value.is_none() && change.operation != AlterOperation::Delete)
            .map(|change| change.name.as_str())
            .collect();
        if nulls.is_empty() {
            return Ok(());
        }
        Err(AlterConfigsError::Invalid(format!("Null value not supported for : {}", nulls.join(", "))))
    }

    /// What is stored afterwards; `table` has the keys of such resources.
    pub(super) fn apply(
        &self,
        stored: Properties,
        table: &'static Table,
    ) -> Result<Properties, AlterConfigsError> {
        let mut next = match self {
            Alteration::Replace(_) => Properties::new(),
            Alteration::Change(_) => stored,
        };
        for change in self.changes() {
            let value = change.value.as_deref().unwrap_or_default();
            match change.operation {
                AlterOperation::Delete => drop(next.remove(&change.name)),
                AlterOperation::Set => next.set(&change.name, value),
                AlterOperation::Append => {
                    let before = list_before(&next, &change.name, table, "append")?;
                    next.set(&change.name, append(&before, value));
                }
                AlterOperation::Subtract => {
                    let before = list_before(&next, &change.name, table, "subtract")?;
                    next.set(&change.name, subtract(&before, value));
                }
                AlterOperation::Unknown(id) => {
                    return Err(AlterConfigsError::UnknownOperation(id));
                }
            }
        }
        Ok(next)
    }
}

/// The list that is added to or taken from: what is stored, or the key's default.
fn list_before(
    stored: &Properties,
    name: &str,
    table: &'static Table,
    what: &str,
) -> Result<String, AlterConfigsError> {
    let key = table.get(name).or_else(|| dynamic::find(name));
    match key.filter(|key| key.value_type == ValueType::List) {
        Some(key) => Ok(stored.get(name).or(key.default).unwrap_or_default().to_owned()),
        None => Err(AlterConfigsError::Config(format!(
            "Config value {what} is not allowed for config key: {name}"
        ))),
    }
}

/// Java's `split(",")`: empty texts at the end are dropped, but an empty text is one entry.
fn split(list: &str) -> Vec<&str> {
    let mut entries: Vec<&str> = list.split(',').collect();
    while entries.len() > 1 && entries.last().is_some_and(|last| last.is_empty()) {
        entries.pop();
    }
    entries
}

fn append(before: &str, value: &str) -> String {
    let mut list = if before.is_empty() { Vec::new() } else { split(before) };
    let added: Vec<&str> = split(value).into_iter().filter(|entry| !list.contains(entry)).collect();
    list.extend(added);
    list.join(",")
}

fn subtract(before: &str, value: &str) -> String {
    let mut list = split(before);
    for entry in split(value) {
        if let Some(position) = list.iter().position(|kept| *kept == entry) {
            list.remove(position);
        }
    }
    list.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use gregor_config::topic_table;

    fn change(name: &str, operation: AlterOperation, value: &str) -> ConfigChange {
        ConfigChange { name: name.to_owned(), operation, value: Some(value.to_owned()) }
    }

    #[test]
    fn changes_of_a_topic() {
        use AlterOperation::{Append, Delete, Set, Subtract, Unknown};
        #[track_caller]
        fn check(change: ConfigChange, expected: Result<&[(&str, &str)], &str>) {
            let stored: Properties = [("retention.ms", "1")].into_iter().collect();
            let next = Alteration::Change(vec![change]).apply(stored, topic_table());
            let expected = expected.map(|pairs| pairs.iter().copied().collect::<Properties>());
            assert_eq!(next.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
        }
        check(change("retention.ms", Set, "2"), Ok(&[("retention.ms", "2")]));
        check(change("retention.ms", Delete, ""), Ok(&[]));
        check(
            change("cleanup.policy", Append, "compact"),
            Ok(&[("cleanup.policy", "delete,compact"), ("retention.ms", "1")]),
        );
        check(
            change("cleanup.policy", Subtract, "delete"),
            Ok(&[("cleanup.policy", ""), ("retention.ms", "1")]),
        );
        check(
            change("retention.ms", Append, "2"),
            Err("Config value append is not allowed for config key: retention.ms"),
        );
        check(
            change("unknown", Subtract, "2"),
            Err("Config value subtract is not allowed for config key: unknown"),
        );
        check(change("retention.ms", Unknown(9), "2"), Err("Unknown operations type 9"));
    }

    #[test]
    fn a_replacement_keeps_nothing() {
        let stored: Properties = [("retention.ms", "1")].into_iter().collect();
        let replacement = Alteration::Replace(vec![change("segment.ms", AlterOperation::Set, "5")]);
        let expected: Properties = [("segment.ms", "5")].into_iter().collect();
        assert_eq!(replacement.apply(stored, topic_table()).ok(), Some(expected));
    }

    #[test]
    fn lists_are_edited_as_in_java() {
        assert_eq!(append("", "a,b"), "a,b");
        assert_eq!(append("a,b", "b,c,"), "a,b,c");
        assert_eq!(subtract("a,b,a", "a"), "b,a");
        assert_eq!(subtract("", "a"), "");
        assert_eq!(subtract("a", "a,x"), "");
    }

    #[test]
    fn each_key_once_and_with_a_value() {
        let twice = [change("a", AlterOperation::Set, "1"), change("a", AlterOperation::Delete, "")];
        let check = |changes: Vec<ConfigChange>| {
            Alteration::Change(changes).check().map_err(|error| error.to_string())
        };
        assert_eq!(check(twice.into()), Err("Error due to duplicate config keys".to_owned()));
        let null = |name: &str| ConfigChange { value: None, ..change(name, AlterOperation::Set, "") };
        assert_eq!(check(vec![null("a"), null("b")]), Err("Null value not supported for : a, b".to_owned()));
    }
}
