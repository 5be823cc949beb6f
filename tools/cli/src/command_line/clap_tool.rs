//! Flags of the tools that clap reads: our own, and those of Kafka's tools that have words for actions (argparse4j).

use std::process::ExitCode;

use clap::Parser;

/// Reads the words after a tool's name. On failure, or `--help`, what is to be said has been said.
pub fn clap_arguments<T: Parser>(arguments: &[String]) -> Result<T, ExitCode> {
    let name = T::command().get_name().to_owned();
    let words = std::iter::once(name).chain(arguments.iter().cloned());
    T::try_parse_from(words).map_err(|refusal| {
        // Nobody is left to tell if stderr is closed.
        let _ = refusal.print();
        if refusal.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    })
}
