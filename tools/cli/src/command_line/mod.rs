//! Flags as Kafka's tools take them (jopt-simple): `--name value`, `--name=value`, `-name value`, unambiguous prefixes of
//! names, repeated flags; and the messages those tools print. Pure.

mod clap_tool;
mod completion;
mod refusal;

use std::fmt::Write as _;

pub use clap_tool::clap_arguments;
pub use completion::command;
pub use refusal::{
    BOOTSTRAP_SERVER, COMMAND_CONFIG, COMMON, Refusal, conflicting, help_or_version, one_action, required,
};

/// One flag of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// Its name, without dashes.
    pub name: &'static str,
    /// What its value is, or None for a flag without one.
    pub value: Option<&'static str>,
    /// Whether the value may be left out.
    pub is_optional: bool,
    /// What it is for, in `--help`.
    pub help: &'static str,
}

impl Flag {
    /// A flag without a value.
    pub const fn switch(name: &'static str, help: &'static str) -> Flag {
        Flag { name, value: None, is_optional: false, help }
    }

    /// A flag with a value.
    pub const fn valued(name: &'static str, value: &'static str, help: &'static str) -> Flag {
        Flag { name, value: Some(value), is_optional: false, help }
    }

    /// A flag whose value may be left out.
    pub const fn optional(name: &'static str, value: &'static str, help: &'static str) -> Flag {
        Flag { name, value: Some(value), is_optional: true, help }
    }
}

/// A command line that cannot be taken; the text is what Kafka's tool prints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// A flag the tool does not have, or an ambiguous prefix.
    #[error("{0} is not a recognized option")]
    Unknown(String),
    /// A value is missing.
    #[error("Option {0} requires an argument")]
    NoValue(String),
    /// A flag without which the tool cannot work.
    #[error("Missing required option(s) [{0}]")]
    Missing(&'static str),
    /// A value where none belongs.
    #[error("Option {0} does not take an argument")]
    ValueNotTaken(String),
    /// A flag given twice that can be given once.
    #[error("Found multiple arguments for option {0}, but you asked for only one")]
    Repeated(&'static str),
    /// A value that is no number.
    #[error("Cannot parse argument '{value}' of option {name}")]
    NotANumber {
        /// The flag.
        name: &'static str,
        /// What was given.
        value: String,
    },
}

/// The flags that were given, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given(Vec<(&'static str, Option<String>)>);

impl Given {
    /// Whether flag `name` was given.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(given, _)| *given == name)
    }

    /// Every flag with its value, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (*name, value.as_deref()))
    }

    /// Every value of flag `name`.
    pub fn values(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(given, _)| *given == name).filter_map(|(_, value)| value.as_deref()).collect()
    }

    /// The value of flag `name`, which may be given once.
    pub fn value(&self, name: &'static str) -> Result<Option<&str>, FlagError> {
        match self.values(name)[..] {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            _ => Err(FlagError::Repeated(name)),
        }
    }

    /// The value of flag `name` as a number.
    pub fn number<T: std::str::FromStr>(&self, name: &'static str) -> Result<Option<T>, FlagError> {
        let parse =
            |value: &str| value.parse().map_err(|_| FlagError::NotANumber { name, value: value.to_owned() });
        self.value(name)?.map(parse).transpose()
    }
}

/// Reads `arguments` by the table `flags`. Words that are no flags are passed over, as the tools do.
pub fn parse(flags: &[Flag], arguments: &[String]) -> Result<Given, FlagError> {
    let mut given = Vec::new();
    let mut rest = arguments.iter().peekable();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            break;
        }
        let Some(text) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else { continue };
        let (name, attached) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        let flag = find(flags, name).ok_or_else(|| FlagError::Unknown(name.to_owned()))?;
        let value = match (flag.value, attached) {
            (None, None) => None,
            (None, Some(_)) => return Err(FlagError::ValueNotTaken(flag.name.to_owned())),
            (Some(_), Some(value)) => Some(value),
            (Some(_), None) if flag.is_optional => rest.next_if(|next| is_value(next)).cloned(),
            (Some(_), None) => {
                Some(rest.next().ok_or_else(|| FlagError::NoValue(flag.name.to_owned()))?.clone())
            }
        };
        given.push((flag.name, value));
    }
    Ok(Given(given))
}

/// Whether a word after a flag that needs no value is its value.
fn is_value(word: &str) -> bool {
    !word.starts_with('-') || word == "-" || word.parse::<i64>().is_ok()
}

fn find<'a>(flags: &'a [Flag], name: &str) -> Option<&'a Flag> {
    if let Some(flag) = flags.iter().find(|flag| flag.name == name) {
        return Some(flag);
    }
    let mut candidates = flags.iter().filter(|flag| !name.is_empty() && flag.name.starts_with(name));
    match (candidates.next(), candidates.next()) {
        (Some(flag), None) => Some(flag),
        _ => None,
    }
}

/// A command line's words, for tests.
#[cfg(test)]
pub fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// The list of flags, as `--help` and usage errors show it.
pub fn usage(flags: &[Flag]) -> String {
    let label = |flag: &Flag| match flag.value {
        Some(value) if flag.is_optional => format!("--{} [{value}]", flag.name),
        Some(value) => format!("--{} <{value}>", flag.name),
        None => format!("--{}", flag.name),
    };
    let mut sorted: Vec<&Flag> = flags.iter().collect();
    sorted.sort_by_key(|flag| flag.name);
    let width = sorted.iter().map(|flag| label(flag).len()).max().unwrap_or(0);
    let mut text = format!("{:width$}  Description\n{:width$}  -----------\n", "Option", "------");
    for flag in sorted {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:width$}  {}", label(flag), flag.help);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: [Flag; 5] = [
        Flag::switch("list", "lists"),
        Flag::valued("topic", "name", "a topic"),
        Flag::valued("topic-id", "id", "a topic's id"),
        Flag::valued("partitions", "count", "how many"),
        Flag::optional("state", "state", "which"),
    ];

    #[track_caller]
    fn check(line: &str, expected: Result<&[(&'static str, Option<&str>)], &str>) {
        let words = words(line);
        match (parse(&FLAGS, &words), expected) {
            (Ok(Given(given)), Ok(expected)) => {
                let given: Vec<_> = given.iter().map(|(name, value)| (*name, value.as_deref())).collect();
                assert_eq!(given, expected, "{line}");
            }
            (given, expected) => assert_eq!(
                given.map(drop).map_err(|e| e.to_string()),
                expected.map(drop).map_err(str::to_owned)
            ),
        }
    }

    #[test]
    fn flags_are_read_as_by_kafka_tools() {
        check("--list", Ok(&[("list", None)]));
        check("-list --topic=a", Ok(&[("list", None), ("topic", Some("a"))]));
        check("--topic a --topic b stray", Ok(&[("topic", Some("a")), ("topic", Some("b"))]));
        check("--part 3", Ok(&[("partitions", Some("3"))]));
        check("--topic --list", Ok(&[("topic", Some("--list"))]));
        check("--list -- --topic", Ok(&[("list", None)]));
        check("--state --list", Ok(&[("state", None), ("list", None)]));
        check("--state", Ok(&[("state", None)]));
        check("--state stable --list", Ok(&[("state", Some("stable")), ("list", None)]));
        check("--state -1", Ok(&[("state", Some("-1"))]));
        check("--nonsense", Err("nonsense is not a recognized option"));
        check("--topi x", Err("topi is not a recognized option"));
        check("--topic", Err("Option topic requires an argument"));
        check("--list=yes", Err("Option list does not take an argument"));
    }

    #[test]
    fn values_are_single_and_typed() {
        let given = Given(vec![
            ("topic", Some("a".to_owned())),
            ("topic", Some("b".to_owned())),
            ("partitions", Some("many".to_owned())),
        ]);
        assert_eq!(given.values("topic"), ["a", "b"]);
        assert_eq!(given.value("topic"), Err(FlagError::Repeated("topic")));
        let error = given.number::<i32>("partitions").unwrap_err();
        assert_eq!(error.to_string(), "Cannot parse argument 'many' of option partitions");
    }

    #[test]
    fn usage_lists_every_flag_once() {
        let text = usage(&FLAGS);
        assert_eq!(text.lines().count(), FLAGS.len() + 2);
        assert!(text.contains("--partitions <count>  how many"));
    }
}
