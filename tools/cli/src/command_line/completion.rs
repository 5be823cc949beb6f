//! Flag tables as clap commands, for shell completion. Pure.

use super::Flag;

/// A tool's flags as clap sees them.
pub fn command(flags: &[Flag]) -> clap::Command {
    let argument = |flag: &Flag| {
        let argument = clap::Arg::new(flag.name).long(flag.name).help(flag.help);
        let argument = if flag.is_optional { argument.num_args(0..=1) } else { argument };
        match flag.value {
            Some(value) if is_path(value) => argument.value_name(value).value_hint(clap::ValueHint::FilePath),
            Some(value) => argument.value_name(value),
            None => argument.action(clap::ArgAction::SetTrue),
        }
    };
    // The tools have their own --help and --version, in the table.
    clap::Command::new("tool")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(flags.iter().map(argument))
}

fn is_path(value: &str) -> bool {
    ["file", "path", "dir"].iter().any(|word| value.contains(word))
}
