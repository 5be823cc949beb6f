//! `cargo xtask TASK`: chores of this repository that need more than a shell line.

mod configs;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let task = std::env::args().nth(1).unwrap_or_default();
    let outcome = match task.as_str() {
        "tidy" => tidy::run(&root),
        "configs" => configs::write(&root),
        _ => {
            eprintln!("usage: cargo xtask tidy       check what the compiler and clippy do not");
            eprintln!("       cargo xtask configs    write the list of configuration keys");
            return ExitCode::FAILURE;
        }
    };
    match outcome {
        Ok(complaints) if complaints.is_empty() => ExitCode::SUCCESS,
        Ok(complaints) => {
            complaints.iter().for_each(|complaint| eprintln!("{complaint}"));
            eprintln!("{} complaint(s)", complaints.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
