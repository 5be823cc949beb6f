//! A command line that is not carried out, and the rules that several tools share about which flags go together
//! (`CommandLineUtils`). The rules are pure; `Refusal::report` prints.

use std::process::ExitCode;

use super::{Flag, FlagError, Given, usage};

/// Why a command line is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Wrong use, or a request for help: the message, then the flags, on stderr, as Kafka's tools do.
    #[error("{0}")]
    Usage(String),
    /// The message alone, on stderr.
    #[error("{0}")]
    Plain(String),
    /// A malformed flag: the message alone, on stderr.
    #[error("{0}")]
    Flag(#[from] FlagError),
    /// `--version`.
    #[error("version")]
    Version,
}

/// Flags every one of Kafka's tools has.
pub const COMMON: [Flag; 2] =
    [Flag::switch("help", "Print this."), Flag::switch("version", "Print the version.")];

/// Which cluster is meant.
pub const BOOTSTRAP_SERVER: Flag = Flag::valued(
    "bootstrap-server",
    "server to connect to",
    "REQUIRED: a broker of the cluster, as host:port; several by commas.",
);

/// How to connect to it.
pub const COMMAND_CONFIG: Flag = Flag::valued("command-config", "property file", "Client properties.");

impl Refusal {
    /// Prints what is to be said, and gives the exit code.
    pub fn report(&self, flags: &[Flag]) -> ExitCode {
        match self {
            Refusal::Version => {
                println!("{}", env!("CARGO_PKG_VERSION"));
                return ExitCode::SUCCESS;
            }
            Refusal::Usage(message) => eprint!("{message}\n{}", usage(flags)),
            Refusal::Plain(_) | Refusal::Flag(_) => eprintln!("{self}"),
        }
        ExitCode::FAILURE
    }
}

/// Asks for help: `message` if there are no arguments or `--help`; or for the version.
pub fn help_or_version(arguments: &[String], given: &Given, message: &str) -> Result<(), Refusal> {
    if arguments.is_empty() || given.has("help") {
        return Err(Refusal::Usage(message.to_owned()));
    }
    if given.has("version") {
        return Err(Refusal::Version);
    }
    Ok(())
}

/// Fails unless one of the tool's actions was given, and one only; `words` is how Kafka's tool lists them.
pub fn one_action(given: &Given, actions: &[&str], words: &str) -> Result<(), Refusal> {
    match actions.iter().filter(|action| given.has(action)).count() {
        1 => Ok(()),
        _ => Err(Refusal::Usage(format!("Command must include exactly one action: {words}"))),
    }
}

/// Fails on the first of `names` that was not given.
pub fn required(given: &Given, names: &[&str]) -> Result<(), Refusal> {
    match names.iter().find(|name| !given.has(name)) {
        Some(name) => Err(Refusal::Usage(format!("Missing required argument \"[{name}]\""))),
        None => Ok(()),
    }
}

/// Fails if `used` was given and one of `others`, too.
pub fn conflicting(given: &Given, used: &str, others: &[&str]) -> Result<(), Refusal> {
    match others.iter().find(|other| given.has(used) && given.has(other)) {
        Some(other) => {
            Err(Refusal::Usage(format!("Option \"[{used}]\" can't be used with option \"[{other}]\"")))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::{parse, words};

    const FLAGS: [Flag; 3] =
        [Flag::switch("list", "lists"), Flag::valued("topic", "name", "a topic"), COMMON[1]];

    fn given(line: &str) -> Given {
        let words = words(line);
        parse(&FLAGS, &words).unwrap()
    }

    #[test]
    fn rules() {
        let both = given("--list --topic t");
        assert_eq!(required(&both, &["list", "topic"]), Ok(()));
        let missing = required(&given("--list"), &["list", "topic"]).unwrap_err();
        assert_eq!(missing.to_string(), "Missing required argument \"[topic]\"");
        assert_eq!(conflicting(&given("--list"), "list", &["topic"]), Ok(()));
        assert_eq!(one_action(&both, &["list", "add"], "--list, --add"), Ok(()));
        let actions = one_action(&both, &["list", "topic"], "--list, --topic").unwrap_err();
        assert_eq!(actions.to_string(), "Command must include exactly one action: --list, --topic");
        let conflict = conflicting(&both, "list", &["topic"]).unwrap_err();
        assert_eq!(conflict.to_string(), "Option \"[list]\" can't be used with option \"[topic]\"");
    }

    #[test]
    fn help_comes_before_the_version() {
        let words = ["--version".to_owned()];
        assert_eq!(help_or_version(&words, &given("--version"), "Helps."), Err(Refusal::Version));
        assert_eq!(help_or_version(&words, &given("--list"), "Helps."), Ok(()));
        let nothing = help_or_version(&[], &Given::default(), "Helps.");
        assert_eq!(nothing, Err(Refusal::Usage("Helps.".to_owned())));
    }
}
