//! `gregor completion SHELL`: the script that makes a shell complete tools and flags, made from the tools' own tables.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};
use clap_complete::Shell;

use crate::command_line::clap_arguments;
use crate::tool::program;

/// Prints a completion script: `source <(gregor completion bash)`.
#[derive(Clone, Debug, Parser)]
#[command(name = "gregor completion")]
struct Flags {
    /// The shell to complete for
    shell: Shell,
}

/// This tool's flags.
pub fn command() -> clap::Command {
    Flags::command()
}

/// Prints the script.
pub async fn run(arguments: &[String]) -> ExitCode {
    let flags: Flags = match clap_arguments(arguments) {
        Ok(flags) => flags,
        Err(code) => return code,
    };
    let mut script = Vec::new();
    clap_complete::generate(flags.shell, &mut program(crate::TOOLS), "gregor", &mut script);
    print!("{}", String::from_utf8_lossy(&script));
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_learns_every_tool_and_its_flags() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut program(crate::TOOLS), "gregor", &mut script);
            let script = String::from_utf8(script).unwrap();
            for tool in crate::TOOLS {
                assert!(script.contains(tool.name), "{shell}: {}", tool.name);
            }
            assert!(script.contains("under-replicated-partitions"), "{shell}");
        }
    }
}
